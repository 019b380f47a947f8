"""Suppression as `uttag protect` publishes it: small cells hidden with those that protect them, and the moves that prove it is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import storage
from pipelines.disclosure import output
from pipelines.disclosure.case import Case
from pipelines.disclosure.report import write_report
from pipelines.disclosure.suppression.protect import found
from pipelines.disclosure.suppression.search import Search
from pipelines.errors import DisclosureError

Say = Callable[[str], None]


def suppress(case: Case, out: Path, say: Say) -> dict[str, Any]:
    """Protect, and write `<table>.csv` and `.parquet`, `proof.json`, `report.html` and the certificate; nothing unless all is certified."""
    system = case.system
    say(f"{int(system.primary.sum()):,} of {int((~system.secret).sum()):,} cells are small")
    search = found(system, say, case.specification.policy.attackers())
    hidden = [search.hidden[own] for own in system.cells]
    if not any((~mask & (cube.measures["persons"] > 0)).any() for cube, mask in zip(case.cubes, hidden, strict=True)):
        raise DisclosureError("protect", "every cell with people in it would be hidden", "make the table coarser, or lower the minimum")
    output.begin(out)
    files = output.write_tables(
        out, [output.columns(cube, cube.measures["persons"], mask) for cube, mask in zip(case.cubes, hidden, strict=True)], case.cubes
    )
    _certify(case, search, hidden, out / output.CERTIFICATE)
    told = _counts(case, search)
    write_report(out / "report.html", case.cubes, hidden, [system.primary[own] for own in system.cells], told)
    (out / "report.html").chmod(0o600)
    storage.write_json(_proof(case, hidden, files), out / "proof.json")
    return told


def _proof(case: Case, hidden: Sequence[np.ndarray], files: dict[str, str]) -> dict[str, Any]:
    """What may be said in public: nothing that tells small cells from the others that are hidden."""
    specification = case.specification
    return {
        "kind": "uttag protect", "method": "suppression", "policy": specification.public(),
        "withstands": specification.policy.attackers().names(),
        "certified": "every hidden cell, by another table that agrees with all that is shown",
        "tables": [output.announced(cube, mask) for cube, mask in zip(case.cubes, hidden, strict=True)],
        "files": files,
    }  # fmt: skip


def _certify(case: Case, search: Search, hidden: Sequence[np.ndarray], folder: Path) -> None:
    """Inner cells that somebody stands in or a move changes, with their place in each table, and the moves as changes of these."""
    system, tied = case.system, case.tied
    row_of = np.full(system.size, -1, np.int64)
    needed = np.zeros(system.size, bool)
    needed[tied.atoms[system.persons[tied.atoms] > 0]] = True
    for move in search.moves:
        needed[move.variables] = True
    rows = np.flatnonzero(needed[tied.atoms])
    row_of[tied.atoms[rows]] = np.arange(len(rows))
    inner: dict[str, object] = {"count": system.persons[tied.atoms[rows]]}
    for cube, places in zip(case.cubes, tied.places, strict=True):
        for axis, dimension in enumerate(cube.dimensions):
            inner[f"{cube.table}/{dimension.name}"] = places[rows, axis].astype(np.int32)
    changed = [(row_of[move.variables] >= 0, move) for move in search.moves]
    moves = {
        "move": np.repeat(np.arange(len(changed), dtype=np.int32), [int(kept.sum()) for kept, _ in changed]),
        "inner": np.concatenate([np.empty(0, np.int32), *(row_of[move.variables[kept]].astype(np.int32) for kept, move in changed)]),
        "change": np.concatenate([np.empty(0, np.int64), *(move.changes[kept] for kept, move in changed)]),
    }  # fmt: skip
    frames: dict[str, dict[str, object]] = {"inner": inner, "moves": {**moves}}
    place_of = np.full(len(tied.atoms), -1, np.int64)
    place_of[rows] = np.arange(len(rows))
    for kind, pairs in tied.behind.items():
        frames[kind] = {"inner": place_of[pairs["inner"]], "who": pairs["who"]}
    output.write_secret(frames, folder)


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
