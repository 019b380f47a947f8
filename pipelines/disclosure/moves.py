"""Finding moves: small changes of the tables that every relation allows and that an attacker cannot exclude.

Each move comes from a linear programme (HiGHS) that pays for every cell it changes, weighted by what hiding that cell would lose, and is
paid for the cells that need one; Robertson and Ethier (2002) and Fischetti and Salazar (2003) use the same programme for one cell at a
time. A solution falls into parts that no relation ties together; the parts in whole numbers are kept, after exact arithmetic has
confirmed them, and the rest is thrown away. So nothing rests on floating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components

from pipelines.disclosure.system import Bounds, System

_FAR = 1e9
_ROUND = 1e-6


@dataclass(frozen=True)
class Move:
    """`variables`: int64 (k,), ascending. `changes`: int64 (k,), never 0."""

    variables: np.ndarray
    changes: np.ndarray


class Mover:
    """The linear programme over all moves within `bounds`, solved again and again, each time from the last solution."""

    def __init__(self, system: System, bounds: Bounds) -> None:
        self._lower, self._upper = lower, upper = bounds.lower, bounds.upper
        self.active = np.flatnonzero((lower < 0) | (upper > 0))
        matrix = sparse.csr_matrix((system.signs, (system.rows, system.columns)), (system.relations, system.size), dtype=np.int64)
        matrix = matrix[:, self.active].tocsr()
        free = _can_break(matrix, lower[self.active], upper[self.active], system)
        self._matrix = matrix[free]
        self._lowest, self._highest = system.lowest[free], system.highest[free]
        self._ties = abs(self._matrix).tocsc()
        self._columns = np.arange(2 * len(self.active), dtype=np.int32)
        self._highs = self._programme()

    def _programme(self) -> Any:
        """Columns: what each active variable gains, then what each loses."""
        doubled = sparse.hstack([self._matrix, -self._matrix]).tocsr()
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = doubled.shape[1], doubled.shape[0]
        model.col_cost_ = np.zeros(doubled.shape[1])
        model.col_lower_ = np.zeros(doubled.shape[1])
        model.col_upper_ = self._room(self._lower, self._upper)
        model.row_lower_ = np.maximum(self._lowest, -_FAR).astype(float)
        model.row_upper_ = np.minimum(self._highest, _FAR).astype(float)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = doubled.indptr, doubled.indices
        model.a_matrix_.value_ = doubled.data.astype(float)
        highs = highspy._core._Highs()  # the public class prints a banner when it is made
        for option, value in (("output_flag", False), ("threads", 1), ("solver", "simplex"), ("simplex_strategy", 1), ("random_seed", 1)):
            highs.setOptionValue(option, value)
        highs.passModel(model)
        return highs

    def _room(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        return np.concatenate([upper[self.active], -lower[self.active]]).astype(float)

    def freeze(self, variables: np.ndarray) -> None:
        """From now on `variables` may not move; earlier ones may again."""
        lower, upper = self._lower.copy(), self._upper.copy()
        lower[variables], upper[variables] = 0, 0
        room = self._room(lower, upper)
        self._highs.changeColsBounds(len(room), self._columns, np.zeros(len(room)), room)

    def find(self, costs: np.ndarray, rewards: np.ndarray) -> list[Move]:
        """The whole-number parts of the cheapest move, none if the solver gives up.

        `costs`: float (n,), paid for each unit of change; `rewards`: float (n,), earned for each unit, signed.
        """
        cost, reward = costs[self.active], rewards[self.active]
        self._highs.changeColsCost(len(self._columns), self._columns, np.concatenate([cost - reward, cost + reward]))
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._highs.clearSolver()  # the last solution was a bad start
            self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return []
        solution = np.asarray(self._highs.getSolution().col_value)
        return self._parts(solution[: len(self.active)] - solution[len(self.active) :])

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
        return bool(within and (change >= self._lower[self.active]).all() and (change <= self._upper[self.active]).all())


def _can_break(matrix: sparse.csr_matrix, lower: np.ndarray, upper: np.ndarray, system: System) -> np.ndarray:
    """Relations that some move within the bounds could break, bool (relations,); the others need no row."""
    ahead, back = matrix.maximum(0), (-matrix).maximum(0)
    most = ahead @ upper - back @ lower
    least = ahead @ lower - back @ upper
    return (most > system.highest) | (least < system.lowest)
