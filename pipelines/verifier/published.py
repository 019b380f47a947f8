"""The tables that `uttag protect` published, as anybody can read them."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
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


def minima(table: PublishedTable, policy: dict[str, Any]) -> np.ndarray:
    """Fewest persons that each cell may show by what anybody can read, int64 (cells,)."""
    least, grid = np.full(len(table.hidden), int(policy["minimum"]), np.int64), places(table.axes)
    for name, specials in policy.get("special", {}).items():
        for number, axis in enumerate(table.axes):
            for special in specials if axis.name == name else ():
                chosen = at_or_below(axis, special["codes"])
                least = np.where(chosen[grid[:, number]], np.maximum(least, int(special["minimum"])), least)
    return least


def impossible(table: PublishedTable, policy: dict[str, Any]) -> np.ndarray:
    """Cells in which nobody can stand, as the policy says in public: those that it names, and those whose
    parts all are; bool (cells,)."""
    found, names = np.zeros(len(table.hidden), bool), [axis.name for axis in table.axes]
    grid = places(table.axes)
    for combination in policy.get("structural_zeros", ()):
        if set(combination) <= set(names):
            here = np.ones(len(found), bool)
            for name, codes in combination.items():
                number = names.index(name)
                here &= at_or_below(table.axes[number], codes)[grid[:, number]]
            found |= here
    changed = True
    while changed:
        before = int(found.sum())
        for _, family in table.families():
            found[family[found[family[:, :-1]].all(axis=1), -1]] = True
        changed = int(found.sum()) > before
    return found


def at_or_below(axis: Axis, codes: Sequence[str]) -> np.ndarray:
    """Positions of an axis that stand at one of `codes` or below it, bool (positions,)."""
    chosen = np.zeros(len(axis.codes), bool)
    for place, code in enumerate(axis.codes[1:], start=1):
        chosen[place] = code in codes or chosen[axis.parents[place]]
    return chosen


def as_known(table: PublishedTable, never: np.ndarray) -> PublishedTable:
    """The table as whoever knows it sees where nobody can be: `never`, bool (cells,)."""
    return replace(table, hidden=table.hidden & ~never)


def places(axes: tuple[Axis, ...]) -> np.ndarray:
    """Position of each cell on each axis, int64 (cells, axes)."""
    return np.indices([len(axis.codes) for axis in axes]).reshape(len(axes), -1).T
