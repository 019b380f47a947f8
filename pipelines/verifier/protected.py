"""Checking a folder that `uttag protect` wrote: the published tables alone, and, where it lies beside them, the certificate.

The certificate holds true inner counts and moves: other inner counts that agree with all that is shown. Whole numbers alone are used.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipelines.verifier.attack import pinned
from pipelines.verifier.audit import singletons_kept_out
from pipelines.verifier.tables import Axis, Claim, Table, number_cells

_ORDER = ("sums", "nonnegative", "rule", "marks")
_AT_ONCE = 64


@dataclass(frozen=True)
class _Certificate:
    """`count`: int64 (inner,). `places`: for each table int64 (inner, axes). `move`, `inner`, `change`: int64 (entries,)."""

    count: np.ndarray
    places: list[np.ndarray]
    move: np.ndarray
    inner: np.ndarray
    change: np.ndarray


def verify_protected(folder: Path) -> list[Claim]:
    """Every claim of `proof.json`, and whether it holds. Whatever cannot be read does not hold."""
    try:
        proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
        tables = [_published(folder, about) for about in proof["tables"]]
        minimum, open_zeros = int(proof["policy"]["minimum"]), proof["policy"]["zeros"] == "open"
    except Exception:  # noqa: BLE001 - a folder may be broken in any way
        return [Claim("the tables and the proof can be read", False)]
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("every file is, byte for byte, the one that the proof names", lambda: _whole(folder, proof["files"])),
        ("Parquet and CSV hold the same", lambda: all(_same(folder, table) for table in tables)),
        ("no small cell is shown", lambda: all(_large_enough(table, minimum, open_zeros) for table in tables)),
    ]
    knows = str(proof["policy"].get("attacker"))
    if knows != "sums":  # whose solutions may be negative, which the attack here does not look for
        text = "no hidden cell can be worked out from what is shown"
        checks.append((text, lambda: pinned(tables, open_zeros and knows != "nonnegative") == 0))
    if (folder / "certificate").is_dir():
        try:
            checks += _of_certificate(folder, proof, tables, minimum, open_zeros)
        except Exception:  # noqa: BLE001 - what cannot be read does not hold
            checks.append(("the certificate can be read", lambda: False))
    return [Claim(text, _holds(check)) for text, check in checks]


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return bool(check())
    except Exception:  # noqa: BLE001 - what cannot be checked does not hold
        return False


# ---- what is published ------------------------------------------------------------------------------------------------------


def _published(folder: Path, about: dict[str, Any]) -> Table:
    """A table as its CSV has it; raises where its cells are not those announced, in their order."""
    axes = tuple(Axis(each["name"], tuple(each["codes"]), tuple(each["parents"])) for each in about["dimensions"])
    with (folder / f"{about['table']}.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    grid = np.indices([len(axis.codes) for axis in axes]).reshape(len(axes), -1).T
    for number, axis in enumerate(axes):
        if [row[axis.name] for row in rows] != [axis.codes[place] for place in grid[:, number]]:
            raise ValueError("the cells are not those announced")
    hidden = np.array([row["status"] == "hidden" for row in rows])
    if any((row["value"] == "") != gone or row["status"] not in ("hidden", "shown") for row, gone in zip(rows, hidden, strict=True)):
        raise ValueError("a status does not say whether there is a value")
    values = np.array([int(row["value"] or 0) for row in rows], np.int64)
    return Table(about["table"], "", axes, {"persons": values}, hidden, {"persons": (True,) * len(axes)}, ())


def _whole(folder: Path, files: dict[str, str]) -> bool:
    return all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in files.items())


def _same(folder: Path, table: Table) -> bool:
    stored = pq.read_table(folder / f"{table.name}.parquet")
    shown = [None if gone else value for value, gone in zip(table.measures["persons"].tolist(), table.hidden.tolist(), strict=True)]
    return stored["value"].to_pylist() == shown and all(
        stored[axis.name].to_pylist() == [axis.codes[place] for place in _grid(table)[:, number]] for number, axis in enumerate(table.axes)
    )


def _grid(table: Table) -> np.ndarray:
    return np.indices(_shape(table)).reshape(len(table.axes), -1).T


def _shape(table: Table) -> list[int]:
    return [len(axis.codes) for axis in table.axes]


def _large_enough(table: Table, minimum: int, open_zeros: bool) -> bool:
    shown = table.measures["persons"][~table.hidden]
    return not ((shown < minimum) & ((shown > 0) | (not open_zeros))).any()


# ---- the certificate --------------------------------------------------------------------------------------------------------


def _of_certificate(
    folder: Path, proof: dict[str, Any], tables: Sequence[Table], minimum: int, open_zeros: bool
) -> list[tuple[str, Callable[[], bool]]]:
    policy, certificate = proof["policy"], _read(folder / "certificate", tables)
    knows = _ORDER.index(policy["attacker"])
    true = [_added(table, places, certificate.count[None, :])[0] for table, places in zip(tables, certificate.places, strict=True)]
    changes = [_changes(table, places, certificate) for table, places in zip(tables, certificate.places, strict=True)]
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("the certificate's true counts are what is shown", lambda: all(map(_agrees, tables, true))),
        (
            "no move changes a cell that is shown",
            lambda: all(not each[:, ~table.hidden].any() for table, each in zip(tables, changes, strict=True)),
        ),
        (
            "every hidden cell has a move",
            lambda: all((each != 0).any(axis=0)[table.hidden].all() for table, each in zip(tables, changes, strict=True)),
        ),
        (
            f"no move can be excluded by an attacker who knows what `{policy['attacker']}` says",
            lambda: all(_possible(*each, knows, minimum, open_zeros) for each in zip(tables, true, changes, strict=True)),
        ),
    ]
    if policy["singletons"]:
        alone = "nobody who is alone in a cell can work out another small cell"
        checks.append((alone, lambda: _kept_out(tables, true, changes, minimum, open_zeros)))
    if policy["interval"] == "whole":
        every = "of every small cell, each value below the minimum is possible"
        checks.append((every, lambda: all(_reaches(*each, minimum) for each in zip(tables, true, changes, strict=True))))
    return checks


def _read(folder: Path, tables: Sequence[Table]) -> _Certificate:
    inner, moves = (pq.read_table(folder / f"{name}.parquet") for name in ("inner", "moves"))
    places = [np.stack([inner[f"{table.name}/{axis.name}"].to_numpy() for axis in table.axes], 1).astype(np.int64) for table in tables]
    entries = (moves[name].to_numpy().astype(np.int64) for name in ("move", "inner", "change"))
    return _Certificate(inner["count"].to_numpy().astype(np.int64), places, *entries)


def _added(table: Table, places: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """int64 (several, cells): a table of inner counts (several, inner), each total the sum of what lies beneath."""
    shape = _shape(table)
    cells = np.zeros((len(counts), prod(shape)), np.int64)
    flat = np.ravel_multi_index(tuple(places.T), shape)
    for number, each in enumerate(counts):
        np.add.at(cells[number], flat, each)
    grid = cells.reshape(-1, *shape)
    for number, axis in enumerate(table.axes, 1):
        for place in sorted(range(1, len(axis.codes)), key=lambda code: -_depth(axis, code)):
            above: list[Any] = [slice(None)] * grid.ndim
            below = list(above)
            above[number], below[number] = axis.parents[place], place
            grid[tuple(above)] += grid[tuple(below)]
    return grid.reshape(len(counts), -1)


def _depth(axis: Axis, place: int) -> int:
    depth = 0
    while axis.parents[place] >= 0:
        place, depth = axis.parents[place], depth + 1
    return depth


def _changes(table: Table, places: np.ndarray, certificate: _Certificate) -> np.ndarray:
    """int64 (moves, cells)."""
    moves = int(certificate.move.max(initial=-1)) + 1
    found = [np.zeros((0, len(table.hidden)), np.int64)]
    for first in range(0, moves, _AT_ONCE):
        chosen = (certificate.move >= first) & (certificate.move < first + _AT_ONCE)
        counts = np.zeros((min(_AT_ONCE, moves - first), len(certificate.count)), np.int64)
        np.add.at(counts, (certificate.move[chosen] - first, certificate.inner[chosen]), certificate.change[chosen])
        found.append(_added(table, places, counts))
    return np.concatenate(found)


def _agrees(table: Table, true: np.ndarray) -> bool:
    return bool((true == table.measures["persons"])[~table.hidden].all())


def _changes_shown(table: Table, changes: np.ndarray) -> bool:
    return bool(changes[:, ~table.hidden].any())


def _changes_hidden(table: Table, changes: np.ndarray) -> bool:
    return bool((changes != 0).any(axis=0)[table.hidden].all())


def _possible(table: Table, true: np.ndarray, changes: np.ndarray, knows: int, minimum: int, open_zeros: bool) -> bool:
    new, hidden = true + changes, table.hidden
    if knows >= _ORDER.index("nonnegative") and (new < 0).any():
        return False
    if knows >= _ORDER.index("rule") and open_zeros and (new[:, hidden] < 1).any():
        return False
    small = hidden & (true < minimum)
    narrow = (new[:, small] < minimum).all() and (new[:, hidden & ~small] >= minimum).all()
    return bool(knows < _ORDER.index("marks") or narrow)


def _kept_out(tables: Sequence[Table], true: Sequence[np.ndarray], changes: Sequence[np.ndarray], minimum: int, open_zeros: bool) -> bool:
    numbers, size = number_cells(tables)
    people, moved = np.full(size, -1, np.int64), np.zeros((len(changes[0]), size), bool)
    for own, counts, each in zip(numbers, true, changes, strict=True):
        people[own] = counts
        moved[:, own] |= each != 0
    small = (people >= (1 if open_zeros else 0)) & (people < minimum)
    return singletons_kept_out(tables, numbers, [people], small, moved)


def _reaches(table: Table, true: np.ndarray, changes: np.ndarray, minimum: int) -> bool:
    cells = np.flatnonzero(table.hidden & (true > 0) & (true < minimum))
    new = np.concatenate([true[None, cells], true[cells] + changes[:, cells]])
    return all((new == value).any(axis=0).all() for value in range(1, minimum))
