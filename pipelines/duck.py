"""The only door to DuckDB, locked down: it sees the frames that it is given and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.storage import Category, Frame


@contextlib.contextmanager
def connect(tables: Mapping[str, Frame], threads: int = 1) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory that sees `tables` and can reach no file, network or extension.

    A category column comes as text, null if missing.
    """
    connection = duckdb.connect(":memory:", config={"threads": threads, "autoinstall_known_extensions": False})
    try:
        for name, frame in tables.items():
            connection.register(name, _arrow(frame))
        for setting in ("enable_external_access = false", "autoload_known_extensions = false", "lock_configuration = true"):
            connection.execute(f"SET {setting}")
        yield connection
    finally:
        connection.close()


def _arrow(frame: Frame) -> pa.Table:
    columns: dict[str, Any] = {}
    for name, column in frame.items():
        if isinstance(column, Category):
            index = pa.array(column.index, mask=column.index < 0)
            columns[name] = pa.DictionaryArray.from_arrays(index, pa.array(column.labels, pa.string())).cast(pa.string())
        else:
            columns[name] = pa.array(column)
    return pa.table(columns)


def columns(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None = None) -> dict[str, np.ndarray]:
    """The columns that a query gives."""
    return connection.execute(sql, parameters).fetchnumpy()
