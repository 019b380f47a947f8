"""Ways to foresee a series of counts, each asked alike; they know nothing of limits.

A method takes counts, float64 (n,), how many steps lie ahead, how many steps make a season (1 for none) and
how many working days each step has, float64 (n + steps ahead,) or None; it returns what is to be expected,
float64 (steps ahead,), not below 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.measures.forecast import harmonics
from pipelines.measures.smoothing import best_weights, smoothed

LONGEST_SEASON = 60  # of steps, that smoothing is asked for
_CEILING = 3.0  # times the largest count known, beyond which a trend is not believed
_RIDGE = 1e-8
_ROUNDS, _NEAR = 60, 1e-10
Foresee = Callable[[np.ndarray, int, int, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class Method:
    """`name`: in words."""

    name: str
    foresee: Foresee


def season_ago(counts: np.ndarray, horizon: int, period: int, _working: np.ndarray | None) -> np.ndarray:
    """The value a season ago. `counts`: float64 (n,)."""
    return np.asarray(counts[len(counts) - period + np.arange(horizon) % period])


def recent_level(counts: np.ndarray, horizon: int, _period: int, _working: np.ndarray | None) -> np.ndarray:
    """One level for all steps, that follows the counts. `counts`: float64 (n,)."""
    weights = best_weights(counts, 1, refine=False)
    return np.maximum(smoothed(counts, horizon, 1, weights), 0)


def smoothing(counts: np.ndarray, horizon: int, period: int, _working: np.ndarray | None) -> np.ndarray:
    """Exponential smoothing with a season. `counts`: float64 (n,)."""
    weights = best_weights(counts, period, refine=False)
    return np.maximum(smoothed(counts, horizon, period, weights), 0)


def curve(counts: np.ndarray, horizon: int, period: int, _working: np.ndarray | None) -> np.ndarray:
    """A Poisson regression on a trend and two harmonics of the season. `counts`: float64 (n,)."""
    return _regression(counts, horizon, _design(len(counts) + horizon, period))


def curve_with_holidays(
    counts: np.ndarray, horizon: int, period: int, working: np.ndarray | None
) -> np.ndarray:
    """The same, and on the working days of each step. `counts`: float64 (n,); `working`: float64 (n +
    horizon,)."""
    if working is None:
        raise ValueError("the days of the steps are not known")
    days = np.log(np.maximum(working, 1.0))
    design = np.column_stack([_design(len(counts) + horizon, period), days - days.mean()])
    return _regression(counts, horizon, design)


METHODS = (
    Method("the value a season ago", season_ago),
    Method("the recent level", recent_level),
    Method("a trend and a seasonal curve", curve),
    Method("a trend, a seasonal curve and working days", curve_with_holidays),
    Method("exponential smoothing", smoothing),
)


def _design(steps: int, period: int) -> np.ndarray:
    columns = harmonics(np.arange(1, steps + 1), period)
    columns[:, 1] -= columns[:, 1].mean()
    return columns if period > 4 else columns[:, :4] if period > 2 else columns[:, :2]


def _regression(counts: np.ndarray, horizon: int, design: np.ndarray) -> np.ndarray:
    """Poisson regression by iterated weighted least squares (McCullagh and Nelder 1989), with a ridge so
    small that it matters only where the counts do not tell; zeros alone give zeros."""
    y, known = np.asarray(counts, float), design[: len(counts)]
    if not y.any():
        return np.zeros(horizon)
    mean = np.maximum(y, y.mean()) * 0.5 + 0.1
    free = np.zeros(known.shape[1])
    for _ in range(_ROUNDS):
        working = np.log(mean) + (y - mean) / mean
        weighed = known * mean[:, None]
        step = np.linalg.solve(
            known.T @ weighed + _RIDGE * np.eye(len(free)) * mean.sum(), weighed.T @ working
        )
        done, free = np.abs(step - free).max() < _NEAR, step
        mean = np.exp(np.clip(known @ free, -20, 30))
        if done:
            break
    ahead = np.exp(np.clip(design[len(counts) :] @ free, -20, 30))
    if not np.isfinite(ahead).all():
        raise ValueError("the regression does not settle")
    return np.minimum(ahead, _CEILING * max(y.max(), 1.0))
