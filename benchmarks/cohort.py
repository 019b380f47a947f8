"""One cohort: our loops over postings beside the same question in SQL."""

from __future__ import annotations

from functools import cache
from typing import Any

import duckdb
import numpy as np

from pipelines.cohort.stage import Selection, select
from pipelines.definition import Definition
from tests.people import MadeShard, make_shard

PEER = f"DuckDB {duckdb.__version__}"
_DEFINITION = Definition(
    cohort="bench", title="bench", study={"from": "2019-01-01", "to": "2020-12-31"},
    codes={"entry": ["T/A"], "barred": ["T/B1"], "needed": ["T/C"]}, index={"codes": "entry", "which": "any"}, prior_observation=90,
    require=[{"codes": "needed", "from": 0, "to": 90}], exclude=[{"codes": "barred", "from": -180, "to": -1}],
)  # fmt: skip


@cache
def _shard() -> MadeShard:
    return make_shard(1, persons=200_000, events_each=20)


def _answer(selection: Selection) -> tuple[Any, int]:
    members = selection.members
    sums = [int(np.asarray(members[name]).astype(np.int64).sum()) for name in ("person", "start", "end")]
    return [len(np.asarray(members["person"])), *sums, selection.attrition], len(np.asarray(_shard().frames["events"]["start"]))


def ours() -> tuple[Any, int]:
    """Numba over postings, frames in memory."""
    return _answer(select(_shard(), ("a", "b"), _DEFINITION))


def peer() -> tuple[Any, int]:
    """DuckDB over the same frames, handed over as Arrow."""
    return _answer(select(_shard(), ("a", "b"), _DEFINITION, "duckdb"))
