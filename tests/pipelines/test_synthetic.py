"""The made-up region: the same for one seed however it is made, shaped and troubled as it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kernels import identity
from pipelines.files.schemas import SETTING
from pipelines.site.site import Site, create_keys
from pipelines.study import codes
from pipelines.synthetic import care, generate, illness, journals, people, settings
from pipelines.synthetic.people import COORDINATED, UNREGISTERED, People
from tests.intake_site import KEYS


def make(root: Path, count: int, seed: int) -> dict[str, bytes]:
    """Every byte that a region of `count` people is made of."""
    shutil.copytree("workflows/demo/site", root)
    create_keys(root, KEYS)
    generate.generate(root, count, seed)
    files = [
        path
        for top in ("deliveries", "later", "truth")
        for path in (root / top).rglob("*.*")
        if path.is_file()
    ]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_one_seed_makes_the_same_bytes_on_one_thread_and_on_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CHUNK", 300)
    many = make(tmp_path / "many", 1_000, 5)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0})
    assert make(tmp_path / "one", 1_000, 5) == many
    assert make(tmp_path / "other", 1_000, 6).keys() == many.keys()
    assert sum("contacts-" in name for name in many) == 4


def test_a_region_needs_no_more_than_a_handful_of_people(tmp_path: Path) -> None:
    assert make(tmp_path / "site", 1, 1)
    assert {each.source for each in Site.load(tmp_path / "site").deliveries()} == set(generate.SOURCES)


@pytest.fixture(scope="module")
def plan() -> people.Plan:
    return people.plan(60_000, 3)


@pytest.fixture(scope="module")
def chunk(plan: people.Plan) -> People:
    return people.people(plan, 0, np.random.Generator(np.random.SFC64([3, 2])))


def test_numbers_are_those_of_the_test_series_as_far_as_it_reaches(plan: people.Plan) -> None:
    key = plan.birth.astype(np.int64) * 4 + plan.sex
    for group in np.split(np.argsort(key, kind="stable"), np.flatnonzero(np.diff(np.sort(key))) + 1):
        own = group[~plan.second_bearer[group]]
        serial = plan.serial[own]
        assert len(set(serial.tolist())) == len(own)
        assert (serial >= 980).sum() == min(10, len(own))
        assert (serial % 2 == (plan.sex[own] == 1)).all()


def test_numbers_are_well_formed_and_say_who_is_meant(chunk: People) -> None:
    today = np.full(len(chunk), settings.DELIVERED.toordinal() - 719163, np.int32)
    registered = chunk.standing != UNREGISTERED
    found = identity.normalise(chunk.number, today)
    assert (found.kind[registered] == identity.PERSONNUMMER).all()
    assert (found.birth_day[registered] == chunk.birth[registered]).all()
    assert (found.sex[registered] == chunk.sex[registered]).all()
    before = identity.normalise(
        chunk.previous[chunk.standing == COORDINATED], today[chunk.standing == COORDINATED]
    )
    assert (before.kind == identity.SAMORDNINGSNUMMER).all()
    reserve = identity.normalise(chunk.reserve, today)
    assert (reserve.kind == identity.RESERVE_STOCKHOLM).all()
    assert reserve.checksum_ok.all()
    assert len(np.unique(chunk.reserve)) == len(chunk)


def test_a_number_is_borne_by_two_only_one_after_the_other(plan: people.Plan) -> None:
    takers = np.flatnonzero(plan.second_bearer)
    assert len(takers) > 5
    assert (plan.serial[takers] == plan.serial[takers - 1]).all()
    assert (plan.birth[takers] == plan.birth[takers - 1]).all()
    assert (plan.enters[takers] > plan.leaves[takers - 1]).all()


def test_homes_follow_one_another_without_gap_or_overlap(chunk: People) -> None:
    who, start, end, place = people.residences(chunk, np.random.default_rng(1))
    same = who[1:] == who[:-1]
    assert (start <= end).all()
    assert (start[1:][same] == end[:-1][same] + 1).all()
    share = np.bincount(place, minlength=26) / len(place)
    weights = np.array([each.population for each in codes.municipalities()], float)
    assert np.abs(share - weights / weights.sum()).max() < 0.01


def test_illness_is_as_old_as_life(chunk: People) -> None:
    onset = illness.onsets(chunk, np.random.default_rng(2))
    table = illness.conditions()
    assert len(table) >= 60
    position = {code: place for place, each in enumerate(table) for code in each.codes}
    ill = onset < settings.END
    assert (onset >= chunk.birth[:, None]).all()
    old = chunk.birth < settings.START - 70 * 365
    young = chunk.birth > settings.START - 30 * 365
    assert ill[old, position["I109"]].mean() > 5 * ill[young, position["I109"]].mean()
    assert ill[chunk.sex == 1, position["C619"]].any()
    assert not ill[chunk.sex == 2, position["C619"]].any()
    diabetes, kidney = ill[:, position["E119"]], ill[:, position["N189"]]
    assert kidney[diabetes].mean() > 1.5 * kidney[~diabetes].mean()


def test_contacts_lie_within_the_time_in_the_region_and_the_pandemic_in_its_years(chunk: People) -> None:
    rng = np.random.default_rng(3)
    onset = illness.onsets(chunk, rng)
    contacts = illness.contacts(chunk, onset, rng)
    assert (contacts.day >= chunk.enters[contacts.who]).all()
    assert (contacts.day < chunk.until[contacts.who]).all()
    assert (contacts.end >= contacts.day).all()
    covid = next(place for place, each in enumerate(illness.conditions()) if "U071" in each.codes)
    days = contacts.day[contacts.condition == covid]
    assert len(days) > 1_000
    assert (days >= settings.day(2020, 1, 1)).all()
    assert (days < settings.day(2022, 12, 31)).all()
    assert set(np.unique(contacts.setting)) == {
        SETTING[name] for name in ("inpatient", "outpatient", "primary", "emergency")
    }
    laboratory = care.laboratory(chunk, onset, contacts, rng)
    for place, name in enumerate(care.ANALYSES):
        bounds, decimals = codes.laboratory()[name], care.VALUES[name][2]
        values = laboratory.value[laboratory.item == place] / 10.0**decimals
        assert bounds.lowest <= values.min() <= values.max() <= bounds.highest


def test_the_codes_that_are_delivered_are_of_their_systems() -> None:
    assert all(codes.known("ICD-10-SE", code) for code in care.CODES)
    assert all(codes.known("KVA", code) for code in care.MEASURES)
    assert all(codes.known("ATC", code) for code in care.DRUGS)
    assert all(codes.known("LAB", code) for code in care.ANALYSES)


def test_the_canaries_are_delivered_as_people_among_others(tmp_path: Path) -> None:
    bytes_of = make(tmp_path / "site", 500, 9)
    canaries = json.loads(bytes_of["truth/canaries.json"])
    assert len(canaries) == settings.CANARIES
    register = next(content for name, content in bytes_of.items() if "personer-" in name).decode("latin-1")
    for canary in canaries:
        assert f"{canary['number']};;{canary['given']};{canary['surname']}" in register
    journal = next(content for name, content in bytes_of.items() if "patients-" in name).decode()
    assert "Kanariefågelsson" in journal


def test_the_truth_knows_every_reference_that_is_delivered(tmp_path: Path) -> None:
    root = tmp_path / "site"
    make(root, 1_500, 4)
    truth = pq.read_table(root / "truth" / "records.parquet")
    assert len(set(zip(truth["source"].to_pylist(), truth["reference"].to_pylist(), strict=True))) == len(
        truth
    )
    references = (
        ("lakemedel", "uttag", "persontoken"),
        ("journal_b", "patient", "patientnyckel"),
        ("primarvard", "person", "person_id"),
    )
    for source, table, column in references:
        known = set(
            truth.filter(pa.compute.equal(truth["source"].cast(pa.string()), source))["reference"].to_pylist()
        )
        delivered = {
            str(each)
            for path in root.glob(f"*/{source}/*/{table}-*")
            for each in pq.read_table(path)[column].to_pylist()
        }
        assert delivered == known


def test_journal_b_and_intake_agree_on_the_year_in_which_a_plus_begins() -> None:
    births = np.arange(np.datetime64("1905-01-01"), np.datetime64(settings.DELIVERED), 11).astype(str)
    bodies = np.array([[int(digit) for digit in birth.replace("-", "") + "981"] for birth in births])
    numbers = np.array(["".join(map(str, body)) + str(identity.luhn(body, 2, 11)) for body in bodies], "S12")
    for delivered in (settings.DELIVERED, settings.DELIVERED_SECOND):
        day = np.datetime64(delivered).astype(np.int32)
        found = identity.normalise(
            np.array(journals.short_form(numbers).to_pylist(), "S11"), np.full(len(numbers), day)
        )
        assert (found.number == numbers).all()
