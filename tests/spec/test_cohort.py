"""The rulebook of cohort selection: one person, a few events, in or out. Both engines must say the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
import pytest

from pipelines.cohort.stage import select
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import DAY_UNKNOWN, ENDS, KIND, VALUE_MISSING
from pipelines.store.shard import codes, postings
from pipelines.study.days import day_number
from pipelines.study.definition import Definition
from tests.people import MadeShard


def day(text: str) -> int:
    return day_number(date.fromisoformat(text))


def person(
    events: Iterable[tuple[str, str]],
    born: str = "1970-06-15",
    observed: tuple[str, str] = ("2015-01-01", "2024-12-31"),
    died: str | None = None,
    opted_out: bool = False,
) -> MadeShard:
    """A shard of one person with diagnoses of source "a"."""
    found = sorted((day(when), code) for when, code in events)
    n = len(found)
    labels = tuple(sorted({f"T/{code}" for _, code in found}))
    start = np.array([when for when, _ in found], np.int32)
    frames: dict[str, Frame] = {
        "persons": {
            "person": np.array([7]),
            "sex": np.array([1], np.int8),
            "birth_day": np.array([day(born)], np.int32),
            "death_day": np.array([day(died) if died else DAY_UNKNOWN], np.int32),
            "opt_out_day": np.array([day("2020-01-01") if opted_out else DAY_UNKNOWN], np.int32),
        },
        "periods": {
            "person": np.zeros(1, np.int32),
            "start": np.array([day(observed[0])], np.int32),
            "end": np.array([day(observed[1])], np.int32),
        },
        "events": {
            "person": np.zeros(n, np.int32),
            "start": start,
            "end": start,
            "concept": Category(labels, np.array([labels.index(f"T/{code}") for _, code in found], np.int32)),
            "value": np.full(n, VALUE_MISSING),
            "unit": Category.constant(None, n),
            "kind": np.full(n, KIND["diagnosis"], np.int8),
            "position": np.ones(n, np.int8),
            "setting": np.zeros(n, np.int8),
            "source": Category.constant("a", n),
            "care_unit": Category.constant(None, n),
            "encounter": np.zeros(n, np.int64),
        },
    }
    frames.update(postings=postings(frames["events"]), codes=codes(frames["events"]))
    return MadeShard(frames)


def definition(**more: Any) -> Definition:
    base: dict[str, Any] = {
        "cohort": "rule",
        "title": "rule",
        "study": {"from": "2018-01-01", "to": "2021-12-31"},
        "codes": {"index": ["T/A"], "other": ["T/B"]},
        "index": {"codes": "index"},
    }
    return Definition(**{**base, **more})


def entry(shard: MadeShard, asked: Definition) -> tuple[str, str] | None:
    """First and last day of the person's membership, None if not a member."""
    fast, slow = select(shard, ("a",), asked), select(shard, ("a",), asked, "duckdb")
    assert fast.attrition == slow.attrition
    days = [
        (int(s), int(e))
        for s, e in zip(np.asarray(fast.members["start"]), np.asarray(fast.members["end"]), strict=True)
    ]
    assert days == [
        (int(s), int(e))
        for s, e in zip(np.asarray(slow.members["start"]), np.asarray(slow.members["end"]), strict=True)
    ]
    if not days:
        return None
    start, end = days[0]
    return str(np.datetime64(start, "D")), str(np.datetime64(end, "D"))


def test_a_person_enters_on_the_day_of_the_index_event() -> None:
    assert entry(person([("2019-03-04", "A1")]), definition()) == ("2019-03-04", "2021-12-31")


def test_who_has_opted_out_is_not_looked_at() -> None:
    assert entry(person([("2019-03-04", "A1")], opted_out=True), definition()) is None


def test_opt_outs_and_sources_that_the_permit_does_not_name_leave_before_anything_else_and_are_counted() -> (
    None
):
    for more, sources, left in (
        ({}, ("a",), (1, 1, 1, 1)),
        ({}, ("b",), (1, 1, 0, 0)),
        ({"opted_out": True}, ("a",), (1, 0, 0, 0)),
    ):
        steps = select(person([("2019-03-04", "A1")], **more), sources, definition()).attrition
        assert [step for step, _ in steps[:3]] == [
            "are in the snapshot",
            "have not opted out",
            "have events of sources that the permit names",
        ]
        assert tuple(count for _, count in steps[:4]) == left


def test_a_code_is_matched_by_its_prefix_and_no_other_code_is() -> None:
    assert entry(person([("2019-03-04", "B1")]), definition()) is None


def test_with_first_an_event_before_the_study_shuts_the_person_out() -> None:
    events = [("2016-01-01", "A1"), ("2019-03-04", "A1")]
    assert entry(person(events), definition()) is None
    assert entry(person(events), definition(index={"codes": "index", "which": "any"})) == (
        "2019-03-04",
        "2021-12-31",
    )


def test_with_any_the_earliest_event_that_meets_every_rule_counts() -> None:
    shard = person([("2018-02-01", "A1"), ("2018-02-10", "B1"), ("2019-03-04", "A1")])
    rule = {"codes": "other", "from": -400, "to": -1}
    assert entry(shard, definition(index={"codes": "index", "which": "any"}, require=[rule])) == (
        "2019-03-04",
        "2021-12-31",
    )


