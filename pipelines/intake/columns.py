"""A block of delivered rows, read column by column into arrays; and the ledger of what is wrong with which
row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from kernels import text
from kernels.hashing import hash_rows
from pipelines.errors import ContractError
from pipelines.files.arrow import pa
from pipelines.files.schemas import DAY_UNKNOWN, VALUE_MISSING, VALUE_SCALE
from pipelines.intake.contract import AgreedColumn, AgreedTable

SEPARATOR = b"\x1f"
_LARGEST = 9e14  # beyond it a value does not fit fixed-point


@dataclass
class Ledger:
    """What is wrong with the rows of a block: the first fault that is found in a row counts.

    `reason`, `column`: int16 (n,), positions in the two lists, −1 where the row is good.
    """

    rows: int
    reasons: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reason = np.full(self.rows, -1, np.int16)
        self.column = np.full(self.rows, -1, np.int16)

    def mark(self, rows: np.ndarray, reason: str, column: str) -> None:
        """Give `rows` (bool (n,)) the reason, unless they have one."""
        new = rows & (self.reason < 0)
        if not new.any():
            return
        for found, names in ((reason, self.reasons), (column, self.columns)):
            if found not in names:
                names.append(found)
        self.reason[new] = self.reasons.index(reason)
        self.column[new] = self.columns.index(column)

    @property
    def good(self) -> np.ndarray:
        """bool (n,): rows without a fault."""
        return self.reason < 0


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a delivered file. `row`: int64 (n,), the number of each in its file, from 0.
    `decimal`: the sign in numbers."""

    where: str
    table: AgreedTable
    columns: dict[str, pa.Array]
    row: np.ndarray
    decimal: str

    def __len__(self) -> int:
        return len(self.row)

    def take(self, rows: np.ndarray) -> Block:
        """The same columns at `rows` (bool (n,))."""
        mask = pa.array(rows)
        return Block(
            self.where,
            self.table,
            {name: each.filter(mask) for name, each in self.columns.items()},
            self.row[rows],
            self.decimal,
        )

    def _agreed(self, name: str) -> AgreedColumn:
        return self.table.column(name)

    def _breach(self, name: str, kind: pa.DataType) -> ContractError:
        return ContractError(
            f"{self.where}: {name}",
            f"is a column of {kind} where the contract says {self._agreed(name).type}",
            _NEXT,
        )

    def empty(self, name: str) -> np.ndarray:
        """bool (n,): rows with nothing in the column."""
        column = self.columns[name]
        if _is_text(column.type) and not pa.types.is_dictionary(column.type):
            return pc.equal(pc.binary_length(column), 0).fill_null(True).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
        return ~_valid(column)

    # ---- readers -------------------------------------------------------------------------------------------

    def days(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A date column: int32 (n,), days since 1970-01-01, `DAY_UNKNOWN` where there is none that reads, and
        its state, int8 (n,) (`kernels.text`). ContractError: it holds no dates."""
        column = self.columns[name]
        kind = column.type
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            days = column.cast(pa.date32(), safe=False).cast(pa.int32())
            state = np.where(_valid(column), text.GOOD, text.EMPTY).astype(np.int8)
            return days.fill_null(DAY_UNKNOWN).to_numpy(zero_copy_only=False).astype(np.int32), state
        if not (_is_text(kind) or pa.types.is_null(kind)):
            raise self._breach(name, kind)
        layout = text.ISO if self._agreed(name).format == "yyyy-MM-dd" else text.COMPACT
        return text.read_days(*_buffers(column), layout)  # type: ignore[no-any-return]

    def fixed(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A number column as fixed-point: int64 (n,), in 1 / VALUE_SCALE, `VALUE_MISSING` where there is none
        that reads, and its state, int8 (n,) (`kernels.text`). ContractError: it holds no numbers."""
        column = self.columns[name]
        kind = column.type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            values = column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
            known = _valid(column) & ~np.isnan(values)
            fits = known & (np.abs(values) < _LARGEST)
            out = np.where(fits, np.rint(np.where(fits, values, 0.0) * VALUE_SCALE), 0).astype(np.int64)
            out[~fits] = VALUE_MISSING
            return out, np.where(fits, text.GOOD, np.where(known, text.BAD, text.EMPTY)).astype(np.int8)
        if not (_is_text(kind) or pa.types.is_null(kind)):
            raise self._breach(name, kind)
        return text.read_fixed(*_buffers(column), ord(self.decimal))  # type: ignore[no-any-return]

    def tokens(self, name: str, key: bytes) -> tuple[np.ndarray, np.ndarray]:
        """Tokens made by the sender: int64 (n,) and their state, int8 (n,) (`kernels.text`). `key`: 16 bytes,
        for those that are opaque."""
        return text.read_tokens(*_buffers(self.strings(name)), key)

    def strings(self, name: str) -> pa.Array:
        """A column as strings. ContractError: it holds something else."""
        column = self.columns[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_integer(column.type) or pa.types.is_null(column.type):
            return column.cast(pa.string())
        if not _is_text(column.type):
            raise self._breach(name, column.type)
        return column

    def upper(self, name: str, width: int) -> np.ndarray:
        """A text in upper case as fixed-width bytes: S{width} (n,), nothing but zeros where it is empty."""
        return (
            text.fixed_width(*_buffers(pc.utf8_upper(self.strings(name))), width)
            .view(f"S{width}")
            .reshape(-1)
        )

    def bytes(self, name: str, width: int = 0) -> np.ndarray:
        """A text as fixed-width bytes: S{w} (n,), as wide as its longest where `width` is 0."""
        data, offsets, valid = _buffers(self.strings(name))
        wide = width or max(1, int(np.diff(offsets).max(initial=1)))
        return text.fixed_width(data, offsets, valid, wide).view(f"S{wide}").reshape(-1)

    def category(self, name: str) -> tuple[list[str], np.ndarray]:
        """The distinct texts of a column without blanks around them, and for each row which, int32 (n,), −1
        if empty."""
        encoded = self.strings(name).dictionary_encode()
        labels = [(label or "").strip() for label in encoded.dictionary.to_pylist()]
        distinct = sorted(set(labels) - {""})
        place = {label: position for position, label in enumerate(distinct)}
        target = np.array([place.get(label, -1) for label in labels] + [-1], np.int32)
        return distinct, target[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]

    def mapped(self, name: str, values: dict[str, int], default: int) -> tuple[np.ndarray, np.ndarray]:
        """A column whose texts stand for whole numbers: int8 (n,), and bool (n,) where the text is not one of
        them."""
        labels, index = self.category(name)
        numbers = np.array([values.get(label, default) for label in labels] + [default], np.int8)
        strange = np.array([label not in values for label in labels] + [False])
        return numbers[index], strange[index]


_NEXT = "ask the sender for files that keep the contract, or agree on a new one"


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)


def _valid(column: pa.Array) -> np.ndarray:
    return column.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _buffers(column: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrow's own layout of a text column: data, offsets, valid."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    _, offsets, data = column.buffers()
    wide = np.int64 if pa.types.is_large_string(column.type) else np.int32
    n = len(column)
    if n == 0:
        return np.zeros(1, np.uint8), np.zeros(1, np.int64), np.zeros(0, bool)
    places = np.frombuffer(offsets, wide)[column.offset : column.offset + n + 1].astype(np.int64)
    content = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return content, places, _valid(column)


def keyed(source: str, references: np.ndarray, key: bytes) -> np.ndarray:
    """Keyed hash of the source's name and its own reference: int64 (n,). `references`: fixed-width bytes
    (n,)."""
    prefix = source.encode() + SEPARATOR
    width = references.dtype.itemsize
    rows = np.empty((len(references), len(prefix) + width), np.uint8)
    rows[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    rows[:, len(prefix) :] = np.ascontiguousarray(references).view(np.uint8).reshape(len(references), width)
    return hash_rows(rows, key)
