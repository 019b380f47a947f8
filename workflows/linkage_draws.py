"""Linkage error beside the counts: every cube counted again under draws of the linkage.

Only persons whom a draw takes apart count otherwise, so only they are built, selected and counted again, from
the accepted events; the difference to what they counted before is what the draw does to a cube. What comes
out is secret like a raw cube: it lies in the project's zone and goes nowhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.cohort.stage import select
from pipelines.cubes.cube import CONTROLS_OF, Cube, time_table
from pipelines.cubes.files import read_cubes
from pipelines.files import documents, sealed
from pipelines.files.frames import Frame, array, concat, length, take
from pipelines.files.schemas import ACCEPTED_EVENTS, PERSON_INDEX, PERSONS, TIES, UNITS, Schema
from pipelines.files.sealed import HeldParts
from pipelines.linkage.draws import drawn_index
from pipelines.site.project import Project
from pipelines.site.snapshot import SHARD_FILES, Shard, index_folder
from pipelines.store.shard import Slice, build_shard
from pipelines.store.slices import SLICE, compact

_TOGETHER: Final = 16  # draws whose persons are built in one scratch shard

Linkage = tuple[Frame, Frame]  # schemas PERSON_INDEX (record and person) and PERSONS
Counts = dict[tuple[str, str], np.ndarray]  # int64 (cells,) by cube and measure


@dataclass(frozen=True)
class Spread:
    """What draws of the linkage make of one measure. `mean`, `sd`: float64 (cells,). `low`, `high`: int64
    (cells,), multiples of the policy's minimum that hold the count and the given share of the draws between
    them."""

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray


def linkage_error(project: Project, draws: int = 100, share: float = 0.95) -> dict[str, dict[str, Spread]]:
    """Write `<run>/linkage-error/<cube>.parquet` beside the raw cubes; the same by cube and measure.

    Needs the raw cubes (the aggregation stage). Tables of controls are left out: who is one hangs on all
    people. The draws are the same in every run, for any permit on one index.
    """
    every = read_cubes(project.folder / "raw", project.zone)
    cubes = [cube for cube in every if CONTROLS_OF not in cube.notes]
    changes = list(differences(project, *drawn(project, draws)))
    spreads = {cube.table: spread_of(cube, changes, project.permit.policy.minimum, share) for cube in cubes}
    for table, measures in spreads.items():
        frame: Frame = {}
        schema: Schema = {}
        for name, each in measures.items():
            for what, values in (("mean", each.mean), ("sd", each.sd)):
                frame[f"{name}_{what}"] = np.rint(values * 10_000).astype(np.int64)
                schema[f"{name}_{what}"] = "fixed"
            frame |= {f"{name}_low": each.low, f"{name}_high": each.high}
            schema |= {f"{name}_low": "int64", f"{name}_high": "int64"}
        sealed.write(frame, project.folder / "linkage-error" / f"{table}.parquet", schema, project.zone)
    return spreads


def spread_of(cube: Cube, changes: Sequence[Counts], base: int, share: float) -> dict[str, Spread]:
    """Each measure of a cube over all draws. `changes`: what each draw does to each cell, at least one of
    them."""
    spreads = {}
    for name, count in cube.measures.items():
        values = np.stack([count + change[cube.table, name] for change in changes])
        spreads[name] = Spread(values.mean(0), values.std(0), *interval(count, values, base, share))
    return spreads


def interval(count: np.ndarray, values: np.ndarray, base: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The middle `share` of the draws, and the count, between multiples of `base`: int64 (cells,), int64
    (cells,).

    `count`: int64 (cells,); `values`: int64 (draws, cells).
    """
    ordered = np.sort(values, axis=0)
    out = int((1 - share) / 2 * len(ordered) + 1e-9)
    low, high = np.minimum(count, ordered[out]), np.maximum(count, ordered[len(ordered) - 1 - out])
    return low // base * base, -(-high // base) * base


# ---- draws -------------------------------------------------------------------------------------------------


