"""A proposal of what to hide, fast and in two steps, for tables whose relations are all sums.

First the cells that can only rise (of one person, say, where a zero would be shown): one change of the whole
table in which they all do, the cheapest by a linear programme. Whatever it changes is hidden. Added to that
change, many times over, any other change of hidden cells keeps within the rule, so from here on sums alone
matter. Then, from everything hidden, cells are shown one by one, the costliest first, each if every small
cell can still change (`kernels.circuits`). What is left is minimal: no hidden cell could be shown as well.

Nothing rests on the proposal: what is hidden is certified afterwards, move by move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from kernels.basis import Basis, basis
from kernels.circuits import show
from kernels.differences import differences
from pipelines.disclosure.suppression.bounds import Bounds
from pipelines.disclosure.suppression.programme import INFINITE, Programme
from pipelines.disclosure.suppression.system import System

_LONGEST, _LARGEST = 4000, 1 << 20
_WORTH = 16  # of one person hidden, where one cell more is worth 4
_FAR = 1e6
_TINY = 1e-3
_STARTS, _START_CELLS = 24, 60_000


@dataclass(frozen=True)
class Wanted:
    """What a proposal has to withstand. `bounds`: of each variable's change. `singles`: people who are alone
    in a cell know it."""

    bounds: Bounds
    singles: bool


@dataclass(frozen=True)
class Proposal:
    """`hidden`: bool (n,). `columns`: a basis of all changes of the hidden variables."""

    hidden: np.ndarray
    columns: Basis


def propose(system: System, wanted: Wanted, loss: np.ndarray, seed: int) -> Proposal | None:
    """What to hide: the best of a few orders. `loss`: int64 (n,), persons lost where a cell is hidden. None
    where the relations are not all sums."""
    if not system.adds_up or not system.primary.any():
        return None
    free = (wanted.bounds.lower < 0) | (wanted.bounds.upper > 0)
    whole = _whole(system, free)
    if whole is None:
        return None
    random, best, least = np.random.default_rng(seed), None, np.inf
    for start in range(int(np.clip(_START_CELLS // max(1, system.size), 1, _STARTS))):
        weight = loss * _WORTH + 4.0
        if start or seed:
            weight = weight * np.exp(random.normal(0, 0.35 if start % 2 else 0.7, system.size))
        found = _proposed(system, wanted, free, weight, whole)
        cost = float((loss * _WORTH + 4)[found.hidden & ~system.primary & ~system.secret].sum())
        if cost < least:
            best, least = found, cost
    return best


def _proposed(system: System, wanted: Wanted, free: np.ndarray, weight: np.ndarray, whole: Basis) -> Proposal:
    kept = system.primary | system.secret | _risen(system, wanted.bounds, free, weight)
    state = Basis(*(part.copy() for part in whole))
    others = np.flatnonzero(free & ~kept)
    single = system.same if wanted.singles else np.full(system.size, -1, np.int64)
    _show(state, others[np.argsort(-weight[others], kind="stable")], system.primary, single)
    return Proposal((state.uses[: system.size] > 0) | system.primary, state)


def _show(state: Basis, order: np.ndarray, needed: np.ndarray, single: np.ndarray) -> np.ndarray:
    room = len(state.head) - len(needed)
    needed = np.concatenate([needed, np.zeros(room, bool)])
    single = np.concatenate([single, np.full(room, -1, np.int64)])
    return show(state, order.astype(np.int64), needed, single, _LONGEST, _LARGEST, 1)


def _whole(system: System, free: np.ndarray) -> Basis | None:
    """A basis of all changes of the free cells."""
    if system.parents is not None:
        begin, cell, value = differences(system.parents)
        size, closed = system.size, np.flatnonzero(~free)
    else:  # each variable by itself, and with it the relations that it breaks, which are closed one by one
        matrix = sparse.vstack(
            [sparse.identity(system.size, dtype=np.int64, format="csc"), system.matrix]
        ).tocsc()
        begin, cell, value = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data
        size = system.size + system.relations
        closed = np.concatenate([np.flatnonzero(~free), np.arange(system.size, matrix.shape[0])])
    state = basis(size, begin, cell, value, max(3 * len(cell), 1 << 20))
    order = closed[np.argsort(state.uses[closed], kind="stable")]
    nobody = np.zeros(system.size, bool)
    return state if _show(state, order, nobody, np.full(system.size, -1, np.int64)).all() else None


def _risen(system: System, bounds: Bounds, free: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Which variables the cheapest change touches in which all small ones that can only rise do, bool (n,);
    none if there is no such change."""
    touched = np.zeros(system.size, bool)
    only = free & (bounds.lower == 0)
    if not (only & system.primary).any():
        return touched
    columns = np.flatnonzero(free)
    matrix = system.matrix[:, columns].tocsr()
    matrix = matrix[np.diff(matrix.indptr) > 0]
    lower = np.where((only & system.primary)[columns], 1.0, np.where(only[columns], 0.0, -_FAR))
    price = np.where(system.primary | system.secret, _TINY, weight / _WORTH)[columns]
    programme = Programme(matrix, np.zeros(matrix.shape[0]), np.zeros(matrix.shape[0]), once=True)
    programme.limit(lower, np.full(len(columns), INFINITE))
    change = programme.solve(price, np.zeros(len(columns)))
    if change is not None:
        touched[columns[np.abs(change) > 1e-7]] = True
    return touched
