"""A made-up region of any size, chunk by chunk: every chunk has a seed of its own, so that it does not matter
who makes it or when."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.files import documents
from pipelines.site.site import Site
from pipelines.synthetic import care, illness, journals, records, registers, settings
from pipelines.synthetic.people import Plan, plan, residences
from pipelines.synthetic.people import people as people_of
from pipelines.synthetic.region import Region, Truth, providers
from pipelines.synthetic.settings import CORRECTED, DELIVERED, DELIVERED_SECOND, FIRST, SECOND
from pipelines.synthetic.writing import Folder, dates

SOURCES = (
    "folkbokforing",
    "journal_a",
    "journal_b",
    "primarvard",
    "lakemedel",
    "dodsorsak",
    "kvalitetsregister",
    "sparrlista",
)


def generate(root: Path, people: int, seed: int, *, progress: Callable[[str], None] | None = None) -> None:
    """Write the deliveries, the second night's deliveries and the truth of `people` made-up people into the
    site folder `root`."""
    token_key = Site.load(root).zone("identity").derived("token")
    folders = _folders(root)
    whole = plan(people, seed)
    chunks = -(-people // settings.CHUNK)
    tell = progress or (lambda _line: None)
    task = _Task(whole, seed, token_key, folders)
    with (
        _Truth(root / "truth") as truth,
        ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), chunks)) as pool,
    ):
        for done, part in enumerate(_in_order(pool, task.chunk, chunks), 1):
            truth.add(part)
            tell(f"{min(done * settings.CHUNK, people):,} of {people:,} people")
    for folder in folders.values():
        folder.close()


def _in_order(pool: ThreadPoolExecutor, function: Callable[[int], _Part], chunks: int) -> Iterator[_Part]:
    """Results in order, with no more than a few chunks begun ahead of the one that is waited for."""
    ahead = 3
    waiting = [pool.submit(function, chunk) for chunk in range(min(ahead, chunks))]
    for chunk in range(chunks):
        yield waiting.pop(0).result()
        if chunk + ahead < chunks:
            waiting.append(pool.submit(function, chunk + ahead))


def _folders(root: Path) -> dict[str, Folder]:
    first, later = root / "deliveries", root / "later"
    folders = {source: Folder(first / source / FIRST, DELIVERED) for source in SOURCES}
    folders["late"] = Folder(later / "journal_b" / SECOND, DELIVERED_SECOND)
    folders["correction"] = Folder(later / "kvalitetsregister" / CORRECTED, DELIVERED_SECOND, replaces=FIRST)
    return folders


@dataclass(frozen=True)
class _Part:
    """The truth about one chunk."""

    persons: pa.Table
    records: pa.Table
    canaries: list[dict[str, str]]


@dataclass(frozen=True)
class _Task:
    whole: Plan
    seed: int
    token_key: bytes
    folders: dict[str, Folder]

    def chunk(self, chunk: int) -> _Part:
        """Make and deliver one chunk of people."""
        streams = [
            np.random.Generator(np.random.SFC64([self.seed, 2, chunk, k])) for k in range(2 + len(SOURCES))
        ]
        region = self._region(chunk, streams[0])
        f = self.folders
        truths = {
            "folkbokforing": registers.folkbokforing(region, f["folkbokforing"], streams[2]),
            "journal_a": journals.journal_a(region, f["journal_a"], streams[3]),
            "journal_b": journals.journal_b(region, f["journal_b"], f["late"], streams[4]),
            "primarvard": journals.primarvard(region, f["primarvard"], streams[5]),
            "lakemedel": registers.lakemedel(region, f["lakemedel"], streams[6]),
            "dodsorsak": registers.dodsorsak(region, f["dodsorsak"], streams[7]),
            "kvalitetsregister": registers.kvalitetsregister(
                region, f["kvalitetsregister"], f["correction"], streams[8]
            ),
            "sparrlista": registers.sparrlista(region, f["sparrlista"], streams[9]),
        }
        return _truth_of(region, truths)

    def _region(self, chunk: int, rng: np.random.Generator) -> Region:
        who = people_of(self.whole, chunk, rng)
        onset = illness.onsets(who, rng)
        contacts = illness.contacts(who, onset, rng)
        lived = residences(who, rng)
        home = rng.integers(0, 26, len(who))
        home[lived[0]] = lived[3]
        return Region(
            people=who,
            onset=onset,
            contacts=contacts,
            provider=providers(who, contacts, rng),
            diagnoses=care.diagnoses(who, onset, contacts, rng),
            measures=care.measures(contacts, rng),
            laboratory=care.laboratory(who, onset, contacts, rng),
            residences=lived,
            home=home,
            postcode=records.postcodes(home, rng),
            token_key=self.token_key,
        )


def _truth_of(region: Region, truths: dict[str, Truth]) -> _Part:
    who = region.people
    persons = pa.table(
        {
            "person": pa.array(who.person),
            "birth": dates(who.birth),
            "sex": pa.array(who.sex),
            "enters": dates(who.enters),
            "leaves": dates(who.leaves),
            "fate": pa.array(who.fate),
            "standing": pa.array(who.standing),
            "second_bearer": pa.array(who.second_bearer),
        }
    )
    known = pa.concat_tables(
        [
            pa.table(
                {
                    "source": pa.DictionaryArray.from_arrays(
                        pa.array(np.full(len(reference), SOURCES.index(source), np.int8)), pa.array(SOURCES)
                    ),
                    "reference": reference,
                    "person": pa.array(person),
                }
            )
            for source, (reference, person) in truths.items()
        ]
    )
    rows = np.flatnonzero(who.person < settings.CANARIES)
    canaries = [
        {"given": who.given[k].decode(), "surname": who.surname[k].decode(), "number": who.number[k].decode()}
        for k in rows
    ]
    return _Part(persons, known, canaries)


class _Truth:
    """The files that no stage may read, written part by part, whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._canaries: list[dict[str, str]] = []

    def __enter__(self) -> _Truth:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def add(self, part: _Part) -> None:
        """Append the truth about one chunk."""
        for name, table in (("persons", part.persons), ("records", part.records)):
            if name not in self._writers:
                self._writers[name] = pq.ParquetWriter(self._folder / f".{name}.part", table.schema)
            self._writers[name].write_table(table)
        self._canaries += part.canaries

    def __exit__(self, kind: object, *_rest: object) -> None:
        for name, writer in self._writers.items():
            writer.close()
            part = self._folder / f".{name}.part"
            if kind is None:
                part.replace(self._folder / f"{name}.parquet")
            else:
                part.unlink()
        if kind is None:
            documents.write_json(self._canaries, self._folder / "canaries.json")
