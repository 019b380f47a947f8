"""A table of transitions of the greatest entropy, for a given largest change, variance and least count that
is shown.

The conditions are those of Fraser and Wooton (2005) and Marley and Leaver (2011): a change is 0 in the mean,
has the variance asked for and leads to no count from 1 to a threshold. The greatest entropy under these has
probabilities exp(a + b v + c v²); b and c are found by Newton's method on the dual, which is convex.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from pipelines.disclosure.cell_key.transitions import Transitions
from pipelines.errors import SettingsError

_STEPS: Final = 500
_CLOSE: Final = 1e-12
_INSIDE: Final = 10  # so many parts has the range of variances, of which the ends are left out


def made(most: int, variance: float, hidden: int, stay: float | None = None) -> Transitions:
    """Rows for counts from 0, which stays 0, to where all changes are possible. `stay`: the probability to
    stay, of counts that may.

    Raises `SettingsError` where a count cannot have that variance.
    """
    return _rows(most, hidden, lambda count, changes: _row(count, changes, variance, stay))


def nearest(most: int, variance: float, hidden: int) -> Transitions:
    """The same where each count has the variance nearest to the one asked for that it can have; a tenth of
    the way from an end of what is possible, so that all of its changes stay possible.

    `most` is larger than `hidden`.
    """

    def row(_count: int, changes: np.ndarray) -> np.ndarray:
        least, greatest = _range(changes)
        inside = (greatest - least) / _INSIDE
        lower = least + inside if least else 0.0
        return _entropy(changes.astype(float), float(np.clip(variance, lower, greatest - inside)))

    return _rows(most, hidden, row)


def _rows(most: int, hidden: int, row: Callable[[int, np.ndarray], np.ndarray]) -> Transitions:
    rows: list[tuple[tuple[int, ...], tuple[float, ...]]] = [((0,), (1.0,))]
    for count in range(1, most + hidden + 2):
        changes = np.array([v for v in range(-most, most + 1) if count + v == 0 or count + v > hidden])
        rows.append((tuple(changes.tolist()), tuple(row(count, changes).tolist())))
    return Transitions(tuple(rows))


def _range(changes: np.ndarray) -> tuple[float, float]:
    """Between which the variance of changes of mean 0 lies; `changes`: int64 (k,)."""
    below, above = changes[changes < 0], changes[changes > 0]
    both = len(below) > 0 and len(above) > 0
    greatest = float(-below.min() * above.max()) if both else 0.0
    nearest = float(-below.max() * above.min()) if both else greatest
    return 0.0 if (changes == 0).any() else nearest, greatest


def _row(count: int, changes: np.ndarray, variance: float, stay: float | None) -> np.ndarray:
    keeps = stay if stay is not None and (changes == 0).any() else None
    free = changes if keeps is None else changes[changes != 0]
    wanted = variance if keeps is None else variance / (1 - keeps)
    least, greatest = _range(free)
    if not least < wanted < greatest:
        raise SettingsError(
            "specification: method: ptable",
            f"a count of {count} cannot change with a variance of {variance:g}",
            f"take one between {least:g} and {greatest:g}, or another largest change",
        )
    chance = _entropy(free.astype(float), wanted)
    if keeps is None:
        return chance
    whole = np.zeros(len(changes))
    whole[changes != 0], whole[changes == 0] = (1 - keeps) * chance, keeps
    return whole


def _entropy(v: np.ndarray, variance: float) -> np.ndarray:
    """Probabilities exp(a + b v + c v²) with mean 0 and the variance: Newton steps, halved until the dual
    falls."""
    features = np.stack([v, (v**2 - variance) / max(variance, 1.0)])
    weights = np.zeros(2)

    def dual(at: np.ndarray) -> float:
        exponent = at @ features
        top = exponent.max()
        return float(top + np.log(np.exp(exponent - top).sum()))

    for _ in range(_STEPS):
        exponent = weights @ features
        chance = np.exp(exponent - exponent.max())
        chance /= chance.sum()
        slope = features @ chance
        if np.abs(slope).max() < _CLOSE:
            break
        curve = (features * chance) @ features.T - np.outer(slope, slope)
        step = np.linalg.lstsq(curve, slope, rcond=1e-14)[0]
        size = 1.0
        while (
            dual(weights - size * step) > dual(weights) - 1e-4 * size * float(slope @ step) and size > 1e-10
        ):
            size /= 2
        weights = weights - size * step
    return np.asarray(chance)
