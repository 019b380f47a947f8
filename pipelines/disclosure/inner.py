"""Inner cells: what a table counts at its finest, and the cubes that add them up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np

from kernels.cells import add_up, spread
from pipelines.cubes.cube import TOTAL, Cube, Dimension
from pipelines.disclosure.magnitude.contributions import Contributions
from pipelines.disclosure.specification import Layout, Levels
from pipelines.errors import DataError

_MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class Contributing:
    """`names`: of contributors, ascending. `cell`, `who`: int64 (pairs,), each inner cell with each who
    contributes to it."""

    names: list[str]
    cell: np.ndarray
    who: np.ndarray


@dataclass(frozen=True)
class Persons:
    """`names`: who each is, no two the same. `cell`: int64 (persons,), the inner cell of each. `who`: int64
    (persons,) by column, who contributed the row, a place in `Contributing.names`."""

    names: list[str]
    cell: np.ndarray
    who: dict[str, np.ndarray]


@dataclass(frozen=True)
class Weighted:
    """`total`: int64 (cells,), sum of the weights of those who are counted there, in units of the last of
    `decimals`; never less than how many they are, so that a change of one person is one of one unit, too."""

    total: np.ndarray
    decimals: int

    def published(self) -> list[int | float]:
        """In the unit of the table: whole numbers where no weight has decimals."""
        return [each / 10**self.decimals if self.decimals else each for each in self.total.tolist()]


@dataclass(frozen=True)
class Inner:
    """`names`: of each level column its codes, ascending. `codes`: int32 (cells,) by column, places in
    `names`. `count`: int64 (cells,). `of_row`: int64 (rows,), the inner cell of each row of the table.
    `contributors`: by column, who stands behind the cells. `persons`: where the table has them one a row and
    names them. `amounts`: where sums are to be published. `weighted`: where those who are counted have
    weights. `margin`: name of the margins. `notes`: what the reading changed, in words without a code."""

    path: Path
    names: dict[str, list[str]]
    codes: dict[str, np.ndarray]
    count: np.ndarray
    of_row: np.ndarray
    contributors: dict[str, Contributing]
    persons: Persons | None = None
    amounts: Contributions | None = None
    weighted: Weighted | None = None
    margin: str = TOTAL
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Placed:
    """A cube, and where each inner cell stands on each of its dimensions: int32 (inner cells, dimensions).
    `weighted`: of its cells, where persons have weights."""

    cube: Cube
    places: np.ndarray
    weighted: Weighted | None = None

    def published(self) -> list[int | float]:
        """What the table shows of each cell, unless it is hidden."""
        return self.weighted.published() if self.weighted else self.cube.measures["persons"].tolist()


def place(inner: Inner, table: str, layout: Layout) -> Placed:
    """The cube of one table over the inner cells. Raises `DataError` where a hierarchy is no tree, or the
    cube would be too large."""
    found = [_dimension(inner, name, each) for name, each in layout.dimensions.items()]
    dimensions = tuple(dimension for dimension, _ in found)
    if (cells := prod(len(each) for each in dimensions)) > _MOST_CELLS:
        raise DataError(
            inner.path,
            f"table {table} would have {cells:,} cells, of {_MOST_CELLS:,} at most",
            "leave out a dimension or its finest level",
        )
    places = np.stack([places for _, places in found], axis=1).astype(np.int32)
    steps, depth = spread([each.parents for each in dimensions])
    persons = add_up(places, inner.count, steps, depth, cells)
    weighted = inner.weighted and replace(
        inner.weighted, total=add_up(places, inner.weighted.total, steps, depth, cells)
    )
    additive = {"persons": (True,) * len(dimensions)}
    return Placed(
        Cube(
            table=table,
            title=table,
            population="all",
            dimensions=dimensions,
            measures={"persons": persons},
            additive=additive,
        ),
        places,
        weighted,
    )


def _dimension(inner: Inner, name: str, levels: Levels) -> tuple[Dimension, np.ndarray]:
    """A dimension, parents before children and codes in order, and the position of each inner cell's finest
    code."""
    total = "" if inner.margin == TOTAL else inner.margin
    codes, parents, position = [total], [-1], np.zeros(1, np.int64)
    above = np.zeros(len(inner.count), np.int64)  # of each inner cell, its position one level up
    for level, column in enumerate(levels.levels):
        here, size = inner.codes[column].astype(np.int64), len(inner.names[column])
        pairs = np.unique(here * len(codes) + above)
        code, parent = pairs // len(codes), pairs % len(codes)
        if len(code) > size:
            split = int((np.bincount(code) > 1).sum())
            coarse = levels.levels[level - 1]
            raise DataError(
                inner.path,
                f"dimension {name} is no tree: {split:,} codes of {column} stand under several of {coarse}",
                f"give them codes of their own, or leave {coarse} out of the levels",
            )
        only = np.bincount(parent, minlength=len(codes))[parent] == 1
        texts = [inner.names[column][each] for each in code]
        same = np.array(
            [single and codes[each] == text for single, each, text in zip(only, parent, texts, strict=True)]
        )
        position = np.empty(size, np.int64)
        position[code] = np.where(same, parent, len(codes) + np.cumsum(~same) - 1)
        codes += [text for text, known in zip(texts, same, strict=True) if not known]
        parents += parent[~same].tolist()
        above = position[here]
    if len(set(codes)) < len(codes):
        repeated = len(codes) - len(set(codes))
        raise DataError(
            inner.path,
            f"dimension {name} has {repeated:,} codes that stand at two levels",
            "give each level codes of its own",
        )
    order = _preorder(parents)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ordered = [codes[each] for each in order]
    up = tuple(-1 if parents[each] < 0 else int(rank[parents[each]]) for each in order)
    return Dimension(
        name=name,
        title=name,
        codes=tuple(ordered),
        labels=(TOTAL, *ordered[1:]),
        parents=up,
        levels=(TOTAL, *levels.levels),
    ), rank[above]


def _preorder(parents: list[int]) -> list[int]:
    """Positions with each parent before its children and all below it beside it."""
    children: list[list[int]] = [[] for _ in parents]
    for child, parent in enumerate(parents[1:], start=1):
        children[parent].append(child)
    order, stack = [], [0]
    while stack:
        order.append(stack.pop())
        stack.extend(reversed(children[order[-1]]))
    return order
