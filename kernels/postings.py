"""Loops over code-sorted postings: who has any of these codes, and when."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def _starts(sorted_ids: np.ndarray, size: int) -> np.ndarray:
    offsets = np.zeros(size + 1, np.int64)
    for i in range(len(sorted_ids)):
        offsets[sorted_ids[i] + 1] += 1
    for i in range(size):
        offsets[i + 1] += offsets[i]
    return offsets


def row_starts(sorted_ids: np.ndarray, size: int) -> np.ndarray:
    """Where the rows of each id begin.

    `sorted_ids`: int32 (n,), ascending, each in 0..size-1. Returns int64 (size + 1,): rows of id i are
    offsets[i]:offsets[i + 1]. Raises ValueError if an id lies outside.
    """
    if len(sorted_ids) and (sorted_ids[0] < 0 or sorted_ids[-1] >= size):
        raise ValueError("an id lies outside 0..size-1")
    return _starts(sorted_ids, size)


def in_order(person: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Row order by (person, start), equal rows as they stand. `person`, `start`: int32 (n,), person
    non-negative. Returns int64 (n,)."""
    key = (person.astype(np.int64) << 32) + (start.astype(np.int64) + 2**31)
    return np.argsort(key, kind="stable")
