"""A table in memory: numpy arrays by column name, with `Category` for repeated text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.files.schemas import DAY_OPEN, NO_CATEGORY, Schema

_NUMPY = {
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "day": np.int32,
    "fixed": np.int64,
}


@dataclass(frozen=True)
class Category:
    """Repeated text. `labels`: str, ascending and distinct. `places`: int32 (n,), where each row's label
    stands among them, `NO_CATEGORY` if missing."""

    labels: tuple[str, ...]
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Any) -> Category:
        return Category(self.labels, self.places[rows])

    @staticmethod
    def of(labels: Sequence[str], places: np.ndarray) -> Category:
        """From labels in any order, and int32 (n,), where each row's stands: they are sorted, and those that
        no row uses are dropped."""
        places = np.asarray(places, np.int32)
        used = np.zeros(len(labels), bool)
        used[places[places >= 0]] = True
        kept = sorted({labels[int(i)] for i in np.flatnonzero(used)})
        place = {label: i for i, label in enumerate(kept)}
        target = np.array([place.get(label, NO_CATEGORY) for label in labels] + [NO_CATEGORY], np.int32)
        return Category(tuple(kept), target[places])

    @staticmethod
    def constant(label: str | None, n: int) -> Category:
        """The same label, or none, for all of `n` rows."""
        if label is None or n == 0:
            return Category((), np.full(n, NO_CATEGORY, np.int32))
        return Category((label,), np.zeros(n, np.int32))

    def decoded(self) -> list[str | None]:
        """One str for each row, None if missing."""
        return [self.labels[i] if i >= 0 else None for i in self.places]


Column = np.ndarray | Category
Frame = dict[str, Column]


def length(frame: Frame) -> int:
    """Rows of a frame."""
    return len(next(iter(frame.values()))) if frame else 0


def array(frame: Frame, name: str) -> np.ndarray:
    """One column as an array (n,) of its schema's dtype; of a category its places, int32 (n,)."""
    column = frame[name]
    return column.places if isinstance(column, Category) else column


def until_of(frame: Frame) -> np.ndarray:
    """The first day after each row's `end`: int32 (n,), `DAY_OPEN` where it has not ended."""
    end = np.asarray(frame["end"], np.int32)
    return np.where(end == DAY_OPEN, end, end + (end != DAY_OPEN)).astype(np.int32)


def take(frame: Frame, rows: Any) -> Frame:
    """The same columns at `rows`: positions, a mask or a slice."""
    return {name: column[rows] for name, column in frame.items()}


def empty(schema: Schema) -> Frame:
    """A frame of no rows."""
    return {
        name: Category((), np.empty(0, np.int32)) if kind == "category" else np.empty(0, dtype(kind))
        for name, kind in schema.items()
    }


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
        parts.append(target[column.places])
    return Category(tuple(labels), np.concatenate(parts) if parts else np.empty(0, np.int32))


def dtype(kind: str) -> Any:
    return np.dtype(f"S{kind[4:]}") if kind.startswith("text") else np.dtype(_NUMPY[kind])
