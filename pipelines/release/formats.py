"""A protected cube as CSV, Parquet and XLSX, the same text in all three, rebuilt from plain values.

A hidden cell is empty, with nothing beneath it: the columns are made anew from Python values, so no buffer, dictionary, statistic or stored
schema can hold what the table does not.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from pipelines.cubes.cube import TOTAL, ProtectedCube

Header = list[str]
Row = list[str | int | None]
_EPOCH = datetime(2000, 1, 1)  # spreadsheets want a date; the same one gives the same bytes


def rows_of(cube: ProtectedCube) -> tuple[Header, list[Row]]:
    """Columns and rows: code and label of each dimension, each measure (None where hidden), and `status`."""
    header: Header = [name for each in cube.dimensions for name in (each.name, f"{each.name}_label")]
    measures = {name: values.tolist() for name, values in cube.measures.items()}
    hidden = cube.hidden.tolist()
    rows: list[Row] = []
    for cell, places in enumerate(cube.coordinates().tolist()):
        texts: Row = []
        for dimension, place in zip(cube.dimensions, places, strict=True):
            texts += [code_of(dimension.codes[place]), harmless(dimension.labels[place])]
        numbers: Row = [None if hidden[cell] else values[cell] for values in measures.values()]
        rows.append([*texts, *numbers, "hidden" if hidden[cell] else "shown"])
    return [*header, *cube.measures, "status"], rows


def code_of(code: str) -> str:
    """A code as it is printed: the total has a name."""
    return harmless(code) or TOTAL


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_csv(header: Header, rows: list[Row], path: Path) -> None:
    """UTF-8, commas, one line feed per row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8", newline="")


def write_parquet(header: Header, rows: list[Row], path: Path) -> None:
    """Text and int64 columns without dictionaries, statistics, stored schema or metadata."""
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(column, pa.int64() if _is_number(column) else pa.string()) for column in columns]
    pq.write_table(
        pa.table(dict(zip(header, arrays, strict=True))), path, use_dictionary=False, write_statistics=False, store_schema=False,
        compression="zstd",
    )  # fmt: skip


def _is_number(column: tuple[str | int | None, ...]) -> bool:
    return not any(isinstance(value, str) for value in column)


def write_xlsx(header: Header, rows: list[Row], notes: list[str], path: Path) -> None:
    """One sheet of data, one of notes. Text stays text: nothing is read as a formula, a number or a link."""
    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": _EPOCH})
        data, bold = book.add_worksheet("data"), book.add_format({"bold": True})
        for column, name in enumerate(header):
            data.write_string(0, column, name, bold)
        for line, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    data.write_string(line, column, value)
                elif value is not None:
                    data.write_number(line, column, value)
        data.freeze_panes(1, 0)
        data.autofilter(0, 0, len(rows), len(header) - 1)
        data.set_column(0, len(header) - 1, 16)
        sheet = book.add_worksheet("notes")
        sheet.set_column(0, 0, 110)
        for line, note in enumerate(notes):
            sheet.write_string(line, 0, harmless(note))
