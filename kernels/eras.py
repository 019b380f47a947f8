"""Loops over the stays of persons: merged where they meet, or kept apart by days."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def merge_eras(
    person: np.ndarray, start: np.ndarray, end: np.ndarray, pad: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each person's stays, merged where one begins at most `pad` days after the latest end before it.
    Touching stays merge at 0.

    `person`: int32 (n,); `start`, `end`: int64 (n,), both days in; ascending by (person, start). Returns the
    columns of the eras.
    """
    who, first, last, found = (
        np.empty(len(person), np.int32),
        np.empty(len(person), np.int64),
        np.empty(len(person), np.int64),
        0,
    )
    for i in range(len(person)):
        if found and who[found - 1] == person[i] and start[i] <= last[found - 1] + pad:
            last[found - 1] = max(last[found - 1], end[i])
        else:
            who[found], first[found], last[found] = person[i], start[i], end[i]
            found += 1
    return who[:found].copy(), first[:found].copy(), last[:found].copy()


@compiled
def spaced(person: np.ndarray, start: np.ndarray, days: int) -> np.ndarray:
    """Each person's first event, and then each that begins at least `days` after the last one taken: bool
    (n,).

    `person`: int32 (n,), ascending; `start`: int64 (n,), ascending within a person.
    """
    keep, last = np.zeros(len(person), np.bool_), 0
    for i in range(len(person)):
        if i == 0 or person[i] != person[last] or start[i] - start[last] >= days:
            keep[i], last = True, i
    return keep
