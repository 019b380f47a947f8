"""Fields that go together, as weights of pairs of levels: a tree of the strongest dependences (Chow and Liu,
1968), or all of two fields each that come closest to given weights.

A postcode tells the city. Counted each on its own they would make strangers one person. A tree over the
fields is a log-linear model with two-way terms that needs no fitting: each term is what two levels occur
together beyond what they would by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.comparisons import LEVELS

_MOST = 20.0  # bits that a term may add or take
_LEAST_INFORMATION = 1e-4  # share of the largest, below which a dependence is left out
_TERMS = 24  # at most, of those that are fitted
_SWEEPS, _CLOSE = 60, 1e-3
_DRAWN = 1.0  # evidence by which each cell of a fitted term is drawn towards what it begins with
_LEAST_BITS = 0.05


@dataclass(frozen=True)
class Dependence:
    """Two fields that go together. `table`: float64 (LEVELS, LEVELS), bits that their levels weigh together
    beyond the sum of both; 0 where one is unknown."""

    first: int
    second: int
    table: np.ndarray


def tree(levels: np.ndarray, counts: np.ndarray, sizes: Sequence[int], strength: float) -> list[Dependence]:
    """The strongest dependences that make no circle, each as log2 of how much likelier two levels are
    together than apart.

    `levels`: int64 (n, fields); `counts`: float64 (n,). `strength`: pairs by which each level of the first
    field is drawn towards independence of the second.
    """
    pairs = [(first, second) for first in range(len(sizes)) for second in range(first + 1, len(sizes))]
    return forest({pair: joint(levels, counts, sizes, *pair) for pair in pairs}, len(sizes), strength)


def joint(
    levels: np.ndarray, counts: np.ndarray, sizes: Sequence[int], first: int, second: int
) -> np.ndarray:
    """float64 (levels of first, levels of second): pairs by level of both fields, 0 where one is unknown.

    `levels`: int64 (n, fields); `counts`: int64 or float64 (n,), pairs of each pattern; `sizes`: levels of
    each field; `first`, `second`: places of the two fields.
    """
    a, b = levels[:, first], levels[:, second]
    known = (a > 0) & (b > 0)
    flat = np.bincount(
        a[known] * sizes[second] + b[known], weights=counts[known], minlength=sizes[first] * sizes[second]
    )
    return flat.reshape(sizes[first], sizes[second])


def forest(joints: Mapping[tuple[int, int], np.ndarray], fields: int, strength: float) -> list[Dependence]:
    """`tree` of counted pairs. `joints`: float64 (levels, levels) by two fields, the smaller first."""
    terms = []
    for (first, second), pairs in joints.items():
        total = pairs.sum()
        if total <= 0:
            continue
        apart = np.outer(pairs.sum(1), pairs.sum(0)) / total
        share = pairs.sum(0) / total
        with np.errstate(divide="ignore", invalid="ignore"):
            given = (pairs + strength * share) / (pairs.sum(1, keepdims=True) + strength)
            bits = np.where(apart > 0, np.log2(given / share), 0.0)
        terms.append((float((pairs * bits).sum()), first, second, np.clip(bits, -_MOST, _MOST)))
    return _kruskal(terms, fields)


def _kruskal(terms: list[tuple[float, int, int, np.ndarray]], fields: int) -> list[Dependence]:
    """Kruskal's choice: the most informative first, none that closes a circle."""
    group = list(range(fields))
    strongest = max((term[0] for term in terms), default=0.0)
    chosen = []
    for information, first, second, bits in sorted(terms, key=lambda term: (-term[0], term[1], term[2])):
        if group[first] == group[second] or information <= _LEAST_INFORMATION * strongest:
            continue
        old = group[second]
        group = [group[first] if each == old else each for each in group]
        chosen.append(Dependence(first, second, _square(bits)))
    return chosen


def _square(bits: np.ndarray) -> np.ndarray:
    table = np.zeros((LEVELS, LEVELS))
    table[: bits.shape[0], : bits.shape[1]] = bits
    return table


def fitted(
    levels: np.ndarray, bits: np.ndarray, trust: np.ndarray, sizes: Sequence[int], begin: Sequence[Dependence]
) -> list[Dependence]:
    """Terms of two fields each whose sum comes closest to `bits`, by weighted least squares, term after term
    in turns (backfitting; Buja, Hastie and Tibshirani, 1989). Sums of counts alone, so that the answer is the
    same everywhere.

    `levels`: int64 (n, fields); `bits`: float64 (n,), what the terms are to weigh; `trust`: float64 (n,), how
    much each pattern counts. `begin`: terms that hold where there is nothing to learn from.
    """
    tables = {
        (each.first, each.second): each.table[: sizes[each.first], : sizes[each.second]].ravel()
        for each in begin
    }
    left = bits - sum(
        (_of(table, levels, sizes, pair) for pair, table in tables.items()), np.zeros(len(bits))
    )
    cells = _cells(levels, sizes, left, trust, list(tables))
    more = {pair: np.zeros(sizes[pair[0]] * sizes[pair[1]]) for pair in cells}
    weight = {pair: np.bincount(cell, trust, len(more[pair])) + _DRAWN for pair, cell in cells.items()}
    for _ in range(_SWEEPS):
        moved = 0.0
        for pair, cell in cells.items():
            step = (np.bincount(cell, trust * left, len(more[pair])) - _DRAWN * more[pair]) / weight[pair]
            step[_unknown(sizes, pair)] = 0.0
            more[pair] += step
            left -= step[cell]
            moved = max(moved, float(np.abs(step).max()))
        if moved < _CLOSE:
            break
    found = {pair: more.get(pair, 0.0) + tables.get(pair, 0.0) for pair in sorted({*more, *tables})}
    return [
        Dependence(*pair, _square(np.clip(table, -_MOST, _MOST).reshape(sizes[pair[0]], sizes[pair[1]])))
        for pair, table in found.items()
        if np.abs(table).max() >= _LEAST_BITS
    ]


def _cells(
    levels: np.ndarray,
    sizes: Sequence[int],
    left: np.ndarray,
    trust: np.ndarray,
    always: Sequence[tuple[int, int]],
) -> dict[tuple[int, int], np.ndarray]:
    """The pairs of fields whose terms explain most of what is left, each with the cell of every pattern."""
    gains = []
    for first in range(len(sizes)):
        for second in range(first + 1, len(sizes)):
            cell = levels[:, first] * sizes[second] + levels[:, second]
            room = sizes[first] * sizes[second]
            pull = np.bincount(cell, trust * left, room)
            pull[_unknown(sizes, (first, second))] = 0.0
            gain = float((pull**2 / (np.bincount(cell, trust, room) + _DRAWN)).sum())
            gains.append(((first, second) not in always, -gain, first, second, cell))
    chosen = sorted(gains, key=lambda each: each[:4])[: max(_TERMS, len(always))]
    return {(first, second): cell for _, gain, first, second, cell in chosen if gain < 0}


def _unknown(sizes: Sequence[int], pair: tuple[int, int]) -> np.ndarray:
    cells = np.arange(sizes[pair[0]] * sizes[pair[1]])
    return (cells // sizes[pair[1]] == 0) | (cells % sizes[pair[1]] == 0)


def _of(table: np.ndarray, levels: np.ndarray, sizes: Sequence[int], pair: tuple[int, int]) -> np.ndarray:
    return table[levels[:, pair[0]] * sizes[pair[1]] + levels[:, pair[1]]]
