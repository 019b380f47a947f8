"""The only door to files: encrypted Parquet whose columns stand in `schemas`, content hashes, and writes that are whole or absent.

A table in memory is a `Frame`: numpy arrays by column name, with `Category` for repeated text.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import sealing
from pipelines.errors import DataError, LockedError, SpaceError
from pipelines.schemas import NO_CATEGORY, Schema
from pipelines.sealing import Zone

_NUMPY = {"int8": np.int8, "int16": np.int16, "int32": np.int32, "int64": np.int64, "day": np.int32, "fixed": np.int64}


@dataclass(frozen=True)
class Category:
    """Repeated text. `labels`: str, ascending and distinct. `index`: int32 (n,), `NO_CATEGORY` if missing."""

    labels: tuple[str, ...]
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Any) -> Category:
        return Category(self.labels, self.index[rows])

    @staticmethod
    def of(labels: Sequence[str], index: np.ndarray) -> Category:
        """From labels in any order: they are sorted, and those that no row uses are dropped."""
        index = np.asarray(index, np.int32)
        used = np.zeros(len(labels), bool)
        used[index[index >= 0]] = True
        kept = sorted({labels[int(i)] for i in np.flatnonzero(used)})
        place = {label: i for i, label in enumerate(kept)}
        target = np.array([place.get(label, NO_CATEGORY) for label in labels] + [NO_CATEGORY], np.int32)
        return Category(tuple(kept), target[index])

    @staticmethod
    def constant(label: str | None, n: int) -> Category:
        """The same label, or none, for all of `n` rows."""
        if label is None or n == 0:
            return Category((), np.full(n, NO_CATEGORY, np.int32))
        return Category((label,), np.zeros(n, np.int32))

    def decoded(self) -> list[str | None]:
        """One str for each row, None if missing."""
        return [self.labels[i] if i >= 0 else None for i in self.index]


Column = np.ndarray | Category
Frame = dict[str, Column]


def length(frame: Frame) -> int:
    """Rows of a frame."""
    return len(next(iter(frame.values()))) if frame else 0


def array(frame: Frame, name: str) -> np.ndarray:
    """One column as an array; of a category its positions."""
    column = frame[name]
    return column.index if isinstance(column, Category) else column


def take(frame: Frame, rows: Any) -> Frame:
    """The same columns at `rows`: positions, a mask or a slice."""
    return {name: column[rows] for name, column in frame.items()}


def empty(schema: Schema) -> Frame:
    """A frame of no rows."""
    return {name: Category((), np.empty(0, np.int32)) if kind == "category" else np.empty(0, _dtype(kind)) for name, kind in schema.items()}


def concat(frames: Sequence[Frame], schema: Schema) -> Frame:
    """Frames of one schema, one after the other."""
    if not frames:
        return empty(schema)
    out: Frame = {}
    for name, kind in schema.items():
        columns = [frame[name] for frame in frames]
        out[name] = _concat_categories(columns) if kind == "category" else np.concatenate(columns)  # type: ignore[arg-type]
    return out


def _concat_categories(columns: Sequence[Any]) -> Category:
    labels = sorted(set().union(*(column.labels for column in columns)))
    place = {label: i for i, label in enumerate(labels)}
    parts = []
    for column in columns:
        target = np.array([place[label] for label in column.labels] + [NO_CATEGORY], np.int32)
        parts.append(target[column.index])
    return Category(tuple(labels), np.concatenate(parts) if parts else np.empty(0, np.int32))


def _dtype(kind: str) -> Any:
    return np.dtype(f"S{kind[4:]}") if kind.startswith("text") else np.dtype(_NUMPY[kind])


# ---- encrypted Parquet ------------------------------------------------------------------------------------------------------


PART: int = 1 << 16  # rows that are read together of a file with raw columns


def write(frame: Frame, path: Path, schema: Schema, zone: Zone, raw: Sequence[str] = ()) -> None:
    """Write `frame` to `path`, sealed with the zone's key, whole or not at all. `raw`: columns of numbers to be read fast, and not
    compressed; `Parts` can read some rows of such a file."""
    table = pa.table({name: _to_arrow(frame[name], kind) for name, kind in schema.items()})
    squeezed = [name for name in schema if name not in raw]
    with atomic(path) as beside, zone.unlocked() as properties:
        pq.write_table(
            table, beside, compression={name: "zstd" if name in squeezed else "none" for name in schema},
            compression_level=dict.fromkeys(squeezed, 1) or None, store_schema=False, write_statistics=False,
            use_dictionary=[name for name in squeezed if raw or schema[name] == "category"],
            encryption_properties=properties.for_writing(schema), row_group_size=PART if raw else 1 << 22,
        )  # fmt: skip


def read(path: Path, schema: Schema, zone: Zone, columns: Iterable[str] | None = None) -> Frame:
    """Read `columns` (all by default) of `path` with the zone's key."""
    names = list(columns) if columns is not None else list(schema)
    with _opened(path, schema, zone, names) as file:
        return _frame(path, file.read(columns=names, use_threads=False), schema, names)


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
        """`columns` of rows from the first of each span to before its end, one span after another; `spans`: ascending, none empty."""
        parts = sorted({part for begin, end in spans for part in range(begin // PART, (end - 1) // PART + 1)})
        frame, place = self._read(parts, columns), {part: number for number, part in enumerate(parts)}
        rows = [slice(begin - move, end - move) for begin, end in spans for move in ((begin // PART - place[begin // PART]) * PART,)]
        if len(rows) == 1:
            return take(frame, rows[0])
        return take(frame, np.concatenate([np.empty(0, np.int64), *(np.arange(each.start, each.stop) for each in rows)]))

    def _read(self, parts: list[int], columns: Iterable[str]) -> Frame:
        names = list(columns)
        with reading(self._path):
            return _frame(self._path, self._file.read_row_groups(parts, columns=names, use_threads=False), self._schema, names)


class HeldParts:
    """A frame in memory, read as `Parts` is."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return length(self._frame)

    def rows(self, columns: Iterable[str], rows: np.ndarray) -> Frame:
        """As `Parts.rows`."""
        return take({name: self._frame[name] for name in columns}, rows)

    def spans(self, columns: Iterable[str], spans: Sequence[tuple[int, int]]) -> Frame:
        """As `Parts.spans`."""
        rows = np.concatenate([np.empty(0, np.int64), *(np.arange(begin, end) for begin, end in spans)])
        return self.rows(columns, rows)


@contextlib.contextmanager
def _opened(path: Path, schema: Schema, zone: Zone, names: Sequence[str]) -> Iterator[pq.ParquetFile]:
    with reading(path), zone.unlocked() as properties:
        yield pq.ParquetFile(
            pa.BufferReader(_bytes(path)), decryption_properties=properties.for_reading(),
            read_dictionary=[name for name in names if schema[name] == "category"],
        )  # fmt: skip


def _frame(path: Path, table: pa.Table, schema: Schema, names: Sequence[str]) -> Frame:
    if missing := set(names) - set(table.column_names):
        raise DataError(path, f"column {sorted(missing)[0]} is missing", "rebuild the file by running the same command again")
    return {name: _from_arrow(table[name], schema[name]) for name in names}


def _bytes(path: Path) -> pa.Buffer:
    with pa.memory_map(str(path)) as source:
        return source.read_buffer()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn a reader's complaint about `path` into one clear error."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(path, "is not there", "run the stage that makes it again") from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as fault:
        raise sealing.explain(path, fault) from None


def _to_arrow(column: Column, kind: str) -> pa.Array:
    if isinstance(column, Category):
        index = pa.array(column.index, pa.int32(), mask=column.index < 0)
        return pa.DictionaryArray.from_arrays(index, pa.array(column.labels, pa.string()))
    if kind.startswith("text"):
        return pa.array(np.ascontiguousarray(column, _dtype(kind)), pa.binary())
    return pa.array(np.ascontiguousarray(column, _dtype(kind)))


def _from_arrow(column: pa.ChunkedArray, kind: str) -> Column:
    if kind == "category":
        return _category(column)
    if kind.startswith("text"):
        return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype=_dtype(kind))
    return column.to_numpy().astype(_dtype(kind), copy=False)


def _category(column: pa.ChunkedArray) -> Category:
    chunk = column.unify_dictionaries().combine_chunks()
    if isinstance(chunk, pa.ChunkedArray):
        chunk = chunk.chunk(0) if chunk.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.string()))
    if not pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_encode()
    index = chunk.indices.fill_null(NO_CATEGORY).to_numpy(zero_copy_only=False).astype(np.int32)
    labels = chunk.dictionary
    ascending = len(labels) < 2 or pc.all(pc.less(labels[:-1], labels[1:])).as_py()  # UTF-8 sorts as its code points do
    if ascending and np.bincount(index[index >= 0], minlength=len(labels)).all():
        return Category(tuple(labels.to_pylist()), index)
    return Category.of(labels.to_pylist(), index)


# ---- content hashes ---------------------------------------------------------------------------------------------------------


def content_hash(frame: Frame, schema: Schema) -> str:
    """Hex digest of decoded content: the same for equal rows however they are stored or encrypted."""
    digest = hashlib.blake2b(digest_size=20)
    for name, kind in schema.items():
        column = frame[name]
        digest.update(f"{name}:{kind}:{len(column)};".encode())
        if isinstance(column, Category):
            column = Category.of(column.labels, column.index)
            digest.update(json.dumps(column.labels).encode())
            digest.update(np.ascontiguousarray(column.index, "<i4").data)
        else:
            digest.update(np.ascontiguousarray(column, _dtype(kind)).data)
    return digest.hexdigest()


def digest(*parts: object) -> str:
    """Hex digest of plain values that JSON can hold, in the order given."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=20).hexdigest()


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


# ---- whole or absent --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A name of this attempt's own to write to; renamed to `path` when the block ends well, removed when it does not."""
    handle = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
    except OSError as fault:
        raise space_or(fault, path) from None
    try:
        yield Path(beside)
        with Path(beside).open("rb+") as written:
            os.fsync(written.fileno())
        Path(beside).replace(path)
    except OSError as fault:
        raise space_or(fault, path) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(beside).unlink()


@contextlib.contextmanager
def locked(lock: Path, place: Path | str, what: str, then: str) -> Iterator[None]:
    """`place` is ours until the block ends or this process dies, however it dies. Raises `LockedError` (`what`, `then`) if it is not."""
    lock.touch(mode=0o600)
    with lock.open("rb+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LockedError(place, what, then) from None
        yield


def space_or(fault: OSError, path: Path) -> Exception:
    """A `SpaceError` where a write failed for want of room, else the fault itself."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in str(fault):
        return SpaceError(path, "there is no room to write it", "free some space and run the same command again")
    return fault


def write_json(value: object, path: Path) -> None:
    """Write JSON with sorted keys, whole or not at all."""
    with atomic(path) as beside:
        beside.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(path, "is not there", "run the stage that makes it again") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise DataError(path, "is not JSON", "restore it, or remove it and run the same command again") from None


def read_object(path: Path, *names: str) -> dict[str, Any]:
    """Read a JSON object that has at least `names`; a file of another shape is told so like one that is no JSON."""
    value = read_json(path)
    if not isinstance(value, dict) or (missing := [name for name in names if name not in value]):
        what = f"says no {missing[0]}" if isinstance(value, dict) else "does not hold names and values"
        raise DataError(path, what, "restore it, or remove it and run the same command again")
    return value


def canonical_json(value: object) -> bytes:
    """The one way to write a value as JSON bytes, for signing and hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
