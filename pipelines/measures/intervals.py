"""Confidence intervals of counts and of proportions. All functions take arrays and a level, 0.95 by default,
and give lower and upper limits; a limit that does not exist is NaN."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, binom, chi2, norm, poisson

Limits = tuple[np.ndarray, np.ndarray]


def _tail(level: float) -> float:
    return (1 - level) / 2


def z_of(level: float) -> float:
    """Standard normal quantile of a two-sided level."""
    return float(norm.ppf(1 - _tail(level)))


# ---- a Poisson count ---------------------------------------------------------------------------------------


def garwood(events: np.ndarray, level: float = 0.95) -> Limits:
    """Exact limits of a Poisson mean (Garwood 1936); of 0 the lower is 0.

    `events`: int64 or float64 (n,), not negative. Returns float64 (n,) twice.
    """
    events, tail = np.asarray(events), _tail(level)
    low = np.where(events > 0, chi2.ppf(tail, 2 * np.maximum(events, 1)) / 2, 0.0)
    return low, chi2.ppf(1 - tail, 2 * (events + 1)) / 2


def mid_p(events: np.ndarray, level: float = 0.95) -> Limits:
    """Limits of a Poisson mean by the mid-P method (Lancaster 1961): half of what the count itself adds to
    either tail.

    `events`: int64 (n,), not negative. Returns float64 (n,) twice.
    """
    tail = _tail(level)

    def upper(count: int, mean: float) -> float:
        return float(poisson.cdf(count, mean) - poisson.pmf(count, mean) / 2 - tail)

    def lower(count: int, mean: float) -> float:
        return float(poisson.sf(count - 1, mean) - poisson.pmf(count, mean) / 2 - tail)

    lows, highs = [], []
    wide = garwood(events, 1 - (1 - level) / 100)  # wider than mid-P by far
    for count, low, high in zip(np.asarray(events, int).tolist(), *wide, strict=True):
        lows.append(_root(partial(lower, count), low, high) if count else 0.0)
        highs.append(_root(partial(upper, count), low, high))
    return np.array(lows), np.array(highs)


def byar(events: np.ndarray, level: float = 0.95) -> Limits:
    """Byar's approximation with x and x + 1 (Breslow and Day 1987); the lower limit of 0 does not exist, NaN.

    `events`: int64 or float64 (n,), not negative. Returns float64 (n,) twice.
    """
    x, z = np.asarray(events, float), z_of(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(x > 0, x * (1 - 1 / (9 * x) - z / (3 * np.sqrt(x))) ** 3, np.nan)
    return low, _byar_up(x + 1, z)


def byar_rothman(events: np.ndarray, level: float = 0.95) -> Limits:
    """Byar's approximation with x + 0.5 on both sides (Rothman and Boice 1979).

    `events`: int64 or float64 (n,), not negative. Returns float64 (n,) twice.
    """
    x, z = np.asarray(events, float) + 0.5, z_of(level)
    return x * (1 - 1 / (9 * x) - z / 3 * np.sqrt(1 / x)) ** 3, _byar_up(x, z)


def _byar_up(x: np.ndarray, z: float) -> np.ndarray:
    return np.asarray(x * (1 - 1 / (9 * x) + z / (3 * np.sqrt(x))) ** 3)


# ---- a binomial proportion ---------------------------------------------------------------------------------


def wilson(count: np.ndarray, of: np.ndarray, level: float = 0.95, corrected: bool = False) -> Limits:
    """Score limits of a proportion (Wilson 1927); `corrected` for continuity (Newcombe 1998).

    `count`: int64 or float64 (n,), of so many, `of`: int64 or float64 (n,). Returns float64 (n,) twice.
    """
    x, n, z = np.asarray(count, float), np.asarray(of, float), z_of(level)
    if corrected:
        shift = np.minimum(0.5, np.abs(x - n / 2))
        low, high = _wilson(x - shift, n, z)[0], _wilson(x + shift, n, z)[1]
    else:
        low, high = _wilson(x, n, z)
    return np.where(x == 0, 0.0, np.maximum(low, 0)), np.where(x == n, 1.0, np.minimum(high, 1))


def _wilson(x: np.ndarray, n: np.ndarray, z: float) -> Limits:
    p, wide = x / n, z * z / (2 * n)
    reach = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (p + wide - reach) / (1 + 2 * wide), (p + wide + reach) / (1 + 2 * wide)


def clopper_pearson(count: np.ndarray, of: np.ndarray, level: float = 0.95) -> Limits:
    """Exact limits of a proportion (Clopper and Pearson 1934).

    `count`: int64 or float64 (n,), of so many, `of`: int64 or float64 (n,). Returns float64 (n,) twice.
    """
    x, n, tail = np.asarray(count, float), np.asarray(of, float), _tail(level)
    low = np.where(x == 0, 0.0, beta.ppf(tail, np.maximum(x, 1), n - x + 1))
    high = np.where(x == n, 1.0, beta.ppf(1 - tail, x + 1, np.maximum(n - x, 1)))
    return low, high


def binomial_mid_p(count: np.ndarray, of: np.ndarray, level: float = 0.95) -> Limits:
    """Limits of a proportion by the mid-P method.

    `count`: int64 (n,), of so many, `of`: int64 (n,). Returns float64 (n,) twice.
    """
    tail, low, high = _tail(level), [], []
    for x, n in zip(np.asarray(count, int), np.asarray(of, int), strict=True):

        def lower(p: float, x: int = x, n: int = n) -> float:
            return float(binom.sf(x - 1, n, p) - binom.pmf(x, n, p) / 2 - tail)

        def upper(p: float, x: int = x, n: int = n) -> float:
            return float(binom.cdf(x, n, p) - binom.pmf(x, n, p) / 2 - tail)

        low.append(0.0 if x == 0 else _root(lower, 0.0, 1.0))
        high.append(1.0 if x == n else _root(upper, 0.0, 1.0))
    return np.array(low), np.array(high)


def agresti_coull(count: np.ndarray, of: np.ndarray, level: float = 0.95) -> Limits:
    """Wald limits after adding z²/2 of either outcome (Agresti and Coull 1998); they may lie beyond 0 and 1.
    Where the count is at an end, the other limit is one-sided.

    `count`: int64 or float64 (n,), of so many, `of`: int64 or float64 (n,). Returns float64 (n,) twice.
    """
    x, n = np.asarray(count, float), np.asarray(of, float)
    z = np.where((x == 0) | (x == n), norm.ppf(level), z_of(level))
    n = n + z * z
    p = (x + z * z / 2) / n
    reach = z * np.sqrt(p * (1 - p) / n)
    return np.where(x == 0, 0.0, p - reach), np.where(x == of, 1.0, p + reach)


def jeffreys(count: np.ndarray, of: np.ndarray, level: float = 0.95) -> Limits:
    """Equal-tailed limits under Jeffreys' prior (Brown, Cai and DasGupta 2001). Where the count is at an end,
    the other limit is one-sided.

    `count`: int64 or float64 (n,), of so many, `of`: int64 or float64 (n,). Returns float64 (n,) twice.
    """
    x, n = np.asarray(count, float), np.asarray(of, float)
    tail = np.where((x == 0) | (x == n), 1 - level, _tail(level))
    low, high = beta.ppf(tail, x + 0.5, n - x + 0.5), beta.ppf(1 - tail, x + 0.5, n - x + 0.5)
    return np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(function, low, high, xtol=1e-14, rtol=1e-13))
