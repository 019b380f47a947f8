"""Standardised rates: direct, against a standard population, and indirect, against standard rates.

Strata are arrays (k,): events, person-years, and the weight of each in the standard (any scale).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import gamma

from pipelines.measures.intervals import byar, garwood, z_of

PER = 100_000
Interval = tuple[float, float]


@dataclass(frozen=True)
class Direct:
    """A directly standardised rate per `PER` person-years, and its variance. `weights`: float64 (k,), what an
    event of each adds."""

    rate: float
    variance: float
    events: int
    weights: np.ndarray


def clustered(rate: Direct, effect: float) -> Direct:
    """The same rate of events that vary `effect` times as much as independent ones: as of fewer that weigh as
    many times more."""
    return Direct(rate.rate, rate.variance * effect, rate.events, rate.weights * effect)


def direct(events: np.ndarray, years: np.ndarray, standard: np.ndarray) -> Direct:
    """Directly standardised (Fay and Feuer 1997). NaN where a stratum with weight has no person-years.

    `events`: int64 (strata,); `years`: float64 (strata,), person-years; `standard`: int64 or float64
    (strata,), persons of the standard population.
    """
    share = np.asarray(standard, float) / np.sum(standard)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(share > 0, PER * share / np.asarray(years, float), 0.0)
    weights = np.where(np.isfinite(weights), weights, np.nan)
    return Direct(
        float(np.sum(weights * events)), float(np.sum(weights**2 * events)), int(np.sum(events)), weights
    )


def fay_feuer(rate: Direct, level: float = 0.95) -> Interval:
    """Gamma limits (Fay and Feuer 1997). Without events the lower limit is 0."""
    return _gamma(rate, level, float(rate.weights.max()), float((rate.weights**2).max()))


def tiwari(rate: Direct, level: float = 0.95) -> Interval:
    """Gamma limits with mean weights in place of the largest (Tiwari, Clegg and Zou 2006)."""
    return _gamma(rate, level, float(rate.weights.mean()), float((rate.weights**2).mean()))


def _gamma(rate: Direct, level: float, weight: float, square: float) -> Interval:
    tail = (1 - level) / 2
    low = (
        gamma.ppf(tail, rate.rate**2 / rate.variance, scale=rate.variance / rate.rate) if rate.events else 0.0
    )
    mean, variance = rate.rate + weight, rate.variance + square
    return float(low), float(gamma.ppf(1 - tail, mean**2 / variance, scale=variance / mean))


def dobson(rate: Direct, level: float = 0.95, exact: bool = False) -> Interval:
    """Limits from those of the count (Dobson and others 1991): Byar's, or the exact ones. None without
    events."""
    if not rate.events:
        return float("nan"), float("nan")
    low, high = (float(each[0]) for each in (garwood if exact else byar)(np.array([rate.events]), level))
    scale = np.sqrt(rate.variance / rate.events)
    return rate.rate + scale * (low - rate.events), rate.rate + scale * (high - rate.events)


@dataclass(frozen=True)
class Indirect:
    """Events seen, and how many the standard rates give (SMR, observed by expected)."""

    observed: int
    expected: float

    @property
    def ratio(self) -> float:
        """Standardised morbidity or mortality ratio; NaN where nothing is expected."""
        return self.observed / self.expected if self.expected > 0 else float("nan")

    def limits(self, of_count: Interval) -> Interval:
        """Limits of the ratio from those of the count (`intervals`)."""
        return of_count[0] / self.expected, of_count[1] / self.expected


def indirect(events: np.ndarray, years: np.ndarray, standard_rates: np.ndarray) -> Indirect:
    """Indirectly standardised: events, and how many the standard would have.

    `events`: int64 (strata,); `years`: float64 (strata,), person-years; `standard_rates`: float64 (strata,),
    per person-year.
    """
    return Indirect(int(np.sum(events)), float(np.sum(np.asarray(years, float) * standard_rates)))


def log_normal(ratio: Indirect, level: float = 0.95) -> Interval:
    """Limits of the ratio on the scale of the logarithm; without events none but 0 below."""
    if not ratio.observed:
        return 0.0, float("nan")
    reach = float(np.exp(z_of(level) / np.sqrt(ratio.observed)))
    return ratio.ratio / reach, ratio.ratio * reach
