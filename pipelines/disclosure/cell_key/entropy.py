"""A table of transitions of the greatest entropy, for a given largest change, variance and least count that
is shown.

The conditions are those of Fraser and Wooton (2005) and Marley and Leaver (2011): a change is 0 in the mean,
has the variance asked for and leads to no count from 1 to a threshold. The greatest entropy under these has
probabilities exp(a + b v + c v²); b and c are found by Newton's method on the dual, which is convex.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.disclosure.cell_key.transitions import Transitions
from pipelines.errors import SettingsError

_STEPS: Final = 500
_CLOSE: Final = 1e-12


def made(most: int, variance: float, hidden: int, stay: float | None = None) -> Transitions:
    """Rows for counts from 0, which stays 0, to where all changes are possible. `stay`: the probability to
    stay, of counts that may.

    Raises `SettingsError` where a count cannot have that variance.
    """
    rows: list[tuple[tuple[int, ...], tuple[float, ...]]] = [((0,), (1.0,))]
    for count in range(1, most + hidden + 2):
        changes = np.array([v for v in range(-most, most + 1) if count + v == 0 or count + v > hidden])
        rows.append((tuple(changes.tolist()), tuple(_row(count, changes, variance, stay).tolist())))
    return Transitions(tuple(rows))


def _row(count: int, changes: np.ndarray, variance: float, stay: float | None) -> np.ndarray:
    keeps = stay if stay is not None and (changes == 0).any() else None
    free = changes if keeps is None else changes[changes != 0]
    wanted = variance if keeps is None else variance / (1 - keeps)
    below, above = free[free < 0], free[free > 0]
    both = len(below) > 0 and len(above) > 0
    greatest = float(-below.min() * above.max()) if both else 0.0
    nearest = float(-below.max() * above.min()) if both else greatest
    least = 0.0 if (free == 0).any() else nearest
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
