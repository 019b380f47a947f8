"""Exponential smoothing with additive season and no trend, ETS(A,N,A) (Hyndman, Koehler, Ord and Snyder
2008).

At given weights the errors are a linear function of where level and season begin, so these are found by
least squares; only the two weights are sought for, on a grid and then by the simplex of Nelder and Mead.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.optimize import minimize

LEAST = 1e-4  # of a weight
_LEVELS, _SEASONS = (0.02, 0.1, 0.3, 0.6, 0.95), (LEAST, 0.05, 0.2)
Weights = tuple[float, float]  # of level and season


def smoothed(counts: np.ndarray, horizon: int, period: int, weights: Weights | None = None) -> np.ndarray:
    """What is to be expected next, float64 (horizon,). `weights`: found where None.

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first, at least a season and one.
    """
    y = np.asarray(counts, float)
    return _run(y, period, weights or best_weights(y, period), horizon)[1]


def best_weights(counts: np.ndarray, period: int, refine: bool = True) -> Weights:
    """The weights of the smallest sum of squared errors. `refine`: beyond the grid.

    `counts`: int64 or float64 (n,), as in `smoothed`.
    """
    y = np.asarray(counts, float)
    grid = [(a, g) for a, g in product(_LEVELS, _SEASONS if period > 1 else (LEAST,)) if a + g <= 1]
    losses = [_loss(y, period, each) for each in grid]
    start = grid[int(np.argmin(losses))]
    if not refine:
        return start

    def loss(free: np.ndarray) -> float:
        return _loss(y, period, _inside(free, period))

    found = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 0.0, "maxiter": 200})
    return _inside(found.x, period)


def errors(counts: np.ndarray, period: int, weights: Weights) -> np.ndarray:
    """What each count lies from what was expected of it a step before, from the best beginning: float64 (n,).

    `counts`: int64 or float64 (n,), one for each step of time, the oldest first.
    """
    return _run(np.asarray(counts, float), period, weights, 0)[0]


def _inside(free: np.ndarray, period: int) -> Weights:
    level = float(np.clip(free[0], LEAST, 1 - LEAST))
    return level, float(np.clip(free[1], LEAST, 1 - level)) if period > 1 else LEAST


def _loss(y: np.ndarray, period: int, weights: Weights) -> float:
    return float((_run(y, period, weights, 0)[0] ** 2).sum())


def _run(y: np.ndarray, period: int, weights: Weights, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors from the best beginning, and the forecasts from the end."""
    alpha, gamma = weights
    width = 1 + (1 + period if period > 1 else 1)  # what comes of y, of the first level, of each first season
    level, season = np.zeros(width), np.zeros((max(period, 1), width))
    level[1] = 1.0
    if period > 1:
        season[np.arange(period), 2 + np.arange(period)] = 1.0
    responses = np.empty((len(y), width))
    for t, value in enumerate(y):
        place = t % period if period > 1 else 0
        error = -(level + season[place])
        error[0] += value
        responses[t] = error
        level = level + alpha * error
        if period > 1:
            season[place] = season[place] + gamma * error
    begin = np.linalg.lstsq(responses[:, 1:], -responses[:, 0], rcond=None)[0]
    first = np.concatenate([[1.0], begin])
    ahead = [
        float((level + season[(len(y) + step) % period if period > 1 else 0]) @ first)
        for step in range(horizon)
    ]
    return responses @ first, np.array(ahead)
