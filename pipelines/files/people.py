"""The door to people's own tables, CSV or Parquet: columns as distinct values and a code for each row,
results as plain Parquet."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.files.arrow import pa
from pipelines.files.atomic import atomic
from pipelines.files.dialect import dialect

pa.set_memory_pool(pa.system_memory_pool())  # gives memory back when a column is done with

_PARQUET = (".parquet", ".pq")
# What readers raise.
UNREADABLE = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, UnicodeDecodeError, OSError)
_ROWS = 1 << 16  # of a batch


@dataclass(frozen=True)
class Coded:
    """A column. `codes`: int32 (n,), position in `values`, -1 if missing. `values`: pyarrow large_string,
    distinct."""

    codes: np.ndarray
    values: pa.Array

    def texts(self) -> list[str]:
        """The distinct values."""
        return self.values.to_pylist()


def columns(path: Path) -> list[str]:
    """Names of a table's columns."""
    with _reading(path):
        if path.suffix in _PARQUET:
            return list(pq.read_schema(path).names)
        with pa_csv.open_csv(path, parse_options=dialect(path).options()) as reader:
            return list(reader.schema.names)


def length(path: Path) -> int:
    """Rows of a table."""
    with _reading(path):
        if path.suffix in _PARQUET:
            return pq.read_metadata(path).num_rows
        names = columns(path)
        return _read(path, names[:1]).num_rows


def read_text(path: Path, names: Sequence[str], repeated: bool = True) -> dict[str, pa.ChunkedArray]:
    """Columns as text, whatever they hold; a list column stays a list of texts. `repeated`: does a text come
    more than once? Raises `DataError` where a column is not there, twice, or of another kind."""
    known, read = columns(path), {}
    for name in names:
        if name not in known:
            raise DataError(path, f"has no column {name}", f"name one of {', '.join(known[:12])}")
        if known.count(name) > 1:
            raise DataError(path, f"has several columns {name}", "name each column differently")
    with _reading(path):
        table = _read(path, list(dict.fromkeys(names)), repeated)
    for name in names:
        try:
            read[name] = _as_text(table[name])
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(path, f"{name} holds neither texts nor numbers", "name another column") from None
    return read


def column_texts(path: Path, name: str) -> list[str | None]:
    """A column's texts, row by row."""
    return read_text(path, [name])[name].to_pylist()


def texts_at(path: Path, name: str, rows: Sequence[int]) -> list[str | None]:
    """A column's texts at some rows, as they stand in the table."""
    column = _picked(path, name, np.array(rows, np.int64)) if _holds_texts(path, name) else None
    if column is None:
        column = read_text(path, [name])[name].take(pa.array(np.array(rows, np.int64)))
    return [text.strip() or None if text is not None else None for text in column.to_pylist()]


def _holds_texts(path: Path, name: str) -> bool:
    """Are a Parquet file's texts there as they are to be shown?"""
    if path.suffix not in _PARQUET or columns(path).count(name) != 1:
        return False
    return pa.types.is_string(pq.read_schema(path).field(name).type)


def _picked(path: Path, name: str, rows: np.ndarray) -> pa.ChunkedArray:
    """The texts at `rows`, of which no more than a batch is in memory at a time."""
    order, begin, parts = np.argsort(rows, kind="stable"), 0, []
    with _reading(path):
        for batch in pq.ParquetFile(path).iter_batches(_ROWS, columns=[name], use_threads=False):
            first, last = np.searchsorted(rows[order], [begin, begin + len(batch)])
            parts.append(batch[name].take(pa.array(rows[order[first:last]] - begin)))
            begin += len(batch)
    return pa.chunked_array(parts, pa.string()).take(pa.array(np.argsort(order)))


def code(parts: Sequence[pa.ChunkedArray], normalise: Callable[[pa.Array], pa.Array] | None = None) -> Coded:
    """The rows of several files as one coded column; `normalise` sees each distinct value once and may make
    it null."""
    coded = [_dictionary(part) for part in parts]
    pools = [normalise(values) if normalise else values for _, values in coded]
    merged = pa.chunked_array(pools, pa.large_string()).dictionary_encode().combine_chunks()
    if isinstance(merged, pa.ChunkedArray):  # no file at all
        return Coded(np.empty(0, np.int32), pa.array([], pa.large_string()))
    places = merged.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    rows, begin = [], 0
    for (codes, _), pool in zip(coded, pools, strict=True):
        here = np.append(places[begin : begin + len(pool)], np.int32(-1))
        rows.append(here[codes])
        begin += len(pool)
    return Coded(np.concatenate([np.empty(0, np.int32), *rows]), merged.dictionary)


