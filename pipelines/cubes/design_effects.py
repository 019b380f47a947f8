"""How much more events vary that fall on the same persons again and again: a design effect for each cell, as
it may be told.

A design effect (Kish 1965) is the variance of what is counted, by that of as many independent events. It is
held in hundredths, rounded up to a preferred number (ISO 3, R20: steps of 12 %), never below 100, and 0
where it is not told. `docs/decisions/design-effects.md` says why no more than that is safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipelines.cubes.cube import Cube, time_table
from pipelines.cubes.expected_deaths import EXPECTED, untold
from pipelines.cubes.standard_axes import StandardAxes

RATE: Final = "rate"
STANDARDISED: Final = "standardised"
HUNDREDTHS: Final = 100
LEAST: Final = 10  # persons with an event, and events that as many independent ones would be worth
_EXACT: Final = 1e-12  # of a number that is a step already, but for how it is held
_R20: Final = (
    100,
    112,
    125,
    140,
    160,
    180,
    200,
    224,
    250,
    280,
    315,
    355,
    400,
    450,
    500,
    560,
    630,
    710,
    800,
    900,
)
_LADDER: Final = np.array([step * 10**power for power in range(10) for step in _R20], np.int64)


def rounded_up(effect: np.ndarray) -> np.ndarray:
    """The next preferred number, in hundredths: int64 (n,), 0 where `effect`, float64 (n,), is NaN or beyond
    all of them."""
    hundredths = HUNDREDTHS * np.nan_to_num(effect, nan=np.inf)
    place = np.searchsorted(_LADDER, hundredths * (1 - _EXACT))
    return np.where(place < len(_LADDER), _LADDER[np.minimum(place, len(_LADDER) - 1)], 0)


def hidden_times(cubes: Sequence[Cube], hidden: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each cube, which cells of its time at risk are hidden, none where there is no such cube: bool
    (cells,) each. `hidden`: bool (cells,) of each cube."""
    of_table = {cube.table: mask for cube, mask in zip(cubes, hidden, strict=True)}
    return [of_table.get(time_table(cube.table), np.zeros(cube.cells, bool)) for cube in cubes]


def told(cube: Cube, hidden: np.ndarray, time_hidden: np.ndarray) -> dict[str, np.ndarray]:
    """The design effects of a cube that may leave, and what it tells of expected deaths: those of figures
    that can be made of what is shown, 0 elsewhere; by name int64 (cells,).

    `hidden`, `time_hidden`: bool (cells,), of the cube and of its time at risk.
    """
    out = {}
    for name, values in cube.design_effects.items():
        gone = _gone(name, cube, hidden, time_hidden)
        out[name] = np.where(gone, 0, values)
    return out


def _gone(name: str, cube: Cube, hidden: np.ndarray, time_hidden: np.ndarray) -> np.ndarray:
    if name == EXPECTED:
        return untold(cube, hidden)
    return hidden | time_hidden if name == RATE else _untold(cube, hidden, time_hidden)


def _untold(cube: Cube, hidden: np.ndarray, time_hidden: np.ndarray) -> np.ndarray:
    """Rows of all ages, and of both sexes where they are standardised over, too, whose standardised figure
    needs a hidden cell, and all other rows: bool (cells,)."""
    standard = StandardAxes.of(cube.dimensions)
    if standard is None:
        return np.ones(cube.cells, bool)
    events, time = (standard.lines(each) for each in (hidden, time_hidden))
    gone, counts = np.ones(events.shape, bool), standard.counts
    whole = events[:, 0, 0] | time[:, 0, 0] | time[:, counts].any(axis=1)
    if standard.role == "standard":
        whole |= events[:, counts].any(axis=1)
    if standard.role == "reference":  # the rates of all are the reference
        whole |= bool((events | time)[0, counts].any())
    gone[:, 0, 0] = whole
    return standard.cells(gone)
