"""The rulebook of cohort selection: one person, a few events, in or out. Both engines must say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.cohort.stage import select
from pipelines.files.schemas import ENDS
from tests.one_person import definition, entry, person


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
    drugs = [("2019-03-04", "B9", "drug")] if "while_exposed" in more else []
    shard = person([("2019-03-04", "A1"), *drugs, ("2019-06-01", "B1")], **made)
    for engine in ("numba", "duckdb"):
        found = select(shard, ("a",), definition(**more), engine)
        assert [ENDS[place] for place in np.asarray(found.members["ended"]).tolist()] == [why]
        assert found.ends[why] == (1, 0)


def test_who_dies_after_follow_up_is_told_beside_why_it_ended() -> None:
    found = select(person([("2019-03-04", "A1")], died="2019-09-01"), ("a",), definition(follow_up=10))
    assert {name: counts for name, counts in found.ends.items() if any(counts)} == {"follow_up": (1, 1)}


def test_two_events_of_one_day_are_one_day() -> None:
    rule = {"codes": "other", "from": 1, "to": 90, "at_least": 2, "distinct": "days"}
    same = [("2019-03-04", "A1"), ("2019-03-10", "B1"), ("2019-03-10", "B2")]
    assert entry(person(same), definition(require=[{**rule, "distinct": None}])) is not None
    assert entry(person(same), definition(require=[rule])) is None
    assert entry(person([*same, ("2019-03-11", "B2")]), definition(require=[rule])) is not None


@pytest.mark.parametrize("which", ["first", 1])
def test_a_washout_asks_nothing_of_the_first_event_of_all_time_and_is_refused(which: object) -> None:
    with pytest.raises(ValidationError, match=r"washout asks nothing with which: first.*say which: any"):
        definition(index={"codes": "index", "which": which}, washout=365)


def test_after_a_washout_the_earliest_event_without_one_before_counts() -> None:
    events = [("2016-01-01", "A1"), ("2018-03-01", "A1"), ("2018-06-01", "A1")]
    asked = definition(index={"codes": "index", "which": "any"}, washout=365)
    assert entry(person(events), asked) == ("2018-03-01", "2021-12-31")
    assert entry(person(events), definition()) is None


def test_events_of_a_source_that_the_permit_does_not_name_are_not_seen() -> None:
    shard = person([("2019-03-04", "A1")])
    assert len(np.asarray(select(shard, ("b",), definition()).members["person"])) == 0


def test_a_definition_is_said_in_plain_sentences() -> None:
    asked = definition(age={"from": 18}, exclude=[{"codes": "other", "from": -30, "to": -1}], follow_up=90)
    said = " ".join(asked.sentences())
    expected = (
        "opted out",
        "first event in all time of index (T/A*)",
        "at least 18 years old",
        "does not hold that there is one or more of these from 30 days before that day to 1 day before",
        "at most 90 days",
    )
    assert [words for words in expected if words not in said] == []
