"""The attack on numbers that each say no more than between what the true count lies: what do they say
together, when true counts add up?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sparse

from pipelines.verifier.solver import Solver
from pipelines.verifier.tables import PublishedTable, number_cells

ANY = 1 << 40  # no count is as large
_EXACT = 1e-6
_IDLE = 3  # rounds in which nothing is found, before cells are looked at one by one


def worked_out(
    tables: Sequence[PublishedTable],
    low: np.ndarray,
    high: np.ndarray,
    minimum: int,
    sought: np.ndarray | None = None,
) -> int:
    """Is there a cell that has one whole value from 1 to less than `minimum` in every table of counts that
    keeps all bounds and adds up?

    `low`, `high`: int64 (cells of all tables,), between what each count lies, `ANY` for no upper bound;
    `sought`: bool (cells of all tables,), if only some are in question.
    """
    numbers, size = number_cells(tables)
    cells = np.concatenate(numbers)
    least, most = np.zeros(size), np.full(size, highspy.kHighsInf)
    np.maximum.at(least, cells, low.astype(float))
    np.minimum.at(most, cells, np.where(high < ANY, high, highspy.kHighsInf).astype(float))
    programme = _programme(tables, numbers, size, least, most)
    left, random, idle = np.flatnonzero((least < minimum) & (most > 0)), np.random.default_rng(1), 0
    if sought is not None:
        left = np.intersect1d(left, cells[sought])
    down, up = np.full(size, np.inf), np.full(size, -np.inf)
    while len(left):  # all at once in drawn directions, then one by one
        before = len(left)
        pushed = left if idle < _IDLE else left[:1]
        for sign in (1.0, -1.0):
            price = np.zeros(size)
            price[pushed] = sign * (random.choice([-1.0, 1.0], before) if idle < _IDLE else 1.0)
            solution = _solve(programme, price)
            down, up = np.minimum(down, solution), np.maximum(up, solution)
        several = np.floor(up + _EXACT) > np.ceil(down - _EXACT)
        if idle >= _IDLE and not several[pushed[0]]:
            if 0 < np.ceil(down[pushed[0]] - _EXACT) < minimum:
                return 1
            left = left[1:]
        left = left[~several[left]]
        idle = idle if idle >= _IDLE else 0 if len(left) < before else idle + 1
    return 0


def _solve(programme: Any, price: np.ndarray) -> np.ndarray:
    programme.changeColsCost(len(price), np.arange(len(price), dtype=np.int32), price)
    programme.run()
    if programme.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise ValueError("the attack was not settled")
    return np.asarray(programme.getSolution().col_value)


def _programme(
    tables: Sequence[PublishedTable],
    numbers: Sequence[np.ndarray],
    size: int,
    least: np.ndarray,
    most: np.ndarray,
) -> Any:
    families = [
        own[family] for table, own in zip(tables, numbers, strict=True) for _, family in table.families()
    ]
    signs = [np.where(np.arange(each.shape[1]) < each.shape[1] - 1, 1.0, -1.0) for each in families]
    rows = np.repeat(
        np.arange(sum(map(len, families))),
        np.concatenate([np.full(len(each), each.shape[1]) for each in families]),
    )
    entries = np.concatenate([np.tile(sign, len(each)) for sign, each in zip(signs, families, strict=True)])
    matrix = sparse.csr_matrix(
        (entries, (rows, np.concatenate([each.ravel() for each in families]))), (int(rows.max()) + 1, size)
    )
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = matrix.shape
    end = float(most[np.isfinite(most)].max(initial=0)) * 2 + 1e6  # so that every programme has an end
    model.col_cost_, model.col_lower_, model.col_upper_ = np.zeros(size), least, np.minimum(most, end)
    model.row_lower_, model.row_upper_ = np.zeros(matrix.shape[0]), np.zeros(matrix.shape[0])
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = matrix.indptr
    model.a_matrix_.index_ = matrix.indices
    model.a_matrix_.value_ = matrix.data
    highs = Solver(solver="simplex", simplex_strategy=4)
    highs.passModel(model)
    return highs
