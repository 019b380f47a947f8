"""Rates beside that of a group which the permit names: ratio and difference, in each row of another group."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from pipelines.cubes.cube import Dimension, ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.measures.clustered import WHY, effects
from pipelines.measures.comparison import difference, difference_score, ratio, ratio_exact
from pipelines.measures.drawing import numbers
from pipelines.measures.parts import joined, shown
from pipelines.measures.rates import DAYS_PER_YEAR, PER

SHOWN = (
    "rate_ratio",
    "rate_ratio_low",
    "rate_ratio_high",
    "rate_difference",
    "rate_difference_low",
    "rate_difference_high",
)


@dataclass(frozen=True)
class Compared:
    """All (cells,): float64 `ratio` of rates with its limits `low` and `high`, and `difference` per 100,000
    person-years with `less` and `more`, NaN where there is none; bool `tried`, is somebody of another group
    at risk, or hidden; str `why` there is no ratio, or no limits. `against`: the group that all are compared
    with."""

    ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray
    difference: np.ndarray
    less: np.ndarray
    more: np.ndarray
    tried: np.ndarray
    why: np.ndarray
    against: str


def meanings(against: str) -> dict[str, str]:
    """What the columns say. `against`: the group that all are compared with."""
    return {
        "rate_ratio": f"rate by that of {against} in the same place of the other dimensions",
        "rate_ratio_low": "lower 95 % limit of the rate ratio: exact (Przyborowski and Wilenski 1940), of as "
        "many independent events on either side as their design effects leave",
        "rate_ratio_high": "upper 95 % limit of the rate ratio (likewise)",
        "rate_difference": f"events per 100,000 person-years more than {against} in the same place of the "
        "other dimensions",
        "rate_difference_low": "lower 95 % limit of the difference (score, Miettinen and Nurminen 1985; "
        "of as many independent events)",
        "rate_difference_high": "upper 95 % limit of the difference (likewise)",
    }


def compare(cube: ProtectedCube, time: ProtectedCube, axis: int) -> Compared:
    """`time`: the cube of the time at risk, of the same cells. `axis`: of the groups, whose values say which
    all are compared with."""
    groups = cube.dimensions[axis]
    named = groups.values.index(1)
    others = [place for place in range(1, len(groups)) if not _kin(groups, place, named)]
    events, days = (
        np.moveaxis(each, axis, 0) for each in (shown(cube, "events"), shown(time, "person_days"))
    )
    effect = np.moveaxis(effects(cube).reshape(cube.shape), axis, 0)
    found = {
        name: np.full(events.shape, np.nan) for name in ("ratio", "low", "high", "difference", "less", "more")
    }
    tried, why = np.zeros(events.shape, bool), np.full(events.shape, "", object)
    for place in others:
        tried[place] = days[place] != 0
        for index in np.ndindex(events.shape[1:]):
            here, there = (place, *index), (named, *index)
            why[here] = _why(events[here], days[here], events[there], days[there])
            if (
                np.isnan(sides := np.array([events[here], days[here], events[there], days[there]])).any()
                or not sides[[1, 3]].all()
            ):
                continue
            a, t, b, s = sides / np.array([1, DAYS_PER_YEAR * PER] * 2)
            found["difference"][here] = difference(a, t, b, s)
            if isfinite(rates := ratio(a, t, b, s)):
                found["ratio"][here] = rates
            if np.isnan(each := effect[here]) or np.isnan(other := effect[there]):
                why[here] = joined([why[here], WHY])
                continue
            worth = (a / each, t / each, b / other, s / other)
            found["less"][here], found["more"][here] = difference_score(*worth)
            if isfinite(rates):
                found["low"][here], found["high"][here] = ratio_exact(*worth)
    flat = {
        name: np.moveaxis(each, 0, axis).ravel()
        for name, each in {**found, "tried": tried, "why": why}.items()
    }
    return Compared(**flat, against=groups.labels[named])


def _kin(groups: Dimension, one: int, other: int) -> bool:
    """Is one of the places the other, or does it lie within the other?"""
    low, high = max(one, other), min(one, other)
    while low > high:
        low = groups.parents[low]
    return low == high


def _why(events: float, days: float, events_there: float, days_there: float) -> str:
    if np.isnan(events) or np.isnan(days):
        return "no rate ratio: a cell that it needs is hidden"
    if np.isnan(events_there) or np.isnan(days_there):
        return "no rate ratio: what it would be compared with is hidden"
    if not days or not days_there:
        return "no rate ratio: nobody is at risk on one of the sides"
    return "" if events_there else "no rate ratio: no event in what it would be compared with"


def with_comparison(columns: Columns, found: Compared) -> Columns:
    """The figures of a rate table with ratios and differences, and why there is no ratio beside why there is
    nothing else."""
    out = {name: texts for name, texts in columns.items() if name != "why_empty"}
    values = (found.ratio, found.low, found.high, found.difference, found.less, found.more)
    out |= {
        name: numbers(each, 3 if "ratio" in name else 2) for name, each in zip(SHOWN, values, strict=True)
    }
    both = zip(columns["why_empty"], found.why, strict=True)
    return {**out, "why_empty": tuple(joined(pair) for pair in both)}
