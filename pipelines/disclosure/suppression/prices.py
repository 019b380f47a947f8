"""What it costs to hide a cell: its persons, and margins dearly.

Whoever reads a table looks at its grand total first and at the totals along each dimension next, and rates
and shares are made of them; so a pattern that spares these is preferred to one that hides fewer persons, up
to a stated price.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipelines.cubes.cube import Cube

# A person in a table's grand total counts as so many persons in an inner cell, one in a total along one of
# several dimensions as so many.
GRAND: Final = 16
LINE: Final = 4


def margins(cubes: Sequence[Cube], cells: Sequence[np.ndarray], size: int) -> np.ndarray:
    """How many times over the persons of each variable count, int64 (size,): of a cell in two tables, the
    more.

    `cells`: for each cube int64 (cells,), the variable of each cell.
    """
    times = np.ones(size, np.int64)
    for cube, own in zip(cubes, cells, strict=True):
        inside = (cube.coordinates() > 0).sum(axis=1)
        here = np.where(inside == 0, GRAND, np.where((inside == 1) & (len(cube.dimensions) > 1), LINE, 1))
        np.maximum.at(times, own, here)
    return times
