"""Levels of fields within comparison patterns, and shares of them."""

from __future__ import annotations

import numpy as np

from kernels.comparisons import BITS, LEVELS

FLOOR = 1e-9


def level_of(patterns: np.ndarray, place: int) -> np.ndarray:
    """int64 (n,): level of the field at `place`."""
    return patterns >> (BITS * place) & (LEVELS - 1)


def levels_of(patterns: np.ndarray, fields: int) -> np.ndarray:
    """int64 (n, fields)."""
    return np.stack([level_of(patterns, place) for place in range(fields)], 1) if len(patterns) else np.zeros((0, fields), np.int64)


def believed(levels: int) -> np.ndarray:
    """m before any match is seen: seven in ten agree, one in twelve differ, the rest lie between."""
    m = np.full(levels, 0.22 / max(levels - 3, 1))
    m[0], m[1], m[-1] = 0.0, 0.08, 0.70
    return m / m.sum()


def never_nothing(shares: np.ndarray) -> np.ndarray:
    """Shares of levels, none of them nothing but that of the unknown."""
    shares = shares.copy()
    shares[1:] = np.maximum(shares[1:], FLOOR)
    return shares / shares.sum()


def bits_of(levels: np.ndarray, shares: list[np.ndarray]) -> np.ndarray:
    """float64 (n,): log2 of how likely each pattern is by `shares` of each field, the unknown left out. `levels`: int64 (n, fields)."""
    total = np.zeros(len(levels))
    for field, share in enumerate(shares):
        bits = np.zeros(len(share))
        bits[1:] = np.log2(share[1:])
        total += bits[levels[:, field]]
    return total
