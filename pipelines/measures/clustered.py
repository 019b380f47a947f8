"""Limits of repeated events: events of one person are not independent, so that as many as are counted tell as
much as fewer independent ones.

Each method for independent events is given `events / effect` events in `days / effect` days: as many
independent ones as have the variance that persons show, as Korn and Graubard (1998) do for proportions.
Rates stay what they are, and limits widen. Where nobody has more than one event, nothing changes.
"""

from __future__ import annotations

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.design_effects import HUNDREDTHS, RATE

WHY = (
    "no limits: events are repeated, and too few persons, or too unequal ones, are behind them to tell how "
    "uncertain the figure is"
)
MEANING = (
    "how many times as much the events vary as independent ones would, rounded up; 1 where nobody has more "
    "than one (design effect, of the linearised ratio over persons; Cochran 1977)"
)
NOTES = (
    "limits of repeated events: exact ones of as many independent events as the design effect leaves, by "
    "person; none where too few persons, or too unequal ones, are behind them",
)


def effects(cube: ProtectedCube, name: str = RATE) -> np.ndarray:
    """The design effect of a figure in each cell, float64 (cells,): 1 where nobody has more than one event,
    NaN where it is not told."""
    held = cube.design_effects.get(name, np.zeros(cube.cells, np.int64))
    told = np.where(held > 0, held / HUNDREDTHS, np.nan)
    return np.where(cube.measures["events"] == cube.measures["persons"], 1.0, told)
