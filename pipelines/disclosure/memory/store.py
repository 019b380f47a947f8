"""The folder that remembers releases: who stood in which cell, and which cells were hidden. It never leaves
the project zone.

`key`: seals all of it, and turns the names of persons into pseudonyms. `0001`, `0002` …: one folder for each
release, whole or absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.cubes.cube import TOTAL, Dimension
from pipelines.errors import DataError, SettingsError
from pipelines.files import documents, sealed
from pipelines.files.atomic import locked
from pipelines.files.frames import Frame, array
from pipelines.files.schemas import Schema
from pipelines.files.sealing import Zone, create_key

FORMAT: Final = 1
_RESTORE: Final = (
    "restore it from a copy; until then nothing can be proved beside it, and nothing is released"
)
_CELLS: Final[Schema] = {"table": "int32", "hidden": "int8", "sensitive": "int8"}
_PERSONS: Final[Schema] = {"high": "int64", "low": "int64"}


@dataclass(frozen=True)
class Remembered:
    """One table of a release. `places`: int32 (persons of the release, dimensions). `hidden`: bool (cells,).
    `sensitive`: bool (cells,), hidden because of what is in them."""

    name: str
    dimensions: tuple[Dimension, ...]
    places: np.ndarray
    hidden: np.ndarray
    sensitive: np.ndarray


@dataclass(frozen=True)
class Release:
    """`persons`: int64 (persons, 2), pseudonyms, ascending."""

    persons: np.ndarray
    tables: tuple[Remembered, ...]


class Memory:
    """The releases of one memory, and what it takes to add one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.zone = Zone("release memory", folder / "key")
        self._numbers = sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())

    def pseudonyms(self, names: Sequence[str]) -> np.ndarray:
        """int64 (persons, 2): the same for the same name, and nothing to whoever has not the key."""
        key = self.zone.derived("pseudonyms", 32)
        hashed = b"".join(hashlib.blake2b(name.encode(), digest_size=16, key=key).digest() for name in names)
        return np.frombuffer(hashed, np.int64).reshape(-1, 2)

    def releases(self) -> list[Release]:
        """All of them, the first one first. Raises `DataError` where one is gone or broken: what it showed
        cannot be forgotten."""
        if self._numbers != list(range(1, len(self._numbers) + 1)):
            raise DataError(self.folder, "lacks a release between others", _RESTORE)
        return [self._whole(self.folder / f"{number:04}") for number in self._numbers]

    def _whole(self, folder: Path) -> Release:
        try:
            about = documents.read_object(folder / "about.json", "format", "tables", "seal")
            if about["format"] == FORMAT:
                release = self._read(folder, about)
                if about["seal"] == self._seal(about["tables"]):
                    return release
        except (DataError, KeyError, TypeError, ValueError, IndexError):
            pass
        raise DataError(folder, f"is truncated, altered, or not of format {FORMAT}", _RESTORE)

    def _seal(self, tables: object) -> str:
        """What nobody can make for other dimensions without the key."""
        return hashlib.blake2b(
            documents.canonical_json(tables), digest_size=20, key=self.zone.derived("seal", 32)
        ).hexdigest()

    def _read(self, folder: Path, about: dict[str, Any]) -> Release:
        schema = _persons([len(each["dimensions"]) for each in about["tables"]])
        persons = sealed.read(folder / "persons.parquet", schema, self.zone)
        cells = sealed.read(folder / "cells.parquet", _CELLS, self.zone)
        tables = []
        for number, each in enumerate(about["tables"]):
            dimensions = tuple(
                _dimension(name, codes, parents) for name, codes, parents in each["dimensions"]
            )
            own = array(cells, "table") == number
            places = [array(persons, f"place_{number}_{axis}") for axis in range(len(dimensions))]
            hidden, sensitive = (array(cells, name)[own].astype(bool) for name in ("hidden", "sensitive"))
            tables.append(
                Remembered(
                    each["table"], dimensions, np.stack(places, axis=1).astype(np.int32), hidden, sensitive
                )
            )
        return Release(np.stack([array(persons, name) for name in _PERSONS], axis=1), tuple(tables))

    def add(self, release: Release) -> int:
        """Remember a release; its number."""
        number = max(self._numbers, default=0) + 1
        beside = self.folder / f".{number:04}.part"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700)
        order = np.lexsort((release.persons[:, 1], release.persons[:, 0]))
        frame: Frame = {"high": release.persons[order, 0], "low": release.persons[order, 1]}
        for table, each in enumerate(release.tables):
            frame |= {
                f"place_{table}_{axis}": each.places[order, axis].astype(np.int32)
                for axis in range(len(each.dimensions))
            }
        sealed.write(
            frame,
            beside / "persons.parquet",
            _persons([len(each.dimensions) for each in release.tables]),
            self.zone,
        )
        cells: Frame = {
            "table": np.repeat(
                np.arange(len(release.tables), dtype=np.int32), [len(each.hidden) for each in release.tables]
            ),
            "hidden": np.concatenate([each.hidden for each in release.tables]).astype(np.int8),
            "sensitive": np.concatenate([each.sensitive for each in release.tables]).astype(np.int8),
        }
        sealed.write(cells, beside / "cells.parquet", _CELLS, self.zone)
        tables = [
            {
                "table": each.name,
                "dimensions": [[axis.name, list(axis.codes), list(axis.parents)] for axis in each.dimensions],
            }
            for each in release.tables
        ]
        documents.write_json(
            {"format": FORMAT, "tables": tables, "seal": self._seal(tables)}, beside / "about.json"
        )
        beside.rename(self.folder / f"{number:04}")
        _synced(self.folder)
        self._numbers.append(number)
        return number


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Memory]:
    """The memory at `folder`, made where it is not there, for one process at a time.

    Raises SettingsError where `folder` is no folder of its user alone, DataError where there are releases
    without their key.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError(
            "memory", f"{folder.name} is no folder", "name a folder of the project zone, or one to be made"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        raise SettingsError("memory", f"{folder.name} can be read by others", "chmod 700 it")
    with locked(
        folder / "lock", "memory", "another release is being protected with it", "wait until it has ended"
    ):
        if not (folder / "key").exists():
            if any(path.name.isdigit() for path in folder.iterdir()):
                raise DataError(
                    folder,
                    "has releases, but no key",
                    "restore the key; without it nothing can be proved about them",
                )
            create_key(folder / "key", secrets.token_bytes(32))
        yield Memory(folder)


def _persons(dimensions: Sequence[int]) -> Schema:
    return {
        **_PERSONS,
        **{
            f"place_{table}_{axis}": "int32"
            for table, number in enumerate(dimensions)
            for axis in range(number)
        },
    }


def _dimension(name: str, codes: Sequence[str], parents: Sequence[int]) -> Dimension:
    return Dimension(name, name, tuple(codes), (TOTAL, *codes[1:]), tuple(parents))


def _synced(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
