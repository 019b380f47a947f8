"""What one rule runs: a stage by its name, with its journal, its audit entry and its place on this machine or
the cluster."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.compute.journal import Journal
from pipelines.compute.ranks import Ranks, ranks
from pipelines.compute.workers import Workers, workers
from pipelines.errors import SettingsError
from pipelines.files import documents
from pipelines.site import audit
from pipelines.site.site import Site

if TYPE_CHECKING:
    from pipelines.site.project import Project


@dataclass(frozen=True)
class Call:
    """How a stage is called. `delivery`: "source/name", of intake alone; `permit`, `snapshot`: of the stages
    of a release; `each`: MiB and minutes of a worker's job, as "1500:240"."""

    site: Path
    delivery: str | None = None
    permit: str | None = None
    snapshot: str | None = None
    on: str = "local"
    workers: int = 0
    each: str = ""
    journal: Path | None = None

    def project(self) -> Project:
        """The permit in force, on its snapshot. Raises SettingsError where none is named."""
        from pipelines.site.project import Project

        if self.permit is None:
            raise SettingsError("stage", "no permit is named", "add --permit NAME")
        return Project.open(Site.load(self.site), self.permit, self.snapshot)

    def team(self) -> AbstractContextManager[Workers]:
        """Workers for the time of a block."""
        memory, _, minutes = self.each.partition(":")
        return workers(self.on, self.workers, int(memory or 0), int(minutes or 0))


def intake(call: Call, journal: Journal) -> dict[str, Any]:
    """Checks and maps one delivery. A delivery that breaks its contract is stopped; the night goes on without
    it."""
    from pipelines.intake.stage import intake

    site = Site.load(call.site)
    source, _, name = (call.delivery or "").partition("/")
    with call.team() as team:
        receipt = intake(site, site.delivery(source, name), team)
    if receipt["status"] == "stopped":
        journal.say(f"stopped: {receipt['reason']}")
    else:
        journal.say(f"{receipt['rows_accepted']:,} of {receipt['rows_read']:,} rows accepted")
    _noted(
        site, "intake", source=source, delivery=name, status=receipt["status"], contract=receipt["contract"]
    )
    return receipt


def linkage(call: Call, journal: Journal, ranks: Ranks) -> dict[str, Any]:
    """Links the records of all deliveries to persons."""
    from pipelines.linkage.stage import link

    site = Site.load(call.site)
    receipt = link(site, ranks, progress=journal.say if ranks.rank == 0 else None)
    if ranks.rank == 0:
        journal.say(f"{receipt['records']:,} records are {receipt['persons']:,} persons")
        _noted(site, "linkage", index=receipt["index"], ranks=ranks.size)
    return receipt


def store(call: Call, journal: Journal, ranks: Ranks) -> dict[str, Any]:
    """Builds the shards that changed and publishes the snapshot."""
    from pipelines.store.stage import build

    site = Site.load(call.site)
    receipt = build(site, ranks, progress=journal.say if ranks.rank == 0 else None)
    if ranks.rank == 0:
        journal.say(
            f"{receipt['shards']['built']} shards built, {receipt['shards']['reused']} kept as they were"
        )
        _noted(site, "store", snapshot=receipt["snapshot"], ranks=ranks.size)
    return receipt


def cohort(call: Call, journal: Journal) -> dict[str, Any]:
    """Selects the members."""
    from pipelines.cohort.controls import without_controls
    from pipelines.cohort.stage import select_cohort
    from workflows import cohort_page

    project = call.project()
    with call.team() as team:
        receipt = select_cohort(project, team)
    for name in receipt["unmatched"]:
        journal.say(
            f"code list {name}: none of its codes occurs in the snapshot; see uttag check, uttag codes"
        )
    if (controls := receipt.get("controls")) and controls["without"]:
        journal.say(f"{without_controls(controls)}; see cohort.html beside cohort.json")
    cohort_page.write(project.folder / "cohort.html", [receipt], exact=True)
    journal.say(_shards(receipt))
    return _of_project(project, "cohort", receipt)


