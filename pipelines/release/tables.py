"""A protected cube and its figures as rows that people open: CSV, Parquet and XLSX of the same content.

Every file is built from plain values: no dictionary, statistic or buffer of ours goes along that could still hold what was hidden.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from pipelines.cubes import ProtectedCube
from pipelines.figures import Figures

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # the same bytes whenever it is made

Value = str | int | None


@dataclass(frozen=True)
class Rows:
    """`header`: column names; `kinds`: str or int for each; `values`: rows, None where there is nothing to show."""

    header: tuple[str, ...]
    kinds: tuple[type, ...]
    values: list[tuple[Value, ...]]


def rows_of(cube: ProtectedCube, figures: Figures) -> Rows:
    """Label and code in each dimension, the measures, the figures, and whether the cell is shown."""
    header: list[str] = []
    columns: list[list[Value]] = []
    coordinates = cube.coordinates()
    for axis, dimension in enumerate(cube.dimensions):
        header += [dimension.name, f"{dimension.name}_code"]
        places = coordinates[:, axis].tolist()
        columns += [[dimension.labels[place] for place in places], [dimension.codes[place] for place in places]]
    hidden = cube.hidden.tolist()
    for name, counts in cube.measures.items():
        header.append(name)
        columns.append([None if secret else count for count, secret in zip(counts.tolist(), hidden, strict=True)])
    for name, texts in figures.columns.items():
        header.append(name)
        columns.append([text or None for text in texts])
    header.append("status")
    columns.append(["hidden" if secret else "shown" for secret in hidden])
    kinds = tuple(int if name in cube.measures else str for name in header)
    return Rows(tuple(header), kinds, list(zip(*columns, strict=True)))


def write_csv(rows: Rows, path: Path) -> None:
    """UTF-8, commas, a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows.header)
    writer.writerows([["" if value is None else value for value in row] for row in rows.values])
    path.write_text(text.getvalue(), encoding="utf-8")


def write_parquet(rows: Rows, path: Path) -> None:
    """Whole numbers and text; null where there is nothing to show, and nothing beneath."""
    types = [pa.int64() if kind is int else pa.string() for kind in rows.kinds]
    columns = list(zip(*rows.values, strict=True)) or [()] * len(rows.header)
    table = pa.table({name: pa.array(column, kind) for name, column, kind in zip(rows.header, columns, types, strict=True)})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False, store_schema=False)


def write_xlsx(rows: Rows, notes: list[tuple[str, str]], path: Path) -> None:
    """One sheet of data, one of notes. Text stays text: nothing is taken for a formula or a link."""
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": _LONG_AGO})
        bold = book.add_format({"bold": True})
        data = book.add_worksheet("data")
        data.freeze_panes(1, 0)
        data.write_row(0, 0, rows.header, bold)
        for number, row in enumerate(rows.values, 1):
            for column, value in enumerate(row):
                if isinstance(value, int):
                    data.write_number(number, column, value)
                elif value is not None:
                    data.write_string(number, column, value)
        sheet = book.add_worksheet("notes")
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 100)
        for number, pair in enumerate(notes):
            sheet.write_row(number, 0, pair)
