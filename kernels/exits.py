"""Loops over members' follow-up: when it first meets an event, and in which band of time it ends how."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled

NEVER = 2**31 - 1


@compiled
def first_in_follow_up(
    person: np.ndarray, start: np.ndarray, until: np.ndarray, offsets: np.ndarray, day: np.ndarray
) -> np.ndarray:
    """The first event of each stretch of follow-up, int32 (n,), `NEVER` if it has none.

    `person`, `start`, `until`: int32 (n,). `offsets`: int64 (persons + 1,) into `day`: int32,
    ascending for each person.
    """
    out = np.full(len(person), NEVER, np.int32)
    for i in range(len(person)):
        for row in range(offsets[person[i]], offsets[person[i] + 1]):
            if day[row] >= start[i]:
                if day[row] < until[i]:
                    out[i] = day[row]
                break
    return out


@compiled
def exit_bands(
    start: np.ndarray, until: np.ndarray, event: np.ndarray, competing: np.ndarray, step: int, bands: int
) -> tuple[np.ndarray, np.ndarray]:
    """The band of days since `start` in which follow-up ends, int32 (n,), 0 to `bands`, and how, int32 (n,):
    0 by the event, 1 by what competes with it, 2 by neither.

    `start`, `until`: int32 (n,). `event`, `competing`: int32 (n,), day of each, `NEVER` if none;
    of both on one day the event counts. A band has `step` days; band `bands` holds all who are still followed
    when the others are over, whatever happens then. Who is censored leaves in the band of the last day of
    follow-up; follow-up of no day ends in band 0.
    """
    n = len(start)
    band, outcome = np.empty(n, np.int32), np.empty(n, np.int32)
    for i in range(n):
        last = np.int64(until[i]) - 1
        how = 2
        if competing[i] != NEVER:
            last, how = np.int64(competing[i]), 1
        if event[i] != NEVER and (how == 2 or event[i] <= competing[i]):
            last, how = np.int64(event[i]), 0
        place = max(0, last - start[i]) // step
        if place >= bands:
            place, how = bands, 2
        band[i], outcome[i] = place, how
    return band, outcome