def _dictionary(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """int32 (n,) and the distinct values; -1 for null."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = (
            whole.chunk(0) if whole.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.large_string()))
        )
    codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return codes, whole.dictionary.cast(pa.large_string())


Texts: TypeAlias = Any  # pyarrow large_string, distinct


def pooled(pools: Sequence[Texts]) -> tuple[Texts, list[np.ndarray]]:
    """One pool of the texts of several, and for each of them where its texts stand there: int32 (texts,)."""
    merged = pa.chunked_array(list(pools), pa.large_string()).dictionary_encode().combine_chunks()
    if isinstance(merged, pa.ChunkedArray):
        return pa.array([], pa.large_string()), [np.empty(0, np.int32) for _ in pools]
    places = merged.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    edges = np.cumsum([0, *(len(pool) for pool in pools)])
    return merged.dictionary, [places[begin:end] for begin, end in pairwise(edges)]


def texts(values: Sequence[str]) -> Texts:
    """A list of texts."""
    return pa.array(list(values), pa.large_string())


def nothing(length: int) -> pa.ChunkedArray:
    """A column without a value."""
    return pa.chunked_array([pa.nulls(length, pa.string())])


def mapping(path: Path, name: str, value: str) -> dict[str, str]:
    """Two columns as a dictionary, both tidy."""
    read = read_text(path, [name, value])
    left, right = (
        tidy(read[each].combine_chunks().cast(pa.large_string())).to_pylist() for each in (name, value)
    )
    return {
        key: found for key, found in zip(left, right, strict=True) if key is not None and found is not None
    }


def tidy(values: pa.Array) -> pa.Array:
    """Lower case; all but letters, digits and @ is one blank between words, none around; nothing left is
    null."""
    text = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(values), r"[^\pL\pM\pN@]+", " "))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.large_string()), text)


def trimmed(values: pa.Array) -> pa.Array:
    """Without blanks around; nothing left is null."""
    text = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.large_string()), text)


def composed(values: pa.Array) -> pa.Array:
    """The same as `trimmed`, in composed letters (Unicode form C)."""
    return trimmed(pc.utf8_normalize(values, form="NFC"))


def large(values: pa.Array) -> pa.Array:
    """The same texts, as `code_points` and `utf8` take them."""
    return values.cast(pa.large_string())


def utf8(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """uint8, the UTF-8 bytes of all values one after another; int64 (values + 1,), where each begins."""
    if not len(values):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    starts = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
    whole = values.buffers()[2]
    found = np.frombuffer(whole, np.uint8)[starts[0] : starts[-1]] if whole else np.zeros(0, np.uint8)
    return found, starts - starts[0]


def from_utf8(found: np.ndarray, starts: np.ndarray) -> pa.Array:
    """The texts of `utf8`, from its uint8 (bytes,) and int64 (values + 1,)."""
    return pa.LargeStringArray.from_buffers(
        len(starts) - 1,
        pa.py_buffer(np.ascontiguousarray(starts, np.int64)),
        pa.py_buffer(np.ascontiguousarray(found)),
    )


def code_points(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """uint32, the code points of all values one after another; int64 (values + 1,), where each begins."""
    values = values.fill_null("")
    lengths = pc.utf8_length(values).to_numpy(zero_copy_only=False)
    utf8 = (
        bytes(memoryview(values.buffers()[2])[_span(values)]) if len(values) and values.buffers()[2] else b""
    )
    points = np.frombuffer(utf8.decode("utf-8").encode("utf-32-le"), np.uint32)
    return points, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _span(values: pa.Array) -> slice:
    offsets = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
    return slice(int(offsets[0]), int(offsets[-1]))


def release() -> None:
    """Give memory back to the system that nothing uses any more."""
    pa.default_memory_pool().release_unused()


def identifiers(
    columns: Sequence[tuple[Path, str | None]], begins: Sequence[int] | None = None, looked_at: bool = False
) -> pa.Array:
    """Names of the records of all tables, one after the other; the row number, from 1 or after `begins`,
    where a table has no column for them. `looked_at`: is it known that no table has a name twice?
    Raises `DataError` where a record has no name, or two have one."""
    parts = []
    for (path, name), begin in zip(columns, begins or [0] * len(columns), strict=True):
        if name is None:
            parts.append(pa.array(np.arange(begin + 1, begin + length(path) + 1)).cast(pa.string()))
            continue
        column = read_text(path, [name], repeated=False)[name]
        column = column.cast(pa.string()) if not pa.types.is_string(column.type) else column
        if column.null_count:
            raise DataError(
                path, f"{column.null_count} records have no {name}", "name another id column, or none"
            )
        repeated = 0 if looked_at else len(column) - pc.count_distinct(column).as_py()
        if repeated:
            raise DataError(
                path,
                f"{repeated} values of {name} are there more than once",
                "an id names one record: name another id column, or none",
            )
        parts += column.chunks
    return pa.chunked_array(parts, pa.string()).combine_chunks()


def labels(places: np.ndarray, names: Sequence[str]) -> pa.Array:
    """A column of few distinct texts, by their places: integers (n,)."""
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), pa.array(list(names)))


def with_gaps(values: np.ndarray, missing: np.ndarray) -> pa.Array:
    """A column of `values`, numbers (n,) of any dtype, that is null where `missing`, bool (n,)."""
    return pa.array(values, mask=missing)


def taken(column: pa.Array, places: np.ndarray) -> pa.Array:
    """The rows at `places`: integers (n,)."""
    return column.take(pa.array(places))


def write(frame: dict[str, object], path: Path) -> None:
    """Plain Parquet, whole or not at all."""
    with atomic(path) as beside:
        pq.write_table(pa.table(frame), beside, compression="zstd", compression_level=1, store_schema=False)


def stored(path: Path, names: Sequence[str], nulls: Sequence[str] = ("",)) -> pa.Table:
    """Columns as they are stored; those of a CSV file are texts. `nulls`: what stands for nothing in a CSV
    file; if that is more than an empty text, a text in quotes is none of them. Raises `DataError` where the
    table does not read."""
    with _reading(path):
        return _read(path, list(names), False, nulls)


def _read(path: Path, names: list[str], repeated: bool = True, nulls: Sequence[str] = ("",)) -> pa.Table:
    if path.suffix in _PARQUET:
        schema = pq.read_schema(path)
        kinds = {name: schema.field(name).type for name in names if repeated}
        texts = [
            name for name, kind in kinds.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)
        ]
        return pq.ParquetFile(path, read_dictionary=texts).read(columns=names, use_threads=False)
    kinds = dict.fromkeys(names, pa.string())
    convert = pa_csv.ConvertOptions(
        include_columns=names,
        column_types=kinds,
        strings_can_be_null=True,
        null_values=list(nulls),
        quoted_strings_can_be_null=len(nulls) == 1,
    )
    return pa_csv.read_csv(path, parse_options=dialect(path).options(), convert_options=convert)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.chunked_array(
            [pc.binary_join(chunk.cast(pa.list_(pa.string())), "\x1f") for chunk in column.chunks],
            pa.string(),
        )
    if pa.types.is_floating(kind):
        whole = pc.equal(pc.round(column), column)
        if pc.all(pc.fill_null(whole, True)).as_py() and (pc.max(pc.abs(column)).as_py() or 0) < 2**53:
            column = column.cast(pa.int64())
    return column.cast(pa.string())


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn a reader's complaint about `path` into one clear error, without what stands in the file."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(path, "is not there", "check the path") from None
    except IsADirectoryError:
        raise DataError(path, "is a folder", "name a CSV or Parquet file") from None
    except UNREADABLE:
        if path.is_dir():
            raise DataError(path, "is a folder", "name a CSV or Parquet file") from None
        kind = "Parquet" if path.suffix in _PARQUET else "CSV in UTF-8 with a line of column names"
        raise DataError(path, f"does not read as {kind}", "check the file") from None
