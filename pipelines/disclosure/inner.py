"""Inner cells: what a table counts at its finest, from CSV or Parquet, and the cubes that add them up."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from kernels.cells import add_up, spread
from pipelines.cubes.cube import TOTAL, Cube, Dimension
from pipelines.disclosure.magnitude.contributions import Contributions, contributions
from pipelines.disclosure.specification import Layout, Levels, Specification
from pipelines.errors import DataError, SettingsError
from pipelines.files import people

_MOST_CELLS = 20_000_000
_MOST_PERSONS = 1 << 40


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
class Inner:
    """`names`: of each level column its codes, ascending. `codes`: int32 (cells,) by column, places in
    `names`. `count`: int64 (cells,). `contributors`: by column, who stands behind the cells. `persons`: where
    the table has them one a row and names them. `amounts`: where sums are to be published."""

    path: Path
    names: dict[str, list[str]]
    codes: dict[str, np.ndarray]
    count: np.ndarray
    contributors: dict[str, Contributing]
    persons: Persons | None = None
    amounts: Contributions | None = None


@dataclass(frozen=True)
class Placed:
    """A cube, and where each inner cell stands on each of its dimensions: int32 (inner cells, dimensions)."""

    cube: Cube
    places: np.ndarray


def read(path: Path, specification: Specification) -> Inner:
    """The distinct inner cells of a table.

    Raises `SettingsError` where the column of counts has another use too, `DataError`, without any value,
    where the table is empty or holds no counts.
    """
    columns, behind = specification.columns(), specification.policy.contributing()
    if specification.count in [*columns, *behind]:
        raise SettingsError(
            "specification: count",
            "is a level of a dimension, or a contributor, too",
            "name the column of counts",
        )
    alone = [
        each
        for each in (
            specification.count,
            specification.person,
            specification.magnitude,
            specification.contributor,
        )
        if each
    ]
    texts = people.read_text(path, list(dict.fromkeys([*columns, *behind, *alone])))
    names, codes = {}, {}
    for column in dict.fromkeys([*columns, *behind]):
        coded = people.code([texts[column]], people.trimmed)
        if (coded.codes < 0).any():
            missing = int((coded.codes < 0).sum())
            raise DataError(
                path,
                f"{missing:,} rows have no {column}",
                "give them a code, such as unknown, or leave them out",
            )
        order = sorted(range(len(coded.values)), key=coded.texts().__getitem__)
        names[column] = [coded.texts()[place] for place in order]
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        codes[column] = rank[coded.codes]
        if column in columns and TOTAL in names[column]:
            raise DataError(
                path,
                f"{column} holds the code {TOTAL}, which names the margins",
                "leave margins out, or name the code differently",
            )
    rows = len(next(iter(codes.values())))
    if not rows:
        raise DataError(path, "has no rows", "name a table with inner cells or persons")
    count = _counts(path, specification.count, texts) if specification.count else np.ones(rows, np.int64)
    key = _key({column: codes[column] for column in columns}, names)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    distinct = len(np.unique(_key(codes, names))) if behind else len(first)
    if specification.count and distinct < rows:
        again = f"{rows - distinct:,} rows repeat an inner cell that stands elsewhere"
        raise DataError(path, again, "sum them, or name all columns that tell them apart")
    total = np.bincount(inverse, count, len(first)).astype(np.int64)
    persons = (
        _persons(path, specification.person, texts, inverse.ravel(), {each: codes[each] for each in behind})
        if specification.person
        else None
    )
    amounts = _amounts(path, specification, texts, inverse.ravel()) if specification.magnitude else None
    standing = {column: _contributing(names[column], inverse, codes[column], count) for column in behind}
    return Inner(
        path=path,
        names={each: names[each] for each in columns},
        codes={each: codes[each][first] for each in columns},
        count=total,
        contributors=standing,
        persons=persons,
        amounts=amounts,
    )


def _amounts(
    path: Path, specification: Specification, texts: dict[str, Any], cell: np.ndarray
) -> Contributions:
    who = np.arange(len(cell))
    if specification.contributor:
        coded = people.code([texts[specification.contributor]], people.trimmed)
        if nameless := int((coded.codes < 0).sum()):
            raise DataError(
                path, f"{nameless:,} rows have no {specification.contributor}", "name every contributor"
            )
        who = coded.codes.astype(np.int64)
    name = str(specification.magnitude)
    return contributions(path, name, texts[name], cell.astype(np.int64), who)


def _persons(
    path: Path, column: str, texts: dict[str, Any], cell: np.ndarray, who: dict[str, np.ndarray]
) -> Persons:
    coded = people.code([texts[column]], people.trimmed)
    if nameless := int((coded.codes < 0).sum()):
        raise DataError(
            path, f"{nameless:,} rows have no {column}", "name every person, or leave the rows out"
        )
    if again := len(coded.codes) - len(coded.values):
        raise DataError(
            path,
            f"{again:,} rows are of a {column} that has one already",
            "give the table one row for each person",
        )
    names = coded.texts()
    return Persons([names[each] for each in coded.codes.tolist()], cell.astype(np.int64), who)


def _contributing(names: list[str], cell: np.ndarray, who: np.ndarray, count: np.ndarray) -> Contributing:
    pairs = np.unique(np.column_stack([cell, who])[count > 0].astype(np.int64), axis=0)
    return Contributing(names, pairs[:, 0], pairs[:, 1])


def _counts(path: Path, name: str, texts: dict[str, Any]) -> np.ndarray:
    coded = people.code([texts[name]], people.trimmed)
    known, bad, negative = np.zeros(len(coded.values) + 1, np.int64), [len(coded.values)], list[int]()
    for place, text in enumerate(coded.texts()):
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if number != round(number) if np.isfinite(number) else True:
            bad.append(place)
        elif number < 0:
            negative.append(place)
        elif number >= _MOST_PERSONS:
            bad.append(place)
        else:
            known[place] = int(number)
    rows = np.where(coded.codes < 0, len(coded.values), coded.codes)
    for places, what in ((negative, "negative"), (bad, "no whole number")):
        if wrong := int(np.isin(rows, places).sum()):
            raise DataError(
                path,
                f"{wrong:,} of {len(rows):,} rows have a {name} that is {what}",
                "counts are whole and at least 0; mend the table",
            )
    return known[rows]


def _key(codes: dict[str, np.ndarray], names: dict[str, list[str]]) -> np.ndarray:
    """A number for each row, the same where all `codes` are: int64 (rows,)."""
    key = np.zeros(len(next(iter(codes.values()))), np.int64)
    for column, values in codes.items():
        if prod([len(names[column]), int(key.max(initial=0)) + 1]) > 2**62:
            key = np.unique(key, return_inverse=True)[1]
        key = key * len(names[column]) + values
    return key


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
    )


def _dimension(inner: Inner, name: str, levels: Levels) -> tuple[Dimension, np.ndarray]:
    """A dimension, parents before children and codes in order, and the position of each inner cell's finest
    code."""
    codes, parents, position = [""], [-1], np.zeros(1, np.int64)
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
