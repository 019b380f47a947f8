"""Rates and shares of a protected cube. What touches a hidden cell is hidden."""

from __future__ import annotations

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.measures.intervals import garwood, wilson

DAYS_PER_YEAR = 365.25
PER = 100_000

MEANINGS = {
    "rate": "events per 100,000 person-years",
    "rate_low": "lower limit of the exact 95 % interval of the rate (Garwood 1936)",
    "rate_high": "upper limit of the exact 95 % interval of the rate (Garwood 1936)",
    "percent_of_at_risk": "persons with an event per hundred persons at risk in the cell",
    "percent_low": "lower 95 % limit of that share (Wilson 1927)",
    "percent_high": "upper 95 % limit of that share (Wilson 1927)",
    "percent_of_total": "persons per hundred of the table's total",
    "why_empty": "why figures are left out: hidden, or nobody at risk",
}


def rates(events: np.ndarray, person_days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Events per 100,000 person-years with exact limits: float64 (n,) three times, NaN where there are no
    person-days.

    `events`: int64 (n,); `person_days`: int64 (n,).
    """
    years = np.where(person_days > 0, person_days / DAYS_PER_YEAR, np.nan)
    low, high = garwood(events)
    return PER * events / years, PER * low / years, PER * high / years


def figures(cube: ProtectedCube, time: ProtectedCube | None = None) -> Columns:
    """Every figure that the cube allows, as text with a fixed number of decimals. `time`: its time at risk,
    cell by cell, if counted."""
    columns: dict[str, np.ndarray] = {}
    measures = cube.measures
    hidden = cube.hidden | time.hidden if time is not None else cube.hidden
    if time is not None:
        if "events" in measures and "person_days" in time.measures:
            columns |= dict(
                zip(
                    ("rate", "rate_low", "rate_high"),
                    rates(measures["events"], time.measures["person_days"]),
                    strict=True,
                )
            )
        having, of = measures["persons"], np.maximum(time.measures["persons"], 0)
        columns["percent_of_at_risk"] = _percent(having, of)
        columns |= dict(zip(("percent_low", "percent_high"), _limits(having, of), strict=True))
        columns = {name: np.where(hidden, np.nan, values) for name, values in columns.items()}
    total = np.full(cube.cells, 0 if cube.hidden[0] else measures["persons"][0])
    columns["percent_of_total"] = _percent(measures["persons"], total)
    printed = {name: _printed(np.where(cube.hidden, np.nan, values)) for name, values in columns.items()}
    nothing = np.logical_or.reduce([np.isnan(values) for values in columns.values()])
    why = np.where(hidden, "hidden", np.where(nothing, "nobody at risk, or the total is hidden", ""))
    return {**printed, "why_empty": tuple(str(each) for each in why)}


def _percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return 100 * part / np.where(whole > 0, whole, np.nan)


def _limits(part: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's limits in per cent, NaN where nobody is at risk, or fewer than have had an event."""
    some = (whole > 0) & (part <= whole)
    low, high = wilson(np.where(some, part, 0), np.where(some, whole, 1))
    return np.where(some, 100 * low, np.nan), np.where(some, 100 * high, np.nan)


def _printed(values: np.ndarray) -> tuple[str, ...]:
    return tuple("" if np.isnan(value) else f"{value:.2f}" for value in values)
