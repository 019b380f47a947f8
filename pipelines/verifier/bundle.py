"""Checking a published bundle, offline, with nothing but its files."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipelines.verifier.attack import fixed_by_sums, pinned
from pipelines.verifier.cases import Beside, beside_cases, tell_of_no_few
from pipelines.verifier.described import all_described, called_alike, proof_is_of
from pipelines.verifier.keyed import STATUS, can_give
from pipelines.verifier.rules import as_known, impossible, knows, minima
from pipelines.verifier.tables import PEOPLE, Axis, Claim, PublishedTable, by_number, number_cells

_SIGNING = ("manifest.json", "manifest.sig", "release.pub")
_CELL = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ESCAPED = re.compile("_x([0-9A-F]{4})_")  # how XLSX writes what XML cannot hold
Rows = list[list[str]]


def verify_bundle(folder: Path, public_key: bytes | None = None) -> list[Claim]:
    """Every claim of a bundle, and whether it holds. `public_key`: 32 bytes, as you got it by another way
    than with the bundle.

    A case's folder stands for its latest version. Whatever cannot be read does not hold.
    """
    latest = folder / "latest"
    if latest.is_file() and not (folder / "manifest.json").exists():
        folder = folder / latest.read_text(encoding="ascii").strip()
    whose = "the key that you gave" if public_key else "the key that lies in it"
    checks: list[tuple[str, Callable[[], bool]]] = [
        (f"the manifest is signed with {whose}", lambda: _is_signed(folder, public_key)),
        ("every file is, byte for byte, the one that the manifest names", lambda: _is_whole(folder)),
        ("there is no other file", lambda: not _strangers(folder)),
    ]
    claims = [Claim(text, _holds(check)) for text, check in checks]
    return [*claims, *_of_tables(folder)]


def tables_of(folder: Path) -> list[PublishedTable]:
    """The tables of a bundle, as their CSV has them. Raises in one way or another where it is broken."""
    structure = json.loads((folder / "structure.json").read_text(encoding="utf-8"))
    return [
        _published(about, _csv(folder / "tables" / f"{about['table']}.csv")).table
        for about in structure["tables"]
    ]


def controls_of(folder: Path) -> list[Beside]:
    """The tables of controls of a bundle, each beside that of their cases. Raises where it is broken."""
    structure = json.loads((folder / "structure.json").read_text(encoding="utf-8"))
    return list(beside_cases(structure, tables_of(folder)))


def is_changed(folder: Path) -> bool:
    """Was every number of a bundle changed by cell keys? Raises where that cannot be read."""
    structure = json.loads((folder / "structure.json").read_text(encoding="utf-8"))
    return _changed(folder, structure) is not None


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return bool(check())
    except Exception:  # noqa: BLE001 - a bundle may be broken in any way; whatever cannot be checked does not hold
        return False


# ---- files -------------------------------------------------------------------------------------------------


def _is_signed(folder: Path, public_key: bytes | None) -> bool:
    enclosed = bytes.fromhex((folder / "release.pub").read_text(encoding="ascii").strip())
    try:
        signature = bytes.fromhex((folder / "manifest.sig").read_text(encoding="ascii").strip())
        Ed25519PublicKey.from_public_bytes(public_key or enclosed).verify(
            signature, (folder / "manifest.json").read_bytes()
        )
    except (InvalidSignature, ValueError):
        return False
    return public_key in (None, enclosed)


def _manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


def _is_whole(folder: Path) -> bool:
    files = _manifest(folder)["files"]
    return bool(files) and all(
        hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256 for name, sha256 in files.items()
    )


def _strangers(folder: Path) -> list[str]:
    expected = {*_manifest(folder)["files"], *_SIGNING}
    found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return [
        str(path)
        for path in found
        if path.is_symlink() or path.relative_to(folder).as_posix() not in expected
    ]


# ---- tables ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Published:
    """A table, and whether its hidden cells are blank."""

    table: PublishedTable
    blank: bool


def _of_tables(folder: Path) -> list[Claim]:
    texts = (
        "every table says the same in CSV, Parquet and XLSX",
        "a hidden cell holds no number",
        "shown numbers add up, and no part exceeds its whole",
        "a cell that stands in two tables has one number and one status",
        "no shown number of people is below the minimum, other than an open zero",
        "no hidden cell can be worked out from all that is shown",
        "nothing but the tables is left in the Parquet files",
        "every table is described, and what is described are all tables",
        "the proof is of the signed policy and of these tables",
        "codes have the labels that are described, in tables and figures alike",
    )
    try:
        structure = json.loads((folder / "structure.json").read_text(encoding="utf-8"))
        policy = _manifest(folder)["policy"]
        public = policy | {"structural_zeros": _zeros(folder)}
        names = [about["table"] for about in structure["tables"]]
        rows = {name: _csv(folder / "tables" / f"{name}.csv") for name in names}
        published = [_published(about, rows[about["table"]]) for about in structure["tables"]]
        changed = _changed(folder, structure)
    except Exception:  # noqa: BLE001 - as in `_holds`
        return [Claim(text, False) for text in texts]
    tables = [each.table for each in published]
    seen = [as_known(table, impossible(table, public)) for table in tables]
    checks: list[Callable[[], bool]] = [
        lambda: bool(names) and all(_same_in_all(folder / "tables", name, rows[name]) for name in names),
        lambda: all(each.blank for each in published),
        lambda: all(_adds_up(table) for table in tables),
        lambda: _agree(tables),
        lambda: all(_large_enough(table, public) for table in tables),
        lambda: _nothing_pinned(seen, public),
        lambda: all(_is_plain(folder / "tables" / f"{name}.parquet") for name in names),
        lambda: all_described(folder, structure),
        lambda: proof_is_of(folder, policy, structure, rows),
        lambda: all(called_alike(folder, about, rows[about["table"]]) for about in structure["tables"]),
    ]
    claimed = list(zip(texts, checks, strict=True))
    if changed is not None:
        # The claims on files, words and cells that are one: nothing adds up, and nothing is hidden.
        changes = _of_changed(tables, changed, int(policy["minimum"]))
        claimed = [claimed[0], changes, claimed[3], claimed[6], claimed[7], claimed[9]]
    if any("controls" in about for about in structure["tables"]):
        text = "the numbers of cases and of controls are shown, and tell of no few cases"
        claimed.append((text, lambda: tell_of_no_few(structure, tables, int(policy["minimum"]))))
    return [Claim(text, _holds(check)) for text, check in claimed]


def _changed(folder: Path, structure: dict[str, Any]) -> dict[str, Any] | None:
    """What is public of how the numbers were changed, None where none was. Raises where proof and structure
    do not say the same of every table."""
    proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
    said = proof["parameters"] if proof.get("method") == "cell_key" else None
    if any(about.get("perturbed") != said for about in structure["tables"]):
        raise ValueError
    return said


def _of_changed(
    tables: Sequence[PublishedTable], changed: dict[str, Any], minimum: int
) -> tuple[str, Callable[[], bool]]:
    """What holds of tables whose every number was changed, and its check."""
    hidden = int(changed["hidden"])
    return (
        "every number is one that cell keys can give: none is hidden, and none of few people is shown",
        lambda: hidden >= minimum - 1 and all(can_give(table, hidden) for table in tables),
    )


def _published(about: dict[str, Any], rows: Rows) -> _Published:
    """The table that `rows` hold; raises where they are not the cells that `about` announces, in order."""
    axes = tuple(
        Axis(each["name"], tuple(each["codes"]), tuple(each["parents"])) for each in about["dimensions"]
    )
    header, body = rows[0], rows[1:]
    codes = np.array([[row[header.index(axis.name)] for axis in axes] for row in body])
    grid = np.indices([len(axis.codes) for axis in axes]).reshape(len(axes), -1).T
    expected = np.stack([np.array(axis.codes)[grid[:, number]] for number, axis in enumerate(axes)], axis=1)
    status = np.array([row[header.index("status")] for row in body])
    words = {STATUS} if about.get("perturbed") else {"shown", "hidden"}
    if not np.array_equal(codes, expected) or set(status) - words:
        raise ValueError
    hidden = status == "hidden"
    texts = {name: [row[header.index(name)] for row in body] for name in about["measures"]}
    blank = all(
        text == "" for column in texts.values() for text, gone in zip(column, hidden, strict=True) if gone
    )
    measures = {
        name: np.array(
            [0 if gone else int(text) for text, gone in zip(column, hidden, strict=True)], np.int64
        )
        for name, column in texts.items()
    }
    additive = {name: tuple(flags) for name, flags in about["additive"].items()}
    pairs = tuple((pair[0], pair[1]) for pair in about["at_least"])
    return _Published(
        PublishedTable(
            name=about["table"],
            population=about["population"],
            axes=axes,
            measures=measures,
            hidden=hidden,
            additive=additive,
            at_least=pairs,
        ),
        blank,
    )


def _adds_up(table: PublishedTable) -> bool:
    shown = {name: np.where(table.hidden, 0, values) for name, values in table.measures.items()}
    if any((values < 0).any() for values in shown.values()):
        return False
    for larger, smaller in table.at_least:
        if (shown[larger] < shown[smaller]).any():
            return False
    for axis, family in table.families():
        gone = table.hidden[family]
        complete, known_parent = ~gone.any(axis=1), ~gone[:, -1]
        for name, values in shown.items():
            children, parent = values[family[:, :-1]], values[family[:, -1]]
            total, adds = children.sum(axis=1), table.additive[name][axis]
            wrong = complete & ((total != parent) if adds else (total < parent))
            wrong |= known_parent & ((total > parent) if adds else (children.max(axis=1) > parent))
            if wrong.any():
                return False
    return True


def _agree(tables: Sequence[PublishedTable]) -> bool:
    numbers, size = number_cells(tables)
    status = np.zeros(size, bool)
    for table, own in zip(tables, numbers, strict=True):
        status[own] |= table.hidden
    for name in sorted({name for table in tables for name in table.measures}):
        merged = by_number(tables, numbers, size, name)
        if any(
            (merged[own] != t.measures[name]).any()
            for t, own in zip(tables, numbers, strict=True)
            if name in t.measures
        ):
            return False
    return all(np.array_equal(status[own], table.hidden) for table, own in zip(tables, numbers, strict=True))


def _large_enough(table: PublishedTable, policy: dict[str, Any]) -> bool:
    """Is what is shown no fewer people than each cell's minimum, an open zero, or nobody where nobody can
    be?"""
    least, never = minima(table, policy), impossible(table, policy)
    lowest = np.where(never | (policy["zeros"] == "open"), 1, 0)
    counts = [values for name, values in table.measures.items() if name in PEOPLE]
    if (table.hidden | np.logical_or.reduce([count > 0 for count in counts]))[never].any():
        return False
    return not any((~table.hidden & (count >= lowest) & (count < least)).any() for count in counts)


def _nothing_pinned(tables: Sequence[PublishedTable], policy: dict[str, Any]) -> bool:
    """Does the attack find nothing, by what the attacker knows whom the policy names?"""
    if not knows(policy, "nonnegative"):
        return fixed_by_sums(tables) == 0
    someone = policy["zeros"] == "open" and knows(policy, "rule") and not policy.get("all_in_one")
    return pinned(tables, someone) == 0


def _zeros(folder: Path) -> list[dict[str, list[str]]]:
    """Where nobody can be, as the proof says it by the codes of the tables."""
    proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
    return list(proof.get("structural_zeros", []))


# ---- one table in three forms ------------------------------------------------------------------------------


def _same_in_all(folder: Path, name: str, rows: Rows) -> bool:
    return rows == _parquet(folder / f"{name}.parquet") == _xlsx(folder / f"{name}.xlsx")


def _csv(path: Path) -> Rows:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


def _parquet(path: Path) -> Rows:
    table = pq.read_table(path)
    columns = [
        ["" if value is None else str(value) for value in column.to_pylist()] for column in table.columns
    ]
    return [table.column_names, *(list(row) for row in zip(*columns, strict=True))]


def _xlsx(path: Path) -> Rows:
    """The cells of the first sheet, which has no gaps in its first column."""
    with zipfile.ZipFile(path) as archive:
        shared = [
            _ESCAPED.sub(lambda found: chr(int(found[1], 16)), "".join(part.itertext()))
            for part in ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
        ]
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    rows = [
        {_column(cell.get("r", "")): _value(cell, shared) for cell in row.iter(f"{_CELL}c")}
        for row in sheet.iter(f"{_CELL}row")
    ]
    return [[row.get(place, "") for place in range(len(rows[0]))] for row in rows]


def _column(reference: str) -> int:
    place = 0
    for letter in reference.rstrip("0123456789"):
        place = 26 * place + ord(letter) - 64
    return place - 1


def _value(cell: ElementTree.Element, shared: list[str]) -> str:
    if cell.find(f"{_CELL}f") is not None:
        raise ValueError
    text = cell.findtext(f"{_CELL}v", "")
    return shared[int(text)] if cell.get("t") == "s" else text


def _is_plain(path: Path) -> bool:
    """No dictionaries, statistics or metadata: nothing that could hold a number that the table does not."""
    file = pq.ParquetFile(path)
    meta = file.metadata
    chunks = [
        meta.row_group(group).column(column)
        for group in range(meta.num_row_groups)
        for column in range(meta.num_columns)
    ]
    plain = not any(chunk.has_dictionary_page or chunk.is_stats_set for chunk in chunks)
    return plain and not meta.metadata and not file.schema_arrow.metadata
