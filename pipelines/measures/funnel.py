"""Funnel limits: between which shares or ratios chance alone keeps most care units (Spiegelhalter 2005)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binom, poisson

Of = Callable[[np.ndarray], np.ndarray]


def proportion_limits(of: np.ndarray, target: float, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact binomial limits about a target share, interpolated between whole counts. `of`: int64 (n,),
    persons of each unit."""
    of = np.asarray(of)
    low, high = (
        _between(binom.ppf(tail, of, target), lambda k: binom.cdf(k, of, target), tail)
        for tail in _tails(level)
    )
    return np.clip(low / of, 0, 1), np.clip(high / of, 0, 1)


def ratio_limits(expected: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact Poisson limits about a ratio of 1. `expected`: float64 (n,), events that the standard gives each
    unit."""
    mean = np.asarray(expected, float)
    low, high = (
        _between(poisson.ppf(tail, mean), lambda k: poisson.cdf(k, mean), tail) for tail in _tails(level)
    )
    return np.maximum(low, 0) / mean, high / mean


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, 1 - (1 - level) / 2


def _between(count: np.ndarray, cdf: Of, tail: float) -> np.ndarray:
    """Where the chance of no more is `tail`, by a straight line between two whole counts. `count`: the least
    whose chance is not below."""
    at, before = cdf(count), cdf(count - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return count - np.where(at > before, (at - tail) / (at - before), 0.0)
