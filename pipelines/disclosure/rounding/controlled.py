"""Controlled rounding: every cell a multiple of the base next to its true value, and all of them adding up,
where there is such a table.

For two dimensions there always is one (Cox and Ernst 1982, Controlled rounding); for more there may be none,
and whether there is is a question for a whole-number programme. Where there is none, or it is not found,
margins may go further, as little as is found.
"""

from __future__ import annotations

from typing import Final

import highspy
import numpy as np
import scipy.sparse as sparse

from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.rounding.search import Rounding, Search
from pipelines.disclosure.solver import Solver

_MOST_PARTS: Final = 6_000  # beyond it, no programme is asked
_NODES: Final = 500


def controlled(atoms: Atoms, base: int) -> Rounding:
    """Every count a multiple of `base`, 0 staying 0; margins move least beyond what `base` allows."""
    search = Search(atoms, base, np.ones(len(atoms.count), bool))
    best = search.least(base - 1)
    furthest = int(np.abs(best.moved).max(initial=0))
    if len(search.parts) <= _MOST_PARTS:
        for limit in range(base - 1, furthest):
            if (up := _programme(search, limit)) is not None:
                return search.least(limit, search.of(up))
    return best


def _programme(search: Search, limit: int) -> np.ndarray | None:
    """Which parts go up so no cell moves more than `limit`: bool (parts,); None where none is found."""
    size = len(search.parts)
    sums = sparse.csr_matrix(
        (np.ones(len(search.sums)), search.sums, search.starts), (size, search.atoms.size)
    ).T.tocsr()
    rest = sums @ (search.atoms.count[search.parts] % search.base)
    several = np.diff(sums.indptr) > 1
    sums, rest = sums[several], rest[several]
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = sums.shape
    model.col_cost_, model.col_lower_, model.col_upper_ = np.zeros(size), np.zeros(size), np.ones(size)
    model.row_lower_, model.row_upper_ = (rest - limit) / search.base, (rest + limit) / search.base
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = sums.indptr
    model.a_matrix_.index_ = sums.indices
    model.a_matrix_.value_ = sums.data
    model.integrality_ = [highspy.HighsVarType.kInteger] * size
    highs = Solver(random_seed=1, mip_max_nodes=_NODES)
    highs.passModel(model)
    highs.run()
    solution = np.asarray(highs.getSolution().col_value)
    if len(solution) != size or np.abs(solution - np.round(solution)).max(initial=0) > 1e-6:
        return None
    up = solution > 0.5
    return up if np.abs(search.of(up).moved).max(initial=0) <= limit else None
