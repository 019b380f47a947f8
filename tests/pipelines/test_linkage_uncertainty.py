"""Draws of the linkage, and what they do to a cube: counted again from the changed persons alone, the same as
from everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.aggregation.stage import aggregate
from pipelines.cohort.stage import select_cohort
from pipelines.compute.ranks import Ranks
from pipelines.compute.workers import LocalWorkers
from pipelines.cubes.cube import Cube
from pipelines.cubes.files import read_cubes
from pipelines.files import documents, sealed
from pipelines.files.frames import Frame, take
from pipelines.files.schemas import LINKS, PERSON_INDEX, PERSONS, TIES, UNITS, Schema
from pipelines.linkage.draws import choices, drawn_index, lots, odds
from pipelines.site.permit import Permit
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot, index_folder
from pipelines.store import build
from pipelines.study import definition
from tests.amount import share_of
from tests.made_region import Region, region
from tests.nights import deliver, events, identities, linked_and_stored, make_site, record
from workflows.linkage_draws import differences, drawn, interval, linkage_error

KEY = bytes(range(16))
_PERMIT = """
permit: sums
title: t
holder: h
purpose: p
legal_basis: l
valid_from: 2025-01-01
valid_to: 2099-12-31
sources: [folkbokforing, journal_a, journal_b, lakemedel]
cohort: definitions/anyone.yaml
tables:
  - {table: people, title: t, count: members, dimensions: [sex, age_group], age_width: 20}
  - {table: care, title: t, count: events, kind: diagnosis, dimensions: [sex, chapter],
     measures: [persons, events]}
  - {table: before, title: t, count: baseline, controls: true, rows: [sex, ill],
     characteristics: {ill: {codes: [ICD-10-SE/C], to: -1}}}
  - {table: then, title: t, count: prevalence, codes: [ICD-10-SE/E], days: [2020-06-30], dimensions: [sex]}
  - {table: supplied, title: t, count: exposure, kind: diagnosis, codes: [ICD-10-SE/I], dimensions: [sex]}
  - {table: time, title: t, count: events, dimensions: [sex, year], measures: [persons, events, person_days]}
"""
_DEFINITION = """
cohort: anyone
title: anyone with a diagnosis
study: {from: 2015-01-01, to: 2024-12-31}
codes: {any: [ICD-10-SE/]}
index: {codes: any, which: first}
controls: {ratio: 1, exact: [birth_year]}
"""


def care(made: Region, source: str) -> list[dict[str, Any]]:
    random = np.random.default_rng([*source.encode()])
    return [
        {
            "ref": row["ref"],
            "kind": "diagnosis",
            "start": f"20{random.integers(10, 25)}-03-0{random.integers(1, 9)}",
            "concept": f"ICD-10-SE/{'CEIJ'[random.integers(4)]}{random.integers(10, 50)}",
        }
        for row in made.rows[source]
        for _ in range(int(random.integers(1, 4)))
    ]


@pytest.fixture(scope="module")
def made() -> Region:
    """Twins in name and birth day among them, so that some are anybody's."""
    made = region(23, 500, trouble=0.6)
    random = np.random.default_rng(4)
    for row in made.rows["journal_a"]:
        if random.random() < 0.3:
            row |= {"number": "", "kind": "none", "postcode": "", "birth": row["birth"][:4] + "-01-01"}
            row |= {"given": row["given"][:2]} if random.random() < 0.5 else {}
    return made


@pytest.fixture(scope="module")
def project(made: Region, tmp_path_factory: pytest.TempPathFactory) -> Project:
    site = make_site(tmp_path_factory.mktemp("uncertain") / "site", shards=3)
    for source, rows in made.rows.items():
        closed = source == "lakemedel"
        deliver(
            site,
            source,
            "d1",
            "2025-01-01",
            identities(source, rows),
            events(source, care(made, source)),
            parts=2,
            no_reidentify=closed,
        )
    linked_and_stored(site, "sums", _PERMIT, _DEFINITION)
    return counted(site)


