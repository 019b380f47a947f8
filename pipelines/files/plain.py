"""Tables rebuilt from plain values, so that nothing is left in a file besides what it shows."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.files.atomic import atomic

Columns = dict[str, list[Any]]  # texts, numbers and None


def write_parquet(columns: Columns, path: Path) -> None:
    """Parquet without dictionaries, statistics, stored schema or values beneath nulls."""
    arrays = {name: pa.array(values, _kind(values)) for name, values in columns.items()}
    with atomic(path) as beside:
        pq.write_table(pa.table(arrays), beside, compression="zstd", use_dictionary=False, write_statistics=False, store_schema=False)


def write_csv(columns: Columns, path: Path) -> None:
    """CSV in UTF-8: commas, one line feed per row, nothing between two commas where there is no value."""
    with atomic(path) as beside, beside.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _kind(values: list[Any]) -> pa.DataType:
    if any(isinstance(value, float) for value in values):
        return pa.float64()
    return pa.string() if any(isinstance(value, str) for value in values) else pa.int64()
