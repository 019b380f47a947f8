"""Which cells a policy makes sensitive besides those of few persons, and why.

Each rule looks at the true cells of one cube and at who contributes to them; `System` turns what it says into
what a search must protect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.cubes.cube import Cube, Dimension
from pipelines.disclosure.standing import standing


@dataclass(frozen=True)
class Sensitive:
    """What the rules say of one cube.

    `minimum`: int64 (cells,), the fewest persons that each cell may show. `reasons`: bool (cells,) by name of
    a rule, cells that break it. `zeros`: bool (cells,), cells of nobody that may be hidden, so that others
    can change. `impossible`: bool (cells,), cells in which nobody can stand, as everybody knows.
    """

    minimum: np.ndarray
    reasons: dict[str, np.ndarray] = field(default_factory=dict)
    zeros: np.ndarray | None = None
    impossible: np.ndarray | None = None

    @property
    def unsafe(self) -> np.ndarray:
        """Cells that break a rule, bool (cells,)."""
        return np.logical_or.reduce([np.zeros(len(self.minimum), bool), *self.reasons.values()])


Rule = Callable[[Cube, np.ndarray], Sensitive]


def families(cube: Cube, axis: int) -> list[np.ndarray]:
    """Along one dimension, for each parent the cells of its children and, last, of itself: int64 (lines,
    children + 1)."""
    grid, found = np.arange(cube.cells).reshape(cube.shape), []
    for parent, children in children_of(cube.dimensions[axis]).items():
        found.append(
            np.moveaxis(np.take(grid, [*children, parent], axis=axis), axis, -1).reshape(
                -1, len(children) + 1
            )
        )
    return found


def children_of(dimension: Dimension) -> dict[int, list[int]]:
    """The children of each position that has some."""
    below: dict[int, list[int]] = {}
    for child, parent in enumerate(dimension.parents[1:], start=1):
        below.setdefault(parent, []).append(child)
    return dict(sorted(below.items()))


def few_outside(cube: Cube, least: int) -> np.ndarray:
    """Cells outside of which 1 to `least` - 1 persons of their parent stand: whoever knows of one of these
    that he is no part of the cell knows where nearly all others are. bool (cells,)."""
    persons, unsafe = cube.measures["persons"], np.zeros(cube.cells, bool)
    for axis in range(len(cube.dimensions)):
        for family in families(cube, axis):
            outside = persons[family[:, -1:]] - persons[family[:, :-1]]
            unsafe[family[:, :-1][(outside > 0) & (outside < least)]] = True
    return unsafe


def all_in_one(cube: Cube, dimensions: Sequence[str], never: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells that hold everybody of their parent, where he could be in several of its children, along
    `dimensions`; and their empty siblings, which may be hidden so that not everybody need be there. bool
    (cells,), twice. `never`: bool (cells,), in which nobody can be."""
    persons, unsafe, zeros = cube.measures["persons"], np.zeros(cube.cells, bool), np.zeros(cube.cells, bool)
    for axis, dimension in enumerate(cube.dimensions):
        if dimension.name not in dimensions:
            continue
        for family in families(cube, axis):
            children, parent = persons[family[:, :-1]], persons[family[:, -1:]]
            could = ~never[family[:, :-1]]
            several = could.sum(axis=1, keepdims=True) > 1
            whole = (children == parent) & (parent > 0) & several
            unsafe[family[:, :-1][whole]] = True
            zeros[family[:, :-1][whole.any(axis=1)[:, None] & (children == 0) & could]] = True
    return unsafe, zeros


def higher_minimum(cube: Cube, dimension: str, codes: Sequence[str], minimum: int) -> np.ndarray:
    """The minimum of cells that stand at one of `codes` of a dimension or below it, 0 elsewhere: int64
    (cells,)."""
    for axis, each in enumerate(cube.dimensions):
        if each.name == dimension:
            chosen = np.zeros(len(each), bool)
            for place, code in enumerate(each.codes[1:], start=1):
                chosen[place] = code in codes or chosen[each.parents[place]]
            return np.where(chosen[cube.coordinates()[:, axis]], minimum, 0).astype(np.int64)
    return np.zeros(cube.cells, np.int64)


def contributors(cube: Cube, places: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs of a cell, margins included, and a contributor: int64 (pairs,), twice, by cell.

    `places`: int32 (rows, dimensions), positions of each row. `group`: int64 (rows,), who stands behind it,
    from 0.
    """
    alike = np.unique(np.column_stack([places, group]).astype(np.int64), axis=0)
    cells, rows = standing(cube.dimensions, alike[:, :-1])
    distinct = np.unique(np.column_stack([cells, alike[rows, -1]]), axis=0)
    return distinct[:, 0], distinct[:, 1]


def few_contributors(cube: Cube, places: np.ndarray, group: np.ndarray, least: int) -> np.ndarray:
    """Cells of somebody to which fewer than `least` contribute, bool (cells,).

    `places`: int32 (rows, dimensions) and `group`: int64 (rows,), as in `contributors`.
    """
    cells, _ = contributors(cube, places, group)
    number = np.bincount(cells, minlength=cube.cells)
    return (number < least) & (cube.measures["persons"] > 0)


def strictest(cube: Cube, places: np.ndarray, group: np.ndarray, minimum: Mapping[int, int]) -> np.ndarray:
    """The highest minimum of those who contribute to each cell, 0 where none has one: int64 (cells,).

    `places`: int32 (rows, dimensions) and `group`: int64 (rows,), as in `contributors`; `minimum`: by number
    of `group`.
    """
    cells, who = contributors(cube, places, group)
    found, of_group = np.zeros(cube.cells, np.int64), np.zeros(int(group.max(initial=0)) + 1, np.int64)
    for each, least in minimum.items():
        of_group[each] = least
    np.maximum.at(found, cells, of_group[who])
    return found
