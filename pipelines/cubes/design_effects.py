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

from pipelines.cubes.cube import Cube, Dimension, time_table

RATE: Final = "rate"
STANDARDISED: Final = "standardised"
HUNDREDTHS: Final = 100
LEAST: Final = 10  # persons with an event, and events that as many independent ones would be worth
STANDARDS: Final = ("standard", "reference", "rates")  # roles of a dimension that is standardised over
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


def standard_axis(dimensions: tuple[Dimension, ...]) -> int | None:
    """The axis that a table is standardised over, if there is one."""
    return next((axis for axis, each in enumerate(dimensions) if each.role in STANDARDS), None)


def standard_places(dimension: Dimension) -> np.ndarray:
    """Positions that count in the standard: int64 (k,)."""
    values = np.array(dimension.values)
    return np.flatnonzero(values >= 0 if dimension.role == "rates" else values > 0)


def hidden_times(cubes: Sequence[Cube], hidden: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each cube, which cells of its time at risk are hidden, none where there is no such cube: bool
    (cells,) each. `hidden`: bool (cells,) of each cube."""
    of_table = {cube.table: mask for cube, mask in zip(cubes, hidden, strict=True)}
    return [of_table.get(time_table(cube.table), np.zeros(cube.cells, bool)) for cube in cubes]


def told(cube: Cube, hidden: np.ndarray, time_hidden: np.ndarray) -> dict[str, np.ndarray]:
    """The design effects of a cube that may leave: those of figures that can be made of what is shown, 0
    elsewhere; by name int64 (cells,).

    `hidden`, `time_hidden`: bool (cells,), of the cube and of its time at risk.
    """
    out = {}
    for name, values in cube.design_effects.items():
        gone = hidden | time_hidden if name == RATE else _untold(cube, hidden, time_hidden)
        out[name] = np.where(gone, 0, values)
    return out


def _untold(cube: Cube, hidden: np.ndarray, time_hidden: np.ndarray) -> np.ndarray:
    """Rows of all ages whose standardised figure needs a hidden cell, and all other rows: bool (cells,)."""
    axis = standard_axis(cube.dimensions)
    if axis is None:
        return np.ones(cube.cells, bool)
    role, ages = cube.dimensions[axis].role, standard_places(cube.dimensions[axis])
    events, time = (np.moveaxis(each.reshape(cube.shape), axis, 0) for each in (hidden, time_hidden))
    gone = np.ones(events.shape, bool)
    gone[0] = events[0] | time[0] | time[ages].any(axis=0)
    if role == "standard":
        gone[0] |= events[ages].any(axis=0)
    if role == "reference":  # the rates of all are the reference
        either = (events | time).reshape(len(events), -1)
        gone[0] |= bool(either[ages, 0].any())
    return np.moveaxis(gone, 0, axis).ravel()
