"""Delivered files in the shapes that sources send, read in blocks of rows. What breaks the contract is one
`ContractError`."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pipelines.errors import ContractError
from pipelines.intake.columns import Block
from pipelines.intake.contract import AgreedTable, Contract

BLOCK = 2_000_000  # rows that are read together; part of what the result means, so no setting
MOST_COLUMNS = 4_000
MOST_BYTES = 1 << 40  # that a Parquet file may unpack to, and how many times its own size
MOST_TIMES = 2_000
MOST_TEXT = 1 << 30  # bytes of one column in 2^18 rows
_NEXT = "ask the sender to deliver it again"


def blocks(contract: Contract, table: AgreedTable, path: Path, ragged: list[int]) -> Iterator[Block]:
    """The file's rows in blocks. `ragged` is filled with the numbers of rows that have too few or too many
    fields and are in no block."""
    if path.stat().st_size == 0:
        raise ContractError(path.name, "is empty: it has not even a first line", _NEXT)
    try:
        if path.suffix == ".parquet":
            yield from _parquet(contract, table, path)
        else:
            yield from _csv(contract, table, path, ragged)
    except (pa.ArrowException, OSError) as fault:
        raise ContractError(path.name, _said(fault, contract), _NEXT) from None


def _said(fault: Exception, contract: Contract) -> str:
    """What a reader's complaint means, without the values that it may quote."""
    return (
        f"is not text in {contract.encoding}"
        if "UTF8" in str(fault)
        else "is truncated, damaged or of another format than agreed"
    )


def _check(path: Path, table: AgreedTable, names: list[str]) -> list[str]:
    for column in table.columns:
        if column.name not in names:
            raise ContractError(path.name, f"the column {column.name} is missing", _NEXT)
    return [column.name for column in table.columns]


def _csv(contract: Contract, table: AgreedTable, path: Path, ragged: list[int]) -> Iterator[Block]:
    _decode(contract, path)
    wanted = _check(path, table, _header(contract, path))

    def skip(row: pa.csv.InvalidRow) -> str:
        ragged.append(row.number - 2 if row.number is not None else -1)  # the header is row 1
        return "skip"

    options = {
        "read_options": pa.csv.ReadOptions(
            use_threads=False, encoding=_plain(contract.encoding), block_size=1 << 24
        ),
        "parse_options": pa.csv.ParseOptions(
            delimiter=contract.delimiter, invalid_row_handler=skip, newlines_in_values=False
        ),
        "convert_options": pa.csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    }
    try:
        reader = pa.csv.open_csv(path, **options)
    except pa.ArrowInvalid as fault:
        if "Empty CSV" not in str(fault):
            raise
        return
    read = 0
    for batches in _gathered(iter(reader)):
        rows = pa.Table.from_batches(batches)
        last = read + len(rows) + len(ragged)
        number = np.setdiff1d(np.arange(read, last), np.array(ragged, np.int64), assume_unique=True)[
            : len(rows)
        ]
        read = int(number[-1]) + 1 if len(number) else read
        yield _block(contract, table, path, rows, number)


def _plain(encoding: str) -> str:
    return "utf8" if encoding.lower().replace("-", "").replace("_", "") == "utf8" else encoding


def _decode(contract: Contract, path: Path) -> None:
    """Read the file once to know that all of it is text: the reader of rows would say so too late, and quote
    what it found."""
    if not _is_text(path, contract.encoding):
        raise ContractError(path.name, f"is not text in {contract.encoding}", _NEXT)
    # Every file is text in an encoding of single bytes; beyond ASCII, few are UTF-8 by chance.
    if _plain(contract.encoding) != "utf8" and not _is_text(path, "ascii") and _is_text(path, "utf-8"):
        what = f"is text in UTF-8, where {contract.encoding} was agreed"
        raise ContractError(path.name, what, "agree on UTF-8 in the contract, or have it delivered as agreed")


