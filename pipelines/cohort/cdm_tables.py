"""Where a CDM's tables may come from, as `Cdm` sees them: names, columns and rows, whatever holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa


class Tables(Protocol):
    """Tables by name, in lower case; names of columns as they stand."""

    def names(self) -> tuple[str, ...]:
        """Names of the tables."""
        ...

    def columns(self, table: str) -> list[str]:
        """Names of a table's columns. DataError: it does not read."""
        ...

    def read(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Columns as they are stored, in one order of rows for all. DataError: it does not read."""
        ...

    def place(self, table: str) -> str:
        """Where the table is, or would be."""
        ...

    def row(self, table: str, number: int) -> str:
        """What to call a row of the table, the first is 0."""
        ...


class Given:
    """Tables in memory."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self._tables = dict(tables)

    def names(self) -> tuple[str, ...]:
        """See `Tables`."""
        return tuple(sorted(self._tables))

    def columns(self, table: str) -> list[str]:
        """See `Tables`."""
        return list(self._tables[table].column_names)

    def read(self, table: str, columns: Sequence[str]) -> pa.Table:
        """See `Tables`."""
        return self._tables[table].select(list(columns))

    def place(self, table: str) -> str:
        """See `Tables`."""
        return table

    def row(self, table: str, number: int) -> str:
        """See `Tables`."""
        return f"row {number + 1:,}"
