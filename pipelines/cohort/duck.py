"""The only door to DuckDB, locked down: it sees the frames that it is given and nothing else. DuckDB is
loaded when it is first opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from pipelines.errors import DataError
from pipelines.files.frames import Category, Frame

if TYPE_CHECKING:
    import duckdb

Connection: TypeAlias = "duckdb.DuckDBPyConnection"


@contextlib.contextmanager
def connect(tables: Mapping[str, Frame | pa.Table], threads: int = 1) -> Iterator[Connection]:
    """A connection in memory that sees `tables` and can reach no file, network or extension.

    A category column comes as text, null if missing; an Arrow table as it is.
    """
    import duckdb

    connection = duckdb.connect(
        ":memory:", config={"threads": threads, "autoinstall_known_extensions": False}
    )
    try:
        for name, frame in tables.items():
            connection.register(name, frame if isinstance(frame, pa.Table) else _arrow(frame))
        for setting in (
            "enable_external_access = false",
            "autoload_known_extensions = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
        yield connection
    finally:
        connection.close()


def opened(path: Path) -> Connection:
    """A connection to a DuckDB file that can change nothing in it, and reach no other file, network or
    extension. DataError: the file is none, or does not open."""
    import duckdb

    config: dict[str, Any] = {
        "threads": 1,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "enable_external_access": False,
        "lock_configuration": True,
    }
    try:
        return duckdb.connect(str(path), read_only=True, config=config)
    except duckdb.Error:
        raise DataError(
            path,
            "does not open as a DuckDB file",
            f"close what writes it, or write it with DuckDB {duckdb.__version__} or before",
        ) from None


def table(connection: Connection, sql: str, where: object) -> pa.Table:
    """What a query gives, as an Arrow table. `where`: what to name where it does not read (DataError)."""
    import duckdb

    try:
        return connection.sql(sql).to_arrow_table()
    except duckdb.Error:
        raise DataError(where, "does not read", "write the table anew") from None


def _arrow(frame: Frame) -> pa.Table:
    columns: dict[str, Any] = {}
    for name, column in frame.items():
        if isinstance(column, Category):
            index = pa.array(column.places, mask=column.places < 0)
            columns[name] = pa.DictionaryArray.from_arrays(index, pa.array(column.labels, pa.string())).cast(
                pa.string()
            )
        else:
            columns[name] = pa.array(column)
    return pa.table(columns)


def columns(
    connection: Connection, sql: str, parameters: Mapping[str, object] | None = None
) -> dict[str, np.ndarray]:
    """The columns that a query gives, (rows,) each, in DuckDB's dtypes: int64 for BIGINT, bool for BOOLEAN
    and so on; masked where a column holds NULL."""
    return connection.execute(sql, parameters).fetchnumpy()


def execute(connection: Connection, sql: str) -> None:
    """A statement whose answer is not asked for."""
    connection.execute(sql)


def columns_of_tables(connection: Connection) -> dict[str, frozenset[str]]:
    """Columns of each table that the connection sees."""
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        found.setdefault(table, set()).add(column)
    return {table: frozenset(names) for table, names in found.items()}
