"""In which cells of a table each row stands, margins included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.cubes.cube import Dimension


def standing(dimensions: Sequence[Dimension], places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of a cell and a row that stands in it: int64 (pairs,), twice.

    `places`: int32 (rows, dimensions), the finest position of each row, -1 in all of them where a row is in
    no cell.
    """
    rows = np.flatnonzero(places[:, 0] >= 0)
    cells = np.zeros(len(rows), np.int64)
    for axis, dimension in enumerate(dimensions):
        above = np.array(dimension.parents)
        at = places[rows, axis].astype(np.int64)
        index = np.arange(len(rows))
        indexes, positions = [index], [at]
        while (at > 0).any():
            index, at = index[at > 0], above[at[at > 0]]
            indexes.append(index)
            positions.append(at)
        index = np.concatenate(indexes)
        cells, rows = cells[index] * len(dimension) + np.concatenate(positions), rows[index]
    return cells, rows
