"""Unions of day spans."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def merge_spans(
    person: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each person's spans, joined where they overlap or follow each other without a day between.

    `person`: int32 (n,); `start`, `end`: int32 (n,), both days included, start <= end; ascending by (person,
    start). Returns the same three columns of the disjoint spans, in the same order.
    """
    n = len(person)
    who, first, last = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    m = 0
    for i in range(n):
        if m > 0 and who[m - 1] == person[i] and np.int64(start[i]) <= np.int64(last[m - 1]) + 1:
            last[m - 1] = max(last[m - 1], end[i])
        else:
            who[m], first[m], last[m] = person[i], start[i], end[i]
            m += 1
    return who[:m].copy(), first[:m].copy(), last[:m].copy()