def aggregation(call: Call, journal: Journal) -> dict[str, Any]:
    """Counts the cubes."""
    from pipelines.aggregation.stage import aggregate

    project = call.project()
    with call.team() as team:
        receipt = aggregate(project, team)
    journal.say(f"{sum(table['cells'] for table in receipt['tables']):,} cells; {_shards(receipt)}")
    return _of_project(project, "aggregation", receipt)


def disclosure(call: Call, journal: Journal) -> dict[str, Any]:
    """Protects the cubes, and stops unless that is proven."""
    from pipelines.disclosure.stage import disclose

    project = call.project()
    receipt = disclose(project, progress=journal.say)
    if receipt["held"]:
        journal.say("no pattern keeps everybody safe beside what is out: the latest version stands")
    return _of_project(project, "disclosure", receipt)


def measures(call: Call, journal: Journal) -> dict[str, Any]:
    """Derives rates and plots from protected cubes."""
    from pipelines.measures.stage import measure

    project = call.project()
    if project.held:
        return _of_project(project, "measures", {"tables": []})
    receipt = measure(project.folder / "protected", project.folder / "measures", project.zone)
    return _of_project(project, "measures", receipt)


def release(call: Call, journal: Journal) -> dict[str, Any]:
    """The gate: re-verifies, bundles, signs, publishes."""
    from pipelines.disclosure.history.memory import opened
    from pipelines.release.stage import release
    from pipelines.site.calendar import data_day

    project = call.project()

    def goes_out() -> None:
        if not project.remembered:
            return  # by cell keys, which need no memory
        with opened(project.site) as memory:
            memory.goes_out(project.remembered)

    day = data_day(project.site, project.snapshot).isoformat()
    receipt = {**release(project, goes_out), "data_day": day}
    if receipt["held"]:
        journal.say(
            "held: what has changed since an earlier version is too little to be shown safely; version "
            f"{receipt['version']} stands"
        )
    return _of_project(project, "release", receipt, bundle=receipt["manifest"])


RANKED: dict[str, Callable[[Call, Journal, Ranks], dict[str, Any]]] = {"linkage": linkage, "store": store}
STAGES: dict[str, Callable[[Call, Journal], dict[str, Any]]] = {
    "intake": intake,
    "cohort": cohort,
    "aggregation": aggregation,
    "disclosure": disclosure,
    "measures": measures,
    "release": release,
}


def run(name: str, call: Call) -> dict[str, Any]:
    """Run the stage of that name. Raises SettingsError where there is none."""
    if name not in {*STAGES, *RANKED}:
        raise SettingsError(
            "stage", "there is none of that name", f"choose from {', '.join([*RANKED, *STAGES])}"
        )
    what = call.delivery or call.permit or ""
    if name in STAGES:
        with Journal(call.journal, name, what).stage() as journal:
            return STAGES[name](call, journal)
    # The journal inside: a failing rank says so before it ends the others.
    with ranks() as mine, Journal(call.journal, name, what, mine.rank).stage() as journal:
        return RANKED[name](call, journal, mine)


def _shards(receipt: dict[str, Any]) -> str:
    return f"{receipt['shards']['computed']} shards computed, {receipt['shards']['kept']} kept"


def _of_project(project: Project, stage: str, receipt: dict[str, Any], **more: Any) -> dict[str, Any]:
    _noted(
        project.site,
        stage,
        permit=project.permit.permit,
        snapshot=project.snapshot.id,
        run=project.run,
        asks=project.asks,
        **more,
    )
    # Last: it is what says that the stage is done.
    documents.write_json(receipt, project.folder / f"{stage}.json")
    return receipt


def _noted(site: Site, stage: str, **about: Any) -> None:
    audit.note(site, f"stage {stage}", **about)
