"""What an attacker makes of numbers that each say no more than between what the true count lies, when all
true counts add up.

The attacker solves for the least and the most that a cell can be. A cell is known if these are one, so
another true table is sought in which the cell has another value, and which would have been published as the
same: by walks of counts that go up and down until nothing has changed that is shown, else by linear
programmes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import highspy
import numpy as np
import scipy.sparse as sparse

from kernels.rounding import Within, walks
from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.rounding.nearest import ANY
from pipelines.disclosure.solver import Solver
from pipelines.errors import DisclosureError

_EXACT: Final = 1e-6
_MOST_ATOMS: Final = 30_000  # of which a programme is asked
_IDLE: Final = 3  # rounds in which nothing is found, before cells are looked at one by one
# Of a walk: numbers drawn beforehand, counts that change, and counts that are looked at for each.
_DRAWS, _STEPS, _LOOKS = 100_003, 24, 40
_WALKS: Final = 10  # rounds of walks in which nothing is found, before programmes are asked
_SEED: Final = 20_261_125


@dataclass(frozen=True)
class Pinned:
    """A cell that can be worked out, and the cells whose numbers do it, int64."""

    cell: int
    by: np.ndarray


class Attack:
    """`low`, `high`: int64 (cells of all tables,), between what each true cell lies for all that is published
    of it.

    `moves`: int64 (atoms, moves), changes of counts after which all would be published as it is; `covered`:
    bool (cells,), changed by one.
    """

    def __init__(self, atoms: Atoms, low: np.ndarray, high: np.ndarray, most: int = _MOST_ATOMS) -> None:
        self._most = most
        self.atoms, self.truth = atoms, atoms.sums(atoms.count)
        self.low, self.high = low.copy(), high.copy()
        self._matrix = atoms.matrix()
        self.covered = np.zeros(atoms.size, bool)
        self.moves = sparse.csc_matrix((len(atoms.count), 0), dtype=np.int64)
        self._highs: Any = None

    def widen(self, cell: int) -> None:
        """Nothing is published of a cell any more."""
        self.low[cell], self.high[cell] = 0, ANY
        if self._highs is not None:
            self._highs.changeRowBounds(cell, 0.0, highspy.kHighsInf)

    def pinned(self, sought: np.ndarray) -> list[Pinned]:
        """Those of the cells `sought`, bool (cells,), that have one value only; of too many atoms for a
        programme, those of which no other value was found, with all cells that hold them."""
        random, rounds = np.random.default_rng(_SEED), 0
        self._walk(sought, random)
        left = sought & ~self.covered
        if len(self.atoms.count) > self._most:
            return [Pinned(int(cell), self._above(int(cell))) for cell in np.flatnonzero(left)]
        while left.any() and rounds < _IDLE:  # all at once, each pushed up or down as it is drawn
            before = int(left.sum())
            cells = np.flatnonzero(left)
            push = np.zeros(self.atoms.size)
            push[cells] = random.choice([-1.0, 1.0], len(cells))
            left &= ~self._differs(self._solve(self._matrix.T @ push)[0])
            rounds = 0 if int(left.sum()) < before else rounds + 1
        found = []
        for cell in np.flatnonzero(left):
            if left[cell]:
                least, most, by = self.between(int(cell), left)
                if left[cell] and most <= least:
                    found.append(Pinned(int(cell), by))
        return found

    def _walk(self, sought: np.ndarray, random: np.random.Generator) -> None:
        """Moves: other counts in which cells that are sought change, and for which all would have been
        published as it is."""
        rounds = 0
        while (left := sought & ~self.covered).any() and rounds < _WALKS:
            walk, count, way = walks(
                random.permutation(np.flatnonzero(left)),
                self.truth - self.low,
                self.high - self.truth,
                Within(self.atoms.starts, self.atoms.cells, self._matrix.indptr, self._matrix.indices),
                random.random(_DRAWS),
                _STEPS,
                _LOOKS,
            )
            number = int(walk.max(initial=-1)) + 1
            changes = sparse.csc_matrix((way, (count, walk)), (len(self.atoms.count), number), dtype=np.int64)
            changed = np.asarray(abs(self._matrix @ changes).sum(axis=1)).ravel() > 0
            rounds = 0 if (left & changed).any() else rounds + 1
            self.covered |= changed
            self.moves = sparse.hstack([self.moves, changes], format="csc")

    def _above(self, cell: int) -> np.ndarray:
        """A cell and all cells that hold all of it, int64."""
        own = self._matrix.indices[self._matrix.indptr[cell] : self._matrix.indptr[cell + 1]]
        around = np.sort(self.atoms.cells[self.atoms.starts[own[0]] : self.atoms.starts[own[0] + 1]])
        return around[np.asarray(self._matrix[around][:, own].sum(axis=1)).ravel() == len(own)]

    def between(self, cell: int, left: np.ndarray | None = None) -> tuple[int, int, np.ndarray]:
        """The least and the most that a cell can be, and the cells whose bounds say so: int64 (k,).

        `left`: bool (cells,), of which cells that have another value in a table that is met on the way are
        struck out.
        """
        ends, tight, price = [], np.zeros(self.atoms.size, bool), np.zeros(self.atoms.size)
        for sign in (1.0, -1.0):
            price[cell] = sign
            solution, duals = self._solve(self._matrix.T @ price)
            ends.append(float((self._matrix[[cell]] @ solution)[0]))
            tight |= np.abs(duals) > _EXACT
            if left is not None:
                left &= ~self._differs(solution)
        return int(np.ceil(ends[0] - _EXACT)), int(np.floor(ends[1] + _EXACT)), np.flatnonzero(tight)

    def _differs(self, solution: np.ndarray) -> np.ndarray:
        """Cells that are at least one more or less than they are in truth, bool (cells,)."""
        return np.abs(self._matrix @ solution - self.truth) >= 1 - _EXACT

    def _solve(self, price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The table for which the counts' prices are least, and the duals of its cells."""
        if self._highs is None:
            self._highs = self._programme()
        self._highs.changeColsCost(len(price), np.arange(len(price), dtype=np.int32), price)
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._highs.clearSolver()  # the last solution was a bad start
            self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise DisclosureError(
                "protect", "whether a small cell could be worked out was not settled", "take another method"
            )
        solution = self._highs.getSolution()
        return np.asarray(solution.col_value), np.asarray(solution.row_dual)

    def _programme(self) -> Any:
        rows, size = self._matrix.shape
        most = float(self.truth.max(initial=0)) * 2 + 1000  # so that every programme has an end
        model = highspy.HighsLp()
        model.num_row_, model.num_col_ = rows, size
        model.col_cost_ = np.zeros(size)
        model.col_lower_ = np.zeros(size)
        model.col_upper_ = np.full(size, most)
        model.row_lower_ = self.low.astype(float)
        model.row_upper_ = np.where(self.high < ANY, self.high, highspy.kHighsInf).astype(float)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = self._matrix.indptr, self._matrix.indices
        model.a_matrix_.value_ = self._matrix.data.astype(float)
        highs = Solver(solver="simplex", simplex_strategy=4, random_seed=1)
        highs.passModel(model)
        return highs
