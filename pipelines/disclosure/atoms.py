"""Groups of people whom no published table tells apart, and which published cells add up which of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from kernels.cells import spread
from kernels.rounding import of_sums, total
from pipelines.disclosure.problem import Problem


@dataclass(frozen=True)
class Atoms:
    """`count`: int64 (atoms,). `places`: for each table int32 (atoms, dimensions). `starts`: int64 (atoms +
    1,), `cells`: int64, the cells that each atom is in, those of one table after those of another; `first`:
    int64 (tables + 1,), where those of each table begin. `of_inner`: int64 (inner cells,), the atom of each.
    """

    count: np.ndarray
    places: tuple[np.ndarray, ...]
    starts: np.ndarray
    cells: np.ndarray
    first: np.ndarray
    of_inner: np.ndarray

    @property
    def size(self) -> int:
        """Cells of all tables."""
        return int(self.first[-1])

    def sums(self, values: np.ndarray) -> np.ndarray:
        """What each cell adds up: int64 (cells of all tables,) of `values`, int64 (atoms,)."""
        return total(values, self.starts, self.cells, self.size)

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """What belongs to the cells of each table: arrays (cells,) of the dtype of `values`, for instance
        int64 or bool (cells of all tables,)."""
        return np.split(values, self.first[1:-1])

    def matrix(self) -> sparse.csr_matrix:
        """Which atoms each cell adds up, int64 (cells, atoms), 1 or nothing."""
        ones = np.ones(len(self.cells), np.int64)
        return sparse.csr_matrix((ones, self.cells, self.starts), (len(self.count), self.size)).T.tocsr()

    def inner(self) -> np.ndarray:
        """Cells that add up one atom alone, bool (cells,)."""
        return self.sums(np.ones(len(self.count), np.int64)) == 1


def atoms(problem: Problem) -> Atoms:
    """The atoms of a problem, in the order of their places.

    Of one table alone these are all its finest cells, with those of nobody.
    """
    if len(problem.placed) == 1:
        cube, every = problem.cubes[0], problem.placed[0].places
        grids = np.meshgrid(*[np.array(each.leaves) for each in cube.dimensions], indexing="ij")
        together = np.stack([each.ravel() for each in grids], axis=1).astype(np.int32)
        numbers = np.ravel_multi_index(tuple(together.T), cube.shape)
        order = np.argsort(numbers, kind="stable")
        together = together[order]
        of_inner = np.searchsorted(numbers[order], np.ravel_multi_index(tuple(every.T), cube.shape))
    else:
        together, of_inner = np.unique(
            np.hstack([each.places for each in problem.placed]), axis=0, return_inverse=True
        )
    count = np.zeros(len(together), np.int64)
    np.add.at(count, of_inner.ravel(), problem.inner.count)
    widths = np.cumsum([len(cube.dimensions) for cube in problem.cubes])[:-1]
    places = tuple(np.ascontiguousarray(part) for part in np.split(together, widths, axis=1))
    return _assembled(problem, count, places, of_inner.ravel())


def _assembled(
    problem: Problem, count: np.ndarray, places: tuple[np.ndarray, ...], of_inner: np.ndarray
) -> Atoms:
    spreads = [spread([dimension.parents for dimension in cube.dimensions]) for cube in problem.cubes]
    numbers = [
        np.prod([depth[axis][place[:, axis]] for axis in range(place.shape[1])], axis=0).astype(np.int64)
        for (_, depth), place in zip(spreads, places, strict=True)
    ]
    starts = np.concatenate([[0], np.cumsum(np.sum(numbers, axis=0))]).astype(np.int64)
    cells, offset = np.empty(starts[-1], np.int64), starts[:-1].copy()
    first = np.cumsum([0, *(cube.cells for cube in problem.cubes)]).astype(np.int64)
    for (steps, depth), place, number, begin in zip(spreads, places, numbers, first[:-1], strict=True):
        of_sums(place, steps, depth, np.array([begin], np.int64), offset, cells)
        offset += number
    return Atoms(count=count, places=places, starts=starts, cells=cells, first=first, of_inner=of_inner)
