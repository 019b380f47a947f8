"""The rules of linkage: who is taken for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.compute.ranks import Ranks
from pipelines.files import documents, sealed
from pipelines.files.schemas import DAY_UNKNOWN, LINKS, PERSON_INDEX, PERSONS
from pipelines.linkage import link
from pipelines.site.site import Site
from tests.made_region import region
from tests.nights import ANNA, ERIK, day, deliver, identities, make_site, record


class Linked:
    """The outcome of a night's linkage, by (source, reference)."""

    def __init__(self, site: Site) -> None:
        self.site, self.receipt = site, link(site, Ranks())
        folder = site.store / "index" / self.receipt["index"]
        index = sealed.read(folder / "index.parquet", PERSON_INDEX, site.zone("store"))
        persons = sealed.read(folder / "persons.parquet", PERSONS, site.zone("store"))
        self._person = dict(zip(index["record"], index["person"], strict=True))
        self._link = dict(zip(index["record"], index["link"], strict=True))
        self._known = {
            person: (int(sex), int(birth)) for person, sex, birth in zip(*persons.values(), strict=True)
        }

    def person(self, source: str, ref: object) -> int:
        return int(self._person[record(source, ref)])

    def link(self, source: str, ref: object) -> str:
        return LINKS[self._link[record(source, ref)]]

    def known(self, source: str, ref: object) -> tuple[int, int]:
        return self._known[self._person[record(source, ref)]]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def register(site: Site, *rows: dict[str, Any], crowd: int = 0) -> None:
    """The register's delivery; with a crowd of others, from which the model learns."""
    others = region(5, crowd)
    deliver(
        site,
        "folkbokforing",
        "d1",
        "2025-01-01",
        identities("folkbokforing", [*rows, *others.rows["folkbokforing"]]),
    )
    if crowd:
        deliver(site, "journal_b", "d1", "2025-01-01", identities("journal_b", others.rows["journal_b"]))


def journal(
    site: Site, *rows: dict[str, Any], delivery: str = "d1", delivered: str = "2025-01-01", **more: Any
) -> None:
    deliver(site, "journal_a", delivery, delivered, identities("journal_a", rows), **more)


def test_a_record_with_the_registers_number_is_that_person(site: Site) -> None:
    register(site, {**ANNA, "ref": 1}, {**ERIK, "ref": 2})
    journal(site, {**ANNA, "ref": 7})
    linked = Linked(site)
    assert (
        linked.person("journal_a", 7)
        == linked.person("folkbokforing", 1)
        != linked.person("folkbokforing", 2)
    )
    assert (linked.link("folkbokforing", 1), linked.link("journal_a", 7)) == ("anchor", "number")


def test_a_reused_number_leads_to_whoever_held_it_at_the_time(site: Site) -> None:
    before, after = {**ANNA, "given": "SIGRID", "until": "1990-12-31"}, {**ANNA, "since": "1995-01-01"}
    register(site, {**before, "ref": 1}, {**after, "ref": 2})
    journal(
        site,
        {"number": ANNA["number"], "since": "1980-01-01", "until": "1985-01-01", "ref": 7},
        {"number": ANNA["number"], "since": "2001-01-01", "until": "2004-01-01", "ref": 8},
    )
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("folkbokforing", 1)
    assert (
        linked.person("journal_a", 8)
        == linked.person("folkbokforing", 2)
        != linked.person("folkbokforing", 1)
    )


def test_a_reused_number_of_unknown_time_leads_to_the_one_of_that_name(site: Site) -> None:
    register(
        site,
        {**ANNA, "given": "SIGRID", "surname": "VASS", "until": "1990-12-31", "ref": 1},
        {**ANNA, "since": "1995-01-01", "ref": 2},
    )
    journal(site, {**ANNA, "ref": 7}, {**ANNA, "given": "SIGRID", "surname": "VASS", "ref": 8})
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("folkbokforing", 2)
    assert linked.person("journal_a", 8) == linked.person("folkbokforing", 1)


def test_a_reused_number_without_time_and_name_is_nobodys(site: Site) -> None:
    register(
        site,
        {**ANNA, "given": "SIGRID", "until": "1990-12-31", "ref": 1},
        {**ANNA, "since": "1995-01-01", "ref": 2},
    )
    rows = [{"ref": 1, "number": ANNA["number"], "kind": "token"}]
    deliver(site, "lakemedel", "d1", "2025-01-01", identities("lakemedel", rows), no_reidentify=True)
    journal(site, {"number": ANNA["number"], "birth": ANNA["birth"], "sex": 2, "ref": 7})
    linked = Linked(site)
    assert (linked.link("lakemedel", 1), linked.link("journal_a", 7)) == ("alone", "alone")
    assert linked.receipt["disputed_numbers"] == 2


def test_a_number_that_was_replaced_still_leads_to_the_person(site: Site) -> None:
    old = "195003641234"
    register(site, {**ANNA, "previous": old, "ref": 1})
    journal(site, {**ANNA, "number": old, "kind": "samordningsnummer", "ref": 7})
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("folkbokforing", 1)
    assert linked.link("journal_a", 7) == "number"


