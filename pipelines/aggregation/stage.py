"""The aggregation stage: every shard counted once for each table, and the shards added up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import storage
from pipelines.aggregation.count import Counter, Layout
from pipelines.compute import Workers
from pipelines.cube_files import write_cube
from pipelines.cubes import Cube
from pipelines.definition import Study
from pipelines.permit import Table
from pipelines.project import Project
from pipelines.schemas import MEMBERS, Schema
from pipelines.sealing import Zone
from pipelines.snapshot import Shard


@dataclass(frozen=True)
class _Task:
    """One shard's work; small, since it travels to a worker. `out`: where each table's counts go."""

    shard: Shard
    members: Path
    sources: tuple[str, ...]
    study: Study
    out: tuple[tuple[Table, Path], ...]
    zone: Zone


def aggregate(project: Project, workers: Workers) -> dict[str, Any]:
    """Write every table's raw cube to `<run>/raw/`; the receipt says how many cells and how many shards were counted anew."""
    layouts = [Layout.of(table, project.definition.study) for table in project.permit.tables]
    tasks = [_task(project, shard) for shard in project.snapshot.shards]
    missing = [task for task in tasks if task.out]
    workers.map(_count_shard, missing)
    for layout in layouts:
        write_cube(_cube(project, layout), project.folder / "raw", project.zone)
    return {
        "tables": [{"table": layout.table.table, "cells": layout.cells, "measures": list(layout.measures)} for layout in layouts],
        "shards": {"computed": len(missing), "kept": len(tasks) - len(missing)},
    }


def _task(project: Project, shard: Shard) -> _Task:
    wanted = [(table, _counts_file(project, shard, table)) for table in project.permit.tables]
    return _Task(
        shard=shard,
        members=project.members_file(shard),
        sources=project.permit.sources,
        study=project.definition.study,
        out=tuple((table, path) for table, path in wanted if not path.exists()),
        zone=project.zone,
    )


def _counts_file(project: Project, shard: Shard, table: Table) -> Path:
    meaning = table.model_dump(mode="json", exclude={"table", "title"})
    return project.kept("counts", shard, project.definition.meaning, project.permit.sources, meaning)


def _count_shard(task: _Task) -> None:
    counter = Counter(task.shard, storage.read(task.members, MEMBERS, task.zone), task.sources)
    for table, path in task.out:
        layout = Layout.of(table, task.study)
        counts: storage.Frame = dict(counter.count(layout))
        storage.write(counts, path, _schema(layout), task.zone)


def _schema(layout: Layout) -> Schema:
    return dict.fromkeys(layout.measures, "int64")


def _cube(project: Project, layout: Layout) -> Cube:
    """The sum over shards, with what is known of its margins."""
    files = [_counts_file(project, shard, layout.table) for shard in project.snapshot.shards]
    total = {name: np.zeros(layout.cells, np.int64) for name in layout.measures}
    for path in files:
        for name, values in storage.read(path, _schema(layout), project.zone).items():
            total[name] += np.asarray(values)
    table = layout.table
    counted = [table.codes, table.kind] if table.count == "events" else []
    return Cube(
        table=table.table,
        title=table.title,
        population=storage.digest(project.definition.meaning, project.permit.sources, table.count, counted),
        dimensions=tuple(each.dimension for each in layout.classifications),
        measures=total,
        additive={name: additive(layout, name) for name in layout.measures},
        at_least=tuple(pair for pair in (("events", "persons"),) if set(pair) <= set(layout.measures)),
        notes=notes(layout),
    )


def additive(layout: Layout, measure: str) -> tuple[bool, ...]:
    """For each dimension: do the children of a cell add up to it?

    Members stand in one cell each. A person with several events may stand in several, but always has one sex; a stay has one day, but may
    have several diagnoses.
    """
    if layout.table.count == "members" or measure in ("events", "person_days"):
        return (True,) * len(layout.classifications)
    if measure == "admissions":
        return tuple(each.per_day for each in layout.classifications)
    return tuple(each.per_person for each in layout.classifications)


def notes(layout: Layout) -> dict[str, str]:
    """What each measure counts, in words."""
    if layout.table.count == "members":
        return {"persons": "members of the cohort, each counted once, classified on their index day"}
    words = {
        "persons": "members with at least one such event in their follow-up, each counted once in a cell",
        "events": "such events in the follow-up of members, classified on the day they began",
        "admissions": "inpatient stays with such an event, classified on the day of the first",
        "person_days": "days of follow-up, classified day by day",
        "at_risk": "members with at least one day of follow-up in the cell",
    }
    return {name: words[name] for name in layout.measures}
