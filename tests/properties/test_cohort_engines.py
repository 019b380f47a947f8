"""Two engines, one answer: Numba over postings and DuckDB over plain tables agree on generated people and
definitions."""

from datetime import date

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
rules = st.builds(
    lambda e, w, n, of: {**e, **w, **n, "of": of}, events, windows, counts, st.sampled_from(["start", "end"])
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
times = st.one_of(
    st.sampled_from(["first", "last", "any", 2, 3]).map(lambda which: (which, {})),
    st.builds(
        lambda days, join: ("all", {"repeat": days, "join": join}),
        st.none() | st.integers(1, 400),
        st.integers(0, 90),
    ),
)
definitions = st.builds(
    lambda index, time, age, sex, prior, washout, require, exclude, end, censor: Definition(
        cohort="generated",
        title="generated",
        study={"from": FIRST, "to": LAST},
        codes={
            "one": ["T/A"],
            "two": ["T/B1", "T/C"],
            "many": ["T/"],
            "most": {"include": ["T/"], "exclude": ["T/A1", "T/D"]},
        },
        index={**index, "which": time[0]},
        age=age,
        sex=sex,
        prior_observation=prior,
        washout=washout,
        require=require,
        exclude=exclude,
        censor=censor,
        **time[1],
        **end,
    ),
    events,
    times,
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
