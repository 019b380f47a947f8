"""Forecasts with limits that known years have shown to hold: each method is asked about the past as if it
were not known yet, and its errors there make its limits (split conformal prediction, Vovk and others 2005;
for series by rolling origins, Hyndman and Athanasopoulos 2021, 5.10).

Errors are taken of square roots (Anscombe 1948), where counts vary alike whether few or many, and by how far
ahead they were made. Of methods the one is used whose limits cost least by the interval score (Gneiting and
Raftery 2007): wide ones cost, and so do counts outside of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from pipelines.measures.forecast import Forecast
from pipelines.measures.methods import LONGEST_SEASON, METHODS, Method

_ORIGINS = 16
LEAST_SEASONS = 3
_EXACT = 1e-9  # of a count that is whole but for how it is held
_FAR = 3.0  # how many times as far errors may grow from the first step to the last


@dataclass(frozen=True)
class Backtest:
    """How a method did on known steps: `error`, mean absolute error; `inside`, share of counts within limits
    made without their origin; `score`, mean interval score; all NaN where `why` says why it was not asked."""

    method: str
    error: float
    inside: float
    score: float
    why: str = ""


@dataclass(frozen=True)
class _Past:
    """Errors of a method: all (origins, horizon), float64, NaN beyond what is known. `targets`: how many
    steps were foreseen at all."""

    truth: np.ndarray
    mean: np.ndarray
    targets: int

    @property
    def errors(self) -> np.ndarray:
        return _root(self.truth) - _root(self.mean)


def foresee(
    counts: np.ndarray,
    horizon: int,
    period: int,
    working: np.ndarray | None = None,
    level: float = 0.95,
    methods: Sequence[Method] = METHODS,
) -> tuple[Forecast, list[Backtest]]:
    """The forecast of the method whose limits cost least on known steps, and how all of them did.

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first; `period`: steps in a season,
    1 for none; `working`: float64 (n + horizon,), working days of each. Raises ValueError where too few steps
    are known, or every method fails.
    """
    y = np.asarray(counts, float)
    if len(y) < needed(horizon, period):
        raise ValueError(f"{len(y)} steps are known and {needed(horizon, period)} are needed")
    tested, made = [], {}
    for method in methods:
        if method.name == "exponential smoothing" and period > LONGEST_SEASON:
            continue
        try:
            past = _asked_before(method, y, horizon, period, working)
            mean = method.foresee(y, horizon, period, working)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as fault:
            tested.append(Backtest(method.name, np.nan, np.nan, np.nan, str(fault) or type(fault).__name__))
            continue
        tested.append(_judged(method.name, past, level))
        made[method.name] = (mean, past)
    if not made:
        raise ValueError("no method could be fitted")
    chosen = min((each for each in tested if each.method in made), key=lambda each: each.score)
    mean, past = made[chosen.method]
    low, high = _limits(mean[None], _reach(past.errors, level, past.targets))
    return Forecast(chosen.method, mean, low[0], high[0]), tested


def needed(horizon: int, period: int) -> int:
    """Steps that have to be known: three seasons, and enough to ask a few times about the horizon."""
    return max(LEAST_SEASONS * period, 2 * period + 2 * horizon, 20)


def _asked_before(
    method: Method, y: np.ndarray, horizon: int, period: int, working: np.ndarray | None
) -> _Past:
    """What the method said at origins spread evenly over the later part of what is known."""
    first = max(len(y) // 2, 2 * period, min(20, len(y) - horizon))
    first = min(first, len(y) - horizon)
    origins = np.unique(np.linspace(first, len(y) - 1, _ORIGINS).round().astype(int))
    truth, mean = (np.full((len(origins), horizon), np.nan) for _ in range(2))
    for row, origin in enumerate(origins.tolist()):
        steps = min(horizon, len(y) - origin)
        days = None if working is None else working[: origin + steps]
        truth[row, :steps] = y[origin : origin + steps]
        mean[row, :steps] = method.foresee(y[:origin], steps, period, days)
    return _Past(truth, mean, len(y) - first)


def _reach(errors: np.ndarray, level: float, targets: int) -> np.ndarray:
    """How far limits lie from what is expected, of square roots, for each step ahead: float64 (horizon,).

    Errors of all steps are pooled after each is divided by how errors grow with the steps; their conformal
    quantile is taken for as many as there are `targets`, steps that were foreseen, since errors about one
    step are alike; where the errors are few, a normal quantile of their size reaches further, and is taken.
    """
    grown = _growth(errors)
    known = np.abs(errors / grown)[~np.isnan(errors)]
    quantile = float(np.quantile(known, min(level * (1 + 1 / targets), 1.0), method="higher"))
    normal = float(student.ppf((1 + level) / 2, targets - 1)) * np.sqrt((known**2).mean() * (1 + 1 / targets))
    return np.asarray(max(quantile, normal) * grown)


def _growth(errors: np.ndarray) -> np.ndarray:
    """How errors grow with the steps ahead, from 1 at the first: a straight line through their squares, that
    does not fall: float64 (horizon,)."""
    steps = np.arange(errors.shape[1])
    row, column = np.nonzero(~np.isnan(errors))
    squares = errors[row, column] ** 2
    if not squares.any() or len(steps) == 1:
        return np.ones(len(steps))
    slope, begin = np.polyfit(column, squares, 1)
    begin = max(begin, squares.mean() / _FAR**2)
    return np.asarray(np.sqrt(np.minimum(1 + max(slope, 0.0) * steps / begin, _FAR**2)))


def _limits(mean: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest whole count within reach."""
    low, high = _root(mean) - reach, _root(mean) + reach
    return np.ceil(_squared(np.maximum(low, 0.0)) - _EXACT), np.floor(_squared(high) + _EXACT)


def _root(counts: np.ndarray) -> np.ndarray:
    return np.asarray(2 * np.sqrt(np.maximum(counts, 0) + 0.375))


def _squared(roots: np.ndarray) -> np.ndarray:
    return np.maximum((roots / 2) ** 2 - 0.375, 0.0)


def _judged(name: str, past: _Past, level: float) -> Backtest:
    """Each origin by the limits that the others give."""
    inside, cost, errors = [], [], past.errors
    for row in range(len(errors)):
        known = ~np.isnan(errors[row])
        reach = _reach(np.delete(errors, row, axis=0), level, past.targets)
        low, high = (each[known] for each in _limits(past.mean[row], reach))
        truth = past.truth[row][known]
        inside.append((low <= truth) & (truth <= high))
        beyond = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        cost.append(high - low + 2 / (1 - level) * beyond)
    error = np.nanmean(np.abs(past.truth - past.mean))
    return Backtest(
        name, float(error), float(np.concatenate(inside).mean()), float(np.concatenate(cost).mean())
    )