def counted(site: Site) -> Project:
    """The permit on the current snapshot, with its raw cubes."""
    permit = Permit.load(site, "sums")
    project = Project(site, permit, definition.load(permit.definition_path), Snapshot.load(site))
    select_cohort(project, LocalWorkers(1))
    aggregate(project, LocalWorkers(1))
    return project


def of_members(project: Project) -> list[Cube]:
    """The cubes but those of controls: who is a control hangs on all people, and is not drawn again."""
    every = read_cubes(project.folder / "raw", project.zone)
    return [cube for cube in every if not cube.table.endswith("-controls")]


def uncertain(project: Project) -> dict[str, Frame]:
    files: dict[str, Schema] = {"index": PERSON_INDEX, "persons": PERSONS, "units": UNITS, "ties": TIES}
    folder, zone = index_folder(project.site, project.snapshot.index), project.site.zone("store")
    return {name: sealed.read(folder / f"{name}.parquet", schema, zone) for name, schema in files.items()}


# ---- ties and draws ----------------------------------------------------------------------------------------


def test_every_record_that_a_weight_joined_hangs_by_one_tie_on_a_unit_of_its_person(project: Project) -> None:
    files = uncertain(project)
    person = dict(zip(files["index"]["record"].tolist(), files["index"]["person"].tolist(), strict=True))
    units = dict(zip(files["units"]["record"].tolist(), files["units"]["unit"].tolist(), strict=True))
    rows = list(zip(*(column.tolist() for column in files["ties"].values()), strict=True))
    made = {unit: toward for unit, toward, _, is_made in rows if is_made}
    assert len(made) == sum(is_made for *_, is_made in rows)
    assert all(person[unit] == person[toward] for unit, toward in made.items())
    assert all(person[unit] != person[toward] for unit, toward, _, is_made in rows if not is_made)
    by_weight = [
        record
        for record, link in zip(files["index"]["record"].tolist(), files["index"]["link"], strict=True)
        if LINKS[link] == "weight" and units.get(record) in made
    ]
    assert len(by_weight) > 50
    assert len({unit for unit, *_, is_made in rows if not is_made}) > 10


@settings(max_examples=share_of(60))
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-7000, 60_000)), min_size=1, max_size=12),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=6, max_size=6),
)
def test_a_unit_is_one_persons_or_nobodys_by_the_odds(pairs: list[tuple[int, int]], lot: list[float]) -> None:
    pairs = sorted(pairs, key=lambda pair: pair[0])
    units = np.unique([unit for unit, _ in pairs])
    ties = {
        "unit": np.array([unit for unit, _ in pairs]),
        "weight": np.array([weight for _, weight in pairs], np.int32),
    }
    found = choices(ties, units, np.array(lot[: len(units)]))
    for unit, chance, choice in zip(units.tolist(), lot, found.tolist(), strict=False):
        rows = [row for row, pair in enumerate(pairs) if pair[0] == unit]
        weights = [1.0, *(2.0 ** (pairs[row][1] / 1000) for row in rows)]
        edges = np.cumsum(weights) / sum(weights)
        if np.abs(edges - chance).min() > 1e-9:
            assert choice == [-1, *rows][int(np.searchsorted(edges, chance, side="right"))]


@pytest.mark.parametrize("bits", [-2, 0, 3, 6])
def test_a_tie_without_rivals_holds_as_often_as_its_bits_say(bits: int) -> None:
    units = np.arange(20_000, dtype=np.int64)
    ties = {"unit": units, "weight": np.full(len(units), bits * 1000, np.int32)}
    share = (choices(ties, units, lots(units, 3, KEY)) >= 0).mean()
    assert share == pytest.approx(1 / (1 + 2.0**-bits), abs=0.012)
    assert odds(np.array([bits * 1000], np.int32)) == pytest.approx(2.0**bits)


