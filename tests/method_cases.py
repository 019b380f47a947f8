"""Tables to protect by any method, and what comes out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipelines.disclosure.alone import Problem, prepare, protect_into
from pipelines.disclosure.altered import Altered
from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.perturbed import altered
from pipelines.disclosure.specification import Specification
from pipelines.verifier import verify_protected

REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "disclosure"
COUNTS = [
    (county, region, diag, count)
    for county, region, counts in (
        ("c1", "r1", (3, 20, 31, 0)),
        ("c1", "r2", (12, 9, 40, 7)),
        ("c2", "r3", (25, 1, 16, 9)),
        ("c2", "r4", (14, 22, 8, 30)),
    )
    for diag, count in zip("wxyz", counts, strict=True)
]
DIMENSIONS = {"region": {"levels": ["county", "region"]}, "diag": {"levels": ["diag"]}}


def write(folder: Path, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> Path:
    with (folder / "cells.csv").open("w", newline="") as out:
        csv.writer(out).writerows([columns, *rows])
    return folder / "cells.csv"


def case(
    folder: Path,
    method: Any,
    rows: Sequence[Sequence[Any]] = COUNTS,
    columns: str = "county region diag freq",
    **more: Any,
) -> Problem:
    """A case of counts, the last column; or, with `count=None`, of records."""
    write(folder, rows, columns.split())
    return prepare(folder / "spec.yaml", specification(folder, method, **more))


def specification(folder: Path, method: Any, **more: Any) -> Specification:
    content = {"table": "cells.csv", "count": "freq", "dimensions": DIMENSIONS, "method": method, **more}
    (folder / "spec.yaml").write_text(
        yaml.safe_dump({name: value for name, value in content.items() if value is not None}, sort_keys=False)
    )
    return Specification.load(folder / "spec.yaml")


def result(made: Problem) -> tuple[Atoms, Altered]:
    return altered(made, made.specification.method, lambda _text: None)


def cells(made: Problem) -> dict[tuple[str, ...], int | None]:
    """What each cell of the first table becomes, None where hidden."""
    atoms, changed = result(made)
    cube, values, hidden = made.cubes[0], atoms.split(changed.values)[0], atoms.split(changed.hidden)[0]
    return {
        tuple(
            dimension.labels[place] for dimension, place in zip(cube.dimensions, coordinates, strict=True)
        ): None if gone else value
        for coordinates, value, gone in zip(
            cube.coordinates().tolist(), values.tolist(), hidden.tolist(), strict=True
        )
    }  # type: ignore[misc]


def written(folder: Path, made: Problem) -> Path:
    """The folder that is published, after the verifier found nothing wrong with it."""
    protect_into(made, folder / "out", lambda _text: None)
    assert broken(folder / "out") == []
    return folder / "out"


def broken(out: Path) -> list[str]:
    return [claim.text for claim in verify_protected(out) if not claim.holds]


def moved(made: Problem) -> np.ndarray:
    """By how much each margin of all tables moves."""
    atoms, changed = result(made)
    return (changed.values - atoms.sums(atoms.count))[~atoms.inner()]
