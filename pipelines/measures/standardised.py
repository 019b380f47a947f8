"""Directly standardised rates of a protected cube, in the rows of all ages. One needs every age group that
has a weight in the standard, and where sexes have weights of their own, each age group of each sex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.design_effects import STANDARDISED
from pipelines.cubes.figures import Columns
from pipelines.cubes.standard_axes import StandardAxes
from pipelines.measures.clustered import WHY, effects
from pipelines.measures.drawing import numbers
from pipelines.measures.joining import hidden_span, put_together
from pipelines.measures.parts import elsewhere, joined, shown
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


def standardise(cube: ProtectedCube, time: ProtectedCube, standard: StandardAxes) -> Standardised:
    """`time`: the cube of the time at risk, of the same cells. `standard`: what is standardised over."""
    values = (shown(cube, "events"), shown(time, "person_days"), effects(cube, STANDARDISED))
    events, days, effect = (standard.lines(each) for each in values)
    found = {name: np.full(events.shape, np.nan) for name in ("rate", "low", "high")}
    why = np.full(events.shape, elsewhere("standardised rates", standard), object)
    for group, (n, d) in enumerate(zip(events, days, strict=True)):
        here = (group, 0, 0)
        n, d, parts, joined = _ages(n, d, standard)
        why[here] = ""
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
    flat = {name: standard.cells(each) for name, each in found.items()}
    return Standardised(**flat, why=standard.cells(why))


def _ages(
    events: np.ndarray, days: np.ndarray, standard: StandardAxes
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Events, days and weights of what is standardised over, float64 (k,); of each line the ages from the
    first to the last that is hidden put together, if they weigh little and the line's totals give their sums;
    and whether any are, in words.

    `events`, `days`: float64 (lines, ages), all places.
    """
    whole, parts, words = standard.values.sum(), [], ""
    for n, d, weights in zip(events, days, standard.values, strict=True):
        ages = np.flatnonzero(weights)
        span = hidden_span(np.isnan(n[ages]) | np.isnan(d[ages]))
        line = (n[ages], d[ages], weights[ages])
        if span is not None and weights[ages][span.first : span.last + 1].sum() <= _MOST_JOINED * whole:
            others = np.setdiff1d(np.arange(1, len(n)), ages)
            sums = [put_together(each[ages], span, each[0], each[others].sum()) for each in (n, d)]
            if not np.isnan(sums).any():
                weight = put_together(weights[ages].astype(float), span, float(weights.sum()))
                line = (sums[0], sums[1], weight)
                words = "age groups are put together, since some are hidden"
        parts.append(line)
    n, d, weights = (np.concatenate(each) for each in zip(*parts, strict=True))
    return n, d, weights, words


def with_standardised(columns: Columns, rates: Standardised) -> Columns:
    """The figures of a rate table with the standardised rates, and why there is none beside why there is
    nothing else."""
    out = {name: texts for name, texts in columns.items() if name != "why_empty"}
    for name, values in (("rate", rates.rate), ("low", rates.low), ("high", rates.high)):
        out[f"standardised_{name}"] = numbers(values, 2)
    both = zip(columns["why_empty"], rates.why, strict=True)
    return {**out, "why_empty": tuple(joined(pair) for pair in both)}
