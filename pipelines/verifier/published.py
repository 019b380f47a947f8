"""The tables that `uttag protect` published, as anybody can read them."""

from __future__ import annotations

import csv
import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipelines.verifier.tables import Axis, PublishedTable


def published(
    folder: Path, about: dict[str, Any], decimals: int = 0, status: str = "shown"
) -> PublishedTable:
    """A table as its CSV has it, in units of its last decimal.

    Raises ValueError where its cells are not those announced, in their order, or a status does not say
    whether there is a value.
    """
    axes = tuple(
        Axis(each["name"], tuple(each["codes"]), tuple(each["parents"])) for each in about["dimensions"]
    )
    with (folder / f"{about['table']}.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    grid = places(axes)
    for number, axis in enumerate(axes):
        if [row[axis.name] for row in rows] != [axis.codes[place] for place in grid[:, number]]:
            raise ValueError("the cells are not those announced")
    hidden = np.array([row["status"] == "hidden" for row in rows])
    if any(
        (row["value"] == "") != gone or row["status"] not in ("hidden", status)
        for row, gone in zip(rows, hidden, strict=True)
    ):
        raise ValueError("a status does not say whether there is a value")
    values = np.array([_whole(row["value"] or "0", decimals) for row in rows], np.int64)
    return PublishedTable(
        name=about["table"],
        population="",
        axes=axes,
        measures={"persons": values},
        hidden=hidden,
        additive={"persons": (True,) * len(axes)},
        at_least=(),
    )


def _whole(text: str, decimals: int) -> int:
    number = Decimal(text).scaleb(decimals)
    if number != number.to_integral_value():
        raise ValueError("a value has more decimals than are announced")
    return int(number)


def whole(folder: Path, files: dict[str, str]) -> bool:
    """Has every file the digest that the proof names, and is there no other table beside them?"""
    tables = {path.name for kind in ("csv", "parquet") for path in folder.glob(f"*.{kind}")}
    return tables == set(files) and all(
        hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in files.items()
    )


def same(folder: Path, table: PublishedTable, decimals: int = 0) -> bool:
    """Does the Parquet file hold what the CSV holds?"""
    stored, grid = pq.read_table(folder / f"{table.name}.parquet"), places(table.axes)
    values = [value / 10**decimals if decimals else value for value in table.measures["persons"].tolist()]
    shown = [None if gone else value for value, gone in zip(values, table.hidden.tolist(), strict=True)]
    return stored["value"].to_pylist() == shown and all(
        stored[axis.name].to_pylist() == [axis.codes[place] for place in grid[:, number]]
        for number, axis in enumerate(table.axes)
    )


def large_enough(table: PublishedTable, minimum: np.ndarray, open_zeros: bool) -> bool:
    """Is every value that is shown at least its minimum, or an open 0? `minimum`: int64 (cells,)."""
    shown, least = table.measures["persons"][~table.hidden], minimum[~table.hidden]
    return not ((shown < least) & ((shown > 0) | (not open_zeros))).any()


def minima(table: PublishedTable, policy: dict[str, Any]) -> np.ndarray:
    """Fewest persons that each cell may show by what anybody can read, int64 (cells,)."""
    least, grid = np.full(len(table.hidden), int(policy["minimum"]), np.int64), places(table.axes)
    for name, specials in policy.get("special", {}).items():
        for number, axis in enumerate(table.axes):
            for special in specials if axis.name == name else ():
                chosen = np.zeros(len(axis.codes), bool)
                for place, code in enumerate(axis.codes[1:], start=1):
                    chosen[place] = code in special["codes"] or chosen[axis.parents[place]]
                least = np.where(chosen[grid[:, number]], np.maximum(least, int(special["minimum"])), least)
    return least


def places(axes: tuple[Axis, ...]) -> np.ndarray:
    """Position of each cell on each axis, int64 (cells, axes)."""
    return np.indices([len(axis.codes) for axis in axes]).reshape(len(axes), -1).T
