"""Directly standardised rates of a protected cube, in the rows of all ages. One needs every age group that
has a weight in the standard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.design_effects import STANDARDISED
from pipelines.cubes.figures import Columns
from pipelines.measures.clustered import WHY, effects
from pipelines.measures.drawing import numbers
from pipelines.measures.joining import hidden_span, put_together
from pipelines.measures.parts import at_totals, joined, shown, strata
from pipelines.measures.rates import DAYS_PER_YEAR
from pipelines.measures.standard import clustered, direct, fay_feuer

SHOWN = ("rate", "rate_low", "rate_high", "standardised_rate", "standardised_low", "standardised_high")

_MOST_JOINED = 0.5  # of the standard's weight, in age groups that are put together


@dataclass(frozen=True)
class Standardised:
    """All (cells,): float64 `rate`, `low` and `high` per 100,000 person-years, NaN where there is none; str
    `why` there is none, or no limits, in rows of all ages, "" elsewhere."""

    rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    why: np.ndarray


def meanings(about: str) -> dict[str, str]:
    """What the columns say. `about`: the standard, in words."""
    return {
        "standardised_rate": f"events per 100,000 person-years, directly standardised to the {about}",
        "standardised_low": "lower 95 % limit of the standardised rate (Fay and Feuer 1997; of repeated "
        "events with their design effect by person)",
        "standardised_high": "upper 95 % limit of the standardised rate (likewise)",
    }


def standardise(cube: ProtectedCube, time: ProtectedCube, axis: int) -> Standardised:
    """`time`: the cube of the time at risk, of the same cells. `axis`: of the ages."""
    weights = np.array(cube.dimensions[axis].values)
    ages = np.flatnonzero(weights)
    events, days = (
        np.moveaxis(each, axis, -1) for each in (shown(cube, "events"), shown(time, "person_days"))
    )
    effect = effects(cube, STANDARDISED).reshape(cube.shape)
    found = {name: np.full(cube.shape, np.nan) for name in ("rate", "low", "high")}
    why = np.full(cube.shape, "", object)
    for index in strata(cube, axis):
        others = tuple(place for place in index if isinstance(place, int))
        here = at_totals(index)
        n, d, parts, joined = _ages(events[others], days[others], ages, weights[ages])
        if np.isnan(n).any() or np.isnan(d).any():
            why[here] = "no standardised rate: an age group that it needs is hidden"
        elif (d == 0).any():
            why[here] = "no standardised rate: nobody is at risk in an age group that it needs"
        else:
            rate = direct(n.astype(np.int64), d / DAYS_PER_YEAR, parts)
            found["rate"][here] = rate.rate
            if np.isnan(effect[here]):
                why[here] = f"no limits of the standardised rate: {joined}" if joined else WHY
            else:
                found["low"][here], found["high"][here] = fay_feuer(clustered(rate, float(effect[here])))
            if joined and not why[here]:
                why[here] = joined
    return Standardised(found["rate"].ravel(), found["low"].ravel(), found["high"].ravel(), why.ravel())


def _ages(
    events: np.ndarray, days: np.ndarray, ages: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Events, days and weights of the ages that are standardised over, those from the first to the last that
    is hidden put together if they weigh little and the totals give their sums; and which are, in words.

    `events`, `days`: float64, all places of the dimension; `ages`: places with weights, int64 (k,).
    """
    n, d = events[ages], days[ages]
    span = hidden_span(np.isnan(n) | np.isnan(d))
    if span is None or weights[span.first : span.last + 1].sum() > _MOST_JOINED * weights.sum():
        return n, d, weights, ""
    others = np.setdiff1d(np.arange(1, len(events)), ages)
    sums = [put_together(line[ages], span, line[0], line[others].sum()) for line in (events, days)]
    if np.isnan(sums).any():
        return n, d, weights, ""
    parts = put_together(weights.astype(float), span, float(weights.sum()))
    return sums[0], sums[1], parts, "age groups are put together, since some are hidden"


def with_standardised(columns: Columns, rates: Standardised) -> Columns:
    """The figures of a rate table with the standardised rates, and why there is none beside why there is
    nothing else."""
    out = {name: texts for name, texts in columns.items() if name != "why_empty"}
    for name, values in (("rate", rates.rate), ("low", rates.low), ("high", rates.high)):
        out[f"standardised_{name}"] = numbers(values, 2)
    both = zip(columns["why_empty"], rates.why, strict=True)
    return {**out, "why_empty": tuple(joined(pair) for pair in both)}
