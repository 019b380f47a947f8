"""The attack: what can be worked out of published tables, by whoever has nothing else?

A hidden cell is pinned if all solutions of the published relations agree in it. One linear programme finds a
solution in the relative interior (Freund, Roundy and Todd, 1985); the inequalities that hold with equality
there hold so everywhere, and with them the question is one of linear equations: a cell is free if some vector
that all the equations send to zero is not zero there.
"""

from __future__ import annotations

from collections.abc import Sequence

import highspy
import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import lsmr

from pipelines.verifier.solver import Solver
from pipelines.verifier.tables import PEOPLE, PublishedTable, number_cells

_ZERO = 1e-6
_LARGE = 10_000  # unknowns


class Relations:
    """Linear relations between unknowns: `equal` ones are 0 = a x + b, the others 0 <= a x + b."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.parts: dict[bool, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {True: [], False: []}

    def add(self, equal: bool, unknowns: np.ndarray, signs: np.ndarray, known: np.ndarray) -> None:
        """Relations of one form. `unknowns`: int64 (relations, width), -1 where the cell is shown; `signs`:
        int64 (width,), their coefficients; `known`: int64 (relations,), what the shown add."""
        some = (unknowns >= 0).any(axis=1)
        self.parts[equal].append((unknowns[some], np.broadcast_to(signs, unknowns.shape)[some], known[some]))

    def matrix(self, equal: bool) -> tuple[sparse.csr_matrix, np.ndarray]:
        """All relations of one kind: a, and b, float64 (relations,)."""
        rows, columns, values, known, first = [], [], [], [], 0
        for unknowns, signs, more in self.parts[equal]:
            line, place = np.nonzero(unknowns >= 0)
            rows.append(first + line)
            columns.append(unknowns[line, place])
            values.append(signs[line, place])
            known.append(more)
            first += len(unknowns)
        if not first:
            return sparse.csr_matrix((0, self.size)), np.empty(0)
        entries = (np.concatenate(values).astype(float), (np.concatenate(rows), np.concatenate(columns)))
        return sparse.csr_matrix(entries, (first, self.size)), np.concatenate(known).astype(float)


def pinned(tables: Sequence[PublishedTable], zeros_shown: bool) -> int:
    """How many hidden cells have a measure that can be worked out; -1 if the attack itself failed."""
    relations = _relations(tables, zeros_shown)
    if not relations.size:
        return 0
    tight = _always_tight(relations)
    if tight is None:
        return -1
    if not tight.any():
        return _settled(relations.matrix(True)[0])
    return _settled(sparse.vstack([relations.matrix(True)[0], relations.matrix(False)[0][tight]]).tocsr())


def fixed_by_sums(tables: Sequence[PublishedTable]) -> int:
    """How many hidden cells the published sums settle, whatever the values may be; -1 if the attack itself
    failed."""
    return _settled(_relations(tables, False).matrix(True)[0])


def _settled(equations: sparse.csr_matrix) -> int:
    free = _free(equations)
    return -1 if free is None else int((~free).sum())


def _relations(tables: Sequence[PublishedTable], zeros_shown: bool) -> Relations:
    """One unknown for each hidden cell and measure, and all that is known of them."""
    numbers, size = number_cells(tables)
    names = sorted({name for table in tables for name in table.measures})
    unknown = np.full((len(names), size), -1, np.int64)
    for table, own in zip(tables, numbers, strict=True):
        for name in table.measures:
            unknown[names.index(name), own[table.hidden]] = 0
    unknown[unknown == 0] = np.arange((unknown == 0).sum())
    relations = Relations(int(unknown.max(initial=-1)) + 1)
    for table, own in zip(tables, numbers, strict=True):
        here = {name: unknown[names.index(name), own] for name in table.measures}
        crowd = PEOPLE[-1] if PEOPLE[-1] in here else PEOPLE[0]
        for name, places in here.items():
            least = 1 if zeros_shown and name == crowd else 0
            relations.add(False, places[:, None], np.array([1]), np.full(len(places), -least))
        for pair in table.at_least:
            both = np.stack([here[name] for name in pair], axis=1)
            relations.add(False, both, np.array([1, -1]), _shown(table, pair[0]) - _shown(table, pair[1]))
        for axis, family in table.families():
            for name, places in here.items():
                _relate(relations, places[family], _shown(table, name)[family], table.additive[name][axis])
    return relations


def _shown(table: PublishedTable, measure: str) -> np.ndarray:
    return np.where(table.hidden, 0, table.measures[measure])


def _relate(relations: Relations, places: np.ndarray, shown: np.ndarray, additive: bool) -> None:
    signs = np.array([1] * (places.shape[1] - 1) + [-1])
    relations.add(additive, places, signs, shown @ signs)
    if not additive:
        parent, room = np.broadcast_to(places[:, -1:], places[:, :-1].shape), shown[:, -1:] - shown[:, :-1]
        relations.add(
            False, np.stack([parent.ravel(), places[:, :-1].ravel()], axis=1), np.array([1, -1]), room.ravel()
        )


def _always_tight(relations: Relations) -> np.ndarray | None:
    """Which inequalities hold with equality in every solution, bool; None if no solution was found.

    Columns: the unknowns and the scale, all of them multiplied by the scale, then for each inequality how far
    it is from tight, at most 1. Of large tables a point in the interior is sought first, which is much faster
    where there is one; whatever seems tight there, the simplex method decides.
    """
    (equations, fixed), (bounds, known) = relations.matrix(True), relations.matrix(False)
    count = bounds.shape[0]
    above = sparse.hstack(
        [equations, sparse.csr_matrix(fixed[:, None]), sparse.csr_matrix((len(fixed), count))]
    )
    below = sparse.hstack([bounds, sparse.csr_matrix(known[:, None]), -sparse.identity(count)])
    whole = sparse.vstack([above, below]).tocsr()
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = whole.shape
    model.col_cost_ = np.r_[np.zeros(relations.size + 1), -np.ones(count)]
    model.col_lower_ = np.r_[np.full(relations.size, -highspy.kHighsInf), 1.0, np.zeros(count)]
    model.col_upper_ = np.r_[np.full(relations.size + 1, highspy.kHighsInf), np.ones(count)]
    model.row_lower_ = np.zeros(whole.shape[0])
    model.row_upper_ = np.r_[np.zeros(len(fixed)), np.full(count, highspy.kHighsInf)]
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = whole.indptr
    model.a_matrix_.index_ = whole.indices
    model.a_matrix_.value_ = whole.data
    for solver in ("ipm", "simplex") if relations.size > _LARGE else ("simplex",):
        tight = _solved(model, solver, count)
        if tight is not None and not tight.any():
            break
    return tight


def _solved(model: highspy.HighsLp, solver: str, inequalities: int) -> np.ndarray | None:
    highs = Solver(solver=solver, run_crossover="off")
    highs.passModel(model)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.asarray(highs.getSolution().col_value)[model.num_col_ - inequalities :] < 0.5


def _free(equations: sparse.csr_matrix) -> np.ndarray | None:
    """Unknowns that the equations leave open, bool; None if the arithmetic did not settle.

    Random vectors, each less its part in the row space; what is left is random among all that the equations
    send to zero.
    """
    random, free = np.random.default_rng(1), np.zeros(equations.shape[1], bool)
    if not equations.shape[0]:
        return ~free
    for _ in range(4):
        vector = random.standard_normal(equations.shape[1])
        for _ in range(3):
            part = lsmr(
                equations.T, vector, atol=1e-14, btol=1e-14, conlim=0, maxiter=20 * max(equations.shape)
            )[0]
            vector = vector - equations.T @ part
        if np.abs(equations @ vector).max(initial=0.0) > _ZERO / 100:
            return None
        free |= np.abs(vector) > _ZERO
    return free
