"""Cubes on disk: the numbers as sealed Parquet, and beside them, as JSON, what the numbers are.

`<table>.parquet` has one column for each measure (and `hidden` for a protected cube, the two largest
contributions for a raw one of sums, design effects for one of repeated events), one row for each cell;
`<table>.json` names the dimensions and relations, and is sealed with them. The two kinds never mix: a file
says which it is, and each reader takes only its own.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.cubes.cube import Cube, Dimension, ProtectedCube
from pipelines.cubes.perturbation import Perturbation
from pipelines.errors import DataError
from pipelines.files import described, documents, sealed
from pipelines.files.digests import content_hash, digest
from pipelines.files.frames import Frame
from pipelines.files.schemas import Schema
from pipelines.files.sealing import Zone

_RAW: Final = "raw cube"
_PROTECTED: Final = "protected cube"
_LARGEST: Final = ("largest", "second")
_EFFECT: Final = "design_effect_"  # begins the name of a column


def write_cube(cube: Cube, folder: Path, zone: Zone) -> None:
    """Write raw counts to `folder`."""
    largest: Frame = (
        {} if cube.largest is None else {name: cube.largest[:, k].copy() for k, name in enumerate(_LARGEST)}
    )
    _write(cube, _RAW, {**cube.measures, **largest, **_effects(cube)}, folder, zone)


def read_cubes(folder: Path, zone: Zone) -> list[Cube]:
    """Every raw cube of `folder`, by table name. Raises `VerificationError` where one is described otherwise
    than it was sealed."""
    cubes = []
    for path, about in _find(folder, _RAW, zone):
        numbers = _numbers(path, about, zone, *(_LARGEST if about.get("largest") else ()))
        effects = _taken(numbers, about)
        largest = np.stack([numbers.pop(name) for name in _LARGEST], axis=1) if about.get("largest") else None
        cubes.append(Cube(measures=numbers, largest=largest, design_effects=effects, **_description(about)))
    return cubes


def write_protected(cube: ProtectedCube, folder: Path, zone: Zone) -> None:
    """Write a protected cube to `folder`."""
    numbers: Frame = {**cube.measures, "hidden": cube.hidden.astype(np.int64), **_effects(cube)}
    _write(cube, _PROTECTED, numbers, folder, zone)


def read_protected(folder: Path, zone: Zone) -> list[ProtectedCube]:
    """Every protected cube of `folder`, by table name. Raises `VerificationError` as `read_cubes` does."""
    cubes = []
    for path, about in _find(folder, _PROTECTED, zone):
        numbers = _numbers(path, about, zone, "hidden")
        effects, hidden = _taken(numbers, about), numbers.pop("hidden") == 1
        changed = Perturbation.of(about["perturbed"]) if "perturbed" in about else None
        cubes.append(
            ProtectedCube(
                hidden=hidden,
                measures=numbers,
                design_effects=effects,
                perturbed=changed,
                **_description(about),
            )
        )
    return cubes


def cubes_hash(cubes: list[Cube] | list[ProtectedCube]) -> str:
    """Hex digest of what the cubes hold: the same on every machine."""
    parts: list[object] = []
    for cube in cubes:
        hidden = {"hidden": cube.hidden.astype(np.int64)} if isinstance(cube, ProtectedCube) else {}
        numbers: Frame = {**cube.measures, **hidden, **_effects(cube)}
        parts.append([_about(cube, ""), content_hash(numbers, _schema(sorted(numbers)))])
    return digest(*parts)


def _effects(cube: Cube | ProtectedCube) -> dict[str, np.ndarray]:
    """Design effects as columns beside the measures."""
    return {f"{_EFFECT}{name}": values for name, values in cube.design_effects.items()}


def _taken(numbers: dict[str, np.ndarray], about: dict[str, Any]) -> dict[str, np.ndarray]:
    """The design effects among the columns, which are taken out of them."""
    return {name: numbers.pop(f"{_EFFECT}{name}") for name in about.get("design_effects", ())}


def _perturbed(cube: Cube | ProtectedCube) -> dict[str, Any]:
    """What is public of how the numbers were changed, if they were."""
    changed = cube.perturbed if isinstance(cube, ProtectedCube) else None
    return {"perturbed": changed.public()} if changed else {}


def _about(cube: Cube | ProtectedCube, kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "table": cube.table,
        "title": cube.title,
        "population": cube.population,
        "dimensions": [asdict(dimension) for dimension in cube.dimensions],
        "measures": list(cube.measures),
        "additive": {name: list(flags) for name, flags in cube.additive.items()},
        "at_least": [list(pair) for pair in cube.at_least],
        "notes": cube.notes,
        **({"design_effects": list(cube.design_effects)} if cube.design_effects else {}),
        **_perturbed(cube),
        **({"largest": True} if isinstance(cube, Cube) and cube.largest is not None else {}),
    }


def _write(cube: Cube | ProtectedCube, kind: str, numbers: Frame, folder: Path, zone: Zone) -> None:
    described.write(
        numbers,
        folder / f"{cube.table}.parquet",
        _schema(list(numbers)),
        zone,
        _about(cube, kind),
        folder / f"{cube.table}.json",
    )


def _schema(names: list[str]) -> Schema:
    return dict.fromkeys(names, "int64")


def _find(folder: Path, kind: str, zone: Zone) -> list[tuple[Path, dict[str, Any]]]:
    if not folder.is_dir():
        raise DataError(folder, "is not there", "run the stage that makes it again")
    found = []
    for path in sorted(folder.glob("*.json")):
        about = documents.read_json(path)
        if isinstance(about, dict) and about.get("kind") == kind:
            described.check(about, path, path.with_suffix(".parquet"), zone)
            found.append((path, about))
    return sorted(found, key=lambda each: str(each[1]["table"]))


def _numbers(path: Path, about: dict[str, Any], zone: Zone, *more: str) -> dict[str, np.ndarray]:
    effects = [f"{_EFFECT}{name}" for name in about.get("design_effects", ())]
    frame = sealed.read(path.with_suffix(".parquet"), _schema([*about["measures"], *more, *effects]), zone)
    return {name: np.asarray(column) for name, column in frame.items()}


def _description(about: dict[str, Any]) -> dict[str, Any]:
    dimensions = tuple(_dimension(each) for each in about["dimensions"])
    return {
        "table": about["table"],
        "title": about["title"],
        "population": about["population"],
        "dimensions": dimensions,
        "additive": {name: tuple(flags) for name, flags in about["additive"].items()},
        "at_least": tuple((pair[0], pair[1]) for pair in about["at_least"]),
        "notes": about["notes"],
    }


def _dimension(about: dict[str, Any]) -> Dimension:
    listed = {name: tuple(about[name]) for name in ("codes", "labels", "parents", "levels", "values")}
    return Dimension(
        name=about["name"], title=about["title"], role=about["role"], about=about["about"], **listed
    )
