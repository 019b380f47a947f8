"""How far each variable may move: bounds of a move, and the ways to narrow them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNBOUNDED = 1 << 40


@dataclass(frozen=True)
class Bounds:
    """`lower`, `upper`: int64 (n,), least and greatest change of each variable."""

    lower: np.ndarray
    upper: np.ndarray

    def within(self, box: int) -> Bounds:
        """The same, and no change beyond `box` either way."""
        return Bounds(np.maximum(self.lower, -box), np.minimum(self.upper, box))

    def by(self, step: int, box: int) -> Bounds:
        """The same, each a multiple of `step` and at most `box`: programmes with such bounds more often have
        whole solutions."""
        near = self.within(box)
        return Bounds(-(-near.lower // step * step), near.upper // step * step)

    def also(self, others: np.ndarray, lower: np.ndarray, upper: int) -> Bounds:
        """The same, but `lower` and `upper` for `others` (bool (n,))."""
        return Bounds(np.where(others, lower, self.lower), np.where(others, upper, self.upper))

    def where(self, free: np.ndarray) -> Bounds:
        """The same where `free` (bool (n,)), and no change elsewhere."""
        return Bounds(np.where(free, self.lower, 0), np.where(free, self.upper, 0))
