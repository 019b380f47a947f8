"""A series of periods from a protected cube: counts a day, and a forecast from the periods that are shown.

Only whole periods count, those of which every day lies in the study, and only the run of shown ones up to the
last: a forecast does not reach over a gap.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.measures.conformal import Backtest, foresee, needed
from pipelines.measures.drawing import numbers
from pipelines.measures.forecast import Forecast
from pipelines.measures.holidays import working_days
from pipelines.measures.parts import shown

PERIODS = {"week": 52, "month": 12}  # in a season
FORECAST = "forecast"  # the note of a cube that says what is asked of a forecast, as JSON
MEANINGS = {
    "days": "days of the period that lie in the study",
    "per_day": "what is foreseen, for each of those days",
    "why_empty": "why figures are left out: hidden, or a margin that is no period",
}
SHOWN = ("per_day",)
_IN_TURN = ("events", "admissions", "bed_days", "persons")  # of which one is foreseen where none is named


@dataclass(frozen=True)
class Series:
    """`codes`: of the periods, in order; `counts`: float64 (n,), NaN where hidden; `whole`: bool (n,).
    `what`: which measure; `horizon`, `season`: periods ahead, and in a season; `capacity`: what there is room
    for each day, or None."""

    codes: tuple[str, ...]
    counts: np.ndarray
    whole: np.ndarray
    what: str
    horizon: int
    season: int
    capacity: int | None = None

    def capacity_of(self, codes: tuple[str, ...]) -> np.ndarray:
        """What there is room for in each period, float64 (n,)."""
        return (self.capacity or 0) * days_of(codes).astype(float)

    @property
    def words(self) -> str:
        """What is counted."""
        return self.what.replace("_", " ")


@dataclass(frozen=True)
class Outlook:
    """`begin`, `end`: which periods it was made from; `codes`: of those ahead. `tested`: how each method did
    on known periods, the chosen one's among them. `room`: float64 (ahead,), what there is room for in each
    period, or None."""

    begin: int
    end: int
    codes: tuple[str, ...]
    forecast: Forecast
    tested: tuple[Backtest, ...]
    room: np.ndarray | None = None

    @property
    def chosen(self) -> Backtest:
        return next(each for each in self.tested if each.method == self.forecast.method)


def series(cube: ProtectedCube, axis: int) -> Series:
    """The series at the totals of all other dimensions."""
    dimension, asked = cube.dimensions[axis], json.loads(cube.notes.get(FORECAST, "{}"))
    periods, what = np.flatnonzero(dimension.values), _what(cube)
    at = tuple(periods if each == axis else 0 for each in range(len(cube.shape)))
    codes = tuple(dimension.codes[place] for place in periods)
    season = asked.get("season") or PERIODS[dimension.role]
    room = [each for each in (asked.get("capacity") or {}).values() if each]
    return Series(
        codes=codes,
        counts=shown(cube, what)[at],
        whole=np.array(dimension.values)[periods] == days_of(codes),
        what=what,
        horizon=asked.get("horizon") or PERIODS[dimension.role] // 2,
        season=season,
        capacity=room[0] if room else None,
    )


def _what(cube: ProtectedCube) -> str:
    asked = json.loads(cube.notes.get(FORECAST, "{}"))
    return str(asked.get("of") or next(name for name in _IN_TURN if name in cube.measures))


def days_of(codes: tuple[str, ...]) -> np.ndarray:
    """Days of each period, in the study or not: int64 (n,)."""
    return np.array([(until - first).days for first, until in map(_span, codes)], np.int64)


def _span(code: str) -> tuple[date, date]:
    """The first day of a week or month, and the day after its last."""
    if "-W" in code:
        year, week = code.split("-W")
        first = date.fromisocalendar(int(year), int(week), 1)
        return first, first + timedelta(weeks=1)
    first = date.fromisoformat(f"{code}-01")
    return first, (first + timedelta(31)).replace(day=1)


def outlook(found: Series, role: str) -> Outlook | str:
    """A forecast, or why there is none."""
    whole = np.flatnonzero(found.whole)
    if not len(whole):
        return "no forecast: no period lies in the study as a whole"
    end = int(whole[-1]) + 1
    gaps = np.flatnonzero(np.isnan(found.counts[:end]) | ~found.whole[:end])
    begin = int(gaps[-1]) + 1 if len(gaps) else 0
    least = needed(found.horizon, found.season)
    if end - begin < least:
        return (
            f"no forecast: {end - begin} {role}s are shown in a row up to the last, and {least} are needed "
            f"for {found.horizon} ahead"
        )
    codes = _following(found.codes[end - 1], role, found.horizon)
    working = np.array([working_days(*_span(code)) for code in (*found.codes[begin:end], *codes)], float)
    try:
        forecast, tested = foresee(found.counts[begin:end], found.horizon, found.season, working)
    except ValueError as fault:
        return f"no forecast: {fault}"
    room = None if found.capacity is None else found.capacity_of(codes)
    return Outlook(begin, end, codes, forecast, tuple(tested), room)


def _following(code: str, role: str, count: int) -> tuple[str, ...]:
    """Codes of the periods after one."""
    if role == "month":
        first = np.datetime64(code, "M")
        return tuple(str(first + step) for step in range(1, count + 1))
    year, week = code.split("-W")
    monday = date.fromisocalendar(int(year), int(week), 1)
    weeks = [(monday + timedelta(weeks=step)).isocalendar() for step in range(1, count + 1)]
    return tuple(f"{each[0]}-W{each[1]:02d}" for each in weeks)


def said(found: Outlook | str, asked: Series, role: str) -> list[str]:
    """The forecast in words: the method, how all of them did, and what there is room for."""
    if isinstance(found, str):
        return [found]
    ahead = len(found.codes)
    lines = [
        f"forecast of {asked.words} in {ahead} {role}s by {found.forecast.method}, from "
        f"{found.end - found.begin} {role}s, with 95 % limits for a new count; they are as wide as "
        "errors were when the past was foreseen, and the method is the one whose limits cost least there "
        "(interval score)"
    ]
    for each in found.tested:
        lines.append(
            f"backtest of {each.method}: it could not be fitted ({each.why})"
            if each.why
            else f"backtest of {each.method}: off by {each.error:.1f} a {role} on average (mean absolute "
            f"error), {100 * each.inside:.0f} % of the counts within the limits, interval score "
            f"{each.score:.1f}"
        )
    if found.room is not None:
        expected, highest = (
            int((each > found.room).sum()) for each in (found.forecast.mean, found.forecast.high)
        )
        lines.append(
            f"room for {asked.capacity:,} a day: the count that is expected is above it in {expected} of "
            f"{ahead} {role}s, and the upper limit in {highest}"
        )
    return lines


def figures(cube: ProtectedCube, axis: int) -> Columns:
    """Counts for each day of the study in the period: a month of 31 days has more than one of 28."""
    days = np.array(cube.dimensions[axis].values, float)[cube.coordinates()[:, axis]]
    with np.errstate(divide="ignore", invalid="ignore"):
        per_day = np.where(days > 0, shown(cube, _what(cube)).ravel() / days, np.nan)
    why = np.where(days == 0, "no period", np.where(cube.hidden, "hidden", ""))
    return {
        "days": numbers(days, 0),
        "per_day": numbers(per_day, 3),
        "why_empty": tuple(str(text) for text in why),
    }
