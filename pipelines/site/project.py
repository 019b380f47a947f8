"""One run of one permit: the snapshot that it pins, and where what it makes lies. Sealed with the permit's
own key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from pipelines.errors import SettingsError
from pipelines.files import documents
from pipelines.files.digests import digest
from pipelines.files.sealing import Zone
from pipelines.files.version import code_hash
from pipelines.site import permit
from pipelines.site.permit import Permit
from pipelines.site.site import Site
from pipelines.site.snapshot import Shard, Snapshot
from pipelines.study import definition, lifetable
from pipelines.study.beside_controls import unfit
from pipelines.study.definition import Definition
from pipelines.study.lifetable import Lifetable


def require_once(path: Path, asked: Definition) -> None:
    """SettingsError where the definition at `path` lets a person enter several times: tables count each
    member's follow-up once."""
    if asked.index.several:
        raise SettingsError(
            f"{path}: index",
            "lets a person enter several times, and tables count each member's follow-up once",
            "say which: first, any, last or a number, or one day",
        )


def require_controls(asked: Permit, cohort: Definition) -> None:
    """SettingsError where a table asks for controls that the definition does not choose, or has a row that
    follows from how it chooses them."""
    for fault in unfit(asked.tables, cohort):
        what, _, then = fault.rpartition(": ")
        raise SettingsError(f"{asked.file}: tables", what, then)


@dataclass(frozen=True)
class Project:
    """A permit in force, on a snapshot."""

    site: Site
    permit: Permit
    definition: Definition
    snapshot: Snapshot

    @staticmethod
    def open(site: Site, name: str, snapshot: str | None = None, today: date | None = None) -> Project:
        """The permit of that name on a snapshot (the current one by default). Raises `PermitError` unless it
        is in force and signed, `SettingsError` where its definition lets a person enter several times, since
        tables count each member once, or where tables cannot have the controls that they ask for."""
        asked = Permit.load(site, name)
        cohort = definition.load(asked.definition_path)
        require_once(asked.definition_path, cohort)
        require_controls(asked, cohort)
        pinned = Snapshot.load(site, snapshot)
        permit.require(
            site,
            asked,
            {source: each.owner for source, each in pinned.sources.items()},
            today or date.today(),
        )
        return Project(site, asked, cohort, pinned)

    @cached_property
    def resolved(self) -> Definition:
        """The definition as it is run: each code list with all codes of the snapshot that it stands for."""
        return self.snapshot.hierarchy.resolved(self.definition)

    @cached_property
    def lifetables(self) -> dict[str, Lifetable]:
        """Those that tables name, by their hash. SettingsError: one is not there, or not as it was signed."""
        folder = self.permit.definition_path.parent
        return lifetable.named((table.net for table in self.permit.tables), folder)

    @cached_property
    def zone(self) -> Zone:
        return self.site.zone(f"project-{self.permit.permit}")

    @cached_property
    def asks(self) -> str:
        """Digest of what the permit and its definition say."""
        return digest(self.permit.payload.decode())

    @cached_property
    def run(self) -> str:
        """Name of the run: what the permit says, what it is asked of, and by which version."""
        return digest(self.permit.payload.decode(), self.snapshot.id, code_hash())[:16]

    @property
    def folder(self) -> Path:
        """What this run makes."""
        return self.site.projects / self.permit.permit / "runs" / self.run

    @property
    def held(self) -> bool:
        """Has disclosure held this run back, so that the latest version stands?"""
        receipt = self.folder / "disclosure.json"
        return receipt.exists() and bool(documents.read_object(receipt).get("held"))

    @property
    def remembered(self) -> int:
        """Number of this run's release in the memory of the site, 0 where there is none."""
        receipt = self.folder / "disclosure.json"
        return int(documents.read_object(receipt).get("memory", 0)) if receipt.exists() else 0

    def kept(self, stage: str, shard: Shard, *meaning: object) -> Path:
        """A shard's result of a stage, named by all that it is made from, so that an unchanged shard is never
        computed twice."""
        name = digest(stage, shard.hash, code_hash(), *meaning)
        return self.site.projects / self.permit.permit / stage / f"{name}.parquet"

    def members_file(self, shard: Shard) -> Path:
        """Where a shard's members lie."""
        return self.kept("members", shard, self.resolved.meaning, self.permit.sources)
