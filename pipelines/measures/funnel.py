"""Funnel limits: between which shares or ratios chance alone would keep most care units (Spiegelhalter 2005)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binom, poisson


def proportion_limits(of: np.ndarray, target: float, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact binomial limits about a target share, interpolated between whole counts. `of`: int64 (n,), persons of each unit."""
    low, high = (_between(lambda k, n: binom.cdf(k, n, target), np.asarray(of), tail) for tail in _tails(level))
    return np.clip(low / of, 0, 1), np.clip(high / of, 0, 1)


def ratio_limits(expected: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact Poisson limits about a ratio of 1. `expected`: float64 (n,), events that the standard gives each unit."""
    low, high = (_between(lambda k, mean: poisson.cdf(k, mean), np.asarray(expected, float), tail) for tail in _tails(level))
    return np.maximum(low, 0) / expected, high / expected


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, 1 - (1 - level) / 2


def _between(cdf: Callable[[int, float], float], size: np.ndarray, tail: float) -> np.ndarray:
    """The count at which the chance of no more is `tail`, by a straight line between two whole counts."""
    limits = np.empty(len(size))
    for place, n in enumerate(size):
        count = next(k for k in range(int(n * 10) + 60) if cdf(k, n) >= tail)
        at, before = cdf(count, n), cdf(count - 1, n)
        limits[place] = count - ((at - tail) / (at - before) if at > before else 0.0)
    return limits