@pytest.mark.parametrize(
    ("when", "inside"),
    [("2019-02-02", False), ("2019-02-03", True), ("2019-03-05", True), ("2019-03-06", False)],
)
def test_both_ends_of_a_window_are_in_it(when: str, inside: bool) -> None:
    shard = person([("2019-03-05", "A1"), (when, "B1")])
    rule = {"codes": "other", "from": -30, "to": 0}
    assert (entry(shard, definition(require=[rule])) is not None) == inside
    assert (entry(shard, definition(exclude=[rule])) is None) == inside


def test_at_least_two_means_two_events_not_one() -> None:
    rule = {"codes": "other", "from": 1, "to": 90, "at_least": 2}
    once, twice = (
        [("2019-03-04", "A1"), ("2019-03-10", "B1")],
        [("2019-03-04", "A1"), ("2019-03-10", "B1"), ("2019-04-10", "B2")],
    )
    assert entry(person(once), definition(require=[rule])) is None
    assert entry(person(twice), definition(require=[rule])) is not None


@pytest.mark.parametrize(("prior", "enters"), [(62, True), (63, False)])
def test_prior_observation_is_counted_in_days_from_the_start_of_the_period(prior: int, enters: bool) -> None:
    shard = person([("2019-03-04", "A1")], observed=("2019-01-01", "2024-12-31"))
    assert (entry(shard, definition(prior_observation=prior)) is not None) == enters


def test_an_index_event_outside_every_observation_period_does_not_count() -> None:
    assert entry(person([("2019-03-04", "A1")], observed=("2019-03-05", "2024-12-31")), definition()) is None


@pytest.mark.parametrize(("born", "enters"), [("2001-03-04", True), ("2001-03-05", False)])
def test_age_is_counted_in_birthdays_reached(born: str, enters: bool) -> None:
    assert (
        entry(person([("2019-03-04", "A1")], born=born), definition(age={"from": 18})) is not None
    ) == enters


def test_a_birthday_on_29_february_is_reached_on_1_march_in_other_years() -> None:
    adult = definition(age={"from": 18})
    assert entry(person([("2018-02-28", "A1")], born="2000-02-29"), adult) is None
    assert entry(person([("2018-03-01", "A1")], born="2000-02-29"), adult) is not None


@pytest.mark.parametrize(
    ("more", "made", "last"),
    [
        ({"follow_up": 10}, {}, "2019-03-13"),
        ({}, {"observed": ("2015-01-01", "2019-06-30")}, "2019-06-30"),
        ({}, {"died": "2019-05-01"}, "2019-05-01"),
        ({}, {}, "2021-12-31"),
        ({}, {"died": "2019-03-04"}, "2019-03-04"),
    ],
)
def test_follow_up_ends_with_the_first_of_its_ends(
    more: dict[str, Any], made: dict[str, Any], last: str
) -> None:
    assert entry(person([("2019-03-04", "A1")], **made), definition(**more)) == ("2019-03-04", last)


@pytest.mark.parametrize(
    ("more", "made", "why"),
    [
        ({}, {}, "study_end"),
        ({}, {"died": "2019-05-01"}, "death"),
        ({}, {"died": "2021-12-31"}, "death"),
        ({}, {"observed": ("2015-01-01", "2019-06-30")}, "moved"),
        ({}, {"observed": ("2015-01-01", "2021-12-31")}, "study_end"),
        ({"follow_up": 10}, {}, "follow_up"),
        ({"follow_up": 59}, {"died": "2019-05-01"}, "death"),
        ({"censor": [{"codes": "other"}]}, {}, "censored"),
        ({"censor": [{"codes": "other"}]}, {"died": "2019-06-01"}, "death"),
        ({"censor": [{"codes": "other"}], "follow_up": 90}, {}, "censored"),
        ({"while_exposed": {"codes": "other", "gap": 100, "offset": 4}}, {}, "exposure_end"),
    ],
)
def test_it_is_known_why_follow_up_ends(more: dict[str, Any], made: dict[str, Any], why: str) -> None:
    shard = person([("2019-03-04", "A1"), ("2019-03-04", "B9"), ("2019-06-01", "B1")], **made)
    if "while_exposed" in more:
        shard.frames["events"]["kind"][np.asarray(shard.frames["events"]["start"]) >= 0] = KIND["drug"]
        shard.frames.update(postings=postings(shard.frames["events"]))
    if "censor" in more:
        shard = person([("2019-03-04", "A1"), ("2019-06-01", "B1")], **made)
    for engine in ("numba", "duckdb"):
        found = select(shard, ("a",), definition(**more), engine)
        assert [ENDS[place] for place in np.asarray(found.members["ended"]).tolist()] == [why]
        assert found.ends[why] == (1, 0)


def test_who_dies_after_follow_up_is_told_beside_why_it_ended() -> None:
    found = select(person([("2019-03-04", "A1")], died="2019-09-01"), ("a",), definition(follow_up=10))
    assert {name: counts for name, counts in found.ends.items() if any(counts)} == {"follow_up": (1, 1)}


def test_events_of_a_source_that_the_permit_does_not_name_are_not_seen() -> None:
    shard = person([("2019-03-04", "A1")])
    assert len(np.asarray(select(shard, ("b",), definition()).members["person"])) == 0


def test_a_definition_is_said_in_plain_sentences() -> None:
    asked = definition(age={"from": 18}, exclude=[{"codes": "other", "from": -30, "to": -1}], follow_up=90)
    said = " ".join(asked.sentences())
    expected = (
        "opted out",
        "first event in all time of index (T/A*)",
        "18 to 200 years",
        "does not hold that there are at least 1 of these from -30 to -1 days from that day",
        "at most 90 days",
    )
    assert [words for words in expected if words not in said] == []
