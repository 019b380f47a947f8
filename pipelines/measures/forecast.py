"""Forecasts of care needs from a released series of counts: a seasonal curve, its error on years that it has
not seen, and limits.

Three methods stand beside each other, and the one that erred least when asked about known years is used: last
year's value (the one to beat), a Poisson regression on a trend and two harmonics of the season, and
exponential smoothing with trend and season.
"""

from __future__ import annotations

from collections.abc import Callable
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


@dataclass(frozen=True)
class Backtest:
    """What a method erred by on known years: mean absolute error, and share of values inside its limits."""

    method: str
    error: float
    inside: float


Method = Callable[[np.ndarray, int, int, float], Forecast]
_AGAIN = 6  # times that the optimum is sought from where it was found last
_GAIN = 1e-6  # of the likelihood's logarithm, for which it is


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


def poisson_harmonic(counts: np.ndarray, horizon: int, period: int, level: float = 0.95) -> Forecast:
    """A trend and two harmonics of the season; limits for a new count, overdispersed as the fit was.

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first.
    """
    fitted = fit_harmonic(counts, period)
    mean, error = fitted.at(np.arange(len(counts) + 1, len(counts) + horizon + 1), period)
    spread = max(fitted.dispersion, 1.0)
    reach = z_of(level) * np.sqrt(spread * mean + (mean * error) ** 2 * spread)
    return Forecast("a trend and a seasonal curve", mean, np.maximum(mean - reach, 0), mean + reach)


def smoothing(counts: np.ndarray, horizon: int, period: int, level: float = 0.95) -> Forecast:
    """Exponential smoothing with additive season and no trend: ETS(A,N,A) (Hyndman, Koehler, Ord and Snyder
    2008).

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first.
    """
    from pandas import Series
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    # The optimiser's steps suit numbers near 1: among thousands it stops far from the optimum, elsewhere on
    # each kind of processor.
    unit = float(np.mean(counts)) or 1.0
    y = Series(np.asarray(counts, float) / unit)
    shape = {"error": "add", "trend": None, "seasonal": "add", "seasonal_periods": period}
    rough = ETSModel(y, initialization_method="heuristic", **shape)
    weights = np.maximum(rough.fit(disp=False).params, 1e-4)
    # From nowhere it ends far from the optimum, and from near it nearer still.
    start, model = (
        np.concatenate([weights, [rough.initial_level], rough.initial_seasonal]),
        ETSModel(y, **shape),
    )
    fitted = model.fit(start_params=start, disp=False, maxiter=2000)
    for _ in range(_AGAIN):
        better = model.fit(start_params=fitted.params, disp=False, maxiter=2000)
        if better.llf <= fitted.llf + _GAIN:
            break
        fitted = better
    found = fitted.get_prediction(start=len(y), end=len(y) + horizon - 1)
    mean, limits = np.asarray(found.predicted_mean) * unit, np.asarray(found.pred_int(alpha=1 - level)) * unit
    return Forecast("exponential smoothing", mean, limits[:, 0], limits[:, 1])


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


METHODS: tuple[Method, ...] = (seasonal_naive, poisson_harmonic, smoothing)
_LONGEST_SEASON = 60  # of steps, that smoothing is asked for


def backtest(
    method: Method, counts: np.ndarray, horizon: int, period: int, level: float = 0.95, origins: int = 3
) -> Backtest:
    """Ask the method about the last years as if they were not known yet.

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first.
    """
    y, errors, inside, name = np.asarray(counts, float), [], [], ""
    for origin in range(origins, 0, -1):
        known = y[: len(y) - origin * horizon]
        found = method(known, horizon, period, level)
        truth, name = y[len(known) : len(known) + horizon], found.method
        errors.append(np.abs(found.mean - truth))
        inside.append((found.low <= truth) & (truth <= found.high))
    return Backtest(name, float(np.mean(errors)), float(np.mean(inside)))


def best(
    counts: np.ndarray, horizon: int, period: int, level: float = 0.95
) -> tuple[Forecast, list[Backtest]]:
    """The forecast of the method that erred least on known years, and how all of them did.

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first. Raises ValueError where too
    few seasons are known.
    """
    if len(counts) < 3 * period or len(counts) < period + 4 * horizon:
        raise ValueError("fewer than three seasons, or too few for the horizon, are known")
    methods = [method for method in METHODS if method is not smoothing or period <= _LONGEST_SEASON]
    tested = [backtest(method, counts, horizon, period, level) for method in methods]
    chosen = min(range(len(methods)), key=lambda place: (tested[place].error, place))
    return methods[chosen](counts, horizon, period, level), tested
