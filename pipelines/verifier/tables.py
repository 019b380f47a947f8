"""Tables as the verifier sees them, and what ties their cells together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

PEOPLE = ("persons",)


class Claim(NamedTuple):
    """Something that should hold, and whether it does."""

    text: str
    holds: bool


@dataclass(frozen=True)
class Axis:
    """One dimension. `codes`: the first is the total. `parents`: position of each code's parent, -1 for the
    total."""

    name: str
    codes: tuple[str, ...]
    parents: tuple[int, ...]


@dataclass(frozen=True)
class PublishedTable:
    """Every cell of the product of `axes`, row by row. `measures`: int64 (cells,), 0 where `hidden` (bool
    (cells,)) and published."""

    name: str
    population: str
    axes: tuple[Axis, ...]
    measures: dict[str, np.ndarray]
    hidden: np.ndarray
    additive: dict[str, tuple[bool, ...]]
    at_least: tuple[tuple[str, str], ...]

    def families(self) -> Iterator[tuple[int, np.ndarray]]:
        """For each axis and each parent on it: the cells of children and, last, of the parent, int64
        (families, children + 1)."""
        grid = np.arange(prod(len(axis.codes) for axis in self.axes)).reshape(
            [len(axis.codes) for axis in self.axes]
        )
        for number, axis in enumerate(self.axes):
            for parent in sorted(set(axis.parents) - {-1}):
                children = [place for place, above in enumerate(axis.parents) if above == parent]
                line = np.take(grid, [*children, parent], axis=number)
                yield number, np.moveaxis(line, number, -1).reshape(-1, len(children) + 1)


def number_cells(tables: Sequence[PublishedTable]) -> tuple[list[np.ndarray], int]:
    """A number for each cell, for each table int64 (cells,), and how many there are. Two cells have the same
    number if they count the same: one population, equal coordinates apart from totals."""
    known: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
    numbers = []
    for table in tables:
        coordinates = [
            [None if place == 0 else (axis.name, code) for place, code in enumerate(axis.codes)]
            for axis in table.axes
        ]
        own = [
            known.setdefault(
                (table.population, frozenset(part for part in cell if part is not None)), len(known)
            )
            for cell in product(*coordinates)
        ]
        numbers.append(np.array(own, np.int64))
    return numbers, len(known)


def by_number(
    tables: Sequence[PublishedTable], numbers: Sequence[np.ndarray], size: int, measure: str
) -> np.ndarray:
    """A measure by cell number, int64 (size,), -1 where no table has it. `numbers`: for each table int64
    (cells,)."""
    merged = np.full(size, -1, np.int64)
    for table, own in zip(tables, numbers, strict=True):
        if measure in table.measures:
            merged[own] = table.measures[measure]
    return merged
