"""What the store has published: an immutable list of shards, named by its content, that a permit's run
pins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pipelines.errors import DataError
from pipelines.files import documents, schemas, sealed
from pipelines.files.digests import digest
from pipelines.files.frames import Frame
from pipelines.files.schemas import ANCESTORS, Schema
from pipelines.files.sealed import Parts
from pipelines.files.sealing import Zone
from pipelines.site.site import Site
from pipelines.study.hierarchy import Hierarchy

SHARD_FILES: Final[dict[str, Schema]] = {
    "persons": schemas.SHARD_PERSONS,
    "periods": schemas.SHARD_PERIODS,
    "residences": schemas.SHARD_RESIDENCES,
    "events": schemas.SHARD_EVENTS,
    "postings": schemas.SHARD_POSTINGS,
    "codes": schemas.SHARD_CODES,
}
RAW: Final[dict[str, tuple[str, ...]]] = {  # columns that every cohort reads
    "persons": ("person", "death_day", "opt_out_day"),
    "periods": ("person", "start", "end"),
    "postings": ("person", "start", "row"),
}


@dataclass(frozen=True)
class Shard:
    """A range of persons. `hash`: of all that it was made from; `rows`: of each of its files."""

    hash: str
    rows: dict[str, int]
    path: Path
    zone: Zone = field(repr=False)

    @property
    def persons(self) -> int:
        """People in the shard."""
        return self.rows["persons"]

    @property
    def events(self) -> int:
        """Events in the shard."""
        return self.rows["events"]

    def read(self, name: str, columns: Iterable[str] | None = None) -> Frame:
        """A file of SHARD_FILES: the columns asked for, or all."""
        return sealed.read(self.path / f"{name}.parquet", SHARD_FILES[name], self.zone, columns)

    def parts(self, name: str) -> Parts:
        """A file of RAW, opened to read some of its rows."""
        return Parts(self.path / f"{name}.parquet", SHARD_FILES[name], self.zone)


@dataclass(frozen=True)
class Contribution:
    """What one source has in a snapshot. `deliveries`: their names, by date."""

    owner: str
    no_reidentify: bool
    deliveries: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """One state of the whole store. `id`: the hash of its content; `index`: of the person index that it was
    built with; `above`: the file of what lies above its codes, and its zone, None where no delivery told of
    it."""

    id: str
    index: str
    shards: tuple[Shard, ...]
    sources: dict[str, Contribution]
    above: tuple[Path, Zone] | None = field(default=None, repr=False)

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """What lies above its codes."""
        if self.above is None:
            return Hierarchy()
        path, zone = self.above
        return Hierarchy.of(sealed.read(path, ANCESTORS, zone))

    @property
    def deliveries(self) -> tuple[tuple[str, str], ...]:
        """(source, delivery) of all that went in."""
        return tuple((name, delivery) for name, each in self.sources.items() for delivery in each.deliveries)

    @staticmethod
    def load(site: Site, id: str | None = None) -> Snapshot:
        """The snapshot of that id, or the current one. Raises `DataError` if there is none, or if it is not
        what its name says."""
        id = id or current(site)
        path = snapshot_file(site, id)
        content = documents.read_object(path)
        if content.pop("snapshot", None) != id or digest(content) != id:
            raise DataError(
                path, "its content is not what its name says", "restore it, or run the store stage again"
            )
        zone = site.zone("store")
        return Snapshot(
            id=id,
            index=content["index"],
            shards=tuple(
                Shard(each["hash"], each["rows"], shard_folder(site, each["hash"]), zone)
                for each in content["shards"]
            ),
            sources={
                name: Contribution(each["owner"], each["no_reidentify"], tuple(each["deliveries"]))
                for name, each in sorted(content["sources"].items())
            },
            above=(ancestors_file(site, content["ancestors"]), zone) if "ancestors" in content else None,
        )


def deaths(site: Site, snapshot: Snapshot) -> dict[str, int] | None:
    """How many persons have died on a day that is `observed`, and on one that is `not_observed`; None where
    the store's receipt is of another snapshot."""
    path = site.receipt("store")
    receipt = documents.read_json(path) if path.exists() else {}
    return receipt.get("deaths") if receipt.get("snapshot") == snapshot.id else None


def publish(site: Site, content: dict[str, Any]) -> str:
    """Write the snapshot and make it the current one, each by one atomic rename. `content`: index, shards,
    sources, and, where any delivery tells of them, ancestors: the hash of what lies above its codes. Returns
    its id."""
    id = digest(content)
    documents.write_json({"snapshot": id, **content}, snapshot_file(site, id))
    if not current_file(site).exists() or current(site) != id:
        documents.write_json({"snapshot": id}, current_file(site))
    return id


def current(site: Site) -> str:
    """Id of the current snapshot. Raises `DataError` if nothing has been published."""
    return str(documents.read_object(current_file(site), "snapshot")["snapshot"])


def current_file(site: Site) -> Path:
    """Where the current snapshot's id stands."""
    return site.store / "current.json"


def snapshot_file(site: Site, id: str) -> Path:
    """Where a snapshot's list of shards stands."""
    return site.store / "snapshots" / f"{id}.json"


def shard_folder(site: Site, hash: str) -> Path:
    """Where a shard's files lie."""
    return site.store / "shards" / hash


def ancestors_file(site: Site, hash: str) -> Path:
    """Where what lies above a snapshot's codes stands."""
    return site.store / "ancestors" / f"{hash}.parquet"


def index_folder(site: Site, hash: str) -> Path:
    """Where a person index lies: `index.parquet` and `persons.parquet`."""
    return site.store / "index" / hash
