"""Small count rounding: small inner counts become 0 or the base, so that the margins, which are sums of them,
move least.

The task is that of Langsrud and Heldal (2018), An Algorithm for Small Count Rounding of Tabular Data; the
search is another. Only counts that some published cell would show small, or that two published cells would
show by their difference, are rounded; the others stay.
"""

from __future__ import annotations

import numpy as np

from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.rounding.search import Rounding, Search

_MOST_CELLS = 5_000  # of several tables, of which every two are compared


def small_count(atoms: Atoms, base: int) -> Rounding:
    """Rounded so that no published cell, and no difference of two of which one holds the other, lies between
    0 and `base`."""
    small = (atoms.count > 0) & (atoms.count < base)
    apart = len(atoms.places) > 1
    if apart and atoms.size > _MOST_CELLS:
        return Search(atoms, base, small).least()
    nested = _nested(atoms) if apart else np.empty((2, 0), np.int64)
    chosen = np.zeros(len(small), bool)
    rounding = Search(atoms, base, chosen).least()
    while (needed := _needed(atoms, rounding.counts(), nested, base) & small & ~chosen).any():
        chosen |= needed
        rounding = Search(atoms, base, chosen).least()
    return rounding


def _needed(atoms: Atoms, counts: np.ndarray, nested: np.ndarray, base: int) -> np.ndarray:
    """Atoms in a cell that is small, or in the larger and not in the smaller of two cells whose difference
    is, bool (atoms,)."""
    sums = atoms.sums(counts)
    needed = _under(atoms, (sums > 0) & (sums < base))
    apart = sums[nested[1]] - sums[nested[0]]
    matrix = atoms.matrix()
    for smaller, larger in nested[:, (apart > 0) & (apart < base)].T.tolist():
        inside, outside = (
            matrix.indices[matrix.indptr[cell] : matrix.indptr[cell + 1]] for cell in (larger, smaller)
        )
        needed[np.setdiff1d(inside, outside)] = True
    return needed


def _under(atoms: Atoms, cells: np.ndarray) -> np.ndarray:
    marked = np.zeros(len(atoms.count), bool)
    marked[np.repeat(np.arange(len(atoms.count)), np.diff(atoms.starts))[cells[atoms.cells]]] = True
    return marked


def _nested(atoms: Atoms) -> np.ndarray:
    """Pairs of cells of which the second holds all people of the first, and more groups of them, int64 (2,
    pairs)."""
    matrix = atoms.matrix()[:, atoms.count > 0]
    number = np.diff(matrix.indptr)
    common = (matrix @ matrix.T).tocoo()
    within = (common.data == number[common.row]) & (number[common.row] < number[common.col])
    return np.stack([common.row[within], common.col[within]]).astype(np.int64)
