"""Levels of fields within comparison patterns, and shares of them."""

from __future__ import annotations

import numpy as np

from kernels.comparisons import BITS, LEVELS

FLOOR = 1e-9


def level_of(patterns: np.ndarray, place: int) -> np.ndarray:
    """int64 (n,): level of the field at `place`. `patterns`: int64 (n,)."""
    return patterns >> (BITS * place) & (LEVELS - 1)


def levels_of(patterns: np.ndarray, fields: int) -> np.ndarray:
    """int64 (n, fields): levels of all fields. `patterns`: int64 (n,)."""
    return (
        np.stack([level_of(patterns, place) for place in range(fields)], 1)
        if len(patterns)
        else np.zeros((0, fields), np.int64)
    )


def believed(levels: int) -> np.ndarray:
    """float64 (levels,): m before any match is seen. Seven in ten agree, one in twelve differ, the rest lie
    between; the unknown at position 0 are none.
    """
    m = np.full(levels, 0.22 / max(levels - 3, 1))
    m[0], m[1], m[-1] = 0.0, 0.08, 0.70
    return m / m.sum()


def never_nothing(shares: np.ndarray) -> np.ndarray:
    """float64 (levels,): shares of levels, none of them nothing but that of the unknown, at position 0.

    `shares`: float64 (levels,).
    """
    shares = shares.copy()
    shares[1:] = np.maximum(shares[1:], FLOOR)
    return shares / shares.sum()


def bits_of(levels: np.ndarray, shares: list[np.ndarray]) -> np.ndarray:
    """float64 (n,): log2 of how likely each pattern is, the unknown left out.

    `levels`: int64 (n, fields); `shares`: float64 (levels,) by field.
    """
    total = np.zeros(len(levels))
    for field, share in enumerate(shares):
        bits = np.zeros(len(share))
        bits[1:] = np.log2(share[1:])
        total += bits[levels[:, field]]
    return total
