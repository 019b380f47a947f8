"""The gate for tables that cell keys changed: what the verifier is given, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import verifier
from pipelines.cubes.cube import Cube, ProtectedCube, time_table
from pipelines.cubes.design_effects import LEAST, told
from pipelines.cubes.standing import read_standing, standing_file
from pipelines.files import sealed
from pipelines.files.frames import array
from pipelines.files.schemas import TRANSITIONS
from pipelines.files.sealing import Zone
from pipelines.verifier.tables import Axis, PublishedTable


def audit_keyed(
    run: Path,
    raw: Sequence[Cube],
    cubes: Sequence[ProtectedCube],
    minimum: int,
    zone: Zone,
    secret: Callable[[str], bytes],
) -> list[verifier.Claim]:
    """What the verifier finds of the raw numbers, the people behind them and the numbers to go out. `secret`:
    of a purpose, the site's key."""
    changes = sealed.read(run / "proof" / "transitions.parquet", TRANSITIONS, zone)
    standings = [read_standing(standing_file(run / "raw", cube.table), zone) for cube in raw]
    keyed = verifier.Keyed(
        true=[_table(cube) for cube in raw],
        shown=[_table(cube) for cube in cubes],
        people=[(each.person, each.cell) for each in standings],
        changes=verifier.Changes(*(array(changes, name) for name in TRANSITIONS)),
        secret=secret,
    )
    said = _public(cubes)
    found = [verifier.Claim(text, check()) for text, check in (keyed.checks(said, minimum) if said else [])]
    one = bool(said) and all(cube.perturbed is not None and cube.perturbed.public() == said for cube in cubes)
    return [
        verifier.Claim("all tables are changed in one way", one),
        *found,
        verifier.Claim("design effects are those that may be told", one and _effects_hold(raw, cubes)),
    ]


def _public(cubes: Sequence[ProtectedCube]) -> dict[str, Any]:
    first = cubes[0].perturbed if cubes else None
    return first.public() if first else {}


def _effects_hold(raw: Sequence[Cube], cubes: Sequence[ProtectedCube]) -> bool:
    """Is of each design effect that is told so much known, and is it of cells that show enough people?"""
    people = {cube.table: cube.measures["persons"] for cube in cubes}
    for true, cube in zip(raw, cubes, strict=True):
        time = people.get(time_table(cube.table), np.ones(cube.cells, np.int64))
        expected = told(true, cube.measures["persons"] == 0, time == 0)
        few = cube.measures["persons"] < 2 * LEAST
        if expected.keys() != cube.design_effects.keys() or any(
            not np.array_equal(np.where(few, 0, expected[name]), each)
            for name, each in cube.design_effects.items()
        ):
            return False
    return True


def _table(cube: Cube | ProtectedCube) -> PublishedTable:
    axes = tuple(Axis(each.name, each.codes, each.parents) for each in cube.dimensions)
    hidden = cube.hidden if isinstance(cube, ProtectedCube) else np.zeros(cube.cells, bool)
    return PublishedTable(
        cube.table, cube.population, axes, cube.measures, hidden, cube.additive, cube.at_least
    )