def test_one_person_under_two_numbers_in_the_register_is_one_person(site: Site) -> None:
    old = "195003641234"
    register(
        site,
        {**ANNA, "previous": old, "since": "2015-01-01", "ref": 1},
        {**ANNA, "number": old, "kind": "samordningsnummer", "until": "2014-12-31", "ref": 2},
    )
    linked = Linked(site)
    assert linked.person("folkbokforing", 1) == linked.person("folkbokforing", 2)
    assert linked.receipt["persons"] == 1


def test_a_number_typed_into_somebody_elses_does_not_make_two_people_one(site: Site) -> None:
    register(site, {**ANNA, "ref": 1}, {**ERIK, "ref": 2}, crowd=200)
    journal(site, {**ERIK, "number": ANNA["number"], "ref": 7})
    linked = Linked(site)
    assert linked.person("journal_a", 7) != linked.person("folkbokforing", 1)
    assert linked.person("journal_a", 7) == linked.person("folkbokforing", 2), (
        "and is found by name and birth day instead"
    )
    assert linked.receipt["disputed_numbers"] == 1


def test_a_number_that_many_share_by_mistake_does_not_make_them_one(site: Site) -> None:
    dummy = {"number": "191212121212"}
    journal(
        site,
        {**dummy, "given": "ANNA", "surname": "HOLMQVIST", "ref": 7},
        {**dummy, "given": "ERIK", "surname": "VASS", "ref": 8},
    )
    linked = Linked(site)
    assert linked.person("journal_a", 7) != linked.person("journal_a", 8)


def test_a_new_surname_does_not_contradict_a_number(site: Site) -> None:
    register(site, {**ANNA, "ref": 1})
    journal(site, {**ANNA, "surname": "RYDQVIST", "birth": "1955-01-01", "ref": 7})
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("folkbokforing", 1)


def test_a_record_without_a_number_is_found_by_name_and_birth_day(site: Site) -> None:
    register(site, {**ANNA, "ref": 1}, {**ERIK, "ref": 2}, crowd=200)
    journal(site, {**ANNA, "number": "", "kind": "none", "ref": 7})
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("folkbokforing", 1)
    assert linked.link("journal_a", 7) == "weight"


@pytest.mark.parametrize(
    "change",
    [
        {"given": "HOLMQVIST", "surname": "ANNA"},
        {"surname": "HOLMKVIST"},
        {"birth": "1950-04-03"},
        {"number": "195003041235", "kind": "invalid"},
    ],
    ids=[
        "given name and surname swapped",
        "surname misspelt",
        "day and month of birth swapped",
        "last digit of the number wrong",
    ],
)
def test_a_slip_of_the_pen_is_forgiven(site: Site, change: dict[str, str]) -> None:
    register(site, {**ANNA, "ref": 1}, {**ERIK, "ref": 2}, crowd=200)
    journal(site, {**ANNA, "number": "", "kind": "none", "ref": 7} | change)
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("folkbokforing", 1)


def test_a_person_of_the_register_is_found_by_a_former_name(site: Site) -> None:
    now = {**ANNA, "surname": "RYDQVIST", "since": "1980-06-01"}
    register(
        site, {**ANNA, "until": "1980-05-31", "ref": 1}, {**now, "ref": 1}, {**ERIK, "ref": 2}, crowd=200
    )
    journal(
        site,
        {**ANNA, "number": "", "kind": "none", "ref": 7},
        {**now, "number": "", "kind": "none", "since": None, "ref": 8},
    )
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("journal_a", 8) == linked.person("folkbokforing", 1)


def test_two_people_of_the_register_never_become_one(site: Site) -> None:
    twin = {**ANNA, "number": "195003041244"}
    register(site, {**ANNA, "ref": 1}, {**twin, "ref": 2}, crowd=200)
    journal(site, {**ANNA, "number": "", "kind": "none", "ref": 7})
    linked = Linked(site)
    assert linked.person("folkbokforing", 1) != linked.person("folkbokforing", 2)
    assert linked.link("journal_a", 7) == "alone", "a record that could as well be either is nobody's"


def test_two_records_with_different_valid_numbers_never_join(site: Site) -> None:
    register(site, crowd=200)
    journal(
        site,
        {**ANNA, "ref": 7},
        {**ANNA, "number": "195003041244", "ref": 8},
        {**ANNA, "number": "", "kind": "none", "ref": 9},
    )
    linked = Linked(site)
    assert linked.person("journal_a", 7) != linked.person("journal_a", 8)


def test_records_unknown_to_the_register_join_by_number_and_get_a_person_of_their_own(site: Site) -> None:
    register(site, {**ERIK, "ref": 2})
    journal(site, {**ANNA, "ref": 7})
    deliver(site, "journal_b", "d1", "2025-01-01", identities("journal_b", [{**ANNA, "ref": 3}]))
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("journal_b", 3) != linked.person("folkbokforing", 2)


