"""Reading a table, CSV or Parquet, into inner cells: codes, counts, and who and what stands behind them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.disclosure.coding import Coding, check_margin, coding
from pipelines.disclosure.inner import Contributing, Inner, Persons, Weighted
from pipelines.disclosure.magnitude.contributions import Contributions, contributions, whole_units
from pipelines.disclosure.specification import Specification
from pipelines.disclosure.spelling import Missing
from pipelines.errors import DataError, SettingsError
from pipelines.files import people

_MOST_PERSONS = 1 << 40


@dataclass(frozen=True)
class _Cells:
    """`first`: int64 (cells,), a row of each inner cell. `of_row`: int64 (rows,), the cell of each row."""

    first: np.ndarray
    of_row: np.ndarray


def read(path: Path, specification: Specification) -> Inner:
    """The distinct inner cells of a table.

    Raises `SettingsError` where the column of counts has another use too, `DataError`, without any value,
    where the table is empty or holds no counts.
    """
    columns, behind = specification.columns(), specification.policy.contributing()
    texts = people.read_text(path, _asked(specification, columns, behind))
    coded = _codings(path, specification, columns, behind, texts)
    codes = {column: each.codes for column, each in coded.items()}
    names = {column: each.names for column, each in coded.items()}
    rows = len(next(iter(codes.values())))
    if not rows:
        raise DataError(path, "has no rows", "name a table with inner cells or persons")
    count = _counts(path, specification.count, texts) if specification.count else np.ones(rows, np.int64)
    key = _key({column: codes[column] for column in columns}, names)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    cells = _Cells(first, inverse.ravel())
    distinct = len(np.unique(_key(codes, names))) if behind else len(first)
    if specification.count and distinct < rows:
        raise _repeated(path, rows - distinct, coded)
    return Inner(
        path=path,
        names={each: names[each] for each in columns},
        codes={each: codes[each][first] for each in columns},
        count=_added(cells, count),
        of_row=cells.of_row,
        contributors={each: _contributing(names[each], cells.of_row, codes[each], count) for each in behind},
        persons=_persons(path, specification, texts, cells, coded),
        amounts=_amounts(path, specification, texts, cells),
        weighted=_weighted(path, specification.weight, texts, cells, count),
        margin=specification.margin,
        notes=tuple(note for column, each in coded.items() for note in each.told(column)),
    )


def _asked(specification: Specification, columns: list[str], behind: list[str]) -> list[str]:
    """Columns to read, each once."""
    if specification.count and specification.count in [*columns, *behind, specification.weight]:
        raise SettingsError(
            "specification: count",
            "is a level of a dimension, a contributor or a weight, too",
            "name the column of counts",
        )
    alone = (
        specification.count,
        specification.weight,
        specification.person,
        specification.magnitude,
        specification.contributor,
    )
    return list(dict.fromkeys([*columns, *behind, *(each for each in alone if each)]))


def _codings(
    path: Path, specification: Specification, columns: list[str], behind: list[str], texts: dict[str, Any]
) -> dict[str, Coding]:
    """Of each column its codes. Who contributes has no code for those who are not named."""
    found = {}
    for column in dict.fromkeys([*columns, *behind]):
        missing = specification.missing if column in columns else Missing(words=specification.missing.words)
        found[column] = coding(path, column, texts[column], missing, specification.lookalikes)
        if column in columns:
            check_margin(path, column, found[column].names, specification.margin)
    return found


def _repeated(path: Path, rows: int, coded: dict[str, Coding]) -> DataError:
    spelt = any(each.united for each in coded.values())
    missing = any(each.missing for each in coded.values())
    why = [
        *(["codes that composed and decomposed letters spell in two ways are one"] if spelt else []),
        *(["rows without a code have one in common"] if missing else []),
    ]
    return DataError(
        path,
        f"{rows:,} rows repeat an inner cell that stands elsewhere" + (f": {'; '.join(why)}" if why else ""),
        "sum them, or name all columns that tell them apart",
    )


def _added(cells: _Cells, values: np.ndarray) -> np.ndarray:
    """Sums of the rows of each cell, int64 (cells,), of `values`: int64 (rows,)."""
    total = np.zeros(len(cells.first), np.int64)
    np.add.at(total, cells.of_row, values)
    return total


def _weighted(
    path: Path, column: str | None, texts: dict[str, Any], cells: _Cells, count: np.ndarray
) -> Weighted | None:
    if not column:
        return None
    weight, decimals = whole_units(path, column, texts[column], "weights")
    if light := int((weight[count > 0] < 1).sum()):
        raise DataError(
            path, f"{light:,} rows have a {column} of 0", "leave those out who do not count, with their count"
        )
    total = [int(each) * number for each, number in zip(weight.tolist(), count.tolist(), strict=True)]
    if sum(total) >= 1 << 53:
        raise DataError(path, f"{column} adds up to more than can be told", "give it fewer decimals")
    return Weighted(_added(cells, np.array(total, np.int64)), decimals)


def _amounts(
    path: Path, specification: Specification, texts: dict[str, Any], cells: _Cells
) -> Contributions | None:
    if not specification.magnitude:
        return None
    who, column, name = np.arange(len(cells.of_row)), specification.contributor, specification.magnitude
    if column:
        who, _ = _named(path, column, texts, specification.missing)
    return contributions(path, name, texts[name], cells.of_row.astype(np.int64), who)


def _persons(
    path: Path, specification: Specification, texts: dict[str, Any], cells: _Cells, coded: dict[str, Coding]
) -> Persons | None:
    column = specification.person
    if not column:
        return None
    codes, names = _named(path, column, texts, specification.missing)
    if again := len(codes) - len(names):
        raise DataError(
            path,
            f"{again:,} rows are of a {column} that has one already",
            "give the table one row for each person",
        )
    who = {each: coded[each].codes for each in specification.policy.contributing()}
    return Persons([names[each] for each in codes.tolist()], cells.of_row.astype(np.int64), who)


def _named(path: Path, column: str, texts: dict[str, Any], missing: Missing) -> tuple[np.ndarray, list[str]]:
    """Who each row is of, int64 (rows,), places in their names."""
    coded = people.code([texts[column]], people.composed)
    names = coded.texts()
    none = np.array([*(missing.stands_for_none(each) for each in names), True])
    if nameless := int(none[coded.codes].sum()):
        raise DataError(
            path, f"{nameless:,} rows have no {column}", "name each of them, or leave the rows out"
        )
    return coded.codes.astype(np.int64), names


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
