"""Loops over windows of days around an index event, and over periods that hold a day."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.jit import compiled
from kernels.searching import lower_bound

MISSING = -(2**63)


@compiled
def interval_at(
    person: np.ndarray, day: np.ndarray, offsets: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Which of a person's intervals holds a day, -1 if none; of several, the one that begins last.

    `person`, `day`: int32 (n,). `offsets`: int64 (persons + 1,) into `start`, `end`: int32, ascending by
    start, both ends in. Returns int64 (n,): positions in `start`.
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
    person: np.ndarray,
    day: np.ndarray,
    offsets: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    event: np.ndarray,
    period: np.ndarray,
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

    `person`: int32 (n,); `day`: int64 (n,). `offsets`: int64 (persons + 1,) into `start`, `end`: int64, both
    days in. Returns int64 (m,) positions of events, int64 (m,) positions of periods.
    """
    none = np.empty(0, np.int64)
    size = _holding(person, day, offsets, start, end, none, none)
    event, period = np.empty(size, np.int64), np.empty(size, np.int64)
    if size:
        _holding(person, day, offsets, start, end, event, period)
    return event, period


class Between(NamedTuple):
    """Days between which something of another event must lie. `first`, `last`: int64 (n,), of each index
    event, both in; `point`: integers (m,), the day of each other event. All in days since 1970-01-01."""

    first: np.ndarray
    last: np.ndarray
    point: np.ndarray


class Visits(NamedTuple):
    """Visits that must be equal and known, empty if they need not: `own`: int64 (n,), of each index event,
    `other`: int64 (m,), of each other event, `MISSING` if unknown."""

    own: np.ndarray
    other: np.ndarray


@compiled
def _in_both(i: int, j: int, window: Between, second: Between, visits: Visits) -> bool:
    if not window.first[i] <= window.point[j] <= window.last[i]:
        return False
    if len(second.point) and not second.first[i] <= second.point[j] <= second.last[i]:
        return False
    return len(visits.own) == 0 or (visits.own[i] == visits.other[j] and visits.own[i] != MISSING)


@compiled
def _first_in(point: np.ndarray, low: int, high: int, day: int, ascending: bool) -> int:
    return lower_bound(point, low, high, day) if ascending else low


@compiled
def count_correlated(
    person: np.ndarray,
    offsets: np.ndarray,
    window: Between,
    second: Between,
    visits: Visits,
    ascending: bool,
) -> np.ndarray:
    """How many of a person's other events lie in the windows of each index event. Returns int64 (n,).

    `person`: int32 (n,). `offsets`: int64 (persons + 1,) into the other events. `second`: empty for no second
    window. `ascending`: do each person's points of `window` ascend?
    """
    out = np.zeros(len(person), np.int64)
    first, last, point = window
    for i in range(len(person)):
        low, high = offsets[person[i]], offsets[person[i] + 1]
        for j in range(_first_in(point, low, high, first[i], ascending), high):
            if ascending and point[j] > last[i]:
                break
            if _in_both(i, j, window, second, visits):
                out[i] += 1
    return out


@compiled
def list_correlated(
    person: np.ndarray,
    offsets: np.ndarray,
    window: Between,
    second: Between,
    visits: Visits,
    ascending: bool,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that `count_correlated` counts, `size` of them: int64 (size,) index events, int64 (size,)
    other events. `person`, `offsets` and the rest: as there."""
    left, right, found = np.empty(size, np.int64), np.empty(size, np.int64), 0
    first, last, point = window
    for i in range(len(person)):
        low, high = offsets[person[i]], offsets[person[i] + 1]
        for j in range(_first_in(point, low, high, first[i], ascending), high):
            if ascending and point[j] > last[i]:
                break
            if _in_both(i, j, window, second, visits):
                left[found], right[found] = i, j
                found += 1
    return left, right
