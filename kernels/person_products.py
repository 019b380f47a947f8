"""What each person adds to a cell, multiplied and added up over persons: squares and products of events and
days, from which it is known how unevenly events lie on persons."""

from __future__ import annotations

import numpy as np

from kernels.cells import _cells_of
from kernels.jit import compiled


@compiled
def person_products(
    person: np.ndarray,
    positions: np.ndarray,
    amount: np.ndarray,
    steps: np.ndarray,
    depth: np.ndarray,
    whole: np.ndarray,
    places: np.ndarray,
) -> np.ndarray:
    """For each cell the sums over persons of events · events, events · days and days · days, the second
    factor of each at every place of some dimensions: int64 (3, cells, size).

    `person`: int64 (n,), ascending, not negative; `positions`: int32 (n, dimensions); `amount`: int64 (n, 2),
    events and days of each row. `steps`, `depth`: as `kernels.cells.spread` gives them. `whole`: int64
    (cells,), of each cell the one that is the total of those dimensions; `places`: int64 (size,), how far
    from there each of their places is. Where each cell is its own `whole` and the one place is 0, both
    factors are of the cell itself.
    """
    cells = len(whole)
    out = np.zeros((3, cells, len(places)), np.int64)
    last = np.full(cells, -1, np.int64)
    own = np.zeros((cells, 2), np.int64)  # what the present person adds
    touched = np.empty(cells, np.int64)
    into = np.empty(steps.shape[2] ** steps.shape[0], np.int64)
    count = 0
    for i in range(len(person)):
        for k in range(_cells_of(positions[i], steps, depth, into)):
            cell = into[k]
            if last[cell] != person[i]:
                last[cell] = person[i]
                own[cell, 0], own[cell, 1] = 0, 0
                touched[count] = cell
                count += 1
            own[cell, 0] += amount[i, 0]
            own[cell, 1] += amount[i, 1]
        if i + 1 == len(person) or person[i + 1] != person[i]:
            _multiply(out, person[i], last, own, touched[:count], whole, places)
            count = 0
    return out


@compiled
def _multiply(
    out: np.ndarray,
    person: int,
    last: np.ndarray,
    own: np.ndarray,
    touched: np.ndarray,
    whole: np.ndarray,
    places: np.ndarray,
) -> None:
    for cell in touched:
        for place in range(len(places)):
            other = whole[cell] + places[place]
            if last[other] == person:
                out[0, cell, place] += own[cell, 0] * own[other, 0]
                out[1, cell, place] += own[cell, 0] * own[other, 1]
                out[2, cell, place] += own[cell, 1] * own[other, 1]
