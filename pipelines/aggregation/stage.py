"""The aggregation stage: every shard counted once for each table, and the shards added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.aggregation import clustering, controls, expected, intervals, survival
from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.compute.workers import Workers
from pipelines.cubes.cube import PART_OF, Cube, controls_table, time_table
from pipelines.cubes.files import write_cube
from pipelines.cubes.standing import read_standing, standing_file, together, write_standing
from pipelines.errors import DataError
from pipelines.files import sealed
from pipelines.files.digests import digest
from pipelines.files.frames import Frame, array, concat
from pipelines.files.schemas import CONTROLS, MEMBERS, Schema
from pipelines.files.sealing import Zone
from pipelines.site.permit import Table
from pipelines.site.project import Project
from pipelines.site.snapshot import Shard
from pipelines.study.days import Study
from pipelines.study.lifetable import Lifetable


@dataclass(frozen=True)
class _Task:
    """One shard's work; small, since it travels to a worker. `controls`: where those of all shards lie, if a
    table asks for them; `out`: where each table's counts go; `lifetables`: those that tables name, by
    hash."""

    shard: Shard
    members: Path
    controls: Path | None
    sources: tuple[str, ...]
    study: Study
    out: tuple[tuple[Table, Path], ...]
    zone: Zone
    lifetables: dict[str, Lifetable]


def aggregate(project: Project, workers: Workers) -> dict[str, Any]:
    """Write every table's raw cube to `<run>/raw/`; the receipt says how many cells and how many shards were
    counted anew."""
    layouts = [Layout.of(table, project.definition.study) for table in _parts(project)]
    lifetables, beside = project.lifetables, _shown_controls(project)
    tasks = [_task(project, shard, lifetables, beside) for shard in project.snapshot.shards]
    missing = [task for task in tasks if task.out]
    workers.map(_count_shard, missing)
    whole = {part.table: table for table in project.permit.tables for part in table.parts}
    cubes = [
        _named(cube, whole[layout.table.table], project)
        for layout in layouts
        for cube in _cubes(project, layout)
    ]
    for cube in cubes:
        write_cube(cube, project.folder / "raw", project.zone)
    for layout in layouts:
        _write_standing(project, layout)
    return {
        "tables": [
            {"table": cube.table, "cells": cube.cells, "measures": list(cube.measures)} for cube in cubes
        ],
        "shards": {"computed": len(missing), "kept": len(tasks) - len(missing)},
    }


def _parts(project: Project) -> list[Table]:
    return [part for table in project.permit.tables for part in table.parts]


def _named(cube: Cube, table: Table, project: Project) -> Cube:
    """The cube with the table that it is a part of, if it is one, and with whose controls it counts."""
    if table.count != "baseline":
        return cube
    cube = replace(cube, notes={**cube.notes, PART_OF: table.table})
    cases = {controls_table(part.table): part.table for part in table.parts if not part.controls}
    if project.definition.controls is None or cube.table not in cases:
        return cube
    return controls.named(cube, cases[cube.table], project.definition.controls)


def _shown_controls(project: Project) -> Path | None:
    """Where the controls lie that tables count, written anew; None where no table asks for any."""
    asked, path = project.definition.controls, project.folder / "controls-in-tables.parquet"
    if asked is None or not any(table.controls for table in project.permit.tables):
        return None
    files = (project.members_file(shard) for shard in project.snapshot.shards)
    cases = sum(len(array(sealed.read(each, MEMBERS, project.zone), "person")) for each in files)
    found = sealed.read(project.folder / "controls.parquet", CONTROLS, project.zone)
    shown = controls.shown(found, cases, asked, project.permit.policy.minimum)
    sealed.write(shown, path, CONTROLS, project.zone)
    return path


def _task(project: Project, shard: Shard, lifetables: dict[str, Lifetable], beside: Path | None) -> _Task:
    wanted = [(table, _counts_file(project, shard, table)) for table in _parts(project)]
    return _Task(
        shard=shard,
        members=project.members_file(shard),
        controls=beside,
        sources=project.permit.sources,
        study=project.definition.study,
        out=tuple((table, path) for table, path in wanted if not path.exists()),
        zone=project.zone,
        lifetables=lifetables,
    )


def _counts_file(project: Project, shard: Shard, table: Table) -> Path:
    meaning = table.model_dump(mode="json", exclude={"table", "title"})
    asked = (project.resolved.meaning, project.permit.sources, meaning)
    if table.controls:  # who is a control hangs on the people of all shards
        return project.kept("counts", shard, *asked, *_chosen(project), project.snapshot.id)
    return project.kept("counts", shard, *asked)


def _chosen(project: Project) -> tuple[object, ...]:
    """What decides who is a control in tables, beside the cohort, its sources and the snapshot."""
    asked = project.definition.controls
    return asked.model_dump(mode="json") if asked else None, project.permit.policy.minimum


def _standing_file(counts: Path, measure: str) -> Path:
    """Where it is kept who stands in which cells of a shard, beside the counts."""
    return counts.with_name(f"{counts.stem}-{measure}.parquet")


def _count_shard(task: _Task) -> None:
    members = sealed.read(task.members, MEMBERS, task.zone)
    of_members = Counter(task.shard, members, task.sources, task.lifetables)
    of_controls = replace(of_members, members=_controls_of(task), standing={})
    for table, path in task.out:
        layout, counter = Layout.of(table, task.study), of_controls if table.controls else of_members
        counts: Frame = dict(counter.count(layout))
        for measure in _counting(layout):
            write_standing(counter.standing[measure], _standing_file(path, measure), task.zone)
        sealed.write(counts, path, _schema(layout), task.zone)  # last: it says that the shard is counted


def _controls_of(task: _Task) -> Frame:
    """The shard's own controls, by person."""
    if task.controls is None:
        return concat([], CONTROLS)
    person = array(task.shard.read("persons", ("person",)), "person")
    return controls.among(sealed.read(task.controls, CONTROLS, task.zone), person)


