"""Strangers: how often the levels of each field, and of two fields together, come up among pairs of different
persons by chance.

Few pairs are compared; random pairs stand for all others. They are too few to tell how often strangers agree
in a field that tells persons apart, so that is counted over all pairs; and what goes together with such an
agreement is read from pairs that hold one value of the field.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.mixture import level_counts
from pipelines.linkage.dependence import Dependence, forest, joint
from pipelines.linkage.evidence import Evidence
from pipelines.linkage.levels import levels_of, never_nothing

_STRENGTH = 1.0  # pairs by which dependences are drawn towards none


class Strangers:
    """Chance agreement, from the pairs that are no match and random ones.

    `places`: for each field the places of its `evidence.alike` among all patterns. `sizes`: levels of each
    field.
    """

    def __init__(self, evidence: Evidence, sizes: Sequence[int], places: Sequence[np.ndarray]) -> None:
        """`places`: for each field int64 (k,), the places of the patterns of its `evidence.alike` among all
        patterns. `sizes`: levels of each field.
        """
        compared, random = evidence.compared, evidence.at_random
        self._sizes, self._levels = sizes, np.asfortranarray(levels_of(compared.patterns, len(sizes)))
        self._drawn, seen = levels_of(random.patterns, len(sizes)), random.counts.astype(np.float64)
        others = max(evidence.total - float(compared.counts.sum()), 0.0)
        self.scale = others / max(float(seen.sum()), 1.0)
        self._apart = [self._not_compared(evidence, seen, field) for field in range(len(sizes))]
        pairs = [(first, second) for first in range(len(sizes)) for second in range(first + 1, len(sizes))]
        self._seen = {pair: joint(self._drawn, seen, sizes, *pair) for pair in pairs}
        self._by_chance = {pair: self._extended(pair) for pair in pairs}
        alike = zip(places, evidence.alike, strict=True)
        self._alike = [(place, levels_of(each.patterns, len(sizes)), each.counts) for place, each in alike]

    def _not_compared(self, evidence: Evidence, seen: np.ndarray, field: int) -> np.ndarray:
        """float64 (levels,): pairs by level that no rule makes; equal ones by what all pairs say, if they
        were counted."""
        pairs = level_counts(self._drawn[:, field], seen, self._sizes[field]) * self.scale
        if not evidence.equal or self._sizes[field] < 3:
            return pairs
        compared = level_counts(self._levels[:, field], evidence.compared.counts, self._sizes[field])
        equal = min(max(evidence.equal[field] - compared[-1], 0.0), float(pairs.sum()))
        rest = float(pairs[:-1].sum())
        if rest > 0:
            pairs[:-1] *= (pairs.sum() - equal) / rest
            pairs[-1] = equal
        return pairs

    def _extended(self, pair: tuple[int, int]) -> np.ndarray:
        """Pairs by level of both fields that no rule makes. Random pairs are drawn towards independence by as
        much as chance alone would set them apart from it (James and Stein, 1961)."""
        seen = self._seen[pair]
        first, second = self._apart[pair[0]], self._apart[pair[1]]
        total = float(seen.sum())
        if not total or not first.sum() or not second.sum():
            return seen
        apart = np.outer(seen.sum(1), seen.sum(0)) / total
        with np.errstate(divide="ignore", invalid="ignore"):
            far = 2.0 * float(np.where(seen > 0, seen * np.log(seen / apart), 0.0).sum())
        free = (np.count_nonzero(seen.sum(1)) - 1) * (np.count_nonzero(seen.sum(0)) - 1)
        kept = max(0.0, 1.0 - free / far) if far > 0 else 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            lift = np.where(apart > 0, 1.0 + kept * (seen / apart - 1.0), 1.0)
        return lift * np.outer(first / first.sum(), second / second.sum()) * total * self.scale

    def shares(self, compared: np.ndarray) -> list[np.ndarray]:
        """u of each field. `compared`: float64 (n,), pairs of each pattern that rules make and that are
        strangers."""
        found = []
        for field, size in enumerate(self._sizes):
            pairs = level_counts(self._levels[:, field], compared, size) + self._apart[field]
            found.append(never_nothing(pairs / max(float(pairs.sum()), 1.0)))
        return found

    def terms(self, compared: np.ndarray, likely: np.ndarray | None = None) -> list[Dependence]:
        """What goes together among strangers.

        `compared`: float64 (n,), pairs of each pattern that rules make and that are strangers; `likely`:
        float64 (all patterns,), the share of strangers in each; without it pairs of one value are not asked.
        """
        joints = {}
        for pair, by_chance in self._by_chance.items():
            pairs = joint(self._levels, compared, self._sizes, *pair) + by_chance
            if likely is not None and self._alike:
                self._corrected(pairs, self._seen[pair], *pair, likely)
                self._corrected(pairs.T, self._seen[pair].T, pair[1], pair[0], likely)
            joints[pair] = pairs
        return forest(joints, len(self._sizes), _STRENGTH)

    def _corrected(
        self, pairs: np.ndarray, seen: np.ndarray, first: int, second: int, likely: np.ndarray
    ) -> None:
        """Give the row of equal values of `first` the shares that pairs of one value have, if these are more
        than the random ones."""
        place, levels, counts = self._alike[first]
        row = level_counts(levels[:, second], counts * likely[place], self._sizes[second])
        if self._sizes[first] < 3 or row.sum() <= seen[-1].sum() or not pairs.sum():
            return
        row += pairs.sum(0) / pairs.sum()
        pairs[-1] = pairs[-1].sum() * row / row.sum()
