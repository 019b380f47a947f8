"""Two tables over people of whom some stand in both: where they show nearly the same people, and what the
difference is.

The persons of two tables fall into three groups: those who stand alike in both, those of the one alone, and
those of the other. Each group has a cube of its own, which nobody publishes; but whoever has both tables
knows that a cell is the sum of who stands alike and who stands in it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipelines.cubes.cube import Cube, Dimension
from pipelines.cubes.standing import Standing, gathered
from pipelines.disclosure.history.groups import Group, Rows, group_of, persons_of, places_of

WHOLE = Dimension("", "", ("",), ("Total",), (-1,))  # for tables that have no dimension in common


@dataclass(frozen=True)
class Counted:
    """A cube and who stands in it. `kind`: what is counted of them; tables of two kinds are not
    compared. `amounts`: can it be compared what a person adds? Days of follow-up grow by themselves."""

    cube: Cube
    standing: Standing
    kind: str
    amounts: bool = True


@dataclass(frozen=True)
class Side:
    """One of two tables. `cells`: int64 (cells of its grid,), on the dimensions that both have and those that
    it has by codes of its own; `alike`: int64, the same cells of the grid of those alike; `only`: who stands
    in it and not alike in the other, on its grid, None where there is nobody. `shared`: int64 (shared
    cells,), its cells on the dimensions that both have."""

    cells: np.ndarray
    alike: np.ndarray
    only: Group | None
    shared: np.ndarray


@dataclass(frozen=True)
class Pair:
    """`alike`: who stands alike in both, None where there is nobody. On the dimensions that both have:
    `differ`, int64 (shared cells,), persons who stand in one of the two cells and not alike in the other;
    `same`, int64 (shared cells,), who do. `plain`: no dimension has other codes in the other table, so that
    all grids are one."""

    one: Side
    other: Side
    alike: Group | None
    differ: np.ndarray
    same: np.ndarray
    plain: bool


def compared(one: Counted, other: Counted, minimum: int) -> Pair | None:
    """How two tables lie beside each other; None where they show nowhere nearly the same people: no two cells
    of `minimum` persons or more of which fewer than `minimum` differ."""
    people = np.intersect1d(one.standing.person, other.standing.person)
    if one.kind != other.kind or len(people) < 2:
        return None
    axes = _axes(one, other)
    shared = tuple(one.cube.dimensions[place] for place, _ in axes.both) or (WHOLE,)
    number, tables = len(shared), (one, other)
    grids = [_grid(each.cube, axes, side) for side, each in enumerate(tables)]
    sides = [_sliced(each, axes, side, people) for side, each in enumerate(tables)]
    rows = [_rows(part, grid) for part, grid in zip(sides, grids, strict=True)]
    coarse = [_coarse(each, grid, number) for each, grid in zip(rows, grids, strict=True)]
    whole = [persons_of(each, shared) for each in coarse]
    likely = [
        each - persons_of(part.of(people, True), shared) < minimum
        for each, part in zip(whole, coarse, strict=True)
    ]
    if not (likely[0] & likely[1] & (np.minimum(*whole) >= minimum)).any():
        return None
    alike = _alike(coarse[0], coarse[1], one.amounts and other.amounts)
    differ = persons_of(_united([each.of(alike, False) for each in coarse]), shared)
    if not ((differ < minimum) & (np.minimum(*whole) >= minimum)).any():
        return None
    flags = _Flags(one.cube, other.cube, axes)
    every = (*shared, *grids[0][number:], *grids[1][number:])
    united = _both(rows[0].of(alike, True), rows[1].of(alike, True), grids, number, every)
    first, second = (
        Side(
            cells=part.cells,
            alike=_embedded(every, grid, number, skip),
            only=group_of(each.of(alike, False), grid, flags.once(grid), flags.adds, number),
            shared=part.cells[_embedded(grid, shared, number, 0)],
        )
        for skip, part, grid, each in zip((0, len(grids[0]) - number), sides, grids, rows, strict=True)
    )
    return Pair(
        one=first,
        other=second,
        alike=group_of(united, every, flags.once(every), flags.adds, number),
        differ=differ,
        same=persons_of(coarse[0].of(alike, True), shared),
        plain=not axes.own,
    )


# ---- dimensions -------------------------------------------------------------------------------------------


class _Axes(NamedTuple):
    """Axes of the one and the other table: `both`, of the same dimension; `own`, of one name, but by other
    codes, where each person has one row."""

    both: list[tuple[int, int]]
    own: list[tuple[int, int]]

    def of(self, side: int) -> list[int]:
        return [pair[side] for pair in (*self.both, *self.own)]


def _axes(one: Counted, other: Counted) -> _Axes:
    axes = _Axes([], [])
    once = all(not (np.diff(each.standing.person) == 0).any() for each in (one, other))
    for place, each in enumerate(one.cube.dimensions):
        for beside, its in enumerate(other.cube.dimensions):
            if each.name == its.name:
                same = (each.codes, each.parents) == (its.codes, its.parents)
                if same or once:
                    (axes.both if same else axes.own).append((place, beside))
    return axes


def _grid(cube: Cube, axes: _Axes, side: int) -> tuple[Dimension, ...]:
    dimensions = tuple(cube.dimensions[axis] for axis in axes.of(side))
    return dimensions if axes.both else (WHOLE, *dimensions)


class _Flags:
    """What adds up in both tables."""

    def __init__(self, one: Cube, other: Cube, axes: _Axes) -> None:
        self._persons = [
            one.additive["persons"][place] and other.additive["persons"][beside]
            for place, beside in axes.both
        ] or [True]
        self.adds = all(
            any(flags[pair[side]] for flags in cube.additive.values())
            for side, cube in enumerate((one, other))
            for pair in axes.both
        )

    def once(self, grid: Sequence[Dimension]) -> tuple[bool, ...]:
        """Along which dimensions of a grid persons add up: of codes of its own a person has one."""
        return (*self._persons, *[True] * (len(grid) - len(self._persons)))


# ---- the part of a table that is beside the other ----------------------------------------------------------


class _Slice(NamedTuple):
    """`cells`: int64 (grid cells,), of the table. `person`, `amount`: int64 (rows,); `places`: int32 (rows,
    dimensions of the table)."""

    cells: np.ndarray
    person: np.ndarray
    places: np.ndarray
    amount: np.ndarray


def _sliced(counted: Counted, axes: _Axes, side: int, people: np.ndarray) -> _Slice:
    """The table at the finest position of each other dimension at which all rows of `people`, int64
    ascending, stand: at women of the sexes where the other table is of women."""
    cube, standing, kept = counted.cube, counted.standing, axes.of(side)
    places = np.stack(np.unravel_index(standing.cell, cube.shape), axis=1).astype(np.int32)
    theirs = places[np.isin(standing.person, people)]
    inside = np.ones(len(places), bool)
    index: list[slice | int] = [slice(None)] * len(cube.shape)
    for axis, dimension in enumerate(cube.dimensions):
        if axis not in kept:
            position = _common(dimension, theirs[:, axis])
            index[axis] = position
            inside &= _under(dimension, position)[places[:, axis]]
    cells = np.arange(cube.cells).reshape(cube.shape)[tuple(index)]
    cells = np.transpose(cells, np.argsort(np.argsort(kept))) if len(kept) > 1 else cells
    return _Slice(
        np.ascontiguousarray(cells).ravel(),
        standing.person[inside],
        places[inside][:, kept],
        standing.amount[inside],
    )


def _common(dimension: Dimension, places: np.ndarray) -> int:
    """The finest position under which all `places` lie, int32 (rows,)."""
    position = 0
    while True:
        for child in dimension.children(position):
            if _under(dimension, child)[places].all():
                position = child
                break
        else:
            return position


def _under(dimension: Dimension, position: int) -> np.ndarray:
    """Positions that lie at or under one, bool (positions,)."""
    under = np.zeros(len(dimension), bool)
    for place, parent in enumerate(dimension.parents):
        under[place] = place == position or (parent >= 0 and under[parent])
    return under


# ---- rows on grids -----------------------------------------------------------------------------------------


def _rows(part: _Slice, grid: Sequence[Dimension]) -> Rows:
    places = part.places
    if places.shape[1] < len(grid):
        places = np.column_stack([np.zeros(len(places), np.int32), places])
    cell = np.ravel_multi_index(tuple(places.T), tuple(len(each) for each in grid)).astype(np.int64)
    rows = gathered(part.person, cell, part.amount)
    return Rows(rows.person, rows.cell, rows.amount)


def _coarse(rows: Rows, grid: Sequence[Dimension], number: int) -> Rows:
    """The same on the first dimensions of the grid alone."""
    places = places_of(rows, grid)[:, :number]
    cell = np.ravel_multi_index(tuple(places.T), tuple(len(each) for each in grid[:number]))
    found = gathered(rows.person, cell.astype(np.int64), rows.amount)
    return Rows(found.person, found.cell, found.amount)


def _embedded(whole: Sequence[Dimension], part: Sequence[Dimension], number: int, skip: int) -> np.ndarray:
    """The cells of a part's grid in that of the whole: int64. The first dimensions are those of both; of the
    whole so many after them are at the total, and those of the part follow."""
    places = np.indices([len(each) for each in part]).reshape(len(part), -1)
    full = np.zeros((len(whole), places.shape[1]), np.int64)
    full[:number] = places[:number]
    full[number + skip : number + skip + len(part) - number] = places[number:]
    return np.asarray(np.ravel_multi_index(tuple(full), tuple(len(each) for each in whole)), np.int64)


def _both(
    one: Rows, other: Rows, grids: Sequence[Sequence[Dimension]], number: int, whole: Sequence[Dimension]
) -> Rows:
    """Rows of those alike: where a dimension has other codes in the other table, by the codes of both, since
    each then has one row in either."""
    if len(whole) == number:
        return one
    places = np.column_stack([places_of(one, grids[0]), places_of(other, grids[1])[:, number:]])
    cell = np.ravel_multi_index(tuple(places.T), tuple(len(each) for each in whole)).astype(np.int64)
    return Rows(one.person, cell, one.amount)


def _united(parts: Sequence[Rows]) -> Rows:
    rows = gathered(*(np.concatenate([part[place] for part in parts]) for place in range(3)))
    return Rows(rows.person, rows.cell, rows.amount)


def _alike(one: Rows, other: Rows, amounts: bool) -> np.ndarray:
    """Persons who have the same rows in both, int64, ascending; `amounts`: and add the same by them."""
    (persons, marks), (theirs, beside) = _marked(one, amounts), _marked(other, amounts)
    both, first, second = np.intersect1d(persons, theirs, assume_unique=True, return_indices=True)
    return np.asarray(both[marks[first] == beside[second]])


def _marked(rows: Rows, amounts: bool) -> tuple[np.ndarray, np.ndarray]:
    """Each person and a mark of all of the person's rows: int64 (persons,), uint64 (persons,)."""
    person, first = np.unique(rows.person, return_index=True)
    mark = rows.marks(amounts)
    with np.errstate(over="ignore"):
        return person, np.asarray(np.add.reduceat(mark, first)) if len(first) else mark
