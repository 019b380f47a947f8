"""The cohort stage: every shard's members, each computed once, and the attrition of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipelines.cohort import ended, engine, entered, oracle
from pipelines.cohort.controls import find_controls
from pipelines.cohort.given import given
from pipelines.cohort.lower import lower
from pipelines.cohort.query import Cohort
from pipelines.cohort.results import Results
from pipelines.cohort.shard_source import ShardReader, ShardSource
from pipelines.cohort.steps import steps
from pipelines.cohort.strata import count_strata
from pipelines.compute.workers import Workers
from pipelines.files import documents, sealed
from pipelines.files.frames import Frame, array, concat
from pipelines.files.schemas import CONTROLS, MEMBERS
from pipelines.files.sealing import Zone
from pipelines.site.project import Project
from pipelines.site.snapshot import Shard
from pipelines.study.definition import Definition

Engine = Literal["numba", "duckdb"]
Counts = tuple[tuple[str, int], ...]  # persons left after each step


@dataclass(frozen=True)
class Selection:
    """Members of a shard (schema MEMBERS), how many persons were left after each step, the code lists that
    have a code of the shard, why follow-up ends, as `ended.counted` says it, and whom it is of."""

    members: Frame
    attrition: Counts
    matched: tuple[str, ...]
    ends: dict[str, tuple[int, int]]
    who: entered.Entered


@dataclass(frozen=True)
class _Task:
    """One shard's work; small, since it travels to a worker."""

    shard: Shard
    definition: Definition
    sources: tuple[str, ...]
    out: Path
    zone: Zone
    engine: Engine


def select_cohort(project: Project, workers: Workers, engine: Engine = "numba") -> dict[str, Any]:
    """Members of every shard, and the receipt: the attrition and where each shard's members lie."""
    tasks = [
        _Task(
            shard=shard,
            definition=project.resolved,
            sources=project.permit.sources,
            out=project.members_file(shard),
            zone=project.zone,
            engine=engine,
        )
        for shard in project.snapshot.shards
    ]
    missing = [task for task in tasks if not task.out.exists() or not _attrition_file(task.out).exists()]
    workers.map(_select_shard, missing)
    told = [
        documents.read_object(_attrition_file(task.out), "attrition", "matched", "ends", "entered")
        for task in tasks
    ]
    matched = {name for each in told for name in each["matched"]}
    ends = ended.together([each["ends"] for each in told])
    receipt = {
        "cohort": project.definition.cohort,
        "title": project.definition.title,
        "snapshot": project.snapshot.id,
        "attrition": ended.with_deaths(_merged([each["attrition"] for each in told]), ends),
        "ends": ended.told(ends),
        "entered": entered.merged([each["entered"] for each in told]),
        "unmatched": sorted(set(project.definition.codes) - matched),
        "shards": {"computed": len(missing), "kept": len(tasks) - len(missing)},
    }
    return {**receipt, **_beside(project, [task.out for task in tasks])}


def _beside(project: Project, files: list[Path]) -> dict[str, Any]:
    """What the receipt says of controls and strata, where the definition asks for them. `files`: the
    members."""
    asked, shards, told = project.resolved, project.snapshot.shards, dict[str, Any]()
    if not asked.controls and not asked.strata:
        return told
    members = concat([sealed.read(path, MEMBERS, project.zone) for path in files], MEMBERS)
    if asked.strata:
        told["strata"] = count_strata(shards, asked.strata, members)
    if asked.controls:
        matching = find_controls(shards, project.permit.sources, asked, members)
        sealed.write(matching.controls, project.folder / "controls.parquet", CONTROLS, project.zone)
        told["controls"] = matching.receipt
    return told


def select(
    shard: ShardReader, sources: tuple[str, ...] | None, definition: Definition, engine_name: Engine = "numba"
) -> Selection:
    """The members of one shard. `sources`: those that the permit names; None for all."""
    cohort = lower(definition)
    source = ShardSource(shard, sources)
    results = of_shard(cohort, source, engine_name)
    members = results.members()
    attrition = (*_everyone(source, sources), *zip(steps(cohort), results.attrition, strict=True))
    matched = (str(name) for name, asked in cohort.sets.items() if len(source.concepts(asked)))
    person = np.searchsorted(source.persons, results.person)
    ends = ended.counted(person, results.end, array(members, "ended"), source.deaths)
    of = entered.entered(source, results.person, results.start)
    return Selection(members, attrition, tuple(matched), ends, of)


def of_shard(cohort: Cohort, source: ShardSource, engine_name: str) -> Results:
    """What an engine finds in a shard, why stays end included."""
    others = {name: of_shard(each, source, engine_name) for name, each in cohort.others.items()}
    if engine_name == "duckdb":
        return oracle.run(cohort, source, others)
    return engine.run(cohort, given(source, cohort.calendar, others), source.deaths)


def _everyone(source: ShardSource, sources: tuple[str, ...] | None) -> Counts:
    """Who is left before the definition is looked at. Of sources that the permit does not name, nothing is
    counted."""
    everyone = (("are in the snapshot", len(source.persons)), ("have not opted out", int(source.free.sum())))
    return (
        everyone
        if sources is None
        else (*everyone, ("have events of sources that the permit names", source.with_events()))
    )


def _select_shard(task: _Task) -> None:
    selection = select(task.shard, task.sources, task.definition, task.engine)
    sealed.write(selection.members, task.out, MEMBERS, task.zone)
    told = {
        "attrition": [list(step) for step in selection.attrition],
        "matched": list(selection.matched),
        "ends": {name: list(counts) for name, counts in selection.ends.items()},
        "entered": entered.rows(selection.who),
    }
    documents.write_json(told, _attrition_file(task.out))


def _attrition_file(members: Path) -> Path:
    return members.with_suffix(".json")


def _merged(parts: list[list[list[Any]]]) -> list[dict[str, Any]]:
    """Counts of the shards added up, step by step."""
    steps = parts[0] if parts else []
    return [
        {"step": step[0], "persons": sum(part[number][1] for part in parts)}
        for number, step in enumerate(steps)
    ]