def _is_text(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as source:
            while piece := source.read(1 << 24):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _header(contract: Contract, path: Path) -> list[str]:
    with path.open("rb") as source:
        line = source.readline(1 << 20)
    encoding = "utf-8-sig" if _plain(contract.encoding) == "utf8" else contract.encoding
    try:
        names = next(csv.reader([line.decode(encoding).rstrip("\r\n")], delimiter=contract.delimiter), [])
    except csv.Error:
        raise ContractError(path.name, "its first line does not read", _NEXT) from None
    if len(names) > MOST_COLUMNS:
        raise ContractError(path.name, f"has more than {MOST_COLUMNS:,} columns", _NEXT)
    if len(set(names)) < len(names):
        raise ContractError(path.name, "two of its columns have the same name", _NEXT)
    return names


def _parquet(contract: Contract, table: AgreedTable, path: Path) -> Iterator[Block]:
    with pq.ParquetFile(path, memory_map=True) as source:
        _bounded(path, source.metadata)
        wanted = _check(path, table, source.schema_arrow.names)
        texts = [name for name in wanted if _is_string(source.schema_arrow.field(name).type)]
    # A text that stands once in a file can stand for a million rows of it: count before it is written out.
    with pq.ParquetFile(path, memory_map=True, read_dictionary=texts) as source:
        read = 0
        batches = source.iter_batches(batch_size=1 << 18, columns=wanted, use_threads=False)
        for gathered in _gathered(_written_out(path, each) for each in batches):
            rows = pa.Table.from_batches(gathered)
            yield _block(contract, table, path, rows, np.arange(read, read + len(rows)))
            read += len(rows)


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _written_out(path: Path, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its texts as texts. Raises `ContractError` where they would fill more than MOST_TEXT."""
    columns = []
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            each = pc.take(pc.binary_length(column.dictionary), column.indices)
            if (pc.sum(each).as_py() or 0) > MOST_TEXT:
                what = f"holds texts that unpack to more than {MOST_TEXT >> 30} GiB in {len(column):,} rows"
                raise ContractError(path.name, what, "ask the sender for a file with shorter texts")
            column = column.cast(column.type.value_type)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _bounded(path: Path, said: pq.FileMetaData) -> None:
    """Raises `ContractError` for a file that says of itself that it unpacks to what no honest one does."""
    if said.num_columns > MOST_COLUMNS:
        raise ContractError(path.name, f"has more than {MOST_COLUMNS:,} columns", _NEXT)
    size, groups = path.stat().st_size, [said.row_group(number) for number in range(said.num_row_groups)]
    unpacked = sum(max(0, each.total_byte_size) for each in groups)
    rows = sum(max(0, each.num_rows) for each in groups)
    if unpacked > min(MOST_BYTES, MOST_TIMES * size) or rows > MOST_TIMES * 8 * size:
        what = f"says that its {size:,} bytes unpack to {unpacked:,} and {rows:,} rows"
        raise ContractError(path.name, what, "ask the sender for files that hold what they say")


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches cut and gathered into blocks of `BLOCK` rows, the last one shorter."""
    waiting: list[pa.RecordBatch] = []
    held = 0
    for each in batches:
        batch = each
        while held + len(batch) >= BLOCK:
            yield [*waiting, batch.slice(0, BLOCK - held)]
            batch, waiting, held = batch.slice(BLOCK - held), [], 0
        if len(batch):
            waiting.append(batch)
            held += len(batch)
    if waiting:
        yield waiting


def _block(contract: Contract, table: AgreedTable, path: Path, rows: pa.Table, number: np.ndarray) -> Block:
    columns = {}
    for column in table.columns:
        chunks = rows[column.name]
        columns[column.name] = chunks.chunk(0) if chunks.num_chunks == 1 else _whole(chunks)
    return Block(path.name, table, columns, number.astype(np.int64), contract.agreement.decimal)


def _whole(chunks: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(chunks.type):
        chunks = chunks.cast(chunks.type.value_type)
    combined = chunks.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
