"""However the persons are cut into shards, the cohort is the same: stays, statistics and attrition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cohort.lower import lower
from pipelines.cohort.results import Results, merged
from pipelines.cohort.shard_source import ShardSource
from pipelines.cohort.stage import of_shard
from pipelines.files.frames import Category, Frame, take
from pipelines.store.shard import codes, postings
from pipelines.study.definition import Definition
from tests.amount import share_of
from tests.people import MadeShard, make_shard
from tests.properties.test_cohort_engines import definitions


def part(shard: MadeShard, persons: np.ndarray) -> MadeShard:
    """Some persons of a shard as a shard of their own. `persons`: ascending positions."""
    frames: dict[str, Frame] = {"persons": take(shard.frames["persons"], persons)}
    for name in ("periods", "events"):
        person = np.asarray(shard.frames[name]["person"])
        rows = take(shard.frames[name], np.isin(person, persons))
        frames[name] = {
            column: Category.of(values.labels, values.places) if isinstance(values, Category) else values
            for column, values in rows.items()
        }
        frames[name]["person"] = np.searchsorted(persons, person[np.isin(person, persons)]).astype(np.int32)
    return MadeShard({**frames, "postings": postings(frames["events"]), "codes": codes(frames["events"])})


def told(results: Results) -> list[object]:
    tables = {
        name: {column: values.tolist() for column, values in table.items()}
        for name, table in results.tables().items()
    }
    return [tables, results.attrition, np.asarray(results.ended).tolist()]


@settings(max_examples=share_of(40), deadline=None)
@given(st.integers(0, 2**20), definitions, st.integers(2, 5))
def test_any_cut_into_shards_gives_one_cohort(seed: int, definition: Definition, shards: int) -> None:
    whole, cohort = make_shard(seed, persons=40), lower(definition)
    places = np.random.default_rng(seed).integers(0, shards, 40)
    parts = [part(whole, np.flatnonzero(places == number)) for number in range(shards)]
    one = merged([of_shard(cohort, ShardSource(whole, None), "numba")])
    assert told(one) == told(merged([of_shard(cohort, ShardSource(each, None), "numba") for each in parts]))
