"""Groups of persons that tables tell apart, each as a cube that nobody publishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kernels.cells import add_distinct, add_up, count_distinct, spread
from pipelines.cubes.cube import Cube, Dimension

_ODD = np.uint64(0x9E3779B97F4A7C15)


class Rows(NamedTuple):
    """`person`: int64 (rows,), ascending. `cell`: int64 (rows,), of a grid of dimensions. `amount`: int64
    (rows,)."""

    person: np.ndarray
    cell: np.ndarray
    amount: np.ndarray

    def of(self, persons: np.ndarray, wanted: bool) -> Rows:
        """The rows of some `persons`, int64 (persons,), ascending, or those of all others."""
        kept = np.isin(self.person, persons) == wanted
        return Rows(self.person[kept], self.cell[kept], self.amount[kept])

    def marks(self, amounts: bool) -> np.ndarray:
        """A number for each row, uint64 (rows,), the same for the same cell and, with `amounts`, amount."""
        mark = mixed(self.cell.astype(np.uint64) + np.uint64(1))
        with np.errstate(over="ignore"):
            return mark * (self.amount.astype(np.uint64) * np.uint64(2) + np.uint64(1)) if amounts else mark


@dataclass(frozen=True)
class Group:
    """`marks`: of `marks_of`. `closed`: bool (cells,), of nobody, as is known."""

    cube: Cube
    marks: np.ndarray
    closed: np.ndarray


def group_of(
    rows: Rows, dimensions: Sequence[Dimension], once: tuple[bool, ...], adds: bool, shared: int
) -> Group | None:
    """The group that `rows` are of, None where that is nobody.

    `once`: along which dimensions persons add up. `adds`: is there something in the tables that adds up along
    all of the first `shared` dimensions? Then so do their rows. Combinations of the later dimensions that
    nobody has are known to have nobody: of two bands of ages that do not meet.
    """
    if not len(rows.person):
        return None
    places, steps, size = places_of(rows, dimensions), _steps(dimensions), size_of(dimensions)
    persons = persons_of(rows, dimensions)
    measures, additive = {"persons": persons}, {"persons": once}
    if adds and not all(once):
        measures["rows"] = add_up(places, np.ones(len(places), np.int64), *steps, size)
        additive["rows"] = (True,) * len(dimensions)
    closed = np.zeros(size, bool)
    if len(dimensions) > shared:
        grid = persons.reshape([len(each) for each in dimensions])
        closed = np.broadcast_to(grid[(slice(0, 1),) * shared] == 0, grid.shape).ravel()
    cube = Cube("", "", "", tuple(dimensions), measures, additive)
    return Group(cube, marks_of(rows, dimensions), closed)


def persons_of(rows: Rows, dimensions: Sequence[Dimension]) -> np.ndarray:
    """Persons who have a row in each cell, margins included: int64 (cells,)."""
    number = np.unique(rows.person, return_inverse=True)[1].ravel().astype(np.int64)
    return count_distinct(number, places_of(rows, dimensions), *_steps(dimensions), size_of(dimensions))


def marks_of(rows: Rows, dimensions: Sequence[Dimension]) -> np.ndarray:
    """A number for each cell, margins included, int64 (cells,), the same for the very same persons."""
    person, number = np.unique(rows.person, return_inverse=True)
    number = number.ravel().astype(np.int64)
    mark = mixed(person.astype(np.uint64)).astype(np.int64)[number]
    return add_distinct(number, mark, places_of(rows, dimensions), *_steps(dimensions), size_of(dimensions))


def places_of(rows: Rows, dimensions: Sequence[Dimension]) -> np.ndarray:
    """int32 (rows, dimensions): position of each row."""
    shape = tuple(len(each) for each in dimensions)
    return np.ascontiguousarray(np.stack(np.unravel_index(rows.cell, shape), axis=1), np.int32)


def size_of(dimensions: Sequence[Dimension]) -> int:
    """Cells of a grid."""
    return int(np.prod([len(each) for each in dimensions]))


def mixed(values: np.ndarray) -> np.ndarray:
    """Well-mixed values of uint64 (n,), uint64 (n,) (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        for turn in (30, 27, 31):
            values = (values ^ (values >> np.uint64(turn))) * _ODD
    return values


def _steps(dimensions: Sequence[Dimension]) -> tuple[np.ndarray, np.ndarray]:
    return spread([each.parents for each in dimensions])