def test_a_source_that_may_not_be_reidentified_is_linked_by_token_alone(site: Site) -> None:
    register(site, {**ANNA, "ref": 1}, crowd=100)
    rows = [
        {"ref": 1, "number": ANNA["number"], "kind": "token"},
        {"ref": 2, "number": "190101010000", "kind": "token"},
    ]
    deliver(site, "lakemedel", "d1", "2025-01-01", identities("lakemedel", rows), no_reidentify=True)
    linked = Linked(site)
    assert linked.person("lakemedel", 1) == linked.person("folkbokforing", 1)
    assert linked.link("lakemedel", 2) == "alone"


def test_without_numbers_and_names_every_record_is_a_person_of_its_own(tmp_path: Path) -> None:
    site = make_site(tmp_path, sources=("hospital",))
    rows = [{"ref": k, "birth": "1970-07-01", "sex": 1} for k in range(20)]
    deliver(site, "hospital", "d1", "2025-01-01", identities("hospital", rows))
    linked = Linked(site)
    assert linked.receipt["persons"] == 20
    assert linked.receipt["links"]["alone"] == 20
    assert linked.known("hospital", 3) == (1, day("1970-07-01"))


def test_the_latest_delivery_says_what_holds_of_a_record(site: Site) -> None:
    register(site, {**ANNA, "ref": 1}, {**ERIK, "ref": 2})
    journal(site, {**ANNA, "ref": 7})
    journal(site, {**ERIK, "ref": 7}, delivery="d2", delivered="2025-02-01")
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("folkbokforing", 2)


def test_a_late_delivery_does_not_rename_the_people_who_were_there(site: Site) -> None:
    register(site, {**ERIK, "ref": 2})
    journal(site, {**ANNA, "ref": 7})
    before = Linked(site)
    deliver(site, "folkbokforing", "d2", "2025-03-01", identities("folkbokforing", [{**ANNA, "ref": 1}]))
    after = Linked(site)
    assert after.person("journal_a", 7) == before.person("journal_a", 7) == after.person("folkbokforing", 1)


def test_a_correction_takes_the_place_and_the_date_of_what_it_replaces(site: Site) -> None:
    register(site, {**ERIK, "ref": 2})
    journal(site, {**ANNA, "ref": 7}, {**ERIK, "ref": 8})
    before = Linked(site)
    journal(site, {**ANNA, "ref": 7}, delivery="d2", delivered="2025-04-01", replaces="d1")
    deliver(site, "journal_b", "d1", "2025-02-01", identities("journal_b", [{**ANNA, "ref": 3}]))
    after = Linked(site)
    assert after.person("journal_a", 7) == before.person("journal_a", 7)
    with pytest.raises(KeyError):
        after.person("journal_a", 8)


def test_a_stopped_correction_replaces_nothing(site: Site) -> None:
    journal(site, {**ANNA, "ref": 7})
    journal(site, delivery="d2", delivered="2025-04-01", replaces="d1", status="stopped")
    assert Linked(site).receipt["records"] == 1


def test_the_register_says_sex_and_birth_day_and_else_the_majority(site: Site) -> None:
    register(site, {**ANNA, "ref": 1})
    wrong, other = {**ANNA, "sex": 1, "birth": "1950-03-05"}, {**ERIK, "birth": "1971-08-08", "sex": 0}
    journal(
        site,
        {**wrong, "ref": 7},
        {**wrong, "ref": 8},
        {**other, "ref": 9},
        {**other, "ref": 10},
        {**ERIK, "ref": 11},
    )
    linked = Linked(site)
    assert linked.known("journal_a", 7) == (2, day("1950-03-04"))
    assert linked.known("journal_a", 9) == (1, day("1971-08-08"))


def test_what_nobody_knows_stays_unknown(site: Site) -> None:
    journal(site, {"number": ANNA["number"], "ref": 7})
    assert Linked(site).known("journal_a", 7) == (0, DAY_UNKNOWN)


def test_a_reserve_number_is_no_ones_identity_in_the_register_but_ties_its_own_records(site: Site) -> None:
    register(site, {**ANNA, "ref": 1}, crowd=200)
    reserve = {**ANNA, "number": "992015123458", "kind": "reserve_stockholm"}
    journal(site, {**reserve, "ref": 7}, {"number": "992015123458", "kind": "reserve_stockholm", "ref": 8})
    linked = Linked(site)
    assert linked.person("journal_a", 7) == linked.person("journal_a", 8) == linked.person("folkbokforing", 1)
    assert linked.link("journal_a", 7) == "weight"


def test_the_receipt_holds_counts_and_no_one(site: Site) -> None:
    register(site, {**ANNA, "ref": 1}, crowd=50)
    journal(site, {**ANNA, "number": "", "kind": "none", "ref": 7})
    linked = Linked(site)
    text = site.receipt("linkage").read_text()
    assert linked.receipt == documents.read_json(site.receipt("linkage"))
    assert linked.receipt["sources"]["journal_a"] == {"alone": 0, "anchor": 0, "number": 0, "weight": 1}
    assert not any(str(ANNA[name]) in text for name in ("number", "surname", "postcode"))
    assert str(linked.person("folkbokforing", 1)) not in text
