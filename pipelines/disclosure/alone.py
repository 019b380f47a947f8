"""The engine alone, on anybody's table: inner cells in, protected tables, a proof and a certificate out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import plain, storage, tables
from pipelines.cubes import TOTAL, Cube
from pipelines.disclosure.inner import Inner, Placed, place, read
from pipelines.disclosure.policies import TablePolicy
from pipelines.disclosure.report import write_report
from pipelines.disclosure.rules import rules
from pipelines.disclosure.specification import Specification
from pipelines.disclosure.suppression.linked import joined
from pipelines.disclosure.suppression.protect import found
from pipelines.disclosure.suppression.search import Search
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.disclosure.suppression.system import System, build
from pipelines.errors import DisclosureError

Say = Callable[[str], None]
CERTIFICATE = "certificate"  # the folder that never leaves: true numbers and moves


@dataclass(frozen=True)
class Case:
    """What is to be protected.

    `atoms`: int64 (inner rows,), the variable that stands for each row of the certificate; `places`: for each table the position of each of
    these rows on its dimensions, int32 (inner rows, dimensions). `rules`: what is sensitive in each table. `behind`: for each of `units`
    and `owners` that the policy asks for, who contributes to which of these rows.
    """

    specification: Specification
    cubes: tuple[Cube, ...]
    system: System
    atoms: np.ndarray
    places: tuple[np.ndarray, ...]
    rules: list[Sensitive]
    behind: dict[str, dict[str, Any]]


def prepare(path: Path, specification: Specification) -> Case:
    """Read the inner cells that a specification names, relative to its own place, and set up what ties its tables together."""
    inner = read(path.parent / specification.table, specification)
    placed = [place(inner, name, layout) for name, layout in specification.layouts().items()]
    cubes, policy = tuple(each.cube for each in placed), specification.policy
    sensitive = rules(inner, placed, policy)
    if len(placed) == 1:
        atoms, places = _leaves(placed[0])
        system = build(cubes, policy, sensitive)
        every: tuple[np.ndarray, ...] = (places,)
        of_inner = np.searchsorted(atoms, np.ravel_multi_index(tuple(placed[0].places.T), cubes[0].shape))
    else:
        system, atoms, of_inner = joined(inner, placed, policy, sensitive)
        first = np.unique(of_inner, return_index=True)[1]
        every = tuple(each.places[first] for each in placed)
    case = Case(specification, cubes, system, atoms, every, sensitive, _behind(inner, policy, of_inner))
    if int(inner.count.sum()) < specification.policy.minimum:
        raise DisclosureError(inner.path, "counts fewer people than the minimum: every cell would be hidden", "release nothing of it")
    return case


def _leaves(placed: Placed) -> tuple[np.ndarray, np.ndarray]:
    """Every finest cell of a cube, whether anybody stands in it or not."""
    grids = np.meshgrid(*[np.array(each.leaves) for each in placed.cube.dimensions], indexing="ij")
    places = np.stack([each.ravel() for each in grids], axis=1).astype(np.int32)
    return np.ravel_multi_index(tuple(places.T), placed.cube.shape), places


def _behind(inner: Inner, policy: TablePolicy, of_inner: np.ndarray) -> dict[str, dict[str, Any]]:
    found = {}
    for kind, rule in (("units", policy.units), ("owners", policy.owners)):
        if rule:
            pairs = inner.contributors[rule.column]
            found[kind] = {"inner": of_inner[pairs.cell], "who": [pairs.names[who] for who in pairs.who.tolist()]}
    return found


def counted(case: Case) -> dict[str, Any]:
    """How many cells, and how many of them small."""
    system = case.system
    return {
        "tables": [
            {
                "table": cube.table, "cells": cube.cells, "small": int(system.primary[own].sum()),
                "nobody": int((system.persons[own] == 0).sum()),
            }
            for cube, own in zip(case.cubes, system.cells, strict=True)
        ],
    }  # fmt: skip


def protect_into(case: Case, out: Path, say: Say) -> dict[str, Any]:
    """Protect, and write `<table>.csv` and `.parquet`, `proof.json`, `report.html` and the certificate; nothing unless all is certified."""
    system = case.system
    say(f"{int(system.primary.sum()):,} of {int((~system.secret).sum()):,} cells are small")
    search = found(system, say, case.specification.policy.attackers())
    hidden = [search.hidden[own] for own in system.cells]
    if not any((~mask & (cube.measures["persons"] > 0)).any() for cube, mask in zip(case.cubes, hidden, strict=True)):
        raise DisclosureError("protect", "every cell with people in it would be hidden", "make the table coarser, or lower the minimum")
    out.mkdir(parents=True, exist_ok=True)
    (out / "proof.json").unlink(missing_ok=True)  # a folder without it is none that holds
    files = {}
    for cube, mask in zip(case.cubes, hidden, strict=True):
        columns = _published(cube, mask)
        for write, kind in ((plain.write_csv, "csv"), (plain.write_parquet, "parquet")):
            path = out / f"{cube.table}.{kind}"
            write(columns, path)
            files[path.name] = storage.file_digest(path)
    _certify(case, search, hidden, out / CERTIFICATE)
    told = _counts(case, search)
    write_report(out / "report.html", case.cubes, hidden, [system.primary[own] for own in system.cells], told)
    (out / "report.html").chmod(0o600)
    storage.write_json(_proof(case, hidden, files), out / "proof.json")
    return told


def _published(cube: Cube, hidden: np.ndarray) -> dict[str, list[Any]]:
    """Columns of plain values, None where hidden, so that nothing can lie beneath."""
    coordinates = cube.coordinates()
    columns: dict[str, list[Any]] = {}
    for axis, dimension in enumerate(cube.dimensions):
        names = np.array([TOTAL, *dimension.codes[1:]], object)
        columns[dimension.name] = names[coordinates[:, axis]].tolist()
    masked = hidden.tolist()
    columns["value"] = [None if gone else value for value, gone in zip(cube.measures["persons"].tolist(), masked, strict=True)]
    columns["status"] = ["hidden" if gone else "shown" for gone in masked]
    return columns


def _proof(case: Case, hidden: Sequence[np.ndarray], files: dict[str, str]) -> dict[str, Any]:
    """What may be said in public: nothing that tells small cells from the others that are hidden."""
    specification = case.specification
    return {
        "kind": "uttag protect", "method": specification.method, "policy": specification.public(),
        "withstands": specification.policy.attackers().names(),
        "certified": "every hidden cell, by another table that agrees with all that is shown",
        "tables": [
            {
                "table": cube.table, "cells": cube.cells, "hidden": int(mask.sum()),
                "dimensions": [
                    {"name": each.name, "codes": [TOTAL, *each.codes[1:]], "parents": list(each.parents)} for each in cube.dimensions
                ],
            }
            for cube, mask in zip(case.cubes, hidden, strict=True)
        ],
        "files": files,
    }  # fmt: skip


def _certify(case: Case, search: Search, hidden: Sequence[np.ndarray], folder: Path) -> None:
    """Inner cells that somebody stands in or a move changes, with their place in each table, and the moves as changes of these."""
    system = case.system
    row_of = np.full(system.size, -1, np.int64)
    needed = np.zeros(system.size, bool)
    needed[case.atoms[system.persons[case.atoms] > 0]] = True
    for move in search.moves:
        needed[move.variables] = True
    rows = np.flatnonzero(needed[case.atoms])
    row_of[case.atoms[rows]] = np.arange(len(rows))
    inner: dict[str, object] = {"count": system.persons[case.atoms[rows]]}
    for cube, places in zip(case.cubes, case.places, strict=True):
        for axis, dimension in enumerate(cube.dimensions):
            inner[f"{cube.table}/{dimension.name}"] = places[rows, axis].astype(np.int32)
    changed = [(row_of[move.variables] >= 0, move) for move in search.moves]
    moves = {
        "move": np.repeat(np.arange(len(changed), dtype=np.int32), [int(kept.sum()) for kept, _ in changed]),
        "inner": np.concatenate([np.empty(0, np.int32), *(row_of[move.variables[kept]].astype(np.int32) for kept, move in changed)]),
        "change": np.concatenate([np.empty(0, np.int64), *(move.changes[kept] for kept, move in changed)]),
    }  # fmt: skip
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    frames: dict[str, dict[str, object]] = {"inner": inner, "moves": {**moves}}
    place_of = np.full(len(case.atoms), -1, np.int64)
    place_of[rows] = np.arange(len(rows))
    for kind, pairs in case.behind.items():
        frames[kind] = {"inner": place_of[pairs["inner"]], "who": pairs["who"]}
    for name, frame in frames.items():
        tables.write(frame, folder / f"{name}.parquet")
        (folder / f"{name}.parquet").chmod(0o600)


def _counts(case: Case, search: Search) -> dict[str, Any]:
    """Why cells are hidden, and what that loses: for the project zone alone."""
    system, told = case.system, []
    for cube, own, rule in zip(case.cubes, system.cells, case.rules, strict=True):
        hidden, primary, persons = search.hidden[own], system.primary[own], system.persons[own]
        few = (persons < rule.minimum) & ((persons > 0) | (case.specification.policy.zeros == "protected"))
        told.append({
            "reasons": {"few persons": int(few.sum()), **{reason: int(mask.sum()) for reason, mask in rule.reasons.items()}},
            "table": cube.table, "cells": cube.cells, "hidden": int(hidden.sum()), "small": int(primary.sum()),
            "to_protect_small": int((hidden & ~primary).sum()), "nobody": int((persons == 0).sum()),
            "value_small": int(persons[primary].sum()), "value_to_protect": int(persons[hidden & ~primary].sum()),
            "value": int(persons.sum()),
        })  # fmt: skip
    return {"tables": told, "moves": len(search.moves), "withstands": case.specification.policy.attackers().names()}
