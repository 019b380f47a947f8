"""The files of a folder that `uttag protect` writes, whatever the method."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.cubes.cube import TOTAL, Cube, Dimension
from pipelines.errors import DataError, SettingsError
from pipelines.files import documents, people, plain
from pipelines.files.digests import file_digest

CERTIFICATE: Final = "certificate"  # the folder that never leaves: true numbers, and what proves the rest
EARLIER: Final = "earlier"  # in it: tables that were released before


def usable(out: Path) -> None:
    """Raise `SettingsError` where no folder of that name can be made; nothing is made yet."""
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists() or path.is_symlink())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise _no_folder(out)


def _no_folder(out: Path) -> SettingsError:
    return SettingsError(
        "--out", f"{out.name} is no folder, and none can be made of that name", "name another folder"
    )


def begin(out: Path) -> None:
    """Take away what an earlier run wrote there: a folder without `proof.json` is none that holds, until all
    is written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise _no_folder(out) from None
    former = _files_of(out / "proof.json")
    for name in ("proof.json", "report.html", *former):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / CERTIFICATE, ignore_errors=True)


def _files_of(proof: Path) -> list[str]:
    """Tables that a proof names; of one that cannot be read, none."""
    try:
        named = documents.read_object(proof, "files")["files"] if proof.exists() else {}
    except DataError:
        return []
    return [name for name in named if Path(name).name == name and Path(name).suffix in (".csv", ".parquet")]


def columns(
    cube: Cube, values: Sequence[int | float], hidden: np.ndarray, status: str = "shown"
) -> plain.Columns:
    """Columns of plain values, None where hidden, so that nothing can lie beneath.

    `hidden`: bool (cells,). `status`: of every cell that is not hidden.
    """
    coordinates = cube.coordinates()
    made: plain.Columns = {}
    for axis, dimension in enumerate(cube.dimensions):
        names = np.array(_codes(dimension), object)
        made[dimension.name] = names[coordinates[:, axis]].tolist()
    masked = hidden.tolist()
    made["value"] = [None if gone else value for value, gone in zip(values, masked, strict=True)]
    made["status"] = ["hidden" if gone else status for gone in masked]
    return made


def write_tables(out: Path, made: Sequence[plain.Columns], cubes: Sequence[Cube]) -> dict[str, str]:
    """Each table as CSV and Parquet; the digest of each file by its name."""
    files = {}
    for cube, each in zip(cubes, made, strict=True):
        for write, kind in ((plain.write_csv, "csv"), (plain.write_parquet, "parquet")):
            path = out / f"{cube.table}.{kind}"
            write(each, path)
            files[path.name] = file_digest(path)
    return files


def announced(cube: Cube, hidden: np.ndarray) -> dict[str, Any]:
    """A table as the proof announces it: names and codes as the files print them. `hidden`: bool (cells,)."""
    return {
        "table": cube.table,
        "cells": cube.cells,
        "hidden": int(hidden.sum()),
        "dimensions": [
            {
                "name": plain.harmless(each.name),
                "codes": list(map(plain.harmless, _codes(each))),
                "parents": list(each.parents),
            }
            for each in cube.dimensions
        ],
    }


def write_proof(out: Path, proof: dict[str, Any]) -> None:
    """The proof, last of all; the certificate says, before that, which one it is of."""
    content = documents.as_json(proof)
    of = out / CERTIFICATE / "of.json"
    documents.write_json({"proof": hashlib.sha256(content.encode()).hexdigest()}, of)
    of.chmod(0o600)
    documents.write_json(proof, out / "proof.json")


def _codes(dimension: Dimension) -> list[str]:
    """The codes of a dimension, its margin by the name that it has."""
    return [dimension.codes[0] or TOTAL, *dimension.codes[1:]]


def write_secret(frames: Mapping[str, dict[str, object]], folder: Path) -> None:
    """Parquet files that only their owner may read, in a folder that only their owner may enter."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    for name, frame in frames.items():
        people.write(frame, folder / f"{name}.parquet")
        (folder / f"{name}.parquet").chmod(0o600)
