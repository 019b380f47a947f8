"""Contributions: what each contributor adds to each inner cell, in whole numbers of the finest unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.cubes.cube import Cube
from pipelines.disclosure.standing import standing
from pipelines.errors import DataError
from pipelines.files import people

_MOST_DECIMALS: Final = 6
_MOST: Final = 10**15  # of all contributions together, in the finest unit


@dataclass(frozen=True)
class Contributions:
    """`cell`, `who`, `amount`: int64 (contributions,), an inner cell, a contributor and what it adds there,
    more than 0. `decimals`: places after the point, so that an amount of 1 is 10 to the power of -`decimals`.
    """

    cell: np.ndarray
    who: np.ndarray
    amount: np.ndarray
    decimals: int

    def published(self, values: np.ndarray) -> list[int | float]:
        """Values in the unit of the table: whole numbers where no contribution has decimals. `values`: int64
        (k,), in units of the last decimal."""
        return [each / 10**self.decimals if self.decimals else each for each in values.tolist()]


def contributions(path: Path, name: str, texts: Any, cell: np.ndarray, who: np.ndarray) -> Contributions:
    """What each row adds, `texts`, the column `name`, to its inner cell by its contributor, `cell` and `who`:
    int64 (rows,).

    Rows of one contributor in one cell are added. Raises `DataError`, without any value, where an amount is
    negative or no number.
    """
    amount, decimals = whole_units(path, name, texts, "amounts")
    some = amount > 0
    pairs, place = np.unique(np.column_stack([cell, who])[some], axis=0, return_inverse=True)
    total = np.zeros(len(pairs), np.int64)
    np.add.at(total, place.ravel(), amount[some])
    return Contributions(pairs[:, 0], pairs[:, 1], total, decimals)


def whole_units(path: Path, name: str, texts: Any, what: str) -> tuple[np.ndarray, int]:
    """The numbers of a column in units of the last of its decimals, int64 (rows,), and how many decimals.

    Raises `DataError`, without any value, where one is negative or no number, has too many decimals, or all
    add up to more than can be counted. `what`: what they are, in words.
    """
    coded = people.code([texts], people.trimmed)
    numbers, wrong = _numbers(coded.texts())
    rows = np.where(coded.codes < 0, len(numbers), coded.codes)
    if bad := int(np.append(wrong, True)[rows].sum()):
        raise DataError(
            path,
            f"{bad:,} of {len(rows):,} rows have a {name} that is negative or no number",
            f"{what} are at least 0; mend the table",
        )
    decimals = max((-int(each.as_tuple().exponent) for each in numbers), default=0)  # type: ignore[operator]
    decimals = max(0, decimals)
    if decimals > _MOST_DECIMALS:
        raise DataError(
            path, f"{name} has {decimals} decimals, of {_MOST_DECIMALS} at most", "round it before"
        )
    whole = np.array([int(each.scaleb(decimals)) for each in numbers], object)
    if sum(whole[rows].tolist()) > _MOST:
        raise DataError(path, f"{name} adds up to more than can be counted", "give it in a coarser unit")
    return whole.astype(np.int64)[rows], decimals


def _numbers(texts: Sequence[str]) -> tuple[list[Decimal], np.ndarray]:
    numbers, wrong = [], np.zeros(len(texts), bool)
    for place, text in enumerate(texts):
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal(-1)
        if not number.is_finite() or number < 0 or number >= _MOST:
            number, wrong[place] = Decimal(0), True
        numbers.append(number.normalize() if number else Decimal(0))
    return numbers, wrong


@dataclass(frozen=True)
class Largest:
    """Of each cell of a cube, margins included: `total`, and `number` of contributors: int64 (cells,).

    `top`: int64 (cells, n), the largest contributions, the largest first, 0 where there are fewer. `first`:
    int64 (cells,), whose the largest is; `sole`, who is alone in it, -1 where nobody is.
    """

    total: np.ndarray
    number: np.ndarray
    top: np.ndarray
    first: np.ndarray
    sole: np.ndarray


def largest(cube: Cube, places: np.ndarray, given: Contributions, n: int) -> Largest:
    """The largest `n` contributions to each cell. `places`: int32 (inner cells, dimensions)."""
    cells, who, amount = _in_all_cells(cube, places[given.cell], given.who, given.amount)
    order = np.lexsort((who, -amount, cells))
    cells, who, amount = cells[order], who[order], amount[order]
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    rank = np.arange(len(cells)) - np.repeat(first, np.diff(np.append(first, len(cells))))
    total, number = np.zeros(cube.cells, np.int64), np.zeros(cube.cells, np.int64)
    found = Largest(
        total, number, np.zeros((cube.cells, n), np.int64), np.full(cube.cells, -1), np.full(cube.cells, -1)
    )
    np.add.at(found.total, cells, amount)
    np.add.at(found.number, cells, 1)
    found.first[cells[first]] = who[first]
    high = rank < n
    found.top[cells[high], rank[high]] = amount[high]
    alone = found.number[cells] == 1
    found.sole[cells[alone]] = who[alone]
    return found


def _in_all_cells(
    cube: Cube, places: np.ndarray, who: np.ndarray, amount: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each cell with each who contributes to it, and how much: int64 (pairs,), three times."""
    cells, rows = standing(cube.dimensions, places)
    pairs, place = np.unique(np.column_stack([cells, who[rows]]), axis=0, return_inverse=True)
    total = np.zeros(len(pairs), np.int64)
    np.add.at(total, place.ravel(), amount[rows])
    return pairs[:, 0], pairs[:, 1], total