def test_a_draw_is_the_same_every_time_and_no_two_draws_are_alike(project: Project) -> None:
    files = uncertain(project)

    def persons(draw: int, key: bytes = KEY) -> list[int]:
        return drawn_index(*(files[name] for name in ("index", "persons", "units", "ties")), draw, key)[0][
            "person"
        ].tolist()

    assert persons(0) == persons(0)
    assert len({tuple(persons(draw)) for draw in range(8)}) == 8
    assert persons(0) != persons(0, bytes(16))


def test_in_every_draw_people_of_the_register_stay_apart_and_records_of_one_number_together(
    project: Project, made: Region
) -> None:
    files = uncertain(project)
    index = files["index"]
    anchors = np.searchsorted(
        index["record"], [record("folkbokforing", row["ref"]) for row in made.rows["folkbokforing"]]
    )
    place = np.searchsorted(index["record"], files["units"]["record"])
    for draw in range(20):
        new, persons = drawn_index(index, files["persons"], files["units"], files["ties"], draw, KEY)
        assert new["person"][anchors].tolist() == index["person"][anchors].tolist()
        assert persons["person"].tolist() == np.unique(new["person"]).tolist()
        of_unit = {unit: set() for unit in files["units"]["unit"].tolist()}
        for unit, person in zip(files["units"]["unit"].tolist(), new["person"][place].tolist(), strict=True):
            of_unit[unit].add(person)
        assert all(len(each) == 1 for each in of_unit.values())
        certain = np.setdiff1d(np.arange(len(index["record"])), place)
        assert new["person"][certain].tolist() == index["person"][certain].tolist()


# ---- through to a cube -------------------------------------------------------------------------------------


def test_counting_the_changed_persons_again_gives_what_counting_everybody_gives(project: Project) -> None:
    site, files = project.site, uncertain(project)
    linkage, others = drawn(project, 3)
    before = {cube.table: cube for cube in of_members(project)}
    receipt = documents.read_json(site.receipt("linkage"))
    key = site.zone("store").derived("draws of the linkage")
    changed = 0
    for draw, difference in enumerate(differences(project, linkage, others)):
        index, persons = drawn_index(
            *(files[name] for name in ("index", "persons", "units", "ties")), draw, key
        )
        folder = index_folder(site, f"draw-{draw}")
        sealed.write(index, folder / "index.parquet", PERSON_INDEX, site.zone("store"))
        sealed.write(persons, folder / "persons.parquet", PERSONS, site.zone("store"))
        documents.write_json({**receipt, "index": f"draw-{draw}"}, site.receipt("linkage"))
        build(site, Ranks())
        other = counted(site)
        for cube in of_members(other):
            for name, values in cube.measures.items():
                again = before[cube.table].measures[name] + difference[cube.table, name]
                assert again.tolist() == values.tolist(), (cube.table, name)
                changed += int(np.count_nonzero(difference[cube.table, name]))
    documents.write_json(receipt, site.receipt("linkage"))
    build(site, Ranks())
    assert changed > 20


def test_an_interval_is_rounded_outward_holds_the_count_and_most_draws_and_is_never_negative(
    project: Project,
) -> None:
    spreads = linkage_error(project, draws=40)
    cubes = {cube.table: cube for cube in of_members(project)}
    named = ["before-ill", "before-sex", "care", "people", "supplied", "supplied-time"]
    assert sorted(spreads) == sorted(cubes) == [*named, "then", "then-time", "time", "time-time"]
    for table, measures in spreads.items():
        for name, each in measures.items():
            count = cubes[table].measures[name]
            assert ((each.low <= count) & (count <= each.high) & (each.low >= 0)).all()
            assert not (each.low % 5).any()
            assert not (each.high % 5).any()
    assert spreads["people"]["persons"].sd[0] > 0


