"""The tables that `uttag protect` published, as anybody can read them."""

from __future__ import annotations

import csv
import hashlib
import json
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


def whole(folder: Path, proof: dict[str, Any]) -> bool:
    """Has every file the digest that the proof names, are these the tables that it describes, each once, and
    is there no other table beside them?"""
    files, kinds = proof["files"], ("csv", "parquet")
    tables = {path.name for kind in kinds for path in folder.glob(f"*.{kind}")}
    said = [f"{about['table']}.{kind}" for about in proof["tables"] for kind in kinds]
    return sorted(said) == sorted(tables) == sorted(files) and all(
        hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in files.items()
    )


def certificate_is_of(folder: Path) -> bool:
    """Was the certificate that lies in a folder written for the proof that lies there, byte for byte?"""
    said = json.loads((folder / "certificate" / "of.json").read_text(encoding="utf-8"))["proof"]
    return bool(said == hashlib.sha256((folder / "proof.json").read_bytes()).hexdigest())


def same(folder: Path, table: PublishedTable, decimals: int = 0) -> bool:
    """Does the Parquet file hold what the CSV holds?"""
    stored, grid = pq.read_table(folder / f"{table.name}.parquet"), places(table.axes)
    values = [value / 10**decimals if decimals else value for value in table.measures["persons"].tolist()]
    shown = [None if gone else value for value, gone in zip(values, table.hidden.tolist(), strict=True)]
    return stored["value"].to_pylist() == shown and all(
        stored[axis.name].to_pylist() == [axis.codes[place] for place in grid[:, number]]
        for number, axis in enumerate(table.axes)
    )


def large_enough(table: PublishedTable, minimum: np.ndarray, open_zeros: np.ndarray) -> bool:
    """Is every value that is shown at least its minimum, or an open 0? `minimum`: int64 (cells,);
    `open_zeros`: bool (cells,)."""
    value = table.measures["persons"]
    return not (~table.hidden & (value < minimum) & ((value > 0) | ~open_zeros)).any()


def places(axes: tuple[Axis, ...]) -> np.ndarray:
    """Position of each cell on each axis, int64 (cells, axes)."""
    return np.indices([len(axis.codes) for axis in axes]).reshape(len(axes), -1).T
