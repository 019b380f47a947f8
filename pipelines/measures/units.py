"""Care units beside each other: shares of those at risk who had an event, and limits between which chance
would keep most units."""

from __future__ import annotations

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.measures.drawing import numbers
from pipelines.measures.funnel import proportion_limits
from pipelines.measures.parts import shown, strata

LEVELS = {"95": 0.95, "998": 0.998}
MEANINGS = {
    "limit_low_95": "lower limit about the share of all units together, in per cent: of units of this size "
    "that differ by chance alone "
    "95 % lie within the limits (exact binomial, Spiegelhalter 2005)",
    "limit_high_95": "upper limit of 95 %, in per cent (likewise)",
    "limit_low_998": "lower limit of 99.8 %, in per cent (likewise)",
    "limit_high_998": "upper limit of 99.8 %, in per cent (likewise)",
    "outside": "which limits the unit's share lies outside of",
}
NOTES = (
    "limits: exact binomial, about the share of all units together; a unit beyond those of 99.8 % is hard "
    "to explain by chance alone",
)
SHOWN = ("percent_of_at_risk", "limit_low_95", "limit_high_95", "limit_low_998", "limit_high_998", "outside")


def limits(of: np.ndarray, share: float, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits in per cent for each number at risk, float64 (n,) twice; NaN where it is NaN or 0.

    `of`: float64 (n,), numbers at risk.
    """
    low, high = np.full(len(of), np.nan), np.full(len(of), np.nan)
    known = np.flatnonzero(of > 0)
    if len(known) and 0 < share < 1:
        low[known], high[known] = (
            100 * each for each in proportion_limits(of[known].astype(np.int64), share, level)
        )
    return low, high


def figures(cube: ProtectedCube, time: ProtectedCube, axis: int) -> Columns:
    """Limits for each unit about the share of all units of its stratum; none where that share, or the unit,
    is hidden. Texts by column."""
    having, of = shown(cube, "persons"), shown(time, "persons")
    found = {name: np.full(cube.shape, np.nan) for name in MEANINGS if name != "outside"}
    outside = np.full(cube.shape, "", object)
    for index in strata(cube, axis):
        total = (*index[:axis], 0, *index[axis + 1 :])
        if np.isnan(having[total]) or not of[total] > 0:
            continue
        units = np.where(np.isnan(having[index]), np.nan, of[index])
        share = having[index] / np.where(units > 0, units, np.nan) * 100
        for name, level in LEVELS.items():
            low, high = limits(units, float(having[total] / of[total]), level)
            low[0], high[0] = np.nan, np.nan  # all units together are the target
            found[f"limit_low_{name}"][index], found[f"limit_high_{name}"][index] = low, high
            out = (share < low) | (share > high)
            outside[index] = np.where(out, f"{100 * level:g} %", outside[index])
    return {
        **{name: numbers(each.ravel(), 2) for name, each in found.items()},
        "outside": tuple(str(text) for text in outside.ravel()),
    }