def _counting(layout: Layout) -> dict[str, str]:
    """The measures that count persons, each with the cube that it is in."""
    name = layout.table.table
    return {"persons": name, **({"at_risk": time_table(name)} if layout.time_measures else {})}


def _write_standing(project: Project, layout: Layout) -> None:
    """Who stands in which cells of each cube of a table, from all shards."""
    files = [_counts_file(project, shard, layout.table) for shard in project.snapshot.shards]
    for measure, cube in _counting(layout).items():
        parts = [read_standing(_standing_file(each, measure), project.zone) for each in files]
        write_standing(together(parts), standing_file(project.folder / "raw", cube), project.zone)


def _schema(layout: Layout) -> Schema:
    more = (*layout.ranked, *layout.products, *layout.expectation)
    return dict.fromkeys((*layout.measures, *layout.time_measures, *more), "int64")


def _cubes(project: Project, layout: Layout) -> list[Cube]:
    """The sum over shards, with what is known of its margins: what was counted, and the time at risk as a
    cube of its own.

    Who had an event and who could have had one are two populations: each has small cells of its own, and each
    is protected for itself.
    """
    table = layout.table
    files = (_counts_file(project, shard, table) for shard in project.snapshot.shards)
    total = merged(
        layout,
        (
            {name: np.asarray(each) for name, each in sealed.read(p, _schema(layout), project.zone).items()}
            for p in files
        ),
    )
    measures = {name: total[name] for name in layout.measures}
    cubes = [_cube(project, layout, table.table, table.title, table.counted, measures)]
    if layout.products:
        cubes = [replace(cubes[0], design_effects=clustering.effects(layout, total))]
    if layout.expectation:
        cubes = [replace(cubes[0], design_effects=expected.told(layout, total))]
    if layout.ranked:
        cubes = [replace(cubes[0], largest=np.stack([total[name] for name in layout.ranked], axis=1))]
    if layout.time_measures:
        measures = {"persons" if name == "at_risk" else name: total[name] for name in layout.time_measures}
        head = {"prevalence": "Followed that day", "exposure": "Followed"}.get(table.count, "Time at risk")
        cubes.append(
            _cube(
                project,
                layout,
                time_table(table.table),
                f"{head}. {table.title}",
                table.time,
                measures,
                at_risk=True,
            )
        )
    return cubes


