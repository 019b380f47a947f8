"""Two engines, one answer: Numba over postings and DuckDB over plain tables agree on generated people and
definitions."""

from datetime import date
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cohort.stage import select
from pipelines.study.definition import Definition
from tests.amount import share_of
from tests.people import MadeShard, make_shard

FIRST, LAST = date(2019, 1, 1), date(2020, 12, 31)

windows = st.one_of(
    st.tuples(st.integers(-400, 400), st.integers(0, 400)).map(
        lambda pair: {"from": pair[0], "to": pair[0] + pair[1]}
    ),
    st.integers(-400, 400).map(lambda day: {"from": None, "to": day}),
)
worth = st.builds(
    lambda low, unit: {"at_least": low, "below": low + 3, "unit": unit},
    st.integers(0, 8),
    st.sampled_from(["mmol", "%"]),
)
events = st.fixed_dictionaries(
    {"codes": st.sampled_from(["one", "two", "many", "most"])},
    optional={
        "kind": st.sampled_from(["diagnosis", "drug"]),
        "setting": st.just(("inpatient",)),
        "primary": st.booleans(),
        "value": worth,
    },
)
counts = st.one_of(
    st.integers(1, 3).map(lambda n: {"at_least": n}),
    *(st.integers(0, 2).map(lambda n, k=k: {k: n}) for k in ("at_most", "exactly")),
)
rules = st.one_of(
    st.builds(
        lambda e, w, n, of, distinct: {**e, **w, **n, "of": of, "distinct": distinct},
        events,
        windows,
        counts,
        st.sampled_from(["start", "end"]),
        st.sampled_from([None, "days"]),
    ),
    st.builds(
        lambda w, day: {"cohort": "other", **w, "day": day}, windows, st.sampled_from(["any", "entry"])
    ),
)
conditions = st.recursive(
    rules,
    lambda inner: st.one_of(
        st.builds(
            lambda way, of: {way: of},
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(
            lambda way, n, of: {way: n, "of": of},
            st.sampled_from(["at_least", "at_most"]),
            st.integers(1, 2),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=4,
)
ends = st.one_of(
    st.just({}),
    st.integers(1, 500).map(lambda days: {"follow_up": days}),
    st.builds(
        lambda gap, offset: {"while_exposed": {"codes": "many", "gap": gap, "offset": offset}},
        st.integers(0, 90),
        st.integers(0, 60),
    ),
)
shifts = st.none() | st.builds(
    lambda after, of: {"after": after, "of": of}, st.integers(-60, 90), st.sampled_from(["start", "end"])
)
times = st.one_of(
    st.sampled_from(["first", "last", "any", 2, 3]).map(lambda which: (which, {})),
    st.builds(
        lambda which, days, join: (which, {"repeat": days, "join": join}),
        st.sampled_from(["all", {"from": 2}, {"from": 3}]),
        st.none() | st.integers(1, 400),
        st.integers(0, 90),
    ),
)
by_one = st.builds(
    lambda e, time, shift: ({**e, "which": time[0], "start": shift}, time[1]), events, times, shifts
)
by_any = st.builds(
    lambda each, which, shift: ({"any": each, "which": which, "start": shift}, {}),
    st.lists(events, min_size=2, max_size=3),
    st.sampled_from(["first", "last", "any", "all"]),
    shifts,
)
days = st.dates(FIRST, LAST)
by_calendar = st.one_of(
    days.map(lambda day: ({"date": day}, {})),
    st.builds(
        lambda day, every, length: ({"date": day, "every": every}, {"follow_up": length}),
        days,
        st.sampled_from(["month", "quarter", "year", 30, 100]),
        st.integers(1, 28),
    ),
    st.just(({"dates": ["2019-02-28", "2019-08-31", "2020-02-29"]}, {"follow_up": 100})),
    st.sampled_from(["first", "each"]).map(lambda which: ({"residence": which}, {})),
    st.builds(
        lambda which, every: ({"residence": which, "every": every}, {"follow_up": every}),
        st.sampled_from(["first", "each"]),
        st.integers(1, 200),
    ),
)
OTHER = Definition(
    cohort="other",
    title="other",
    study={"from": FIRST, "to": LAST},
    codes={"two": ["T/B1", "T/C"]},
    index={"codes": "two", "which": "all"},
    follow_up=60,
)


def asked(index: Any, more: Any, washout: int | None) -> dict[str, Any]:
    """What goes together of an index, what it brings, and a washout."""
    shifted = (index.get("start") or {}).get("of") == "end"
    if shifted and "any" in index and index["which"] in ("first", "last"):
        index = {**index, "start": {**index["start"], "of": "start"}}
    of_events = ("codes" in index or "any" in index) and index["which"] != "first" and not shifted
    return {"index": index, **more, "washout": washout if of_events else None}


definitions = st.builds(
    lambda index, age, sex, prior, washout, require, exclude, end, censor: Definition(
        cohort="generated",
        title="generated",
        study={"from": FIRST, "to": LAST},
        codes={
            "one": ["T/A"],
            "two": ["T/B1", "T/C"],
            "many": ["T/"],
            "most": {"include": ["T/"], "exclude": ["T/A1", "T/D"]},
        },
        others={"other": OTHER},
        age=age,
        sex=sex,
        prior_observation=prior,
        require=require,
        exclude=exclude,
        censor=censor,
        **{**end, **asked(*index, washout)} if "follow_up" not in index[1] else asked(*index, washout),
    ),
    st.one_of(by_one, by_any, by_calendar),
    st.none() | st.just({"from": 20, "to": 60}),
    st.sampled_from([None, "man", "woman"]),
    st.integers(0, 400),
    st.none() | st.integers(1, 300),
    st.lists(conditions, max_size=2),
    st.lists(conditions, max_size=1),
    ends,
    st.lists(events, max_size=1),
)


def same(shard: MadeShard, definition: Definition, sources: tuple[str, ...] | None) -> int:
    fast, slow = select(shard, sources, definition), select(shard, sources, definition, "duckdb")
    assert fast.attrition == slow.attrition
    assert fast.ends == slow.ends
    for name in ("person", "start", "end", "ended"):
        np.testing.assert_array_equal(fast.members[name], slow.members[name])
    return len(np.asarray(fast.members["person"]))


@settings(max_examples=share_of(150), deadline=None)
@given(st.integers(0, 2**20), definitions, st.sampled_from([None, ("a",), ("a", "b")]))
def test_engines_agree(seed: int, definition: Definition, sources: tuple[str, ...] | None) -> None:
    same(make_shard(seed, persons=40), definition, sources)


def test_engines_agree_on_a_cohort_that_is_not_empty() -> None:
    definition = Definition(
        cohort="c",
        title="c",
        study={"from": FIRST, "to": LAST},
        codes={"one": ["T/A"], "two": ["T/B"]},
        index={"codes": "one", "which": "any"},
        prior_observation=30,
        exclude=[{"codes": "two", "from": -30, "to": -1}],
    )
    assert same(make_shard(3, persons=400), definition, None) > 50
