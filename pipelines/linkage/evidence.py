"""What a model learns from: patterns of pairs at random, of pairs that rules make, and of pairs that hold one
value of a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.linkage.pairs import Comparer, Patterns

_RECORDS = 1 << 16  # among which pairs of one value are sought
_PAIRS = 1 << 16  # of one value, that are compared


@dataclass(frozen=True)
class Evidence:
    """`at_random`: patterns of random pairs. `compared`: of the pairs that the rules make, each once.
    `by_rule`: of those that each rule makes. `total`: pairs that could be made. `equal`: of those how many
    hold one value, by field; `alike`: patterns of some of them, by field. Both are empty where nobody
    counted."""

    at_random: Patterns
    compared: Patterns
    by_rule: Sequence[Patterns]
    total: float
    equal: Sequence[float] = ()
    alike: Sequence[Patterns] = ()


def equal_pairs(codes: np.ndarray, groups: np.ndarray) -> list[float]:
    """For each field the pairs that hold one value. `codes`: int32 (n, fields), -1 if unknown; `groups`:
    int32 (n,), no pair lies within one, -1 for none."""
    named = np.unique(groups[groups >= 0])
    return [_within(column) - sum(_within(column[groups == group]) for group in named) for column in codes.T]


def _within(codes: np.ndarray) -> float:
    held = np.bincount(codes[codes >= 0]).astype(np.float64)
    return float((held * (held - 1) / 2).sum())


def alike_pairs(comparer: Comparer, codes: np.ndarray) -> list[Patterns]:
    """For each field the patterns of about 65,536 pairs that hold one value of it, or of all among 65,536
    random records: random pairs hardly ever agree in a date of birth, and would not tell what goes together
    with it.

    `codes`: int32 (n, fields), -1 if unknown. The same for any number of ranks and threads.
    """
    n = len(codes)
    random = np.random.default_rng(n)
    some = np.sort(random.choice(n, min(n, _RECORDS), replace=False)).astype(np.int32)
    return [_alike(comparer, some, codes[some, field], random) for field in range(codes.shape[1])]


def _alike(
    comparer: Comparer, records: np.ndarray, codes: np.ndarray, random: np.random.Generator
) -> Patterns:
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    if not len(order):
        return Patterns.merged([])
    held = codes[order]
    last = np.flatnonzero(np.append(held[1:] != held[:-1], True)) + 1
    ends = np.repeat(last, np.diff(last, prepend=0)).astype(np.int32)
    pairs = int((ends - np.arange(1, len(ends) + 1)).sum())
    if pairs > _PAIRS:
        ends[random.random(len(ends)) >= _PAIRS / pairs] = 0
    return comparer.of_rows(records[order], ends)