def drawn(project: Project, draws: int) -> tuple[Linkage, list[Linkage]]:
    """The persons that a draw could take apart or put together, as the index has them and as each draw has
    them."""
    folder, zone = index_folder(project.site, project.snapshot.index), project.site.zone("store")
    index = sealed.read(folder / "index.parquet", PERSON_INDEX, zone, ("record", "person"))
    persons, units, ties = (
        sealed.read(folder / f"{name}.parquet", schema, zone)
        for name, schema in (("persons", PERSONS), ("units", UNITS), ("ties", TIES))
    )
    uncertain = np.unique(np.append(array(units, "record"), array(ties, "toward")))
    those = np.unique(array(index, "person")[np.searchsorted(array(index, "record"), uncertain)])
    index = take(index, np.flatnonzero(np.isin(array(index, "person"), those)))
    persons = take(persons, np.searchsorted(array(persons, "person"), those))
    key = zone.derived("draws of the linkage")
    return (index, persons), [drawn_index(index, persons, units, ties, draw, key) for draw in range(draws)]


# ---- counting again ----------------------------------------------------------------------------------------


def differences(project: Project, linkage: Linkage, others: Sequence[Linkage]) -> Iterator[Counts]:
    """For each of `others`, what it would do to every cell of every cube if it stood in the place of
    `linkage`.

    All of them know the same records; whose person is made of the same records in both is left out.
    """
    changed = [_changed(linkage, other) for other in others]
    records = np.unique(
        np.concatenate([array(linkage[0], "record")[rows] for rows in changed] or [np.empty(0, np.int64)])
    )
    events = dict(_events(project, records))
    for begin in range(0, len(others), _TOGETHER):
        groups = [
            _group(side, rows)
            for other, rows in zip(
                others[begin : begin + _TOGETHER], changed[begin : begin + _TOGETHER], strict=True
            )
            for side in (linkage, other)
        ]
        counts = _counted(project, groups, events)
        for before, after in zip(counts[::2], counts[1::2], strict=True):
            yield {name: after[name] - before[name] for name in after}


def _changed(linkage: Linkage, other: Linkage) -> np.ndarray:
    """Rows of the records whose person has not the same records in both, and of all who share a person with
    one of them."""
    one, two = array(linkage[0], "person"), array(other[0], "person")
    rows = one != two
    while True:
        wider = np.isin(one, np.unique(one[rows])) | np.isin(two, np.unique(two[rows]))
        if wider.sum() == rows.sum():
            return np.flatnonzero(rows)
        rows = wider


@dataclass(frozen=True)
class _Group:
    """Persons to be counted together, schema PERSONS. `record`: int64 (n,); `person`: int64 (n,), the place
    of each one's person."""

    record: np.ndarray
    person: np.ndarray
    persons: Frame


def _group(linkage: Linkage, rows: np.ndarray) -> _Group:
    index, persons = linkage
    names, place = np.unique(array(index, "person")[rows], return_inverse=True)
    return _Group(
        array(index, "record")[rows],
        place.reshape(-1),
        take(persons, np.searchsorted(array(persons, "person"), names)),
    )


def _events(project: Project, records: np.ndarray) -> Iterator[tuple[str, Frame]]:
    """Accepted events of these records (ascending), by source."""
    site, zone = project.site, project.site.zone("store")
    found: dict[str, list[Frame]] = {}
    for source, delivery in project.snapshot.deliveries:
        receipt = documents.read_object(site.receipts / "intake" / source / f"{delivery}.json", "events")
        for part in receipt["events"]:
            path = site.root / part["file"]
            wanted = np.flatnonzero(
                np.isin(array(sealed.read(path, ACCEPTED_EVENTS, zone, ["record"]), "record"), records)
            )
            if len(wanted):
                found.setdefault(source, []).append(take(sealed.read(path, ACCEPTED_EVENTS, zone), wanted))
    for source, frames in found.items():
        yield source, concat(frames, ACCEPTED_EVENTS)


