"""By what else than one event a person enters: any of several kinds of events, a day of the calendar, living
here, an entry in another cohort. Both engines must say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.errors import SettingsError
from pipelines.study.definition import Definition, files, load
from tests.one_person import definition, entries, entry, person

END = "2021-12-31"
TWICE = [("2018-02-01", "A1"), ("2019-03-04", "A1"), ("2020-05-05", "A1")]


def living(**index: Any) -> Any:
    more = index.pop("more", {})
    return definition(codes={"other": ["T/B"]}, index=index, **more)


# ---- events ------------------------------------------------------------------------------------------------


def test_any_of_several_kinds_of_events_lets_a_person_in() -> None:
    index = {"any": [{"codes": "index", "kind": "diagnosis"}, {"codes": "other", "kind": "drug"}]}
    drug_first = person([("2019-01-01", "B1", "drug"), ("2019-03-04", "A1")])
    for which, day in (("first", "2019-01-01"), ("last", "2019-03-04"), ("any", "2019-01-01")):
        assert entry(drug_first, definition(index={**index, "which": which})) == (day, END)
    neither = person([("2019-01-01", "B1"), ("2019-03-04", "A1", "drug")])
    assert entry(neither, definition(index=index)) is None


def test_the_first_of_several_kinds_is_the_first_of_all_of_them_in_all_time() -> None:
    index = {"any": [{"codes": "index"}, {"codes": "other"}]}
    shard = person([("2016-01-01", "B1"), ("2019-03-04", "A1")])
    assert entry(shard, definition(index=index)) is None
    assert entry(shard, definition(index={**index, "which": "any"})) == ("2019-03-04", END)


def test_a_washout_is_one_of_all_kinds() -> None:
    index = {"any": [{"codes": "index"}, {"codes": "other"}], "which": "any"}
    shard = person([("2019-01-01", "B1"), ("2019-03-04", "A1")], observed=("2019-02-01", "2024-12-31"))
    assert entry(shard, definition(index=index)) == ("2019-03-04", END)
    assert entry(shard, definition(index=index, washout=90)) is None


def test_second_and_later_events_leave_the_first_out() -> None:
    index = {"codes": "index", "which": {"from": 2}}
    assert entries(person(TWICE), definition(index=index, follow_up=30)) == [
        ("2019-03-04", "2019-04-02"),
        ("2020-05-05", "2020-06-03"),
    ]


@pytest.mark.parametrize(
    ("start", "day"),
    [({"after": 30}, "2019-04-03"), ({"after": -3}, "2019-03-01"), ({"after": 1, "of": "end"}, "2019-03-05")],
)
def test_the_index_day_may_lie_days_after_the_event(start: dict[str, Any], day: str) -> None:
    asked = definition(index={"codes": "index", "start": start})
    assert entry(person([("2019-03-04", "A1")]), asked) == (day, END)


def test_who_is_not_observed_on_a_shifted_index_day_does_not_enter() -> None:
    asked = definition(index={"codes": "index", "start": {"after": 30}})
    assert entry(person([("2019-03-04", "A1")], died="2019-04-02"), asked) is None
    assert entry(person([("2019-03-04", "A1")], died="2019-04-03"), asked) == ("2019-04-03", "2019-04-03")


@pytest.mark.parametrize("which", ["first", "last"])
def test_the_first_of_several_kinds_is_not_counted_from_last_days(which: str) -> None:
    index = {"any": [{"codes": "index"}, {"codes": "other"}], "which": which, "start": {"of": "end"}}
    with pytest.raises(ValidationError, match="say which: any or all, or leave"):
        definition(index=index)


def test_rules_ask_from_a_shifted_index_day_and_a_washout_from_the_event() -> None:
    index = {"codes": "index", "which": "any", "start": {"after": 30}}
    shard = person([("2019-03-04", "A1"), ("2019-03-20", "B1")])
    assert entry(shard, definition(index=index, exclude=[{"codes": "other", "from": -30, "to": 0}])) is None
    assert entry(shard, definition(index=index, washout=90)) == ("2019-04-03", END)
    before = person([("2018-12-05", "A1"), ("2019-03-04", "A1")], observed=("2019-01-10", "2024-12-31"))
    assert entry(before, definition(index=index, washout=88)) == ("2019-04-03", END)
    assert entry(before, definition(index=index, washout=89)) is None


# ---- days --------------------------------------------------------------------------------------------------


def test_on_a_day_of_the_calendar_everybody_who_is_observed_enters() -> None:
    asked = living(date="2020-01-01")
    assert entry(person([]), asked) == ("2020-01-01", END)
    assert entry(person([], observed=("2015-01-01", "2019-12-31")), asked) is None
    assert entry(person([], observed=("2020-01-01", "2024-12-31")), asked) == ("2020-01-01", END)
    assert entry(person([], observed=("2020-01-02", "2024-12-31")), asked) is None


def test_age_sex_and_prior_observation_are_asked_of_that_day() -> None:
    adult = {"age": {"from": 18}, "sex": "man", "prior_observation": 365}
    asked = living(date="2020-01-01", more=adult)
    assert entry(person([], born="2002-01-01"), asked) is not None
    assert entry(person([], born="2002-01-02"), asked) is None
    assert entry(person([], observed=("2019-01-01", "2024-12-31")), asked) is not None
    assert entry(person([], observed=("2019-01-02", "2024-12-31")), asked) is None
    assert entry(person([]), living(date="2020-01-01", more={"sex": "woman"})) is None


def test_rules_may_take_out_who_is_ill_already() -> None:
    asked = living(date="2020-01-01", more={"exclude": [{"codes": "other", "from": None, "to": 0}]})
    assert entry(person([("2019-05-05", "B1")]), asked) is None
    assert entry(person([("2020-05-05", "B1")]), asked) == ("2020-01-01", END)


def test_a_calendar_gives_a_person_several_index_days() -> None:
    asked = living(
        date="2019-01-31",
        every="month",
        more={"follow_up": 28, "study": {"from": "2019-01-01", "to": "2019-04-30"}},
    )
    assert [first for first, _ in entries(person([]), asked)] == [
        "2019-01-31",
        "2019-02-28",
        "2019-03-31",
        "2019-04-30",
    ]
    named = living(dates=["2019-01-01", "2020-01-01", "2021-01-01"], more={"follow_up": 365})
    assert entries(person([], observed=("2019-06-01", "2024-12-31")), named) == [
        ("2020-01-01", "2020-12-30"),
        ("2021-01-01", "2021-12-31"),
    ]


def test_index_days_so_close_that_stays_would_become_one_are_refused() -> None:
    with pytest.raises(ValidationError, match="say follow_up: 28 or less"):
        living(date="2019-01-31", every="month", more={"follow_up": 29})


@pytest.mark.parametrize(
    ("made", "more", "day"),
    [
        ({}, {}, "2018-01-01"),
        ({"observed": ("2019-06-01", "2024-12-31")}, {}, "2019-06-01"),
        ({"observed": ("2019-06-01", "2024-12-31")}, {"prior_observation": 30}, "2019-07-01"),
        ({"observed": ("2017-12-20", "2024-12-31")}, {"prior_observation": 30}, "2018-01-19"),
        ({"born": "2002-03-04"}, {"age": {"from": 18}}, "2020-03-04"),
        ({"born": "2004-02-29"}, {"age": {"from": 17}}, "2021-03-01"),
        ({"born": "2004-03-04"}, {"age": {"from": 18}}, None),
        ({"born": "1950-03-04"}, {"age": {"to": 60}}, None),
    ],
)
def test_from_the_first_day_lived_here_everybody_enters(made: Any, more: Any, day: str | None) -> None:
    found = entry(person([], **made), living(residence="first", more=more))
    assert found == (None if day is None else (day, END))


def test_index_days_may_be_staggered_from_each_persons_own_first_day() -> None:
    asked = living(residence="first", every=365, more={"follow_up": 365})
    assert entries(person([], observed=("2019-06-01", "2021-08-01")), asked) == [
        ("2019-06-01", "2020-05-30"),
        ("2020-05-31", "2021-05-30"),
        ("2021-05-31", "2021-08-01"),
    ]


@pytest.mark.parametrize("more", [{"washout": 30}, {"controls": {"ratio": 1}}])
def test_what_asks_for_an_event_is_refused_where_nobody_enters_by_one(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="nobody enters by one"):
        living(date="2020-01-01", more=more)


# ---- other cohorts -----------------------------------------------------------------------------------------


OTHER = definition(cohort="ill", codes={"b": ["T/B"]}, index={"codes": "b"}, follow_up=100)


@pytest.mark.parametrize(
    ("rule", "inside"),
    [
        ({}, True),
        ({"from": -90, "to": 0}, True),
        ({"from": -90, "to": 0, "day": "entry"}, False),
        ({"from": -93, "to": 0, "day": "entry"}, True),
        ({"from": 6, "to": 30}, True),
        ({"from": 7, "to": 30}, False),
        ({"from": -200, "to": -94}, False),
    ],
)
def test_another_cohort_is_a_rule(rule: dict[str, Any], inside: bool) -> None:
    """Followed there from 2018-12-01 to 2019-03-10; the index day here is 2019-03-04."""
    shard = person([("2018-12-01", "B1"), ("2019-03-04", "A1")])
    asked = {"others": {"ill": OTHER}}
    assert (entry(shard, definition(require=[{"cohort": "ill", **rule}], **asked)) is not None) == inside
    assert (entry(shard, definition(exclude=[{"cohort": "ill", **rule}], **asked)) is None) == inside


TEXT = """cohort: {name}
title: t
study: {{from: 2018-01-01, to: 2021-12-31}}
codes: {{a: [T/A]}}
index: {{codes: a}}
exclude: [{{cohort: {other}}}]
"""


def test_another_cohort_is_the_definition_of_that_name_beside_it(tmp_path: Path) -> None:
    (tmp_path / "here.yaml").write_text(TEXT.format(name="here", other="ill"), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"asks about cohort ill, and ill\.yaml is not beside it"):
        load(tmp_path / "here.yaml")
    (tmp_path / "ill.yaml").write_text(
        TEXT.format(name="ill", other="x").rpartition("exclude")[0], encoding="utf-8"
    )
    found = load(tmp_path / "here.yaml")
    assert [each.cohort for each in found.others.values()] == ["ill"]
    assert files(tmp_path / "here.yaml") == (tmp_path / "here.yaml", tmp_path / "ill.yaml")
    changed = found.model_copy(update={"others": {"ill": OTHER}})
    assert isinstance(changed, Definition)
    assert changed.meaning != found.meaning


def test_cohorts_that_ask_about_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.yaml").write_text(TEXT.format(name=name, other=other), encoding="utf-8")
    with pytest.raises(SettingsError, match="break the circle"):
        load(tmp_path / "one.yaml")


def test_no_file_says_what_others_are(tmp_path: Path) -> None:
    (tmp_path / "here.yaml").write_text(
        f"{TEXT.format(name='here', other='x')}others: {{}}\n", encoding="utf-8"
    )
    with pytest.raises(SettingsError, match="others"):
        load(tmp_path / "here.yaml")
