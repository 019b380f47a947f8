"""Rounding of each cell for itself: to the nearest multiple of a base, or to the middle of a run; and what it
says of the true count.

Both are those of OpenSAFELY's releases: redact counts up to 7 and round the others to 5, or midpoint 6
rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ANY = 1 << 40  # no count is as large


@dataclass(frozen=True)
class Nearest:
    """`values`: int64 (n,). `hidden`: bool (n,). `low`, `high`: int64 (n,), what the true count can be, for
    all that is shown."""

    values: np.ndarray
    hidden: np.ndarray
    low: np.ndarray
    high: np.ndarray


def to_base(count: np.ndarray, base: int, redact: int, zeros_shown: bool) -> Nearest:
    """Counts from 1 (or 0) to `redact` are hidden, and others rounded to the nearest multiple of `base`,
    halves up. `count`: int64 (n,)."""
    hidden = (count <= redact) & ((count > 0) | (not zeros_shown))
    values = (count + base // 2) // base * base
    least = redact + 1 if redact else 0 if zeros_shown else 1
    low = np.where(hidden, 1 if zeros_shown else 0, np.maximum(values - base // 2, least))
    high = np.where(hidden, redact, values + base - 1 - base // 2)
    nobody = (count == 0) & ~hidden
    low, high = np.where(nobody, 0, low), np.where(nobody, 0 if redact else base - 1 - base // 2, high)
    return Nearest(np.where(hidden, 0, values), hidden, low, high)


def to_midpoint(count: np.ndarray, base: int, zeros_shown: bool) -> Nearest:
    """1 to `base` become the whole number at or below half the base, and so on; 0 stays, or is hidden.
    `count`: int64 (n,)."""
    run = (count + base - 1) // base
    hidden = (count == 0) & (not zeros_shown)
    values = np.where(count > 0, run * base - base + base // 2, 0)
    return Nearest(
        values, hidden, np.where(count > 0, run * base - base + 1, 0), np.where(hidden, ANY, run * base)
    )
