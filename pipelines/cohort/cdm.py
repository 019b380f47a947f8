"""The door to an OMOP CDM folder: one Parquet or CSV file for each table, columns as numpy arrays.

Whole numbers come as int64 with `MISSING` where there is none, decimals as float64 with NaN, days as int64
days since 1970-01-01 with `MISSING`, texts as `Texts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.cohort.columns import MISSING, Kind, Texts, Values
from pipelines.errors import DataError
from pipelines.files import people

_SUFFIXES = (".parquet", ".csv", ".csv.gz")


class Cdm:
    """Tables by name, in lower case; each column is read once. `tables`: in place of a folder, pyarrow tables
    by name."""

    def __init__(self, folder: Path | None, tables: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self._given = dict(tables or {})
        self._read: dict[tuple[str, str, Kind], Values] = {}

    @cached_property
    def _files(self) -> dict[str, Path]:
        if self.folder is None:
            return {}
        if not self.folder.is_dir():
            raise DataError(self.folder, "is no folder", "name the folder that holds the tables of the CDM")
        found: dict[str, Path] = {}
        for path in sorted(self.folder.iterdir()):
            for suffix in _SUFFIXES:
                if path.name.lower().endswith(suffix):
                    table = path.name.lower().removesuffix(suffix)
                    if table in found:
                        raise DataError(self.folder, f"holds {table} twice", "keep one file of each table")
                    found[table] = path
        if not found:
            raise DataError(
                self.folder,
                "holds no Parquet or CSV table",
                "name the folder that holds the tables of the CDM",
            )
        return found

    def has(self, table: str) -> bool:
        """Is the table there?"""
        return table in self._given or table in self._files

    def tables(self) -> tuple[str, ...]:
        """Names of the tables that are there."""
        return tuple(sorted({*self._given, *self._files}))

    def columns(self, table: str) -> tuple[str, ...]:
        """Names of the table's columns, in lower case."""
        return tuple(name.lower() for name in self._names(table))

    def length(self, table: str) -> int:
        """Rows of the table."""
        return len(self.arrow(table, self.columns(table)[:1]))

    def column(self, table: str, name: str, kind: Kind) -> Values:
        """One column."""
        key = (table, name, kind)
        if key not in self._read:
            self._read[key] = _converted(self.arrow(table, [name])[name], kind, self.place(table, name))
        return self._read[key]

    def numbers(self, table: str, name: str, kind: Kind = "integer") -> np.ndarray:
        """One column that holds no texts: int64 (rows,), `MISSING` where there is none; float64 (rows,) for
        decimals, NaN where there is none. Raises TypeError for a column of texts."""
        found = self.column(table, name, kind)
        if isinstance(found, Texts):
            raise TypeError(f"{table}.{name} holds texts")
        return found

    def arrow(self, table: str, columns: Any = None) -> pa.Table:
        """Columns of a table as they are stored, all by default; names in lower case. Raises `DataError`
        where the table or a column is not there, or does not read."""
        names = {name.lower(): name for name in self._names(table)}
        wanted = list(columns) if columns is not None else list(names)
        if missing := [name for name in wanted if name not in names]:
            raise DataError(
                self.place(table),
                f"has no column {missing[0]}",
                "add the column, or leave out what asks for it",
            )
        return self._columns(table, [names[name] for name in wanted]).rename_columns(wanted)

    def typed(self, table: str, columns: Iterable[str]) -> pa.Table:
        """Columns of a table; what a CSV holds as text gets the type that OMOP gives a column of that
        name."""
        if table in self._given or self._files[table].suffix == ".parquet":
            return self.arrow(table, columns)
        return pa.table({name: _as_typed(self, table, name) for name in columns})

    def _columns(self, table: str, names: list[str]) -> pa.Table:
        if table in self._given:
            return self._given[table].select(names)
        return people.stored(self._files[table], names)

    def _names(self, table: str) -> list[str]:
        if table in self._given:
            return list(self._given[table].column_names)
        if table not in self._files:
            raise DataError(self.place(table), "is not there", "add the table, or leave out what asks for it")
        return people.columns(self._files[table])

    def place(self, table: str, column: str = "") -> str:
        """Where a table, or a column of it, stands or would stand."""
        place = str(self._files.get(table, (self.folder or Path()) / table))
        return f"{place}: {column}" if column else place


_DECIMALS = ("value_as_number", "range_low", "range_high", "dose_value", "effective_drug_dose")
_TEXT_IDS = (
    "vocabulary_id",
    "domain_id",
    "concept_class_id",
    "relationship_id",
    "unique_device_id",
    "specimen_source_id",
    "production_id",
)
_WHOLE = ("_id", "_count", "_of_birth", "concept_id_1", "concept_id_2", "days_supply", "gap_days", "refills")


def _as_typed(cdm: Cdm, table: str, name: str) -> pa.Array:
    if name.endswith("_date"):
        days = cdm.numbers(table, name, "day")
        return pa.array(np.where(days == MISSING, 0, days).astype("M8[D]"), mask=days == MISSING)
    if name in _TEXT_IDS:
        return cdm.arrow(table, [name])[name]
    if name in _DECIMALS or (name == "quantity" and table in ("drug_exposure", "specimen")):
        return pa.array(cdm.numbers(table, name, "decimal"), from_pandas=True)
    if name.endswith(_WHOLE) or name == "quantity":
        numbers = cdm.numbers(table, name)
        return pa.array(numbers, mask=numbers == MISSING)
    return cdm.arrow(table, [name])[name]


def _converted(column: pa.ChunkedArray, kind: Kind, place: str) -> Values:
    try:
        if kind == "text":
            return _texts(column)
        if kind == "day":
            return _filled(_days(column).cast(pa.int32()).cast(pa.int64()), MISSING)
        if kind == "decimal":
            column = _trimmed(column)
            # Single precision stays, since numbers are compared in the column's own.
            whole = column if pa.types.is_float32(column.type) else column.cast(pa.float64())
            return _filled(whole, float("nan"))
        return _filled(_whole(_trimmed(column)), MISSING)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            place,
            f"holds something that is no {'whole number' if kind in ('integer', 'concept') else kind}",
            "mend the table",
        ) from None


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    text = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        column = pc.replace_substring_regex(column, r"\.0*$", "")
    return column.cast(pa.int64())


def _days(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """date32; texts as 2020-01-31, 20200131 or with a time behind."""
    if pa.types.is_date32(column.type):
        return column
    if pa.types.is_null(column.type):
        return column.cast(pa.date32())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.replace_substring_regex(_trimmed(column), r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3")
        column = pc.utf8_slice_codeunits(text, 0, 10)
    return column.cast(pa.date32(), safe=False)


def _filled(column: pa.ChunkedArray, missing: float) -> np.ndarray:
    filled = column.fill_null(missing) if column.null_count else column
    return np.asarray(filled.to_numpy())


def _texts(column: pa.ChunkedArray) -> Texts:
    whole = column.cast(pa.string()).dictionary_encode().unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.string()))
    return Texts(
        tuple(whole.dictionary.to_pylist()),
        whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32),
    )