@settings(max_examples=share_of(50))
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=30),
    st.integers(0, 60),
    st.sampled_from([3, 5, 10]),
    st.sampled_from([0.5, 0.9, 1]),
)
def test_the_interval_leaves_out_no_more_draws_than_it_says(
    values: list[int], count: int, base: int, share: float
) -> None:
    low, high = interval(np.array([count]), np.array(values)[:, None], base, share)
    inside = [low[0] <= value <= high[0] for value in values]
    assert np.mean(inside) >= share - 1e-9
    assert low[0] <= count <= high[0]
    assert low[0] > min(count, *values) - base
    assert high[0] < max(count, *values) + base


def test_if_the_odds_are_right_the_interval_holds_what_is_true(project: Project) -> None:
    """What is true is a draw that no interval was made from."""
    spreads = linkage_error(project, draws=60)
    cubes = {cube.table: cube for cube in of_members(project)}
    linkage, others = drawn(project, 90)
    off, held, rounded = 0, 0, 0
    for difference in differences(project, linkage, others[60:]):
        for (table, name), values in difference.items():
            count, each = cubes[table].measures[name], spreads[table][name]
            true = count + values
            which = true != count
            off += int(which.sum())
            held += int(((each.low <= true) & (true <= each.high))[which].sum())
            rounded += int(((count // 5 * 5 <= true) & (true <= -(-count // 5) * 5))[which].sum())
    assert off > 300
    assert held / off > 0.93
    assert rounded / off < 0.8


def test_against_the_truth_more_cells_hold_than_by_rounding_but_not_all(
    project: Project, made: Region
) -> None:
    """Half of a journal here is so spoilt that no blocking rule makes its pairs, and of those the draws know
    nothing."""
    files, spreads = uncertain(project), linkage_error(project, draws=100)
    cubes = {cube.table: cube for cube in of_members(project)}
    known = {record(*each): person for each, person in made.truth.items()}
    found, true = (
        files["index"]["person"],
        np.array([known[each] for each in files["index"]["record"].tolist()]),
    )
    facts = {person: place for place, person in enumerate(files["persons"]["person"].tolist())}
    register = [record("folkbokforing", row["ref"]) for row in made.rows["folkbokforing"]]
    named = found[np.searchsorted(files["index"]["record"], register)]  # ascending by true person
    places = np.array([facts[person] for person in named.tolist()])
    truth = {**take(files["persons"], places), "person": np.arange(len(named))}
    [difference] = differences(
        project, (files["index"], files["persons"]), [({**files["index"], "person": true}, truth)]
    )
    off, held, rounded = 0, 0, 0
    for (table, name), values in difference.items():
        count, each = cubes[table].measures[name], spreads[table][name]
        which = values != 0
        off += int(which.sum())
        held += int(((each.low <= count + values) & (count + values <= each.high))[which].sum())
        rounded += int(
            ((count // 5 * 5 <= count + values) & (count + values <= -(-count // 5) * 5))[which].sum()
        )
    assert off > 100
    assert 2 * rounded < held < off


def test_it_lies_sealed_in_the_projects_zone_and_nowhere_else(project: Project) -> None:
    linkage_error(project, draws=2)
    made = list(project.site.root.rglob("*linkage-error*"))
    assert made == [project.folder / "linkage-error"]
    assert {path.read_bytes()[:4] for path in made[0].iterdir()} == {b"PARE"}


def test_where_nothing_is_doubtful_an_interval_is_the_count_rounded(tmp_path: Path) -> None:
    site = make_site(tmp_path, shards=1)
    sure = region(2, 40, trouble=0.0)
    for source, rows in sure.rows.items():
        deliver(
            site, source, "d1", "2025-01-01", identities(source, rows), events(source, care(sure, source))
        )
    linked_and_stored(site, "sums", _PERMIT, _DEFINITION)
    each = linkage_error(counted(site), draws=3)["people"]["persons"]
    assert not each.sd.any()
    assert (each.high - each.low <= 5).all()
