"""A CDM in a folder: a file for each table, or a folder of part files, as Spark and Hive write them.

The columns of a CSV file are texts; `NULLS` without quotes stand for nothing, as does an empty text. What
lies in folders `name=value` has a column of that name, in the text of the folder's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import DataError
from pipelines.files import people

NULLS: Final = ("", "\\N", "NA", "NULL")
_SUFFIXES: Final = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
_KEPT_APART: Final = ("_delta_log", "metadata")  # lists of files beside the files, of Delta and of Iceberg
_NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"


class Folder:
    """Tables of a folder. DataError: it is none, or holds no table or one twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[list[Path], list[str]]] = {}

    @cached_property
    def _tables(self) -> dict[str, Path]:
        if not self._folder.is_dir():
            raise DataError(
                self._folder,
                "is no folder, and no file of a database",
                "name the folder or DuckDB file that holds the tables of the CDM",
            )
        found: dict[str, Path] = {}
        for path in sorted(self._folder.iterdir()):
            name = _table_name(path)
            if not name:
                continue
            if name in found:
                raise DataError(self._folder, f"holds {name} twice", "keep one file of each table")
            found[name] = path
        if not found:
            raise DataError(
                self._folder,
                "holds no Parquet or CSV table",
                "name the folder that holds the tables of the CDM",
            )
        return found

    def names(self) -> tuple[str, ...]:
        """See `Tables`."""
        return tuple(sorted(self._tables))

    def columns(self, table: str) -> list[str]:
        """See `Tables`. DataError: its parts have not the same columns, or are not all that counts."""
        return self._looked_at(table)[1]

    def _looked_at(self, table: str) -> tuple[list[Path], list[str]]:
        """The table's parts and its columns."""
        if table not in self._known:
            path = self._tables[table]
            parts = _parts(path) if path.is_dir() else [path]
            if path.is_dir() and any((path / name).is_dir() for name in _KEPT_APART):
                raise DataError(
                    path,
                    "is a Delta or Iceberg table, of which not every file counts",
                    "export it as Parquet",
                )
            found = self._columns_of(table, parts[0])
            for part in parts[1:]:
                if sorted(self._columns_of(table, part)) != sorted(found):
                    raise DataError(part, f"has other columns than {parts[0].name}", "write the table anew")
            self._known[table] = parts, found
        return self._known[table]

    def _columns_of(self, table: str, part: Path) -> list[str]:
        own = people.columns(part)
        return own + [name for name in _partition(self._tables[table], part) if name not in own]

    def read(self, table: str, columns: Sequence[str]) -> pa.Table:
        """See `Tables`."""
        parts = [self._part(table, part, columns) for part in self._looked_at(table)[0]]
        try:
            return pa.concat_tables(parts, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise DataError(
                self._tables[table], "has parts whose columns are of other kinds", "write the table anew"
            ) from None

    def _part(self, table: str, part: Path, columns: Sequence[str]) -> pa.Table:
        own, beside = people.columns(part), _partition(self._tables[table], part)
        inside = [name for name in columns if name in own]
        read = people.stored(part, inside or own[:1], NULLS)
        if part.suffix != ".parquet":
            read = pa.table({name: _without_empty(read[name]) for name in read.column_names})
        return pa.table(
            {
                name: read[name] if name in inside else pa.repeat(_value(beside[name]), read.num_rows)
                for name in columns
            }
        )

    def place(self, table: str) -> str:
        """See `Tables`."""
        return str(self._tables.get(table, self._folder / table))

    def row(self, table: str, number: int) -> str:
        """See `Tables`: the row of the part that holds it."""
        parts = self._looked_at(table)[0]
        for part in parts if len(parts) > 1 else []:
            if number < (length := people.length(part)):
                return f"row {number + 1:,} of {part.relative_to(self._tables[table])}"
            number -= length
        return f"row {number + 1:,}"


def _table_name(path: Path) -> str:
    """The table that a file or folder holds; none if it holds none."""
    low = path.name.lower()
    name = next((low.removesuffix(each) for each in _SUFFIXES if low.endswith(each)), "")
    if not path.is_dir():
        return name
    return (name or low) if not low.startswith((".", "_")) and _parts(path) else ""


def _parts(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, in order; without those that begin with _ or ., and empty
    ones."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            found += _parts(path)
        elif path.name.lower().endswith(_SUFFIXES) and path.stat().st_size:
            found.append(path)
    return found


def _partition(table: Path, part: Path) -> dict[str, str]:
    """Columns that folders between a table and its part stand for."""
    folders = part.relative_to(table).parts[:-1] if table != part else ()
    return {
        unquote(name): unquote(value)
        for name, mark, value in (folder.partition("=") for folder in folders)
        if mark
    }


def _value(text: str) -> pa.Scalar:
    return pa.scalar(None if text == _NO_VALUE else text, pa.string())


def _without_empty(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
