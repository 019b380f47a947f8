"""Loops over windows of days around an index event, and over periods that hold a day."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled
from kernels.searching import lower_bound

MISSING = -(2**63)


@compiled
def interval_at(person: np.ndarray, day: np.ndarray, offsets: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Which of a person's intervals holds a day, -1 if none; of several, the one that begins last.

    `person`, `day`: int32 (n,). `offsets`: int64 (persons + 1,) into `start`, `end`: int32, ascending by start, both ends in.
    Returns int64 (n,): positions in `start`.
    """
    out = np.empty(len(person), np.int64)
    for i in range(len(person)):
        low = offsets[person[i]]
        row = lower_bound(start, low, offsets[person[i] + 1], np.int64(day[i]) + 1) - 1
        while row >= low and end[row] < day[i]:
            row -= 1
        out[i] = row if row >= low else -1
    return out


@compiled
def _holding(
    person: np.ndarray, day: np.ndarray, offsets: np.ndarray, start: np.ndarray, end: np.ndarray, event: np.ndarray, period: np.ndarray
) -> int:
    found = 0
    for i in range(len(person)):
        for j in range(offsets[person[i]], offsets[person[i] + 1]):
            if start[j] <= day[i] <= end[j]:
                if len(event):
                    event[found], period[found] = i, j
                found += 1
    return found


def periods_holding(
    person: np.ndarray, day: np.ndarray, offsets: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each event with each period of its person that holds its day, by event, then period.

    `person`: int32 (n,); `day`: int64 (n,). `offsets`: int64 (persons + 1,) into `start`, `end`: int64, both days in. Returns int64 (m,)
    positions of events, int64 (m,) positions of periods.
    """
    none = np.empty(0, np.int64)
    size = _holding(person, day, offsets, start, end, none, none)
    event, period = np.empty(size, np.int64), np.empty(size, np.int64)
    if size:
        _holding(person, day, offsets, start, end, event, period)
    return event, period


@compiled
def _in_both(
    i: int, j: int, first: np.ndarray, last: np.ndarray, point: np.ndarray, second_first: np.ndarray, second_last: np.ndarray,
    second_point: np.ndarray, visit: np.ndarray, other_visit: np.ndarray,
) -> bool:  # fmt: skip
    if not first[i] <= point[j] <= last[i]:
        return False
    if len(second_point) and not second_first[i] <= second_point[j] <= second_last[i]:
        return False
    return len(visit) == 0 or (visit[i] == other_visit[j] and visit[i] != MISSING)


@compiled
def _first_in(point: np.ndarray, low: int, high: int, day: int, ascending: bool) -> int:
    return lower_bound(point, low, high, day) if ascending else low


@compiled
def count_correlated(
    person: np.ndarray, offsets: np.ndarray, first: np.ndarray, last: np.ndarray, point: np.ndarray, second_first: np.ndarray,
    second_last: np.ndarray, second_point: np.ndarray, visit: np.ndarray, other_visit: np.ndarray, ascending: bool,
) -> np.ndarray:  # fmt: skip
    """How many of a person's other events lie in the windows of each index event. Returns int64 (n,).

    `person`: int32 (n,). `first`, `last`: int64 (n,), days between which `point` (integers (m,), a day of each other event) must lie, both
    in; `second_…` likewise, empty for no second window. `offsets`: int64 (persons + 1,) into the other events. `visit`: int64 (n,), and
    `other_visit`: int64 (m,), that must be equal and known; empty if they need not. `ascending`: do each person's points ascend?
    """
    out = np.zeros(len(person), np.int64)
    for i in range(len(person)):
        low, high = offsets[person[i]], offsets[person[i] + 1]
        for j in range(_first_in(point, low, high, first[i], ascending), high):
            if ascending and point[j] > last[i]:
                break
            if _in_both(i, j, first, last, point, second_first, second_last, second_point, visit, other_visit):
                out[i] += 1
    return out


@compiled
def list_correlated(
    person: np.ndarray, offsets: np.ndarray, first: np.ndarray, last: np.ndarray, point: np.ndarray, second_first: np.ndarray,
    second_last: np.ndarray, second_point: np.ndarray, visit: np.ndarray, other_visit: np.ndarray, ascending: bool, size: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The pairs that `count_correlated` counts, `size` of them: int64 (size,) index events, int64 (size,) other events."""
    left, right, found = np.empty(size, np.int64), np.empty(size, np.int64), 0
    for i in range(len(person)):
        low, high = offsets[person[i]], offsets[person[i] + 1]
        for j in range(_first_in(point, low, high, first[i], ascending), high):
            if ascending and point[j] > last[i]:
                break
            if _in_both(i, j, first, last, point, second_first, second_last, second_point, visit, other_visit):
                left[found], right[found] = i, j
                found += 1
    return left, right
