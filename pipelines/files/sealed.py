"""The only door to sealed tables: encrypted Parquet whose columns stand in `schemas`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.files import sealing
from pipelines.files.arrow import pa
from pipelines.files.atomic import atomic
from pipelines.files.frames import Category, Column, Frame, dtype, length, take
from pipelines.files.schemas import NO_CATEGORY, Schema
from pipelines.files.sealing import Zone

_ABOUT = "about"
PART: int = 1 << 16  # rows that are read together of a file with raw columns


def write(
    frame: Frame, path: Path, schema: Schema, zone: Zone, raw: Sequence[str] = (), about: str = ""
) -> None:
    """Write `frame` to `path`, sealed with the zone's key, whole or not at all. `raw`: columns of numbers to
    be read fast, and not compressed; `Parts` can read some rows of such a file. `about`: a text that is
    sealed with it."""
    table = pa.table({name: _to_arrow(frame[name], kind) for name, kind in schema.items()})
    squeezed = [name for name in schema if name not in raw]
    with (
        atomic(path) as beside,
        zone.unlocked() as properties,
        pq.ParquetWriter(
            beside,
            table.schema,
            compression={name: "zstd" if name in squeezed else "none" for name in schema},
            compression_level=dict.fromkeys(squeezed, 1) or None,
            store_schema=False,
            write_statistics=False,
            use_dictionary=[name for name in squeezed if raw or schema[name] == "category"],
            encryption_properties=properties.for_writing(schema),
        ) as writer,
    ):
        writer.write_table(table, row_group_size=PART if raw else 1 << 22)
        if about:
            writer.add_key_value_metadata({_ABOUT: about})


def read(path: Path, schema: Schema, zone: Zone, columns: Iterable[str] | None = None) -> Frame:
    """Read `columns` (all by default) of `path` with the zone's key."""
    names = list(columns) if columns is not None else list(schema)
    with _opened(path, schema, zone, names) as file:
        return _frame(path, file.read(columns=names, use_threads=False), schema, names)


def about(path: Path, zone: Zone) -> str:
    """The text that was sealed with the numbers of `path`, or nothing."""
    with reading(path), zone.unlocked() as properties:
        file = pq.ParquetFile(pa.BufferReader(_bytes(path)), decryption_properties=properties.for_reading())
        return ((file.metadata.metadata or {}).get(_ABOUT.encode()) or b"").decode()


class Parts:
    """A file with raw columns, opened once, of which some rows are read at a time."""

    def __init__(self, path: Path, schema: Schema, zone: Zone) -> None:
        self._path, self._schema = path, schema
        with _opened(path, schema, zone, list(schema)) as self._file:
            pass

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def rows(self, columns: Iterable[str], rows: np.ndarray) -> Frame:
        """`columns` at `rows`: int64 (n,), in any order."""
        parts, place = np.unique(rows // PART, return_inverse=True)
        return take(self._read(parts.tolist(), columns), place * PART + rows % PART)

    def spans(self, columns: Iterable[str], spans: Sequence[tuple[int, int]]) -> Frame:
        """`columns` of rows from the first of each span to before its end, one span after another; `spans`:
        ascending, none empty."""
        parts = sorted({part for begin, end in spans for part in range(begin // PART, (end - 1) // PART + 1)})
        frame, place = self._read(parts, columns), {part: number for number, part in enumerate(parts)}
        rows = [
            slice(begin - move, end - move)
            for begin, end in spans
            for move in ((begin // PART - place[begin // PART]) * PART,)
        ]
        if len(rows) == 1:
            return take(frame, rows[0])
        return take(
            frame,
            np.concatenate([np.empty(0, np.int64), *(np.arange(each.start, each.stop) for each in rows)]),
        )

    def _read(self, parts: list[int], columns: Iterable[str]) -> Frame:
        names = list(columns)
        with reading(self._path):
            return _frame(
                self._path,
                self._file.read_row_groups(parts, columns=names, use_threads=False),
                self._schema,
                names,
            )


class HeldParts:
    """A frame in memory, read as `Parts` is."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return length(self._frame)

    def rows(self, columns: Iterable[str], rows: np.ndarray) -> Frame:
        """See `Parts`: `columns` at `rows`, int64 (n,)."""
        return take({name: self._frame[name] for name in columns}, rows)

    def spans(self, columns: Iterable[str], spans: Sequence[tuple[int, int]]) -> Frame:
        """As `Parts.spans`."""
        rows = np.concatenate([np.empty(0, np.int64), *(np.arange(begin, end) for begin, end in spans)])
        return self.rows(columns, rows)


@contextlib.contextmanager
def _opened(path: Path, schema: Schema, zone: Zone, names: Sequence[str]) -> Iterator[pq.ParquetFile]:
    with reading(path), zone.unlocked() as properties:
        yield pq.ParquetFile(
            pa.BufferReader(_bytes(path)),
            decryption_properties=properties.for_reading(),
            read_dictionary=[name for name in names if schema[name] == "category"],
        )


def _frame(path: Path, table: pa.Table, schema: Schema, names: Sequence[str]) -> Frame:
    if missing := set(names) - set(table.column_names):
        raise DataError(
            path,
            f"column {sorted(missing)[0]} is missing",
            "rebuild the file by running the same command again",
        )
    return {name: _from_arrow(table[name], schema[name]) for name in names}


def _bytes(path: Path) -> pa.Buffer:
    with pa.memory_map(str(path)) as source:
        return source.read_buffer()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn a reader's complaint about `path` into one clear error: `DataError`, or that of its key."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(path, "is not there", "run the stage that makes it again") from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as fault:
        raise sealing.explain(path, fault) from None


def _to_arrow(column: Column, kind: str) -> pa.Array:
    if isinstance(column, Category):
        index = pa.array(column.places, pa.int32(), mask=column.places < 0)
        return pa.DictionaryArray.from_arrays(index, pa.array(column.labels, pa.string()))
    if kind.startswith("text"):
        return pa.array(np.ascontiguousarray(column, dtype(kind)), pa.binary())
    return pa.array(np.ascontiguousarray(column, dtype(kind)))


def _from_arrow(column: pa.ChunkedArray, kind: str) -> Column:
    if kind == "category":
        return _category(column)
    if kind.startswith("text"):
        return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype=dtype(kind))
    return column.to_numpy().astype(dtype(kind), copy=False)


def _category(column: pa.ChunkedArray) -> Category:
    chunk = column.unify_dictionaries().combine_chunks()
    if isinstance(chunk, pa.ChunkedArray):
        chunk = chunk.chunk(0) if chunk.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.string()))
    if not pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_encode()
    index = chunk.indices.fill_null(NO_CATEGORY).to_numpy(zero_copy_only=False).astype(np.int32)
    labels = chunk.dictionary
    ascending = (
        len(labels) < 2 or pc.all(pc.less(labels[:-1], labels[1:])).as_py()
    )  # UTF-8 sorts as its code points do
    if ascending and np.bincount(index[index >= 0], minlength=len(labels)).all():
        return Category(tuple(labels.to_pylist()), index)
    return Category.of(labels.to_pylist(), index)
