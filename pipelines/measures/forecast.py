"""Parts of forecasts that other software has, too: the value a season ago, a Poisson regression on a trend
and harmonics of the season, and Holt and Winters' smoothing at given weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.measures.intervals import z_of


@dataclass(frozen=True)
class Forecast:
    """`mean`, `low`, `high`: float64 (horizon,). `method`: in words."""

    method: str
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def seasonal_naive(counts: np.ndarray, horizon: int, period: int, level: float = 0.95) -> Forecast:
    """The value a season ago; limits from how much such values differed (Hyndman and Athanasopoulos 2021,
    5.5).

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first.
    """
    y = np.asarray(counts, float)
    steps = np.arange(horizon)
    mean = y[len(y) - period + steps % period]
    spread = np.sqrt(np.mean((y[period:] - y[:-period]) ** 2)) * np.sqrt(steps // period + 1)
    reach = z_of(level) * spread
    return Forecast("the value a season ago", mean, mean - reach, mean + reach)


def harmonics(time: np.ndarray, period: int) -> np.ndarray:
    """float64 (n, 6): one, trend per hundred, and sine and cosine of one and two turns a season.

    `time`: int64 (n,), steps from 1.
    """
    turn = 2 * np.pi * np.asarray(time, float) / period
    return np.stack(
        [
            np.ones(len(time)),
            np.asarray(time) / 100,
            np.sin(turn),
            np.cos(turn),
            np.sin(2 * turn),
            np.cos(2 * turn),
        ],
        1,
    )


@dataclass(frozen=True)
class Harmonic:
    """A fitted Poisson regression. `coefficients`: float64 (6,); `covariance`: float64 (6, 6), for a
    dispersion of 1; `dispersion`: that of Pearson's residuals."""

    coefficients: np.ndarray
    covariance: np.ndarray
    dispersion: float
    deviance: float

    def at(self, time: np.ndarray, period: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean, and the standard error of its logarithm for a dispersion of 1: float64 (n,), float64 (n,).

        `time`: int64 (n,), steps from 1.
        """
        design = harmonics(time, period)
        error = np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))
        return np.exp(design @ self.coefficients), error


def fit_harmonic(counts: np.ndarray, period: int) -> Harmonic:
    """By iterated weighted least squares (McCullagh and Nelder 1989).

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first.
    """
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    y = np.asarray(counts, float)
    fitted = GLM(y, harmonics(np.arange(1, len(y) + 1), period), family=Poisson()).fit(tol=1e-12)
    dispersion = float(fitted.pearson_chi2 / fitted.df_resid)
    return Harmonic(
        np.asarray(fitted.params),
        np.asarray(fitted.normalized_cov_params),
        dispersion,
        float(fitted.deviance),
    )


def holt_winters(
    counts: np.ndarray,
    horizon: int,
    period: int,
    weights: tuple[float, float, float],
    start: tuple[float, float, np.ndarray],
) -> np.ndarray:
    """Additive Holt-Winters at given weights (level, trend, season) and given first level, trend and season:
    float64 (horizon,) (Winters 1960; the season learns from the new level).

    `counts`: int64 or float64 (n,), the oldest first, those of the first season passed over; `start`: the
    season is float64 (period,).
    """
    (alpha, beta, gamma), (level, trend, season) = weights, start
    seasons = list(np.asarray(season, float))
    for y in np.asarray(counts, float)[period:]:
        old = seasons[-period]
        new = alpha * (y - old) + (1 - alpha) * (level + trend)
        trend = beta * (new - level) + (1 - beta) * trend
        level = new
        seasons.append(gamma * (y - level) + (1 - gamma) * old)
    last = seasons[-period:]
    return np.array([level + (step + 1) * trend + last[step % period] for step in range(horizon)])
