"""What a policy asks of each variable, and how far each may move and still be what the rule makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.bounds import UNBOUNDED, Bounds
from pipelines.disclosure.suppression.sensitive import Sensitive


@dataclass(frozen=True)
class Limits:
    """What a policy asks of each variable. `least`: int64 (n,), fewest persons that may be shown. `someone`:
    1 where a cell of nobody is shown, else 0. `unsafe`: bool (n,), sensitive for another reason. `zeros`:
    bool (n,), of nobody, and may yet be hidden. `impossible`: bool (n,), of nobody, as everybody knows."""

    least: np.ndarray
    someone: int
    unsafe: np.ndarray
    zeros: np.ndarray
    impossible: np.ndarray

    @staticmethod
    def of(policy: Policy, size: int, cells: Sequence[np.ndarray], rules: Sequence[Sensitive]) -> Limits:
        """Of the policy, and of what its rules say of each cube; of a cell in two cubes, the strictest.

        `cells`: for each cube int64 (cells,), the variable of each cell; `size`: number of variables.
        """
        limits = Limits(
            np.full(size, policy.minimum, np.int64),
            1 if policy.zeros == "open" else 0,
            np.zeros(size, bool),
            np.zeros(size, bool),
            np.zeros(size, bool),
        )
        for own, rule in zip(cells, rules, strict=False):
            np.maximum.at(limits.least, own, rule.minimum)
            limits.unsafe[own] |= rule.unsafe
            if rule.zeros is not None:
                limits.zeros[own] |= rule.zeros
            if rule.impossible is not None:
                limits.impossible[own] |= rule.impossible
        return limits

    def small(self, count: np.ndarray) -> np.ndarray:
        """Counts that may not be shown, bool (n,). `count`: int64 (n,)."""
        return (count >= self.someone) & (count < self.least) & ~self.impossible


def reach(
    counts: Sequence[np.ndarray], primary: np.ndarray, room: np.ndarray, limits: Limits
) -> tuple[Bounds, Bounds]:
    """How far each variable may move and stay what the rule makes of it: `narrow`, `wide` of `System`.

    `counts`: int64 (n,) each, the counts of people, -1 where there is none; `primary`: bool (n,); `room`:
    int64 (n,), how far each may fall.
    """
    someone = limits.someone
    lowest = np.maximum(-room, np.minimum(0, someone - np.maximum.reduce(list(counts))))
    highest = np.full(len(room), UNBOUNDED, np.int64)
    lower, upper = lowest, highest
    for count in counts:
        small = (count >= 0) & (count < limits.least)
        bottom = np.where(small, np.minimum(count, someone), limits.least)
        lower = np.where(count >= 0, np.maximum(lower, bottom - count), lower)
        upper = np.where(small, np.minimum(upper, limits.least - 1 - count), upper)
    # Any other cell of nobody stays shown.
    free = (primary | (np.maximum.reduce(list(counts)) > 0) | limits.zeros) & ~limits.impossible
    return Bounds(lower, upper).where(free), Bounds(lowest, highest).where(free)
