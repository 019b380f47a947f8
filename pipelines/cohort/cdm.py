"""The door to an OMOP CDM, whatever holds it: columns of its tables as numpy arrays.

Whole numbers come as int64 with `MISSING` where there is none, decimals as float64 with NaN, days as int64
days since 1970-01-01 with `MISSING`, texts as `Texts`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.cohort.cdm_database import HOLDS_PASSWORD, DuckFile, Postgres, holds_password, is_url
from pipelines.cohort.cdm_files import Folder
from pipelines.cohort.cdm_tables import Given, Tables
from pipelines.cohort.columns import MISSING, Kind, Texts, Values
from pipelines.errors import DataError, SettingsError


class Cdm:
    """Tables by name, in lower case; each column is read once. `place`: a folder, a DuckDB file or the URL of
    a PostgreSQL database; `#SCHEMA` behind a database, or several with commas between, says where in it the
    tables lie. `tables`: in place of that, pyarrow tables by name."""

    def __init__(self, place: Path | str | None, tables: Mapping[str, Any] | None = None) -> None:
        self._tables = Given(tables or {}) if place is None else _opened(str(place))
        self._read: dict[tuple[str, str, Kind], Values] = {}
        self._typed: dict[tuple[str, str], Any] = {}

    def has(self, table: str) -> bool:
        """Is the table there?"""
        return table in self._tables.names()

    def tables(self) -> tuple[str, ...]:
        """Names of the tables that are there."""
        return self._tables.names()

    def columns(self, table: str) -> tuple[str, ...]:
        """Names of the table's columns, in lower case."""
        return tuple(name.lower() for name in self._names(table))

    def column(self, table: str, name: str, kind: Kind) -> Values:
        """One column."""
        key = (table, name, kind)
        if key not in self._read:
            self._read[key] = _converted(
                self.arrow(table, [name])[name],
                kind,
                self.place(table, name),
                lambda number: self._tables.row(table, number),
            )
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
        read = self._tables.read(table, [names[name] for name in wanted])
        return read.rename_columns(wanted)

    def typed(self, table: str, columns: Collection[str]) -> pa.Table:
        """Columns of a table; what is stored as text gets the type that OMOP gives a column of that name."""
        for name in columns:
            if (table, name) not in self._typed:
                self._typed[table, name] = _as_typed(self, table, name)
        return pa.table({name: self._typed[table, name] for name in columns})

    def _names(self, table: str) -> list[str]:
        if not self.has(table):
            raise DataError(self.place(table), "is not there", "add the table, or leave out what asks for it")
        return self._tables.columns(table)

    def place(self, table: str, column: str = "") -> str:
        """Where a table, or a column of it, stands or would stand."""
        place = self._tables.place(table)
        return f"{place}: {column}" if column else place


def _opened(place: str) -> Tables:
    """SettingsError: a URL that cannot be taken."""
    if Path(place).is_dir():
        return Folder(Path(place))
    if holds_password(place):
        raise SettingsError("--cdm", *HOLDS_PASSWORD)
    database, _, names = place.partition("#")
    schemas = [name.strip() for name in names.split(",") if name.strip()]
    if is_url(place):
        return Postgres(database, schemas)
    return DuckFile(Path(database), schemas) if Path(database).is_file() else Folder(Path(place))


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
    kind = _kind(table, name)
    stored = cdm.arrow(table, [name])[name]
    of = stored.type
    if kind == "text" or (pa.types.is_date(of) if kind == "day" else _is_number(of)):
        return stored
    numbers = cdm.numbers(table, name, kind)
    if kind == "day":
        return pa.array(np.where(numbers == MISSING, 0, numbers).astype("M8[D]"), mask=numbers == MISSING)
    return pa.array(numbers, mask=np.isnan(numbers) if kind == "decimal" else numbers == MISSING)


def _kind(table: str, name: str) -> Kind:
    if name.endswith("_date"):
        return "day"
    if name in _DECIMALS or (name == "quantity" and table in ("drug_exposure", "specimen")):
        return "decimal"
    whole = name.endswith(_WHOLE) or name == "quantity"
    return "integer" if whole and name not in _TEXT_IDS else "text"


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _converted(column: pa.ChunkedArray, kind: Kind, place: str, row: Callable[[int], str]) -> Values:
    """DataError: something does not read; where the first such row stands."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return _as_kind(column, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        name = {"integer": "whole number", "concept": "whole number"}.get(kind, kind)
        number = _first_unreadable(column, kind)
        raise DataError(
            place, f"holds something that is no {name} in {row(number)}", "mend the table"
        ) from None


def _first_unreadable(column: pa.ChunkedArray, kind: Kind) -> int:
    """The first row that does not read; the first of all where the column is of a kind of which none does."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _as_kind(column.slice(low, middle - low), kind)
            low = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
    return low


def _as_kind(column: pa.ChunkedArray, kind: Kind) -> Values:
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
    """date32; texts and whole numbers as 2020-01-31, 20200131 or with a time behind."""
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
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
