"""The rules of the store: what a snapshot holds of a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.compute.ranks import Ranks
from pipelines.files import documents
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import DAY_OPEN, DAY_UNKNOWN, KINDS
from pipelines.linkage import link
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot
from pipelines.store import build
from tests.nights import day, deliver, events, identities, make_site

HEART = "ICD-10-SE/I219"
FLU = "ICD-10-SE/J109"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path, shards=1)


def night(
    site: Site, *happened: dict[str, Any], person: dict[str, Any] | None = None, source: str = "journal_a"
) -> None:
    """One person, "p", and what happened to it."""
    people = identities(source, [{"ref": "p", "birth": "1950-01-01", "sex": 2} | (person or {})])
    deliver(
        site, source, "d1", "2025-01-01", people, events(source, [{"ref": "p"} | each for each in happened])
    )


def shard(site: Site) -> dict[str, Frame]:
    """All files of the only shard."""
    link(site, Ranks())
    build(site, Ranks())
    (only,) = Snapshot.load(site).shards
    return {name: only.read(name) for name in ("persons", "periods", "residences", "events", "postings")}


def rows(frame: Frame, *names: str) -> list[tuple[Any, ...]]:
    columns = [
        each.decoded() if isinstance(each, Category) else each.tolist()
        for each in (frame[name] for name in names)
    ]
    return list(zip(*columns, strict=True))


def diagnosis(start: str, concept: str = HEART, **more: Any) -> dict[str, Any]:
    return {"kind": "diagnosis", "start": start, "concept": concept, **more}


def test_a_person_has_sex_birth_death_and_opt_out(site: Site) -> None:
    night(
        site,
        {"kind": "death", "start": "2020-05-05", "concept": HEART},
        {"kind": "death", "start": "2020-05-06"},
        {"kind": "opt_out", "start": "2019-02-01"},
        {"kind": "opt_out", "start": "2018-02-01"},
    )
    persons = shard(site)["persons"]
    assert rows(persons, "sex", "birth_day", "death_day", "opt_out_day") == [
        (2, day("1950-01-01"), day("2020-05-05"), day("2018-02-01"))
    ]


def test_an_opt_out_of_unknown_day_has_always_held(site: Site) -> None:
    night(site, {"kind": "opt_out", "start": "2019-02-01"})
    frame = events("journal_a", [{"ref": "p", "kind": "opt_out", "start": "2019-02-01"}])
    frame["start"][:] = DAY_UNKNOWN
    deliver(site, "journal_a", "d2", "2025-01-02", None, frame)
    (opted_out,) = shard(site)["persons"]["opt_out_day"]
    assert DAY_UNKNOWN < opted_out < day("1800-01-01")


def test_residences_that_follow_each_other_are_one_period(site: Site) -> None:
    night(
        site,
        {"kind": "residence", "start": "2010-01-01", "end": "2012-12-31", "concept": "SCB/0180"},
        {"kind": "residence", "start": "2013-01-01", "end": "2014-06-30", "concept": "SCB/0184"},
        {"kind": "residence", "start": "2016-01-01", "end": "open", "concept": "SCB/0180"},
    )
    found = shard(site)
    assert rows(found["periods"], "start", "end") == [
        (day("2010-01-01"), day("2014-06-30")),
        (day("2016-01-01"), DAY_OPEN),
    ]
    assert rows(found["residences"], "start", "municipality")[:2] == [
        (day("2010-01-01"), "0180"),
        (day("2013-01-01"), "0184"),
    ]
    assert not len(found["events"]["person"])


def test_nobody_is_observed_after_death(site: Site) -> None:
    night(
        site,
        {"kind": "residence", "start": "2010-01-01", "end": "open", "concept": "SCB/0180"},
        {"kind": "death", "start": "2015-03-01"},
        {"kind": "observation", "start": "2016-01-01", "end": "2017-01-01"},
    )
    assert rows(shard(site)["periods"], "start", "end") == [(day("2010-01-01"), day("2015-03-01"))]


@pytest.mark.parametrize(
    ("gap", "until", "observed_to"),
    [
        (1, "2015-02-28", "2015-03-01"),
        (1, "2015-03-01", "2015-03-01"),
        (1, "2015-02-27", "2015-02-27"),
        (0, "2015-02-28", "2015-02-28"),
        (3, "2015-02-26", "2015-03-01"),
        (3, "2015-02-25", "2015-02-25"),
    ],
)
def test_the_day_of_death_is_observed_where_observation_ends_at_most_the_gap_before_it(
    site: Site, gap: int, until: str, observed_to: str
) -> None:
    night(
        site,
        {"kind": "residence", "start": "2010-01-01", "end": "2012-05-31", "concept": "SCB/0180"},
        {"kind": "residence", "start": "2012-06-01", "end": until, "concept": "SCB/0184"},
        {"kind": "residence", "start": "2016-01-01", "end": "open", "concept": "SCB/0180"},
        {"kind": "death", "start": "2015-03-01"},
    )
    found = shard(site.model_copy(update={"death_gap": gap}))
    assert rows(found["periods"], "start", "end") == [(day("2010-01-01"), day(observed_to))]
    assert rows(found["residences"], "end", "municipality")[1] == (day(observed_to), "0184")
    receipt = documents.read_json(site.receipt("store"))
    seen = observed_to == "2015-03-01"
    assert receipt["deaths"] == {"observed": int(seen), "not_observed": int(not seen)}


def test_another_gap_before_death_makes_another_snapshot(site: Site) -> None:
    night(
        site,
        {"kind": "residence", "start": "2010-01-01", "end": "2015-02-26", "concept": "SCB/0180"},
        {"kind": "death", "start": "2015-03-01"},
    )
    one = rows(shard(site)["periods"], "end")
    assert one != rows(shard(site.model_copy(update={"death_gap": 9}))["periods"], "end")
    assert one == rows(shard(site)["periods"], "end")


def test_who_is_in_no_register_is_observed_from_the_first_to_the_last_event(site: Site) -> None:
    night(
        site,
        diagnosis("2012-01-01"),
        diagnosis("2014-01-01", end="2014-01-09"),
        diagnosis("2013-01-01", end="2013-01-02"),
    )
    assert rows(shard(site)["periods"], "start", "end") == [(day("2012-01-01"), day("2014-01-09"))]


def test_who_has_no_event_is_there_and_never_observed(site: Site) -> None:
    night(site)
    found = shard(site)
    assert (len(found["persons"]["person"]), len(found["periods"]["person"])) == (1, 0)


def test_events_stand_by_person_and_day_and_a_repeated_row_once(site: Site) -> None:
    night(
        site,
        diagnosis("2014-01-01"),
        diagnosis("2012-01-01"),
        diagnosis("2014-01-01"),
        diagnosis("2014-01-01", value=3),
    )
    found = shard(site)["events"]
    assert [start for (start,) in rows(found, "start")] == [
        day("2012-01-01"),
        day("2014-01-01"),
        day("2014-01-01"),
    ]


def test_the_same_row_of_two_sources_stands_twice(site: Site) -> None:
    number = {"number": "195003041236"}
    night(site, diagnosis("2014-01-01"), person=number)
    night(site, diagnosis("2014-01-01"), person=number, source="journal_b")
    assert rows(shard(site)["events"], "source") == [("journal_a",), ("journal_b",)]


def test_a_death_stays_among_the_events_for_its_cause(site: Site) -> None:
    night(
        site,
        {"kind": "death", "start": "2020-05-05", "concept": HEART},
        {"kind": "opt_out", "start": "2020-01-01"},
    )
    assert [(KINDS[kind], concept) for kind, concept in rows(shard(site)["events"], "kind", "concept")] == [
        ("death", HEART)
    ]


def test_postings_list_each_codes_events_in_order(site: Site) -> None:
    night(
        site,
        diagnosis("2014-01-01", FLU),
        diagnosis("2012-01-01"),
        diagnosis("2013-01-01", FLU),
        {"kind": "visit", "start": "2013-06-01"},
    )
    found = shard(site)
    labels = found["events"]["concept"].labels
    listed = rows(found["postings"], "concept", "start", "row")
    assert listed[-1] == (-1, day("2013-06-01"), 2), "the visit has no code"
    assert [(labels[concept], start, row) for concept, start, row in listed[:-1]] == [
        (HEART, day("2012-01-01"), 0),
        (FLU, day("2013-01-01"), 1),
        (FLU, day("2014-01-01"), 3),
    ]


def test_events_of_a_record_that_nobody_knows_are_counted_and_left_out(site: Site) -> None:
    night(site, diagnosis("2014-01-01"))
    deliver(
        site,
        "journal_b",
        "d1",
        "2025-01-01",
        None,
        events("journal_b", [diagnosis("2014-01-01", ref="stranger")] * 3),
    )
    link(site, Ranks())
    receipt = build(site, Ranks())
    assert (receipt["unlinked"], receipt["rows"]["events"]) == (3, 1)


def test_a_snapshot_names_owners_and_deliveries_and_marks_what_may_not_be_reidentified(site: Site) -> None:
    night(site, diagnosis("2014-01-01"))
    deliver(site, "lakemedel", "d1", "2025-01-01", no_reidentify=True)
    link(site, Ranks())
    build(site, Ranks())
    sources = Snapshot.load(site).sources
    assert (sources["journal_a"].owner, sources["journal_a"].deliveries) == ("owner of journal_a", ("d1",))
    assert (sources["journal_a"].no_reidentify, sources["lakemedel"].no_reidentify) == (False, True)
