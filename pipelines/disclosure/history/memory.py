"""The memory of a site: who stood in which cells of every release of every permit, and which were hidden.

`0001`, `0002` …: one folder for each release, whole or absent, in the order in which they were proved; what
is proved counts those before it alone, so that a stage that is run again finds what it found. It is sealed
with a key of its own, and of persons it holds pseudonyms under that key. It never leaves the zone.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from kernels.hashing import hash_integers
from pipelines.cubes.cube import Cube
from pipelines.cubes.files import read_cubes, write_cube
from pipelines.cubes.standing import (
    ROWS,
    Standing,
    gathered,
    read_standing,
    standing_file,
    write_standing,
)
from pipelines.disclosure.history.pairs import Counted
from pipelines.errors import DataError
from pipelines.files import documents, sealed
from pipelines.files.atomic import atomic, exclusive
from pipelines.files.digests import content_hash, digest
from pipelines.files.frames import array
from pipelines.files.schemas import Schema
from pipelines.files.sealing import Zone
from pipelines.site.site import Site

FORMAT: Final = 1
_MASKS: Final[Schema] = {"hidden": "int8", "sensitive": "int8"}
_PEOPLE: Final[Schema] = {"person": "int64"}
_OUT = "out.json"
REMEMBERED: Final = "remembered"  # key of a proof: its version was proved beside the memory
_RESTORE = "restore it from a copy; until then nothing can be proved beside it, and nothing is released"


@dataclass(frozen=True)
class Remembered:
    """One table of a release. `near`: (release, table) of earlier ones that show nearly the same people.
    `hidden`, `sensitive`: bool (cells,), hidden, and hidden for what is in them."""

    counted: Counted
    near: tuple[tuple[int, str], ...]
    hidden: np.ndarray
    sensitive: np.ndarray


@dataclass(frozen=True)
class Entry:
    """A release in the memory. `permit`, `run`: what was proved; `out`: has it gone out? One that has not may
    still do so."""

    folder: Path
    number: int
    permit: str
    run: str
    about: dict[str, Any]
    zone: Zone

    @property
    def out(self) -> bool:
        return (self.folder / _OUT).exists()

    @property
    def tables(self) -> list[str]:
        """Names of its tables."""
        return list(self.about["tables"])

    @cached_property
    def people(self) -> np.ndarray:
        """Pseudonyms of everybody in it: int64 (persons,), ascending. Raises `DataError` where it is
        broken."""
        with _whole(self.folder):
            return array(sealed.read(self.folder / "people.parquet", _PEOPLE, self.zone), "person")

    @cached_property
    def cubes(self) -> dict[str, Cube]:
        return {cube.table: cube for cube in read_cubes(self.folder / "cubes", self.zone)}

    def table(self, name: str) -> Remembered:
        """One of its tables. Raises `DataError` where it is broken, or is not the one that was remembered."""
        about = self.about["tables"][name]
        with _whole(self.folder):
            cube = self.cubes[name]
            masks = sealed.read(self.folder / "masks" / f"{name}.parquet", _MASKS, self.zone)
            standing = read_standing(standing_file(self.folder, name), self.zone)
        hidden, sensitive = (array(masks, each).astype(bool) for each in _MASKS)
        near = tuple((int(number), str(table)) for number, table in about["near"])
        counted = Counted(cube, standing, about["kind"], about["amounts"])
        found = Remembered(counted, near, hidden, sensitive)
        if _digest(found) != about["content"]:
            raise DataError(self.folder, f"holds another table {name} than was remembered", _RESTORE)
        return found


class Memory:
    """All entries, and what it takes to add one."""

    def __init__(self, folder: Path, zone: Zone) -> None:
        self.folder, self.zone = folder, zone

    def pseudonyms(self, standing: Standing) -> Standing:
        """The same with persons that tell nothing to whoever has not the key."""
        person = hash_integers(standing.person, self.zone.derived("pseudonyms", 16))
        return gathered(person, standing.cell, standing.amount)

    def entries(self) -> list[Entry]:
        """All of them, the first one first. Raises `DataError` where one is gone or broken: what it showed
        cannot be forgotten."""
        numbers = sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())
        if numbers != list(range(1, len(numbers) + 1)):
            raise DataError(self.folder, "lacks a release between others", _RESTORE)
        return [self._entry(number) for number in numbers]

    def require(self, versions: Mapping[str, int]) -> None:
        """Raises `DataError` where it holds fewer releases that went out than the `versions` of each permit
        that say they were proved beside it."""
        held = Counter(each.permit for each in self.entries() if each.out)
        if lost := sum(max(0, number - held[permit]) for permit, number in versions.items()):
            raise DataError(self.folder, f"lacks releases that are out: {lost:,}", _RESTORE)

    def before(self, permit: str, run: str) -> list[Entry]:
        """What a run of a permit is proved beside: all that came before it, or before it was proved the last
        time; of the permit itself, what has gone out."""
        found = self.entries()
        own = [each.number for each in found if (each.permit, each.run) == (permit, run)]
        return [
            each
            for each in found
            if (not own or each.number < own[0]) and (each.permit != permit or each.out)
        ]

    def add(self, permit: str, run: str, tables: Sequence[Remembered]) -> int:
        """Remember a release that may go out from now on; its number. What a run remembered before is kept
        where it is the same, and an earlier one of the permit that never went out gives up its place only to
        the same run."""
        content, found = digest(*map(_digest, tables)), self.entries()
        for entry in found:
            if entry.permit == permit and entry.about["content"] == content:
                return entry.number
        number = len(found) + 1
        beside = self.folder / f".{number:04}.part"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700, parents=True)
        people = [np.empty(0, np.int64)]
        for each in tables:
            table = each.counted.cube.table
            write_cube(each.counted.cube, beside / "cubes", self.zone)
            write_standing(each.counted.standing, standing_file(beside, table), self.zone)
            masks = {name: getattr(each, name).astype(np.int8) for name in _MASKS}
            sealed.write(masks, beside / "masks" / f"{table}.parquet", _MASKS, self.zone)
            people.append(each.counted.standing.person)
        sealed.write(
            {"person": np.unique(np.concatenate(people))}, beside / "people.parquet", _PEOPLE, self.zone
        )
        about = {
            "format": FORMAT,
            "permit": permit,
            "run": run,
            "content": content,
            "tables": {
                each.counted.cube.table: {
                    "kind": each.counted.kind,
                    "amounts": each.counted.amounts,
                    "content": _digest(each),
                    "near": [list(pair) for pair in each.near],
                }
                for each in tables
            },
        }
        documents.write_json({**about, "seal": self._seal(about)}, beside / "about.json")
        beside.rename(self.folder / f"{number:04}")
        return number

    def goes_out(self, number: int) -> None:
        """Note that a release goes out: from now on it counts for ever. Raises `DataError` where the memory
        does not know it."""
        found = self.entries()
        if not 0 < number <= len(found):
            raise DataError(self.folder, f"knows no release {number}", _RESTORE)
        if not found[number - 1].out:
            with atomic(found[number - 1].folder / _OUT) as beside:
                beside.write_bytes(documents.canonical_json({"number": number}))

    def _entry(self, number: int) -> Entry:
        folder = self.folder / f"{number:04}"
        try:
            about = documents.read_object(folder / "about.json", "format", "permit", "run", "tables", "seal")
        except DataError:
            about = {"format": 0}
        seal = about.pop("seal", None)
        if about["format"] != FORMAT or seal != self._seal(about):
            raise DataError(
                folder,
                f"is truncated, altered, under another key than keys/memory.key, or not of format {FORMAT}",
                _RESTORE,
            )
        return Entry(folder, number, about["permit"], about["run"], about, self.zone)

    def _seal(self, about: object) -> str:
        """What nobody can make for another description without the key."""
        return digest(documents.canonical_json(about).decode(), self.zone.derived("seal", 32).hex())


def _digest(table: Remembered) -> str:
    cube, standing = table.counted.cube, table.counted.standing
    shape = [[axis.name, axis.codes, axis.parents] for axis in cube.dimensions]
    rows = content_hash({name: getattr(standing, name) for name in ROWS}, ROWS)
    masks = content_hash({name: getattr(table, name).astype(np.int8) for name in _MASKS}, _MASKS)
    numbers = content_hash(dict(cube.measures), dict.fromkeys(sorted(cube.measures), "int64"))
    return digest([cube.table, table.counted.kind, table.counted.amounts, shape, rows, masks, numbers])


@contextlib.contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """What is broken is restored, and never removed, as of files that a stage makes again."""
    try:
        yield
    except DataError as fault:
        raise DataError(folder, f"is broken: {fault.what}", _RESTORE) from fault


@contextlib.contextmanager
def opened(site: Site) -> Iterator[Memory]:
    """The memory of a site, made where it is not there, for one process at a time: another one waits.

    Raises `DataError` where there are releases without their key, or fewer than are out.
    """
    folder = site.root / "memory"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (site.keys / "memory.key").exists() and any(path.name.isdigit() for path in folder.iterdir()):
        raise DataError(
            folder, "has releases, but no key", "restore keys/memory.key; without it nothing can be proved"
        )
    with exclusive(folder / "lock"):
        memory = Memory(folder, site.zone("memory"))
        memory.require(_proved(site.release))
        yield memory


def _proved(release: Path) -> dict[str, int]:
    """How many versions of each permit are out that were proved beside the memory."""
    found = Counter[str]()
    for proof in release.glob("*/*/proof.json"):
        if proof.parent.name.isdigit() and REMEMBERED in documents.read_object(proof):
            found[proof.parents[1].name] += 1
    return found
