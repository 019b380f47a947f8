"""Delivered files in their dialects, and dirt in them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import yaml

from pipelines.files.atomic import atomic
from pipelines.files.schemas import DAY_OPEN
from pipelines.synthetic import settings
from pipelines.synthetic.people import civil


def text(column: np.ndarray) -> pa.Array:
    """Fixed-width bytes as strings. `column`: S{w} (n,), UTF-8."""
    return pa.array(column, pa.binary()).cast(pa.string())


def chosen(labels: Sequence[str], index: np.ndarray) -> pa.Array:
    """`labels[index]` as strings. `index`: integers (n,)."""
    return pa.array(labels, pa.string()).take(pa.array(index))


def numbered(prefix: str, values: np.ndarray) -> pa.Array:
    """Whole numbers as strings behind a prefix. `values`: integers (n,)."""
    return pc.binary_join_element_wise(prefix, pa.array(values).cast(pa.string()), "")


def decimal(values: np.ndarray, decimals: np.ndarray | int, point: str = ".") -> pa.Array:
    """Whole numbers of the last decimal, written out. `values`: int64 (n,), none below 0; `decimals`: 0-2,
    for all or each, integers (n,)."""
    power = 10 ** np.broadcast_to(np.asarray(decimals, np.int64), values.shape)
    whole, rest = values // power, values % power
    tail = np.where(power == 1, 0, power + rest)
    tails = np.array([b""] + [f"{point}{str(k)[1:]}".encode() if k >= 10 else b"" for k in range(1, 200)])
    return pc.binary_join_element_wise(pa.array(whole).cast(pa.string()), text(tails[tail]), "")


def dates(days: np.ndarray) -> pa.Array:
    """Days as dates, none for `DAY_OPEN`. `days`: integers (n,), days since 1970-01-01."""
    return pa.array(days.astype(np.int32), pa.int32(), mask=days == DAY_OPEN).cast(pa.date32())


def iso(days: np.ndarray) -> pa.Array:
    """Days as yyyy-mm-dd, none for `DAY_OPEN`. `days`: integers (n,), days since 1970-01-01."""
    return dates(days).cast(pa.string())


def compact(days: np.ndarray) -> pa.Array:
    """Days as yyyymmdd, none for `DAY_OPEN`. `days`: integers (n,), days since 1970-01-01."""
    known = days != DAY_OPEN
    year, month, day = civil(np.where(known, days, 0))
    return pa.array(year * 10_000 + month * 100 + day, mask=~known).cast(pa.string())


# ---- dirt --------------------------------------------------------------------------------------------------


def spoiled(column: pa.Array, share: float, value: str, rng: np.random.Generator) -> pa.Array:
    """The same strings, a share of them replaced."""
    return pc.if_else(pa.array(rng.random(len(column)) < share), value, column)


def misdated(days: np.ndarray, birth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same days, int32 (n,), a few of them before the person's birth or after the delivery. `days`,
    `birth`: integers (n,), days since 1970-01-01."""
    draw = rng.random(len(days))
    out = np.where(draw < settings.BEFORE_BIRTH, birth - 400, days)
    late = (draw >= settings.BEFORE_BIRTH) & (draw < settings.BEFORE_BIRTH + settings.AFTER_DELIVERY)
    return np.where(late, settings.END + 400, out).astype(np.int32)


def repeated(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """The same rows, and a few of them once more at the end."""
    again = np.flatnonzero(rng.random(len(table)) < settings.DUPLICATE)
    return pa.concat_tables([table, table.take(pa.array(again))]) if len(again) else table


# ---- files -------------------------------------------------------------------------------------------------


@dataclass
class Folder:
    """One delivery as it is being written. `delivery.yaml` comes last and says that the delivery is whole."""

    path: Path
    delivered: date
    replaces: str | None = None
    tables: dict[str, list[str]] = field(default_factory=dict)

    def csv(
        self,
        table: str,
        chunk: int,
        columns: dict[str, pa.Array],
        delimiter: str,
        encoding: str,
        rng: np.random.Generator | None,
    ) -> None:
        """Write one CSV file; with `rng`, some rows twice."""
        rows = pa.table(columns)
        if rng is not None:
            rows = repeated(rows, rng)
        body = io.BytesIO()
        body.write((delimiter.join(columns) + "\n").encode())
        pa.csv.write_csv(
            rows, body, pa.csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
        )
        content = body.getvalue() if encoding == "utf-8" else body.getvalue().decode().encode(encoding)
        with atomic(self._file(table, chunk, "csv")) as beside:
            beside.write_bytes(content)

    def parquet(
        self, table: str, chunk: int, columns: dict[str, pa.Array], rng: np.random.Generator | None = None
    ) -> None:
        """Write one Parquet file; with `rng`, some rows twice."""
        rows = pa.table(columns)
        if rng is not None:
            rows = repeated(rows, rng)
        with atomic(self._file(table, chunk, "parquet")) as beside:
            pq.write_table(rows, beside, compression="snappy")

    def _file(self, table: str, chunk: int, ending: str) -> Path:
        name = f"{table}-{chunk:04d}.{ending}"
        self.tables.setdefault(table, []).append(name)
        return self.path / name

    def close(self) -> None:
        """Say what was delivered."""
        content = {
            "source": self.path.parent.name,
            "delivery": self.path.name,
            "delivered": self.delivered,
            **({"replaces": self.replaces} if self.replaces else {}),
            "tables": {table: sorted(files) for table, files in sorted(self.tables.items())},
        }
        with atomic(self.path / "delivery.yaml") as beside:
            beside.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
