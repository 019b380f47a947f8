"""One thread, several, Dask's workers, one shard or several: the same cubes, byte for byte, of every kind of
table."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

from pipelines.aggregation.stage import aggregate
from pipelines.cohort.stage import select_cohort
from pipelines.compute.slurm import SlurmWorkers
from pipelines.compute.workers import LocalWorkers, Workers
from pipelines.cubes.cube import Cube
from pipelines.cubes.files import cubes_hash, read_cubes
from pipelines.cubes.standing import ROWS, Standing, read_standing, standing_file
from pipelines.files.digests import content_hash
from pipelines.site.permit import Permit
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot
from pipelines.study import definition
from tests.made_region import region
from tests.nights import deliver, events, identities, linked_and_stored, make_site

_PERMIT = """
permit: all
title: t
holder: h
purpose: p
legal_basis: l
valid_from: 2025-01-01
valid_to: 2099-12-31
sources: [folkbokforing, journal_a, journal_b]
cohort: definitions/anyone.yaml
tables:
  - {table: members, title: t, count: members, dimensions: [sex, age_group, municipality], age_width: 20}
  - {table: care, title: t, count: events, kind: diagnosis, dimensions: [sex, diagnosis],
     measures: [persons, events, admissions]}
  - {table: time, title: t, count: events, kind: diagnosis, dimensions: [age_group, year, follow_up],
     measures: [events, person_days], age_width: 20, follow_up: [30, 400]}
  - {table: new, title: t, count: events, codes: [ICD-10-SE/E], washout: 300, dimensions: [sex],
     measures: [events, person_days]}
  - {table: weeks, title: t, count: weekly, codes: [ICD-10-SE/C], measures: [events]}
  - {table: months, title: t, count: monthly, kind: visit, measures: [events]}
  - {table: until, title: t, count: survival, codes: [ICD-10-SE/E], or_death: true, step: 30, until: 900,
     dimensions: [sex]}
  - {table: steps, title: t, count: transitions, states: {E: [ICD-10-SE/E], I: [ICD-10-SE/I]},
     measures: [transitions]}
  - {table: then, title: t, count: prevalence, codes: [ICD-10-SE/E], days: [2018-06-30, 2020-02-29],
     lookback: 900, dimensions: [sex]}
  - {table: before, title: t, count: baseline, controls: true, rows: [sex, weighed],
     characteristics: {weighed: {kind: measurement}}}
  - {table: classes, title: t, count: values, unit: kg, range: [0, 200], classes: [60, 80], dimensions: [sex]}
"""
_DEFINITION = """
cohort: anyone
title: anyone with a diagnosis
study: {from: 2015-01-01, to: 2024-12-31}
codes: {any: [ICD-10-SE/]}
index: {codes: any, which: first}
controls: {ratio: 1, exact: [birth_year]}
"""


def care(source: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Diagnoses, often several on a day, leap days among them, and weights, some of another unit."""
    random, days = (
        np.random.default_rng([*source.encode()]),
        ("2016-02-29", "2017-01-01", "2019-12-31", "2020-02-29", "2024-12-31"),
    )
    made = []
    for row in rows:
        for _ in range(int(random.integers(1, 6))):
            day = (
                days[random.integers(5)]
                if random.random() < 0.4
                else f"20{random.integers(15, 25)}-0{random.integers(1, 9)}-11"
            )
            made.append(
                {
                    "ref": row["ref"],
                    "kind": "diagnosis",
                    "start": day,
                    "concept": f"ICD-10-SE/{'CEI'[random.integers(3)]}10",
                }
            )
            if random.random() < 0.5:
                value, unit = int(random.integers(40, 120)) * 10_000, ("kg", "lb")[int(random.random() < 0.2)]
                made.append(
                    {"ref": row["ref"], "kind": "measurement", "start": day, "value": value, "unit": unit}
                )
    return made


@pytest.fixture(scope="module", params=[1, 5], ids=["one shard", "five shards"])
def sharded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site, made = make_site(tmp_path_factory.mktemp("workers") / "site", shards=request.param), region(5, 150)
    for source, rows in made.rows.items():
        deliver(
            site, source, "d1", "2025-01-01", identities(source, rows), events(source, care(source, rows))
        )
    linked_and_stored(site, "all", _PERMIT, _DEFINITION)
    return site.root


def cubes(root: Path, workers: Workers) -> list[Cube]:
    site = Site.load(root)
    permit = Permit.load(site, "all")
    project = Project(site, permit, definition.load(permit.definition_path), Snapshot.load(site))
    select_cohort(project, workers)
    aggregate(project, workers)
    found = read_cubes(project.folder / "raw", project.zone)
    for cube in found:
        _stands(cube, read_standing(standing_file(project.folder / "raw", cube.table), project.zone))
    return found


_FOUND: dict[str, str] = {}


def _stands(cube: Cube, standing: Standing) -> None:
    """Counted again by who stands where, the persons of a cube are the same, and it is the same rows however
    they were counted."""
    who: dict[int, set[int]] = {}
    for person, cell in zip(standing.person.tolist(), standing.cell.tolist(), strict=True):
        own = np.unravel_index(cell, cube.shape)
        above = [[place] for place in own]
        for axis, places in enumerate(above):
            while (parent := cube.dimensions[axis].parents[places[-1]]) >= 0:
                places.append(parent)
        for each in product(*above):
            who.setdefault(int(np.ravel_multi_index(each, cube.shape)), set()).add(person)
    counted = [len(who.get(cell, ())) for cell in range(cube.cells)]
    assert counted == cube.measures["persons"].tolist()
    rows = content_hash({name: getattr(standing, name) for name in ROWS}, ROWS)
    assert rows == _FOUND.setdefault(f"standing {cube.table}", rows)


@pytest.mark.parametrize("way", ["one thread", "threads", "Dask's workers"])
def test_the_same_cubes_however_they_are_counted(way: str, sharded: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(sharded, tmp_path / "site"))
    if way == "Dask's workers":
        with Client(
            security=True, processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as client:
            found = cubes(place, SlurmWorkers(lambda: client))
    else:
        found = cubes(place, LocalWorkers(1 if way == "one thread" else 3))
    assert {cube.table for cube in found} >= {
        "members",
        "care",
        "time",
        "time-time",
        "new-time",
        "steps",
        "classes",
        "before-sex",
        "before-weighed-controls",
    }
    assert all(cube.measures["persons"][0] > 0 for cube in found if cube.table != "months")
    assert cubes_hash(found) == _FOUND.setdefault("first", cubes_hash(found))
