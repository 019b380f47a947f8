"""Indirect standardisation of a protected cube, in the rows of all ages: events seen beside as many as
reference rates by age would give to the same person-time. The reference is all of the table, or rates that
the permit gives.

It asks less of a row than a standardised rate does: the person-time of each age group, but of its events no
more than how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.cubes.cube import RATE_SCALE, ProtectedCube
from pipelines.cubes.design_effects import STANDARDISED
from pipelines.cubes.figures import Columns
from pipelines.cubes.standard_axes import StandardAxes
from pipelines.measures.clustered import WHY, effects
from pipelines.measures.drawing import numbers
from pipelines.measures.funnel import ratio_limits
from pipelines.measures.intervals import garwood
from pipelines.measures.parts import elsewhere, joined, shown
from pipelines.measures.rates import DAYS_PER_YEAR, PER
from pipelines.measures.standard import Indirect

ROLES = ("reference", "rates")
LEVELS = (0.95, 0.998)
NOTE = (
    "each ratio compares a group with the reference; two groups whose ages differ are not compared with "
    "each other by their ratios"
)
SHOWN = ("observed", "expected", "smr", "smr_low", "smr_high", "outside")


@dataclass(frozen=True)
class Ratios:
    """All (cells,): float64 `observed` and `expected` events, `smr` and its limits `low` and `high`, NaN
    where there is none; str `outside`, the limits about a ratio of 1 that it lies beyond; str `why` there is
    none, or no limits, in rows of all ages, "" elsewhere. `itself`: is the row of all the reference?"""

    observed: np.ndarray
    expected: np.ndarray
    smr: np.ndarray
    low: np.ndarray
    high: np.ndarray
    outside: np.ndarray
    why: np.ndarray
    itself: bool


def meanings(about: str) -> dict[str, str]:
    """What the columns say. `about`: the reference, in words."""
    return {
        "observed": "events in the ages that are compared",
        "expected": f"events that the same person-years would have at the {about}",
        "smr": "standardised ratio (SMR): observed by expected events, indirectly standardised",
        "smr_low": "lower 95 % limit of the ratio: exact (Garwood 1936), of as many independent events as "
        "the design effect leaves; the reference is taken as known",
        "smr_high": "upper 95 % limit of the ratio (likewise)",
        "outside": "which limits about a ratio of 1 it lies beyond: of groups that differ by chance alone as "
        "many per cent lie within them "
        "(exact Poisson, of as many independent events; Spiegelhalter 2005)",
    }


def ratios(cube: ProtectedCube, time: ProtectedCube, standard: StandardAxes) -> Ratios:
    """`time`: the cube of the time at risk, of the same cells. `standard`: what is standardised over, and
    what the reference is."""
    counts, itself = standard.counts, standard.role == "reference"
    values = (shown(cube, "events"), shown(time, "person_days"), effects(cube, STANDARDISED))
    events, days, effect = (standard.lines(each) for each in values)
    per_day = (
        _rates(events[0][counts], days[0][counts])
        if itself
        else standard.values[counts] / (RATE_SCALE * PER * DAYS_PER_YEAR)
    )
    exact = all(cube.additive["events"][axis] for axis in standard.axes)
    found = {name: np.full(events.shape, np.nan) for name in ("observed", "expected", "smr", "low", "high")}
    outside = np.full(events.shape, "", object)
    why = np.full(events.shape, elsewhere("standardised ratios", standard), object)
    for group in range(len(events)):
        here = (group, 0, 0)
        seen, expected = _seen(events[group], counts, exact), _expected(days[group][counts], per_day)
        why[here] = _why(seen, expected)
        if why[here]:
            continue
        ratio = Indirect(int(seen), expected)
        found["observed"][here] = ratio.observed
        found["expected"][here] = ratio.expected
        found["smr"][here] = ratio.ratio
        if not itself or group:  # all, the first group, are not compared with themselves
            if np.isnan(effect[here]):
                why[here] = WHY
                continue
            found["low"][here], found["high"][here] = ratio.limits(_of_count(ratio, float(effect[here])))
            outside[here] = _outside(ratio, float(effect[here]))
        else:
            why[here] = "no limits of the standardised ratio: all of the table are its reference"
    flat = {name: standard.cells(each) for name, each in found.items()}
    return Ratios(**flat, outside=standard.cells(outside), why=standard.cells(why), itself=itself)


def _rates(events: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Events a day of each age group, float64 (ages,); NaN where hidden or where nobody is at risk."""
    return events / np.where(days > 0, days, np.nan)


def _seen(events: np.ndarray, counts: np.ndarray, exact: bool) -> float:
    """Events in the places that are compared; NaN where what is shown does not tell. They are the sum of the
    places or, where one is hidden and the parts add up, that of each line, or of all lines, less the others.

    `events`: float64 (lines, ages); `counts`: bool (lines, ages), which places are compared.
    """
    found = float(events[counts].sum())
    if not np.isnan(found) or not exact:
        return found
    lines = list(zip(events, counts, strict=True))
    of_lines = sum(_of_line(line, wanted) for line, wanted in lines if wanted.any())
    if not np.isnan(of_lines):
        return of_lines
    none = [line for line, wanted in lines[1:] if not wanted.any()]
    some = [line[1:][~wanted[1:]].sum() for line, wanted in lines[1:] if wanted.any()]
    others = sum(line[0] for line in none) + sum(some) if len(lines) > 1 else np.nan
    return float(events[0, 0] - others)


def _of_line(events: np.ndarray, wanted: np.ndarray) -> float:
    """As `_seen`, of one line, float64 (ages,)."""
    found = float(events[wanted].sum())
    return float(events[0] - events[1:][~wanted[1:]].sum()) if np.isnan(found) else found


def _expected(days: np.ndarray, per_day: np.ndarray) -> float:
    """Expected events; NaN where a day or a rate that it needs is not known. No rate is needed where nobody
    is at risk."""
    return float(np.where(days == 0, 0.0, days * per_day).sum())


def _why(seen: float, expected: float) -> str:
    if np.isnan(expected):
        return (
            "no standardised ratio: time at risk, or a reference rate, of an age group that it needs is "
            "hidden"
        )
    if np.isnan(seen):
        return "no standardised ratio: events of an age group that it needs are hidden"
    return "no standardised ratio: no event is expected" if expected <= 0 or seen < 0 else ""


def _of_count(ratio: Indirect, effect: float) -> tuple[float, float]:
    low, high = garwood(np.array([ratio.observed / effect]))
    return float(low[0]) * effect, float(high[0]) * effect


def _outside(ratio: Indirect, effect: float) -> str:
    beyond = ""
    for level in LEVELS:
        low, high = (float(each[0]) for each in ratio_limits(np.array([ratio.expected / effect]), level))
        beyond = f"{100 * level:g} %" if not low <= ratio.ratio <= high else beyond
    return beyond


def with_ratios(columns: Columns, found: Ratios) -> Columns:
    """The figures of a rate table with the ratios, and why there is none beside why there is nothing else."""
    return {
        **{name: texts for name, texts in columns.items() if name != "why_empty"},
        **dict(_columns(columns, found)),
    }


def _columns(columns: Columns, found: Ratios) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "observed", numbers(found.observed, 0)
    yield "expected", numbers(found.expected, 2)
    for name, values in (("smr", found.smr), ("smr_low", found.low), ("smr_high", found.high)):
        yield name, numbers(values, 3)
    yield "outside", tuple(str(each) for each in found.outside)
    both = zip(columns["why_empty"], found.why, strict=True)
    yield "why_empty", tuple(joined(pair) for pair in both)
