"""Rates and shares of a protected cube. What touches a hidden cell is hidden."""

from __future__ import annotations

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.measures.clustered import MEANING, WHY, effects
from pipelines.measures.intervals import garwood, wilson

DAYS_PER_YEAR = 365.25
PER = 100_000

MEANINGS = {
    "rate": "events per 100,000 person-years",
    "rate_low": "lower 95 % limit of the rate: exact (Garwood 1936), of as many independent events as the "
    "design effect leaves",
    "rate_high": "upper 95 % limit of the rate (likewise)",
    "design_effect": MEANING,
    "percent_of_days": "days covered per hundred days of follow-up",
    "percent_of_at_risk": "persons with an event per hundred persons at risk in the cell",
    "percent_low": "lower 95 % limit of that share (Wilson 1927)",
    "percent_high": "upper 95 % limit of that share (Wilson 1927)",
    "percent_of_total": "persons per hundred of the table's total",
    "why_empty": "why figures are left out",
}


def rates(
    events: np.ndarray, person_days: np.ndarray, effect: np.ndarray | float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Events per 100,000 person-years with limits, exact for an `effect` of 1: float64 (n,) three times, NaN
    where there are no person-days.

    `events`: int64 (n,); `person_days`: int64 (n,); `effect`: float64 (n,), design effect, NaN for no limits.
    """
    years = np.where(person_days > 0, person_days / DAYS_PER_YEAR, np.nan)
    low, high = garwood(events / effect)
    return PER * events / years, PER * low * effect / years, PER * high * effect / years


def figures(cube: ProtectedCube, time: ProtectedCube | None = None) -> Columns:
    """Every figure that the cube allows, as text with a fixed number of decimals. `time`: its time at risk,
    cell by cell, if counted."""
    columns: dict[str, np.ndarray] = {}
    why = Reasons(cube.cells)
    if time is not None:
        columns |= _of_time(cube, time, why)
    persons, total = cube.measures["persons"], cube.measures["persons"][0]
    columns["percent_of_total"] = _percent(persons, np.full(cube.cells, total))
    whole = "the table's total is hidden" if cube.hidden[0] else "the table counts nobody"
    why.where(np.full(cube.cells, total == 0), f"no share of the total: {whole}")
    printed = {name: _printed(np.where(cube.hidden, np.nan, values)) for name, values in columns.items()}
    return {**printed, "why_empty": why.unless(cube.hidden, "hidden")}


def _of_time(cube: ProtectedCube, time: ProtectedCube, why: Reasons) -> dict[str, np.ndarray]:
    """Rates, and shares of those at risk, NaN where there are none."""
    found: dict[str, np.ndarray] = {}
    having, of = cube.measures["persons"], time.measures["persons"]
    known = ~time.hidden & (of > 0)
    why.where(time.hidden, "no rate and no share: the time at risk is hidden")
    why.where(~time.hidden & (of == 0), "no rate and no share: nobody is at risk")
    if "events" in cube.measures and "person_days" in time.measures:
        effect = effects(cube)
        three = rates(cube.measures["events"], time.measures["person_days"], effect)
        found |= dict(zip(("rate", "rate_low", "rate_high"), three, strict=True))
        if cube.design_effects:
            found["design_effect"] = effect
        why.where(known & np.isnan(effect), WHY)
    if "days_covered" in cube.measures and "person_days" in time.measures:
        found["percent_of_days"] = _percent(cube.measures["days_covered"], time.measures["person_days"])
    found["percent_of_at_risk"] = _percent(having, of)
    found |= dict(zip(("percent_low", "percent_high"), _limits(having, of), strict=True))
    why.where(known & (having > of), "no limits of the share: more have an event than are at risk")
    return {name: np.where(known, values, np.nan) for name, values in found.items()}


class Reasons:
    """Why figures of each cell are left out."""

    def __init__(self, cells: int) -> None:
        self.texts: list[list[str]] = [[] for _ in range(cells)]

    def where(self, cells: np.ndarray, text: str) -> None:
        """A reason that holds in some cells. `cells`: bool (cells,)."""
        for cell in np.flatnonzero(cells).tolist():
            self.texts[cell].append(text)

    def unless(self, gone: np.ndarray, text: str) -> tuple[str, ...]:
        """One text for each cell, "" where nothing is left out: `text` alone where `gone`, bool (cells,)."""
        return tuple(
            text if without else "; ".join(reasons)
            for reasons, without in zip(self.texts, gone.tolist(), strict=True)
        )


def _percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return 100 * part / np.where(whole > 0, whole, np.nan)


def _limits(part: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's limits in per cent, NaN where nobody is at risk, or fewer than have had an event."""
    some = (whole > 0) & (part <= whole)
    low, high = wilson(np.where(some, part, 0), np.where(some, whole, 1))
    return np.where(some, 100 * low, np.nan), np.where(some, 100 * high, np.nan)


def _printed(values: np.ndarray) -> tuple[str, ...]:
    return tuple("" if np.isnan(value) else f"{value:.2f}" for value in values)
