"""What records are called, and the order that follows from their names alone: by it ties are settled,
whatever order files come in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kernels.keys import run_keys
from pipelines.files import people
from pipelines.linkage.link_settings import InputTable

_PART = 200_000


class Names(NamedTuple):
    """`ids`: one text for each record. `keys`: uint64 (n,), a hash of each record's source and id. `order`:
    int64 (n,), the records ascending by that."""

    ids: Any
    keys: np.ndarray
    order: np.ndarray


def names_of(data: Sequence[InputTable], paths: Sequence[Path], sources: np.ndarray) -> Names:
    """The names of all records. `sources`: integers (n,), the place of each record's table. Raises DataError
    where an id names two records of one table."""
    columns = [(path, table.id) for path, table in zip(paths, data, strict=True)]
    ids = people.identifiers(columns, looked_at=True)
    keys = record_keys(ids, sources)
    order = np.argsort(keys, kind="stable")
    if (keys[order[1:]] == keys[order[:-1]]).any():
        people.identifiers(columns)  # which are there twice?
    return Names(ids, keys, order)


def record_keys(ids: Any, sources: np.ndarray) -> np.ndarray:
    """uint64 (n,): one hash of source and id. `sources`: integers (n,), the number of each record's
    source."""
    parts = [np.zeros(0, np.uint64)]
    for begin in range(0, len(ids), _PART):
        points, starts = people.code_points(people.large(ids[begin : begin + _PART]))
        parts.append(run_keys(np.array(points), starts, 0, 1 << 30, 0).view(np.uint64))
    return record_hashes(np.concatenate(parts), sources)


def record_hashes(keys: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """uint64 (n,): one hash of the hash of a text and the number of what it stands in.

    `keys`: uint64 (n,), hashes of the texts; `sources`: integers (n,).
    """
    keys = keys + (sources.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
