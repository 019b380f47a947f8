"""Fellegi-Sunter by EM on a histogram of comparison patterns: as fast for a billion pairs as for a
thousand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_ROUNDS, _CLOSE = 500, 1e-9


def level_counts(levels: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    """float64 (size,): sum of `counts` by level, level 0 (unknown) left at 0. `levels`: int64 (n,), `counts`:
    (n,)."""
    total = np.bincount(levels, weights=counts, minlength=size).astype(np.float64)
    total[0] = 0.0
    return total


def log_odds(
    levels: np.ndarray, m: Sequence[np.ndarray], u: Sequence[np.ndarray], fields: Sequence[int]
) -> np.ndarray:
    """float64 (n,): natural log of the Bayes factor of each pattern from `fields`; an unknown level says
    nothing.

    `levels`: int64 (n, all fields). `m`, `u`: float64 (levels,) by field, of matches and of others.
    """
    total = np.zeros(len(levels))
    for field in fields:
        factor = np.zeros(len(m[field]))
        factor[1:] = np.log(m[field][1:] / u[field][1:])
        total += factor[levels[:, field]]
    return total


def fit(
    levels: np.ndarray,
    counts: np.ndarray,
    u: Sequence[np.ndarray],
    prior: Sequence[np.ndarray],
    strength: float,
    fields: Sequence[int],
) -> tuple[list[np.ndarray], float]:
    """m of `fields` among the pairs of one blocking rule, with u held (EM; Dempster, Laird and Rubin 1977;
    Winkler 1988).

    `levels`: int64 (n, all fields); `counts`: int64 (n,), pairs of each pattern. `prior`: m to begin with,
    which weighs as much as `strength` matches. Returns m of all fields (the prior where not trained) and the
    expected number of matches.
    """
    m = [each.copy() for each in prior]
    total, rate = float(counts.sum()), 0.1
    for _ in range(_ROUNDS):
        match = 1.0 / (
            1.0 + np.exp(-np.clip(log_odds(levels, m, u, fields) + np.log(rate / (1.0 - rate)), -700, 700))
        )
        expected = counts * match
        before, rate = rate, min(max(expected.sum() / total, 1e-12), 1 - 1e-12)
        for field in fields:
            share = level_counts(levels[:, field], expected, len(m[field])) + strength * prior[field]
            m[field] = share / share.sum()
        if abs(rate - before) < _CLOSE:
            break
    return m, rate * total


def match_rate(odds: np.ndarray, counts: np.ndarray, pairs: float) -> float:
    """Share of matches among all `pairs`, of which those of the histogram alone can match.

    `odds`: float64 (n,), log Bayes factors; `counts`: int64 (n,).
    """
    rate = 1.0 / max(pairs, 2.0)
    for _ in range(_ROUNDS):
        match = 1.0 / (1.0 + np.exp(-np.clip(odds + np.log(rate / (1.0 - rate)), -700, 700)))
        before, rate = rate, min(max(float((counts * match).sum()) / max(pairs, 2.0), 1e-18), 0.5)
        if abs(rate - before) < _CLOSE * rate:
            break
    return rate
