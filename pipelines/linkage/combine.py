"""Blocking by combinations: records are compared if they share any two of many keys, as far as so many pairs
a record allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.blocks import combine, in_blocks, order_by_key
from kernels.combinations import combined, pairs_of_blocks
from pipelines.linkage.keys import Deriver, Key
from pipelines.linkage.rules import Candidates, Listed

_PART = 1 << 22  # keys that are sorted at a time
_SMALLEST, _LARGEST = 20, 500  # rows of a block, between which the bound is chosen


def list_pairs(
    deriver: Deriver,
    keys: Sequence[Key],
    families: Sequence[str],
    candidates: Candidates,
    pairs_a_record: int,
) -> tuple[Listed, list[dict[str, Any]]]:
    """Pairs of records that share a key or two; blocks beyond a size are left to the narrower ones. The size
    is the largest at which all blocks together make no more than `pairs_a_record` pairs for each record, but
    never below 20 rows.

    `families`: for each key the field or fields that it speaks of. Returns the pairs and what the blocks are,
    in counts.
    """
    columns, of_family, of_kind = _columns(deriver, keys, families)
    n, width = columns.shape
    parts = max(1, n * width * width // 2 // _PART)
    taken, sizes = [], np.zeros(0, np.int64)
    for part in range(parts):
        records, hashes = combined(columns, of_family, of_kind, part, parts)
        rows, ends = in_blocks(hashes, order_by_key(hashes), np.empty(len(hashes), np.int32))
        begins = np.flatnonzero(np.append(True, ends[1:] != ends[:-1])[: len(ends)])
        here = np.bincount(np.diff(np.append(begins, len(ends))))
        sizes = np.pad(sizes, (0, max(0, len(here) - len(sizes))))
        sizes[: len(here)] += here
        keep = np.repeat(
            np.diff(np.append(begins, len(ends))) <= _LARGEST, np.diff(np.append(begins, len(ends)))
        )
        lost = np.cumsum(~keep)
        taken.append((records[rows[keep]], (ends - np.append(0, lost)[ends])[keep].astype(np.int32)))
    size = np.arange(len(sizes))
    made = np.cumsum(sizes * (size * (size - 1) // 2))
    most = int(np.searchsorted(made, pairs_a_record * n, side="right")) - 1
    most = int(np.clip(most, _SMALLEST, _LARGEST))
    found = np.empty(0, np.int64)
    waiting: list[np.ndarray] = []
    for records, ends in taken:
        waiting.append(
            pairs_of_blocks(np.arange(len(records), dtype=np.int32), ends, records, candidates.groups, most)
        )
        if sum(map(len, waiting)) > 8 * _PART:
            found, waiting = distinct([found, *waiting]), []
    found = distinct([found, *waiting])
    report = {
        "keys": f"any two of {len(keys)} keys",
        "pairs_at_most": len(found),
        "blocks": int(sizes[: most + 1].sum()),
        "largest_blocks": [int(each) for each in np.flatnonzero(sizes)[::-1][:5]],
        "blocks_divided": int(sizes[most + 1 :].sum()),
        "rows_left_out": 0,
        "largest_block": most,
        "seconds_a_core": round(len(found) / 1_000_000, 1),
    }
    return Listed((found >> 32).astype(np.int32), (found & 0xFFFFFFFF).astype(np.int32)), [report]


def distinct(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The distinct numbers of several arrays, ascending. `parts`: int64 (k,) each. Returns int64 (m,)."""
    every = np.concatenate(parts)
    every.sort()
    return every[np.append(True, every[1:] != every[:-1])[: len(every)]]


def _columns(
    deriver: Deriver, keys: Sequence[Key], families: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint64 (n, columns), hashes of each key that a record has; the family and the kind of each column."""
    columns, of_family, of_kind = [], [], []
    known = sorted(set(families))
    for place, (key, family) in enumerate(zip(keys, families, strict=True)):
        for each in deriver.several(key):
            hashed = np.full(len(each), np.uint64(2 * place + 3), np.uint64)
            combine(hashed, np.arange(len(each), dtype=np.int32), each)
            columns.append(hashed)
            of_family.append(known.index(family))
            of_kind.append(place)
    return np.stack(columns, 1), np.array(of_family, np.int8), np.array(of_kind, np.int8)
