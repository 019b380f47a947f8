"""Measured values in one unit: how many, their sum and that of their squares, or how many in each class.

Values are whole numbers of ten-thousandths. What is of another unit, missing, or beyond the range that the
permit believes is never added: a table of classes shows it as a class of its own, a table of sums leaves it
out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipelines.cubes.cube import TOTAL, Dimension
from pipelines.errors import DataError
from pipelines.files.frames import Category, Frame, take
from pipelines.files.schemas import VALUE_MISSING, VALUE_SCALE
from pipelines.site.permit import Table

_MOST = 2**62


def grid(table: Table) -> tuple[Dimension, ...]:
    """Classes of values, if any are asked for."""
    if not table.classes or table.range is None:
        return ()
    ends = [table.range[0], *table.classes, table.range[1]]
    pairs = [(_text(low), _text(high)) for low, high in pairwise(ends)]
    labels = [f"{low} to under {high}" for low, high in pairs[:-1]] + [f"{pairs[-1][0]} to {pairs[-1][1]}"]
    classes = Dimension(
        name="class",
        title=f"Value, {table.unit}",
        codes=("", *(f"{low}-{high}" for low, high in pairs), "unusable"),
        labels=(TOTAL, *labels, "Other unit, no value or beyond belief"),
        parents=(-1, *[0] * (len(pairs) + 1)),
        levels=(TOTAL, "class"),
        role="classes",
        values=(*(fixed(end) for end in ends), 0),
        about=table.unit or "",
    )
    return (classes,)


@dataclass(frozen=True)
class Found:
    """Values that the table counts. `before`: their positions in `grid`. `rounded`: int64 (n,), in parts of
    the table's decimals."""

    events: Frame
    before: tuple[np.ndarray, ...]
    rounded: np.ndarray
    table: str

    def amounts(self, measures: Iterable[str]) -> dict[str, np.ndarray]:
        """What each row adds to each measure but persons, int64 (n,). Raises `DataError` where a sum could be
        too large to hold."""
        out = {}
        highest = int(self.rounded.max(initial=0))
        for name, most, of in (
            ("values", 1, np.ones_like),
            ("sum", highest, np.copy),
            ("squares", highest**2, np.square),
        ):
            if name not in measures:
                continue
            if most * len(self.rounded) > _MOST:
                raise DataError(
                    f"table {self.table}: {name}",
                    "is a number too large to be held exactly",
                    "ask for fewer decimals, or a narrower range",
                )
            out[name] = of(self.rounded)
        return out


def of_events(table: Table, events: Frame) -> Found:
    """The values of such events (by person and start): of each person all, or the first that is counted."""
    value, able = np.asarray(events["value"]), usable(events, table.unit, table.range)
    rows = np.arange(len(value)) if table.classes else np.flatnonzero(able)
    if table.first:
        rows = rows[np.diff(np.asarray(events["person"])[rows], prepend=-1) != 0]
    value, able = value[rows], able[rows]
    before: tuple[np.ndarray, ...] = ()
    if table.classes:
        inner = np.array([fixed(each) for each in table.classes], np.int64)
        before = (
            np.where(able, np.searchsorted(inner, value, "right") + 1, len(inner) + 2).astype(np.int32),
        )
    return Found(take(events, rows), before, _rounded(np.where(able, value, 0), table.decimals), table.table)


def usable(events: Frame, wanted: str | None, believed: tuple[float, float] | None) -> np.ndarray:
    """Is there a value, in the unit that is wanted and within the range that is believed? bool (n,)."""
    value, unit = np.asarray(events["value"]), events["unit"]
    low, high = (fixed(each) for each in believed or (0.0, 0.0))
    right = np.zeros(len(value), bool)
    if isinstance(unit, Category) and wanted in unit.labels:
        right = unit.places == unit.labels.index(wanted)
    return right & (value != VALUE_MISSING) & (value >= low) & (value <= high)


def fixed(number: float) -> int:
    """A value in ten-thousandths."""
    return round(number * VALUE_SCALE)


def _text(number: float) -> str:
    return f"{number:.4f}".rstrip("0").rstrip(".")


def _rounded(value: np.ndarray, decimals: int) -> np.ndarray:
    """Ten-thousandths, none below 0, as parts of `decimals`, halves up."""
    step = VALUE_SCALE // 10**decimals
    return value // step + (value % step * 2 >= step)