def _counted(project: Project, groups: Sequence[_Group], events: dict[str, Frame]) -> list[Counts]:
    """Every cube of the permit, of each group by itself; all groups are built and selected as one shard."""
    parts = [part for table in project.permit.tables for part in table.parts if not part.controls]
    layouts = [Layout.of(part, project.definition.study) for part in parts]
    edges = np.cumsum([0, *(length(group.persons) for group in groups)])
    if not edges[-1]:
        return [_named(layout_counts(layouts, None)) for _ in groups]
    shard = _built(project, groups, edges, events)
    members = select(shard, project.permit.sources, project.resolved).members
    place = np.searchsorted(array(members, "person"), edges)
    counts = []
    for group in range(len(groups)):
        mine = take(members, slice(place[group], place[group + 1]))
        part = shard.part(int(edges[group]), int(edges[group + 1]))
        counter = Counter(part, mine, project.permit.sources, project.lifetables)
        counts.append(_named(layout_counts(layouts, counter)))
    return counts


def layout_counts(
    layouts: Sequence[Layout], counter: Counter | None
) -> list[tuple[Layout, dict[str, np.ndarray]]]:
    """Each layout with its counts, {measure: int64 (cells,)}, nothing where there is no one to count."""
    nobody = [
        {name: np.zeros(each.cells, np.int64) for name in (*each.measures, *each.time_measures)}
        for each in layouts
    ]
    return [
        (each, counter.count(each) if counter else none) for each, none in zip(layouts, nobody, strict=True)
    ]


def _named(counts: Iterable[tuple[Layout, dict[str, np.ndarray]]]) -> Counts:
    """By cube and measure, as the aggregation stage names them."""
    named: Counts = {}
    for layout, values in counts:
        table = layout.table.table
        named |= {(table, name): values[name] for name in layout.measures}
        named |= {
            (time_table(table), "persons" if name == "at_risk" else name): values[name]
            for name in layout.time_measures
        }
    return named


@dataclass(frozen=True)
class _Held:
    """A shard in memory."""

    frames: dict[str, Frame]

    def read(self, name: str, columns: Iterable[str] | None = None) -> Frame:
        frame = self.frames[name]
        return dict(frame) if columns is None else {column: frame[column] for column in columns}

    def parts(self, name: str) -> HeldParts:
        return HeldParts(self.frames[name])

    def part(self, begin: int, end: int) -> _Held:
        """The persons at these places alone, with what counting reads."""
        frames = {"persons": take(self.frames["persons"], slice(begin, end))}
        for name in ("residences", "events"):
            person = array(self.frames[name], "person")
            rows = take(self.frames[name], slice(*np.searchsorted(person, [begin, end])))
            frames[name] = {**rows, "person": array(rows, "person") - np.int32(begin)}
        return _Held(frames)


def _built(project: Project, groups: Sequence[_Group], edges: np.ndarray, events: dict[str, Frame]) -> _Held:
    """One shard of all groups, whose persons are numbered through; the store stage's own way from events to
    files."""
    record = np.concatenate([group.record for group in groups])
    person = np.concatenate(
        [group.person + first for group, first in zip(groups, edges, strict=False)]
    ).astype(np.int64)
    order = np.argsort(record, kind="stable")
    record, person = record[order], person[order]
    persons: Frame = {
        **concat([group.persons for group in groups], PERSONS),
        "person": np.arange(edges[-1], dtype=np.int64),
    }
    project.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".linkage-error-", dir=project.folder) as scratch:
        slices = []
        for source, frame in events.items():
            begin, end = (np.searchsorted(record, array(frame, "record"), side) for side in ("left", "right"))
            rows = np.repeat(np.arange(len(begin)), end - begin)
            of = (
                np.arange(len(rows))
                - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
                + begin[rows]
            )
            piece = {**take(frame, rows), "person": person[of]}
            path = Path(scratch) / f"{source}.parquet"
            sealed.write(compact({name: piece[name] for name in SLICE}), path, SLICE, project.zone)
            slices.append(Slice(source, source, path))
        about: dict[str, Any] = build_shard(
            persons, slices, Path(scratch) / "shard", project.zone, project.site.death_gap
        )
        shard = Shard("", about["rows"], Path(scratch) / "shard", project.zone)
        return _Held({name: shard.read(name) for name in SHARD_FILES})
