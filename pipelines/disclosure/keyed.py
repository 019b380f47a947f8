"""A permit's cubes by cell keys: nothing is hidden, every number is changed, and the same people are changed
alike for ever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.cubes.cube import Cube, ProtectedCube
from pipelines.cubes.files import read_cubes, write_protected
from pipelines.cubes.perturbation import PERTURBED, CellKeys, Perturbation
from pipelines.cubes.policy import Policy
from pipelines.cubes.standing import read_standing, standing_file
from pipelines.disclosure.cell_key.permits import Secret, changed, public, table_of
from pipelines.disclosure.cell_key.transitions import Transitions
from pipelines.files import described
from pipelines.files.frames import Frame
from pipelines.files.schemas import TRANSITIONS
from pipelines.files.sealing import Zone

CERTIFIED: Final = (
    "every number, made again before the release from the true numbers, the people behind them and the "
    "secret keys, by a program that shares nothing with the one that made it"
)


def change_files(
    raw: Path, out: Path, policy: Policy, method: CellKeys, zone: Zone, secret: Secret
) -> dict[str, Any]:
    """Change the cubes of `raw` into `out`: cubes to `protected/`, the table of transitions, sealed, and the
    public summary to `proof/`. `secret`: of a purpose, the 16 bytes that are the site's for all releases.
    The receipt counts how far numbers were changed.

    Raises `DisclosureError` where others stand in the cells than are counted.
    """
    cubes = read_cubes(raw, zone)
    standings = {cube.table: read_standing(standing_file(raw, cube.table), zone) for cube in cubes}
    table = table_of(method, policy.minimum)
    perturbation = public(method, table)
    shown = changed(cubes, standings, table, perturbation, secret)
    for cube in shown:
        write_protected(cube, out / "protected", zone)
    described.write(
        _frame(table),
        out / "proof" / "transitions.parquet",
        TRANSITIONS,
        zone,
        proof(shown, policy, perturbation),
        out / "proof" / "proof.json",
    )
    counts = [_counts(true, cube, policy) for true, cube in zip(cubes, shown, strict=True)]
    return {
        "tables": counts,
        "policy": policy.model_dump(mode="json"),
        "method": method.kind,
    }


def proof(cubes: Sequence[ProtectedCube], policy: Policy, perturbation: Perturbation) -> dict[str, Any]:
    """What may be said in public: neither keys nor how probable each change is."""
    return {
        "method": "cell_key",
        "status": PERTURBED,
        "parameters": perturbation.public(),
        "policy": policy.model_dump(mode="json"),
        "withstands": withstands(perturbation),
        "certified": CERTIFIED,
        "tables": [{"table": cube.table, "cells": cube.cells, "hidden": 0} for cube in cubes],
    }


def withstands(perturbation: Perturbation) -> list[str]:
    """The attackers, in words."""
    return [
        f"one who looks for few people: no number of people from 1 to {perturbation.hidden} is shown, true "
        "or not, and a 0 may stand for few",
        "one who asks the same again: the same people are changed alike in every table, permit and version, "
        "so that the same number comes out",
        f"one who subtracts: each number of people may be up to {perturbation.most} off, and so every "
        "difference is uncertain; what changes from version to version tells that somebody came or went, "
        "and who it was within bounds alone",
    ]


def _frame(table: Transitions) -> Frame:
    first, bounds, changes = table.arrays()
    return {"i": np.repeat(np.arange(len(first) - 1), np.diff(first)), "v": changes, "bound": bounds}


def _counts(true: Cube, shown: ProtectedCube, policy: Policy) -> dict[str, Any]:
    """How far numbers were changed: for the project zone alone."""
    persons = true.measures["persons"]
    error = np.abs(shown.measures["persons"] - persons)
    return {
        "table": true.table,
        "cells": true.cells,
        "hidden": 0,
        "to_protect_small": 0,
        "small": int(((persons > 0) & (persons < policy.minimum)).sum()),
        "nobody": int((persons == 0).sum()),
        "changed": int((error > 0).sum()),
        "mean_change": round(float(error[persons > 0].mean()), 3) if (persons > 0).any() else 0.0,
    }
