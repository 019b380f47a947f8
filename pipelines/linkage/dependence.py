"""Fields that go together: for matches and for others a tree of the strongest dependences (Chow and Liu, 1968), as weights of pairs of
levels.

Households share name, street and postcode; a postcode tells the city. Counted each on its own they would make strangers one person. A
tree over the fields is a log-linear model with two-way terms that needs no fitting: each term is what two levels occur together beyond
what they would by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels.comparisons import LEVELS

_MOST = 20.0  # bits that a term may add or take
_LEAST_INFORMATION = 1e-4  # share of the largest, below which a dependence is left out


@dataclass(frozen=True)
class Dependence:
    """Two fields that go together. `table`: float64 (LEVELS, LEVELS), bits that their levels weigh together beyond the sum of both; 0 where
    one is unknown."""

    first: int
    second: int
    table: np.ndarray


def tree(levels: np.ndarray, counts: np.ndarray, sizes: Sequence[int], strength: float) -> list[Dependence]:
    """The strongest dependences that make no circle, each as log2 of how much likelier two levels are together than apart.

    `levels`: int64 (n, fields); `counts`: float64 (n,). `strength`: pairs by which each level of the first field is
    drawn towards independence of the second.
    """
    fields = levels.shape[1]
    terms = []
    for first in range(fields):
        for second in range(first + 1, fields):
            joint = _joint(levels[:, first], levels[:, second], counts, sizes[first], sizes[second])
            total = joint.sum()
            if total <= 0:
                continue
            apart = np.outer(joint.sum(1), joint.sum(0)) / total
            share = joint.sum(0) / total
            with np.errstate(divide="ignore", invalid="ignore"):
                given = (joint + strength * share) / (joint.sum(1, keepdims=True) + strength)
                bits = np.where(apart > 0, np.log2(given / share), 0.0)
            terms.append((float((joint * bits).sum()), first, second, np.clip(bits, -_MOST, _MOST)))
    return _forest(terms, fields)


def _joint(first: np.ndarray, second: np.ndarray, counts: np.ndarray, rows: int, columns: int) -> np.ndarray:
    known = (first > 0) & (second > 0)
    flat = np.bincount(first[known] * columns + second[known], weights=counts[known], minlength=rows * columns)
    return flat.reshape(rows, columns)


def _forest(terms: list[tuple[float, int, int, np.ndarray]], fields: int) -> list[Dependence]:
    """Kruskal's choice: the most informative first, none that closes a circle."""
    group = list(range(fields))
    strongest = max((term[0] for term in terms), default=0.0)
    chosen = []
    for information, first, second, bits in sorted(terms, key=lambda term: (-term[0], term[1], term[2])):
        if group[first] == group[second] or information <= _LEAST_INFORMATION * strongest:
            continue
        old = group[second]
        group = [group[first] if each == old else each for each in group]
        table = np.zeros((LEVELS, LEVELS))
        table[: bits.shape[0], : bits.shape[1]] = bits
        chosen.append(Dependence(first, second, table))
    return chosen
