"""How a plain table is written: which mark parts its columns, and whether quotes do. The one place that
guesses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pa_csv

_MARKS: Final = ",;\t"  # in this order where a line has as many of one as of another
_LOOKED_AT: Final = 1 << 20  # bytes
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')
_OUTSIDE: Final = re.compile(r'"[^"\n]*"')


@dataclass(frozen=True)
class Dialect:
    """`delimiter`: comma, semicolon or tab. `quoted`: do quotes keep a cell together? Files with tabs often
    have quotes that are text, as the vocabularies of OMOP do."""

    delimiter: str
    quoted: bool

    def options(self) -> pa_csv.ParseOptions:
        """The same, as Arrow's reader takes it."""
        return pa_csv.ParseOptions(
            delimiter=self.delimiter, quote_char='"' if self.quoted else False, newlines_in_values=self.quoted
        )


def dialect(path: Path) -> Dialect:
    """The dialect of a CSV file, packed or not: the mark that its first line has most of outside quotes, and
    with tabs no quotes, unless some cells are quoted and none begins with a quote that does not end it.

    Raises what Arrow's reader raises where the file cannot be read.
    """
    with pa.input_stream(str(path)) as source:
        return of_text(bytes(source.read(_LOOKED_AT)).decode("utf-8-sig", "replace"))


def of_text(text: str) -> Dialect:
    """The dialect of a CSV file that begins with `text`."""
    first, _, rest = text.partition("\n")
    bare = _OUTSIDE.sub("", first)
    delimiter = max(_MARKS, key=bare.count)
    if delimiter != "\t":
        return Dialect(delimiter, True)
    lines = [first, *rest.split("\n")[:-1]]
    begun = [cell for line in lines for cell in line.rstrip("\r").split("\t") if cell.startswith('"')]
    return Dialect(delimiter, bool(begun) and all(_QUOTED.fullmatch(cell) for cell in begun))
