"""A series of periods from a protected cube: events a day, and a forecast from the periods that are shown.

Only whole periods count, those of which every day lies in the study, and only the run of shown ones up to the
last: a forecast does not reach over a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from pipelines.cubes.cube import Dimension, ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.measures.drawing import numbers
from pipelines.measures.forecast import Backtest, Forecast, best
from pipelines.measures.parts import shown

PERIODS = {"week": 52, "month": 12}  # in a season
MEANINGS = {
    "days": "days of the period that lie in the study",
    "per_day": "events, or persons where no events are counted, for each of those days",
    "why_empty": "why figures are left out: hidden, or a margin that is no period",
}
SHOWN = ("per_day",)


@dataclass(frozen=True)
class Series:
    """`codes`: of the periods, in order; `counts`: float64 (n,), NaN where hidden; `whole`: bool (n,).
    `what`: what is counted."""

    codes: tuple[str, ...]
    counts: np.ndarray
    whole: np.ndarray
    what: str


@dataclass(frozen=True)
class Outlook:
    """`begin`, `end`: which periods it was made from; `codes`: of those ahead. `tested`: how each method did
    on known periods, the chosen one's among them."""

    begin: int
    end: int
    codes: tuple[str, ...]
    forecast: Forecast
    tested: tuple[Backtest, ...]

    @property
    def chosen(self) -> Backtest:
        return next(each for each in self.tested if each.method == self.forecast.method)


def series(cube: ProtectedCube, axis: int) -> Series:
    """The series at the totals of all other dimensions."""
    dimension = cube.dimensions[axis]
    periods = np.flatnonzero(dimension.values)
    what = "events" if "events" in cube.measures else "persons"
    at = tuple(periods if each == axis else 0 for each in range(len(cube.shape)))
    days = np.array(dimension.values)[periods]
    return Series(
        tuple(dimension.codes[place] for place in periods),
        shown(cube, what)[at],
        days == _length(dimension, periods),
        what,
    )


def _length(dimension: Dimension, periods: np.ndarray) -> np.ndarray:
    """Days of each period, in the study or not: int64 (n,)."""
    if dimension.role == "week":
        return np.full(len(periods), 7)
    months = np.array([dimension.codes[place] for place in periods], "M8[M]")
    return ((months + 1).astype("M8[D]") - months.astype("M8[D]")).astype(np.int64)


def outlook(found: Series, role: str) -> Outlook | str:
    """A forecast of half a season, or why there is none."""
    whole = np.flatnonzero(found.whole)
    if not len(whole):
        return "no forecast: no period lies in the study as a whole"
    end = int(whole[-1]) + 1
    gaps = np.flatnonzero(np.isnan(found.counts[:end]) | ~found.whole[:end])
    begin = int(gaps[-1]) + 1 if len(gaps) else 0
    season = PERIODS[role]
    try:
        forecast, tested = best(found.counts[begin:end], season // 2, season)
    except ValueError:
        return "no forecast: fewer than three seasons are shown in a row up to the last"
    return Outlook(begin, end, _following(found.codes[end - 1], role, season // 2), forecast, tuple(tested))


def _following(code: str, role: str, count: int) -> tuple[str, ...]:
    """Codes of the periods after one."""
    if role == "month":
        first = np.datetime64(code, "M")
        return tuple(str(first + step) for step in range(1, count + 1))
    year, week = code.split("-W")
    monday = date.fromisocalendar(int(year), int(week), 1)
    weeks = [(monday + timedelta(weeks=step)).isocalendar() for step in range(1, count + 1)]
    return tuple(f"{each[0]}-W{each[1]:02d}" for each in weeks)


def said(found: Outlook | str, role: str) -> list[str]:
    """The forecast in words: the method, and how all of them did."""
    if isinstance(found, str):
        return [found]
    lines = [
        f"forecast of {len(found.codes)} {role}s by {found.forecast.method}, from {found.end - found.begin} "
        f"{role}s, with 95 % limits for "
        "a new count; it is the method that erred least when asked three times about as many known ones"
    ]
    for each in found.tested:
        lines.append(
            f"backtest of {each.method}: off by {each.error:.1f} a {role} on average (mean absolute error), "
            f"{100 * each.inside:.0f} % of "
            "the counts within the limits"
        )
    return lines


def figures(cube: ProtectedCube, axis: int) -> Columns:
    """Counts for each day of the study in the period: a month of 31 days has more than one of 28."""
    what = "events" if "events" in cube.measures else "persons"
    days = np.array(cube.dimensions[axis].values, float)[cube.coordinates()[:, axis]]
    with np.errstate(divide="ignore", invalid="ignore"):
        per_day = np.where(days > 0, shown(cube, what).ravel() / days, np.nan)
    why = np.where(days == 0, "no period", np.where(cube.hidden, "hidden", ""))
    return {
        "days": numbers(days, 0),
        "per_day": numbers(per_day, 3),
        "why_empty": tuple(str(text) for text in why),
    }
