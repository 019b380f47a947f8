"""A permit's tables by cell keys, from what is counted to the bundle: the same people are changed alike, and
the gate makes every number again."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cell_key import look_up
from kernels.hashing import hash_integers
from pipelines import verifier
from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.aggregation.stage import additive, notes
from pipelines.cubes.cube import Cube, ProtectedCube, time_table
from pipelines.cubes.files import read_protected, write_cube, write_protected
from pipelines.cubes.perturbation import CellKeys
from pipelines.cubes.policy import Policy
from pipelines.cubes.standing import Standing, standing_file, write_standing
from pipelines.disclosure.cell_key.permits import public, table_of
from pipelines.disclosure.keyed import change_files
from pipelines.errors import DisclosureError, VerificationError
from pipelines.files.sealing import Zone, create_key
from pipelines.measures.stage import measure
from pipelines.release.case import CaseInfo
from pipelines.release.stage import release_files
from pipelines.site import signing
from pipelines.site.permit import Table
from pipelines.verifier.keyed import siphash
from tests.time_tables import SOURCES, STUDY, TABLES, edges

CASE = CaseInfo("case", "A case", "Somebody", "To test", "2099-12-31", Policy(), "00" * 32)
EVENTS = Table(
    table="care",
    title="Care",
    count="events",
    kind="diagnosis",
    dimensions=("sex", "year"),
    measures=("persons", "events", "admissions", "bed_days", "person_days"),
)
BY_SEX = EVENTS.model_copy(update={"table": "care-by-sex", "dimensions": ("sex",)})


def counted(table: Table, seed: int) -> list[tuple[Cube, Standing]]:
    """The cubes of one shard as aggregation makes them, and who stands in them."""
    shard, members = edges(seed, persons=150)
    layout, counter = Layout.of(table, STUDY), Counter(shard, members, SOURCES)
    found = counter.count(layout)
    parts = [(table.table, "persons", {name: found[name] for name in layout.measures})]
    if layout.time_measures:
        time = {"persons" if name == "at_risk" else name: found[name] for name in layout.time_measures}
        parts.append((time_table(table.table), "at_risk", time))
    more = ("events", "person_days", "transitions", "values", "intervals", "days_covered")
    return [
        (
            Cube(
                name,
                "t",
                f"{who} of {table.count} {table.kind}",
                layout.dimensions,
                measures,
                {each: additive(layout, each) for each in measures},
                tuple((each, "persons") for each in more if each in measures),
                notes(layout, measures),
            ),
            counter.standing[who],
        )
        for name, who, measures in parts
    ]


@dataclass
class Place:
    """A run, its key and where it releases to."""

    root: Path

    def __post_init__(self) -> None:
        for name in ("zone", "memory"):
            create_key(self.root / f"{name}.key", name.encode().ljust(32))
        self.zone = Zone("project-x", self.root / "zone.key")
        self.secret = Zone("memory", self.root / "memory.key").derived
        self.key, self.run = self.root / "release.ed25519", self.root / "run"
        signing.create_signing_key(self.key, b"s" * 32)

    def count(self, cubes: Sequence[tuple[Cube, Standing]]) -> None:
        for cube, people in cubes:
            write_cube(cube, self.run / "raw", self.zone)
            write_standing(people, standing_file(self.run / "raw", cube.table), self.zone)

    def change(self, method: CellKeys | None = None) -> list[ProtectedCube]:
        change_files(self.run / "raw", self.run, CASE.policy, method or CellKeys(), self.zone, self.secret)
        return read_protected(self.run / "protected", self.zone)

    def release(self) -> Path:
        measure(self.run / "protected", self.run / "measures", self.zone)
        receipt = release_files(
            CASE, self.run, self.root / "released", self.key, self.zone, "site", self.secret
        )
        return self.root / "released" / str(receipt["bundle"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


KINDS = {table.table: table for table in TABLES}


@pytest.mark.parametrize(
    "name", ["to-death", "first-weeks", "units", "on", "paths", "classes", "sums", "waits", "supplied"]
)
def test_every_kind_of_table_goes_out_with_every_number_changed_and_verified(name: str, place: Place) -> None:
    cubes = counted(KINDS[name], 4)
    place.count(cubes)
    place.change()
    bundle = place.release()
    claims = verifier.verify_bundle(bundle)
    assert [claim.text for claim in claims if not claim.holds] == []
    for cube, _ in cubes:
        rows = list(csv.DictReader((bundle / "tables" / f"{cube.table}.csv").open()))
        assert {row["status"] for row in rows} == {"perturbed"}
        shown = np.array([int(row["persons"]) for row in rows])
        assert not ((shown > 0) & (shown < 5)).any()
        assert np.abs(shown - cube.measures["persons"]).max() <= 5


def test_cells_of_the_same_people_have_the_same_numbers_in_every_table_and_run(place: Place) -> None:
    first = [*counted(EVENTS, 4), *counted(BY_SEX, 4)]
    place.count(first)
    tables = {cube.table: cube for cube in place.change()}
    fine, coarse = tables["care"], tables["care-by-sex"]
    of_all_years = np.ravel_multi_index((np.arange(fine.shape[0]), 0), fine.shape)
    for name in ("persons", "events", "admissions", "bed_days"):
        np.testing.assert_array_equal(fine.measures[name][of_all_years], coarse.measures[name])
    again = {cube.table: cube for cube in place.change()}
    for name, cube in tables.items():
        for measure_name, values in cube.measures.items():
            np.testing.assert_array_equal(values, again[name].measures[measure_name])


def test_what_is_shown_is_0_or_at_least_the_minimum_and_no_less_than_the_people(place: Place) -> None:
    place.count(counted(EVENTS, 6))
    care = next(cube for cube in place.change() if cube.table == "care")
    persons, events = care.measures["persons"], care.measures["events"]
    for values in (persons, events - persons, care.measures["admissions"]):
        assert (values >= 0).all() and not ((values > 0) & (values < 5)).any()
    assert not any(values[persons == 0].any() for values in care.measures.values())
    assert not care.measures["bed_days"][care.measures["admissions"] == 0].any()
    assert care.hidden.sum() == 0 and not any(map(any, care.additive.values()))


def test_the_order_of_people_does_not_matter(place: Place) -> None:
    cubes = counted(EVENTS, 4)
    place.count(cubes)
    before = place.change()
    order = np.random.default_rng(0).permutation
    for cube, people in cubes:
        mixed = order(len(people))
        other = Standing(people.person[mixed], people.cell[mixed], people.amount[mixed])
        write_standing(other, standing_file(place.run / "raw", cube.table), place.zone)
    for one, other in zip(before, place.change(), strict=True):
        np.testing.assert_array_equal(one.measures["persons"], other.measures["persons"])


def test_a_number_that_was_not_made_by_the_rule_stops_the_release(place: Place) -> None:
    place.count(counted(EVENTS, 4))
    good = place.change()
    measure(place.run / "protected", place.run / "measures", place.zone)
    for name in good[0].measures:
        measures = {each: values.copy() for each, values in good[0].measures.items()}
        measures[name][0] += 1
        write_protected(replace(good[0], measures=measures), place.run / "protected", place.zone)
        with pytest.raises(VerificationError, match="every number is the one"):
            place.release()
    assert not (place.root / "released").exists() or not list((place.root / "released").rglob("*.csv"))


def test_other_people_in_the_cells_than_are_counted_stop_the_run(place: Place) -> None:
    cubes = counted(EVENTS, 4)
    place.count(cubes)
    place.change()
    cube, people = cubes[0]
    fewer = Standing(people.person[1:], people.cell[1:], people.amount[1:])
    write_standing(fewer, standing_file(place.run / "raw", cube.table), place.zone)
    with pytest.raises(DisclosureError, match="people who stand"):
        place.change()
    with pytest.raises(VerificationError, match="people who stand"):
        place.release()


def test_another_key_changes_the_numbers_and_fails_at_the_gate(place: Place) -> None:
    place.count(counted(EVENTS, 4))
    before = place.change()
    create_key(place.root / "other.key", b"o" * 32)
    place.secret = Zone("memory", place.root / "other.key").derived
    with pytest.raises(VerificationError, match="every number is the one"):
        place.release()
    after = place.change()
    assert any(
        (a.measures["persons"] != b.measures["persons"]).any() for a, b in zip(before, after, strict=True)
    )


def test_the_bundle_says_how_numbers_were_changed_and_never_the_keys_or_the_chances(place: Place) -> None:
    place.count(counted(EVENTS, 4))
    place.change()
    bundle = place.release()
    proof = json.loads((bundle / "proof.json").read_text())
    assert proof["method"] == "cell_key" and proof["status"] == "perturbed"
    assert proof["parameters"] == {"hidden": 4, "most": 5, "variance": 3.0, "variance_of_few": 6.9}
    assert not any("transition" in path.name or "key" in path.name for path in bundle.rglob("*"))
    page, method = (bundle / "index.html").read_text(), (bundle / "method.md").read_text()
    for text in (page, method):
        assert "by at most 5" in text and "need not add up" in text
    assert "is hidden in every measure" not in method and "of them hidden" not in page


def test_a_later_version_is_never_held_by_what_has_changed_since(place: Place) -> None:
    place.count(counted(EVENTS, 4))
    place.change()
    first = place.release()
    place.count(counted(EVENTS, 5))
    place.change()
    second = place.release()
    assert (first.name, second.name) == ("1", "2")


def test_a_bundle_whose_parameters_and_tables_do_not_agree_does_not_hold(place: Place) -> None:
    place.count(counted(EVENTS, 4))
    place.change()
    bundle = place.release()
    for file, before, after in (
        ("proof.json", '"hidden":4', '"hidden":1'),
        ("proof.json", '"method":"cell_key"', '"method":"suppression"'),
        ("tables/care.csv", "perturbed", "shown"),
    ):
        text = (bundle / file).read_text()
        assert before in text
        (bundle / file).write_text(text.replace(before, after, 1))
        failed = [claim.text for claim in verifier.verify_bundle(bundle) if not claim.holds]
        assert len(failed) > 1, "more than the hash of the file"
        (bundle / file).write_text(text)


def test_changes_are_0_in_the_mean_and_of_the_public_variance() -> None:
    """Of 200,000 keys each: the mean within five standard errors."""
    perturbation = public(CellKeys(), table := table_of(CellKeys(), 5))
    keys = np.random.default_rng(1).integers(0, 10**12, 200_000)
    for count in (1, 2, 3, 4, 5, 6, 9, 12, 500):
        change = look_up(np.full(len(keys), count), keys, *table.arrays()) - count
        spread = change.var()
        assert abs(change.mean()) < 5 * (spread / len(keys)) ** 0.5
        assert spread < 1.02 * (perturbation.variance_of_few if count < 5 else perturbation.variance)


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20), st.binary(min_size=16, max_size=16))
def test_the_verifier_hashes_as_the_kernel_does(values: list[int], key: bytes) -> None:
    whole = np.array([*values, 0, 1, 255, 256, 2**56 - 1, 2**56], np.int64)
    np.testing.assert_array_equal(siphash(whole, key), hash_integers(whole, key))
