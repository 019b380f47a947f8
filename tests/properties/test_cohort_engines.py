"""Two engines, one answer: Numba over postings and DuckDB over plain tables agree on generated people and definitions."""

from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cohort import oracle, select
from pipelines.cohort.events import Facts
from pipelines.definition import Definition
from tests.people import MadeShard, make_shard

FIRST, LAST = date(2019, 1, 1), date(2020, 12, 31)

windows = st.tuples(st.integers(-400, 400), st.integers(0, 400)).map(lambda pair: {"from": pair[0], "to": pair[0] + pair[1]})
events = st.fixed_dictionaries(
    {"codes": st.sampled_from(["one", "two", "many"])},
    optional={"kind": st.sampled_from(["diagnosis", "drug"]), "setting": st.just(("inpatient",)), "primary": st.booleans()},
)
rules = st.builds(lambda e, w, n: {**e, **w, "at_least": n}, events, windows, st.integers(1, 3))
definitions = st.builds(
    lambda index, which, age, prior, require, exclude, follow_up: Definition(
        cohort="generated", title="generated", study={"from": FIRST, "to": LAST},
        codes={"one": ("T/A",), "two": ("T/B1", "T/C"), "many": ("T/",)},
        index={**index, "which": which}, age=age, prior_observation=prior, require=require, exclude=exclude, follow_up=follow_up,
    ),
    events, st.sampled_from(["first", "any"]), st.none() | st.just({"from": 20, "to": 60}), st.integers(0, 400),
    st.lists(rules, max_size=2), st.lists(rules, max_size=2), st.none() | st.integers(1, 500),
)  # fmt: skip


def same(shard: MadeShard, definition: Definition, sources: tuple[str, ...] | None) -> int:
    facts = Facts(shard, sources)
    fast, slow = select.select(facts, definition), oracle.select(facts, definition)
    assert fast.attrition == slow.attrition
    for name in ("person", "start", "end"):
        np.testing.assert_array_equal(fast.members[name], slow.members[name])
    return len(np.asarray(fast.members["person"]))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**20), definitions, st.sampled_from([None, ("a",), ("a", "b")]))
def test_engines_agree(seed: int, definition: Definition, sources: tuple[str, ...] | None) -> None:
    same(make_shard(seed, persons=40), definition, sources)


def test_engines_agree_on_a_cohort_that_is_not_empty() -> None:
    definition = Definition(
        cohort="c", title="c", study={"from": FIRST, "to": LAST}, codes={"one": ("T/A",), "two": ("T/B",)},
        index={"codes": "one", "which": "any"}, prior_observation=30, exclude=[{"codes": "two", "from": -30, "to": -1}],
    )  # fmt: skip
    assert same(make_shard(3, persons=400), definition, None) > 50
