"""Tables that leave for people's programs: CSV, Parquet and XLSX, rebuilt from plain values, so that nothing
is left in a file besides what it shows, and no spreadsheet computes what was meant as text (CWE-1236)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.files.atomic import atomic

Columns = dict[str, list[Any]]  # texts, numbers and None

_NUMBER: Final = re.compile(r"[-+−]?(\d+|\d{1,3}( \d{3})+)([.,]\d+)?([eE][-+]?\d+)?")
# A text that a spreadsheet would compute: at its beginning, or after what another program than ours takes for
# the end of a cell. Quotes and blanks before the mark do not help: some programs take them away.
_COMPUTED: Final = re.compile(r"(^|[;|\t\r\n])(?=[\s\"']*[=+\-@＝＋－＠])|^(?=[\t\r\n])")
_QUOTED: Final = re.compile(r'[",\r\n]')
_EPOCH: Final = datetime(2000, 1, 1)  # spreadsheets want a date; the same one gives the same bytes


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe before all that it would compute. A
    number stays one; texts that differ still do."""
    return text if _NUMBER.fullmatch(text) else _COMPUTED.sub(r"\1'", text)


def columns_of(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Columns:
    """Rows as columns. Raises `DataError` where two columns have one name."""
    if len(set(header)) < len(header):
        raise DataError("table", "two of its columns have the same name", "name each column differently")
    columns: Columns = {name: [] for name in header}
    for row in rows:
        for values, value in zip(columns.values(), row, strict=True):
            values.append(value)
    return columns


def write_csv(columns: Columns, path: Path, mark: bool = False) -> None:
    """CSV in UTF-8: commas, one line feed per row, nothing between two commas where there is no value.
    `mark`: begin with a byte order mark, by which spreadsheets know UTF-8."""
    encoding = "utf-8-sig" if mark else "utf-8"
    with atomic(path) as beside, beside.open("w", encoding=encoding, newline="") as out:
        out.write(_line(columns))
        out.writelines(_line(row) for row in zip(*columns.values(), strict=True))


def write_parquet(columns: Columns, path: Path) -> None:
    """Parquet without dictionaries, statistics, stored schema or values beneath nulls."""
    arrays = {harmless(name): pa.array(_texts(values), _kind(values)) for name, values in columns.items()}
    with atomic(path) as beside:
        pq.write_table(
            pa.table(arrays),
            beside,
            compression="zstd",
            use_dictionary=False,
            write_statistics=False,
            store_schema=False,
        )


def write_xlsx(columns: Columns, notes: Sequence[str], path: Path) -> None:
    """One sheet of data, one of notes. Text stays text: nothing is read as a formula, a number or a link."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with atomic(path) as beside, xlsxwriter.Workbook(str(beside), options) as book:
        book.set_properties({"created": _EPOCH})
        data, bold = book.add_worksheet("data"), book.add_format({"bold": True})
        for place, name in enumerate(columns):
            data.write_string(0, place, harmless(name), bold)
        for line, row in enumerate(zip(*columns.values(), strict=True), start=1):
            for place, value in enumerate(row):
                if isinstance(value, str):
                    data.write_string(line, place, harmless(value))
                elif value is not None:
                    data.write_number(line, place, value)
        data.freeze_panes(1, 0)
        data.autofilter(0, 0, max(map(len, columns.values()), default=0), len(columns) - 1)
        data.set_column(0, len(columns) - 1, 16)
        sheet = book.add_worksheet("notes")
        sheet.set_column(0, 0, 110)
        for line, note in enumerate(notes):
            sheet.write_string(line, 0, harmless(note))


def _line(values: Iterable[Any]) -> str:
    cells = [_cell(value) for value in values]
    return ('""' if cells == [""] else ",".join(cells)) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = harmless(value) if isinstance(value, str) else str(value)
    quoted = text != str(value) or _QUOTED.search(text)  # what was made harmless is kept together, too
    return '"' + text.replace('"', '""') + '"' if quoted else text


def _texts(values: list[Any]) -> list[Any]:
    return [harmless(value) if isinstance(value, str) else value for value in values]


def _kind(values: list[Any]) -> pa.DataType:
    if any(isinstance(value, float) for value in values):
        return pa.float64()
    return pa.string() if any(isinstance(value, str) for value in values) else pa.int64()
