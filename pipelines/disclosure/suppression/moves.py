"""Finding moves: small changes of the tables that every relation allows and that an attacker cannot exclude.

Each move comes from a linear programme (HiGHS) that pays for every cell it changes, weighted by what hiding
that cell would lose, and is paid for the cells that need one; Robertson and Ethier (2002) and Fischetti and
Salazar (2003) use the same programme for one cell at a time. A solution falls into parts that no relation
ties together; the parts in whole numbers are kept, after exact arithmetic has confirmed them, and the rest is
thrown away. So nothing rests on floating point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components

from pipelines.disclosure.suppression.bounds import Bounds
from pipelines.disclosure.suppression.programme import Programme
from pipelines.disclosure.suppression.system import System

_ROUND = 1e-6


@dataclass(frozen=True)
class Move:
    """`variables`: int64 (k,), ascending. `changes`: int64 (k,), never 0."""

    variables: np.ndarray
    changes: np.ndarray


class Mover:
    """All moves within `bounds` of the variables `among` (int64, ascending; all by default), the others
    staying as they are."""

    def __init__(self, system: System, bounds: Bounds, among: np.ndarray | None = None) -> None:
        """`among`: int64 (k,), the variables that may move; None: all."""
        among = np.arange(system.size) if among is None else among
        self.active = among[(bounds.lower[among] < 0) | (bounds.upper[among] > 0)]
        self.lower, self.upper = bounds.lower[self.active], bounds.upper[self.active]
        matrix = system.matrix[:, self.active].tocsr()
        some = np.flatnonzero(np.diff(matrix.indptr) > 0)
        matrix = matrix[some]
        lowest, highest = system.lowest[some], system.highest[some]
        free = _can_break(matrix, self.lower, self.upper, lowest, highest)
        self._matrix, self._lowest, self._highest = matrix[free], lowest[free], highest[free]
        self._ties = abs(self._matrix).tocsc()
        self._programme = Programme(self._matrix, self._lowest, self._highest)
        self._programme.limit(self.lower, self.upper)
        self.whole = True  # was the last solution in whole numbers?

    @property
    def work(self) -> int:
        """What its programmes have done so far, in steps of the simplex times relations."""
        return self._programme.work

    def freeze(self, variables: np.ndarray) -> None:
        """From now on `variables`, int64 (k,), may not move; earlier ones may again."""
        still = np.isin(self.active, variables)
        self._programme.limit(np.where(still, 0, self.lower), np.where(still, 0, self.upper))

    def force(self, variable: int, change: int) -> bool:
        """From now on `variable` changes by just that, and all others may move; False if it may not."""
        here = self.active == variable
        if not here.any() or not self.lower[here][0] <= change <= self.upper[here][0]:
            return False
        self._programme.limit(np.where(here, change, self.lower), np.where(here, change, self.upper))
        return True

    def cheapest_whole(self, variable: int, change: int, still: np.ndarray, costs: np.ndarray) -> list[Move]:
        """Parts of the cheapest move in whole numbers that changes `variable` by `change` and nothing of
        `still`; none if it is not found soon.

        `still`: bool (n,). `costs`: float64 (n,), paid for each unit of change.
        """
        here, closed = self.active == variable, still[self.active]
        lower, upper = np.where(closed, 0, self.lower), np.where(closed, 0, self.upper)
        if not here.any() or not lower[here][0] <= change <= upper[here][0]:
            return []
        self._programme.limit(np.where(here, change, lower), np.where(here, change, upper))
        found = self._programme.solve_whole(costs[self.active])
        return [] if found is None else self._parts(found)

    def find(self, costs: np.ndarray, rewards: np.ndarray) -> list[Move]:
        """The whole-number parts of the cheapest move, none if the solver gives up. `whole` says whether
        there were others.

        `costs`: float64 (n,), paid for each unit of change; `rewards`: float64 (n,), earned for each unit,
        signed.
        """
        change = self._programme.solve(costs[self.active], rewards[self.active])
        self.whole = change is None or bool((np.abs(change - np.round(change)) <= _ROUND).all())
        return [] if change is None else self._parts(change)

    def _parts(self, change: np.ndarray) -> list[Move]:
        support = np.flatnonzero(np.abs(change) > _ROUND)
        if not len(support):
            return []
        whole = np.round(change[support]).astype(np.int64)
        fractional = np.abs(change[support] - whole) > _ROUND
        tied = self._ties[:, support]
        count, label = connected_components(tied.T @ tied, directed=False)
        sound = np.ones(count, bool)
        sound[label[fractional]] = False
        kept = sound[label]
        if not self._holds(support[kept], whole[kept]):
            return []
        order = np.flatnonzero(kept)[np.argsort(label[kept], kind="stable")]
        cuts = np.flatnonzero(np.diff(label[order])) + 1
        return [Move(self.active[support[part]], whole[part]) for part in np.split(order, cuts) if len(part)]

    def _holds(self, places: np.ndarray, changes: np.ndarray) -> bool:
        """Does every relation and bound hold, in whole numbers?"""
        change = np.zeros(len(self.active), np.int64)
        change[places] = changes
        sums = self._matrix @ change
        within = ((sums >= self._lowest) & (sums <= self._highest)).all()
        return bool(within and (change >= self.lower).all() and (change <= self.upper).all())


def _can_break(
    matrix: sparse.csr_matrix, lower: np.ndarray, upper: np.ndarray, lowest: np.ndarray, highest: np.ndarray
) -> np.ndarray:
    """Relations that some move within the bounds could break, bool (relations,); the others need no row."""
    ahead, back = matrix.maximum(0), (-matrix).maximum(0)
    most = ahead @ upper - back @ lower
    least = ahead @ lower - back @ upper
    return (most > highest) | (least < lowest)
