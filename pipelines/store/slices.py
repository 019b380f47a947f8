"""The exchange: each accepted part is cut into one slice per shard, once.

A part's slices are named by what they are made from (the part's content, the persons of its records, the
cut), so that a part whose records still belong to the same persons is not read again on the next night.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from kernels.ordering import range_bounds
from pipelines.files import documents, sealed
from pipelines.files.digests import content_hash, digest
from pipelines.files.frames import Category, Frame, array, take
from pipelines.files.schemas import ACCEPTED_EVENTS, NO_PERSON, PERSON_INDEX, Schema
from pipelines.site.deliveries import Part
from pipelines.site.site import Site
from pipelines.site.snapshot import index_folder

SLICE: Final[Schema] = {
    "person": "int64",
    **{name: kind for name, kind in ACCEPTED_EVENTS.items() if name != "record"},
}
_RECORDS: Final[Schema] = {"record": "int64"}
_PERSONS: Final[Schema] = {"person": "int64"}
FORMAT: Final = 1  # part of a key: raise it when slices come out otherwise for the same input


@dataclass(frozen=True)
class PersonIndex:
    """The person of each record. `record`: int64 (n,), ascending; `person`: int64 (n,)."""

    record: np.ndarray
    person: np.ndarray

    @staticmethod
    def read(site: Site, hash: str) -> PersonIndex:
        """The person index of that hash."""
        frame = sealed.read(
            index_folder(site, hash) / "index.parquet", PERSON_INDEX, site.zone("store"), ["record", "person"]
        )
        return PersonIndex(array(frame, "record"), array(frame, "person"))

    def persons(self, records: np.ndarray) -> np.ndarray:
        """The person of each of `records`, int64 (n,): int64 (n,), `NO_PERSON` where the index does not know
        it."""
        if not len(self.record):
            return np.full(len(records), NO_PERSON, np.int64)
        place = np.minimum(np.searchsorted(self.record, records), len(self.record) - 1)
        return np.where(self.record[place] == records, self.person[place], NO_PERSON)


def cut(site: Site, part: Part, index: PersonIndex, shards: int) -> dict[str, Any]:
    """Slices of one part, cut now or on an earlier night.

    Returns {"key", "reused", "unlinked": events whose record the index does not know, "slices": {shard:
    {"rows", "hash"}}}.
    """
    records = _records(site, part)
    index = PersonIndex(
        records, index.persons(records)
    )  # of this part alone: small, so that the search stays in cache
    key = digest(FORMAT, part.hash, shards, content_hash({"person": index.person}, _PERSONS))
    listing = folder(site, key) / "slices.json"
    if listing.exists():
        return {"key": key, "reused": True, **documents.read_json(listing)}
    content = _cut(site, part, index, shards, folder(site, key))
    documents.write_json(content, listing)
    return {"key": key, "reused": False, **content}


def folder(site: Site, key: str) -> Path:
    """Where the slices of that key lie."""
    return site.store / "exchange" / key


def records_file(site: Site, part: Part) -> Path:
    """Where the distinct records of a part stand, so that its key is known without reading it."""
    return site.store / "exchange" / "records" / f"{part.hash}.parquet"


def _records(site: Site, part: Part) -> np.ndarray:
    path, zone = records_file(site, part), site.zone("store")
    if path.exists():
        return array(sealed.read(path, _RECORDS, zone), "record")
    records = np.unique(
        array(sealed.read(site.root / part.file, ACCEPTED_EVENTS, zone, ["record"]), "record")
    )
    sealed.write({"record": records}, path, _RECORDS, zone)
    return records


def _cut(site: Site, part: Part, index: PersonIndex, shards: int, into: Path) -> dict[str, Any]:
    zone = site.zone("store")
    events = sealed.read(site.root / part.file, ACCEPTED_EVENTS, zone)
    person = index.persons(array(events, "record"))
    del events["record"]
    events["person"] = person
    order = np.argsort(person, kind="stable")
    ascending = person[order]
    edges = [*np.searchsorted(ascending, np.append(0, range_bounds(shards))), len(order)]
    slices: dict[str, dict[str, Any]] = {}
    for shard, (begin, end) in enumerate(pairwise(edges)):
        if begin < end:
            frame = compact(take(events, order[begin:end]))
            sealed.write(frame, into / f"{shard}.parquet", SLICE, zone)
            slices[str(shard)] = {"rows": int(end - begin), "hash": content_hash(frame, SLICE)}
    return {"unlinked": int(edges[0]), "slices": slices}


def compact(frame: Frame) -> Frame:
    """The same rows, with only those labels that they use."""
    return {
        name: Category.of(column.labels, column.places) if isinstance(column, Category) else column
        for name, column in frame.items()
    }
