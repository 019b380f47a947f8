"""How likely those at risk in a band of a survival table were to die, by the life table of a population: one
number for each band, as it may be told.

It is a mean over persons, in billionths, to the nearest of 80 steps to the power of ten (2.9 %, ISO 3), and 0
where it is not told. `docs/decisions/net-survival.md` says why no more than that is safe.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.cubes.cube import Cube, ProtectedCube

EXPECTED: Final = "expected"
BILLION: Final = 10**9
LEAST_AT_RISK: Final = 30
LEAST_EFFECTIVE: Final = 10  # persons who would count as much if all were as likely to die
_STEPS: Final = 80
_LADDER: Final = np.unique(np.round(10.0 ** (np.arange(9 * _STEPS + 1) / _STEPS)).astype(np.int64))


def rounded(mean: np.ndarray) -> np.ndarray:
    """The nearest step, in billionths: int64 (n,). `mean`: float64 (n,), in billionths."""
    between = np.sqrt(_LADDER[:-1].astype(float) * _LADDER[1:])
    return np.asarray(_LADDER[np.searchsorted(between, mean)])


def carried(of: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """What each cell may carry: the mean, rounded, and 0 where too few persons are behind it, or one of them
    is much more likely to die than the others: int64 (cells,).

    `of`: int64 (cells,), persons; `total`, `squares`: float64 (cells,), sums over them of the probability and
    of its square, in billionths and in their square.
    """
    enough = (of >= LEAST_AT_RISK) & (total**2 >= LEAST_EFFECTIVE * squares)
    return np.where(enough, rounded(total / np.maximum(of, 1)), 0)


def untold(cube: Cube | ProtectedCube, hidden: np.ndarray) -> np.ndarray:
    """Where nothing is told: in the rows of all outcomes from the first band on whose number of members is
    hidden, or in all bands if that of all of them is, and in every other row: bool (cells,).

    What is told then speaks of numbers at risk that everybody can add up. `hidden`: bool (cells,).
    """
    roles = [each.role for each in cube.dimensions]
    band, outcome = roles.index("follow_up"), roles.index("outcome")
    gone = np.moveaxis(hidden.reshape(cube.shape), (band, outcome), (0, 1))
    closed = np.flatnonzero(cube.dimensions[band].values)
    out = np.ones(gone.shape, bool)
    out[closed, 0] = gone[0, 0] | np.logical_or.accumulate(gone[closed, 0], axis=0)
    return np.moveaxis(out, (0, 1), (band, outcome)).ravel()
