"""Sensitive sums: those from which a contributor could estimate another's contribution too well, and how much
each must stay uncertain.

The rules are those of the Handbook on Statistical Disclosure Control (Hundepool et al., 2012), section 4.2:
p%, and (n,k)-dominance, each with the upper protection level that follows from it; the lower one is taken to
be the same.
"""

from __future__ import annotations

import numpy as np

from pipelines.disclosure.magnitude.contributions import Largest


def p_percent(largest: Largest, p: float) -> np.ndarray:
    """How far the total of each cell must be able to lie above its true value, 0 where it is safe: int64
    (cells,).

    The second largest contributor takes his own from the total; what is left may not be within `p` per cent
    of the largest.
    """
    first, second = largest.top[:, 0], largest.top[:, 1]
    return _close(first, largest.total - first - second, p) * (largest.number > 0)


def p_percent_for_the_first(largest: Largest, p: float) -> np.ndarray:
    """The same where the largest contributor looks, who takes his own away and seeks the second largest:
    int64 (cells,)."""
    first, second = largest.top[:, 0], largest.top[:, 1]
    return _close(second, largest.total - first - second, p) * (largest.number > 1)


def _close(sought: np.ndarray, rest: np.ndarray, p: float) -> np.ndarray:
    return np.maximum(0, np.ceil(sought * (p / 100) - rest)).astype(np.int64)


def dominance(largest: Largest, n: int, k: float) -> np.ndarray:
    """int64 (cells,): the same for (n,k): the `n` largest together may not be more than the share `k` of the
    total."""
    together = largest.top[:, :n].sum(axis=1)
    return np.maximum(0, np.ceil(together / k - largest.total)).astype(np.int64) * (
        together > k * largest.total
    )