def merged(layout: Layout, parts: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What shards have counted, int64 (cells,) for each measure, as one: sums, and of the largest
    contributions the two largest, since a person lives in one shard."""
    total = {name: np.zeros(layout.cells, np.int64) for name in _schema(layout)}
    for part in parts:
        for name in (*layout.measures, *layout.time_measures, *layout.products, *layout.expectation):
            total[name] = added(total[name], part[name], f"table {layout.table.table}: {name}")
        if layout.ranked:
            four = np.stack([each[name] for each in (total, part) for name in layout.ranked])
            total["second"], total["largest"] = np.sort(four, axis=0)[-2:]
    return total


def added(one: np.ndarray, other: np.ndarray, where: str) -> np.ndarray:
    """The sum of counts of two shards, `one` and `other`: int64 (n,) each, none below 0. Raises `DataError`
    where it would not fit."""
    total = one + other
    if (total < one).any():
        raise DataError(
            where, "is a number too large to be held exactly", "ask for fewer decimals, or a narrower range"
        )
    return total


def _cube(
    project: Project,
    layout: Layout,
    name: str,
    title: str,
    counted: list[object],
    measures: dict[str, np.ndarray],
    at_risk: bool = False,
) -> Cube:
    return Cube(
        table=name,
        title=title,
        population=digest(
            project.definition.meaning,
            project.permit.sources,
            *counted,
            *(_chosen(project) if layout.table.controls else ()),
        ),
        dimensions=layout.dimensions,
        measures=measures,
        additive={measure: additive(layout, measure, at_risk) for measure in measures},
        at_least=tuple(
            (name, "persons")
            for name in ("events", "person_days", "transitions", "values", "intervals", "days_covered")
            if name in measures
        ),
        notes=notes(layout, measures, at_risk),
    )


def additive(layout: Layout, measure: str, at_risk: bool = False) -> tuple[bool, ...]:
    """For each dimension: do the children of a cell add up to it? `at_risk`: of those who could have had an
    event?

    Members stand in one cell each, and so do persons of whom the first event alone counts. A person with
    several events may stand in several cells, but always has one sex; a stay has one day, but may have
    several diagnoses.
    """
    table = layout.table
    once = table.count in ("members", "survival") or (table.first and not at_risk)
    if once or measure not in ("persons", "at_risk", "admissions", "bed_days"):
        return (True,) * len(layout.dimensions)
    grid = (False,) * len(layout.grid)
    if measure in ("admissions", "bed_days"):
        return (*grid, *(each.per_day for each in layout.classifications))
    return (*grid, *(each.per_person for each in layout.classifications))


def notes(layout: Layout, measures: Iterable[str], at_risk: bool = False) -> dict[str, str]:
    """What each measure counts, in words. `at_risk`: is it the cube of those who could have had an event?"""
    table = layout.table
    persons = "members with at least one such event in their follow-up, each counted once in a cell"
    if table.count == "survival":
        persons = (
            f"members of the cohort, each counted once, by the time to the {survival.words(table)}; "
            "classified on their index day"
        )
    elif table.count == "members":
        persons = "members of the cohort, each counted once, classified on their index day"
    elif table.count == "transitions":
        persons = "members with at least one such step in their follow-up, each counted once in a cell"
    elif table.count == "values":
        persons = "members with at least one such value in their follow-up, each counted once in a cell"
    elif table.count == "prevalence":
        within = f" in the {table.lookback} days up to it" if table.lookback else ""
        had = "" if at_risk else f" and have had such an event by then{within}"
        persons = f"members who are followed on the day{had}, each counted once in a cell"
    elif table.count == "intervals":
        persons = "members with at least one such time, each counted once in a cell"
    elif table.count == "exposure" and not at_risk:
        persons = "members with at least one day covered, each counted once in a cell"
    elif at_risk:
        persons = "members with at least one day of follow-up in the cell"
    new = (
        f"new (none in the {table.washout} days before) "
        if table.washout
        else "first "
        if table.first
        else ""
    )
    without = f", without the {table.washout} after each such event" if table.washout else ""
    without += ", up to the first such event" if table.first else ""
    scale = 10**table.decimals
    words = {
        "persons": persons,
        "events": f"{new}such events in the follow-up of members, classified on the day they began",
        "admissions": "inpatient stays with such an event, classified on the day of the first",
        "bed_days": "days of those stays within the follow-up, from admission to discharge, at least one "
        "each; classified as the stay",
        "person_days": f"days of follow-up{without}, classified day by day",
        "transitions": "steps from the state of one day to that of the next with a state, the same or "
        "another, classified on the latter",
        "intervals": "times from one event to the next, by how long they took and how they ended; classified "
        "on the day on which the clock begins"
        + (f"; {intervals.words(table)}" if table.count == "intervals" else ""),
        "days_covered": "days of follow-up that a supply covers"
        + (f", or lie in a gap of at most {table.gap} days to the next one" if table.gap else "")
        + ", classified day by day",
        "values": f"{'first ' if table.first else ''}such values in the follow-up of members, classified on "
        "the day they were measured",
        "sum": f"sum of the values, in {table.unit} times {scale:,}",
        "squares": f"sum of the squares of the values, in {table.unit} squared times {scale**2:,}",
    }
    return {
        **{name: words[name] for name in measures},
        **({"decimals": str(table.decimals)} if "sum" in measures else {}),
        **({"forecast": table.forecast.model_dump_json()} if table.forecast else {}),
        **({"population": table.net.title} if table.net else {}),
    }
