"""Loops over windows of days around an index day."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def _lower_bound(days: np.ndarray, low: int, high: int, day: int) -> int:
    while low < high:
        middle = (low + high) // 2
        if days[middle] < day:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def count_in_windows(person: np.ndarray, index_day: np.ndarray, offsets: np.ndarray, days: np.ndarray, first: int, last: int) -> np.ndarray:
    """How many of a person's days lie in `index_day + first .. index_day + last`, both ends in.

    `person`, `index_day`: int32 (n,). `offsets`: int64 (persons + 1,) into `days`: int32, ascending within each person.
    Returns int32 (n,).
    """
    out = np.empty(len(person), np.int32)
    for i in range(len(person)):
        low, high = offsets[person[i]], offsets[person[i] + 1]
        begin = np.int64(index_day[i]) + first
        begin_row = _lower_bound(days, low, high, begin)
        out[i] = _lower_bound(days, begin_row, high, begin + (last - first) + 1) - begin_row
    return out


@compiled
def interval_at(person: np.ndarray, day: np.ndarray, offsets: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Which of a person's intervals holds a day, -1 if none; of several, the one that begins last.

    `person`, `day`: int32 (n,). `offsets`: int64 (persons + 1,) into `start`, `end`: int32, ascending by start, both ends in.
    Returns int64 (n,): positions in `start`.
    """
    out = np.empty(len(person), np.int64)
    for i in range(len(person)):
        low = offsets[person[i]]
        row = _lower_bound(start, low, offsets[person[i] + 1], np.int64(day[i]) + 1) - 1
        while row >= low and end[row] < day[i]:
            row -= 1
        out[i] = row if row >= low else -1
    return out
