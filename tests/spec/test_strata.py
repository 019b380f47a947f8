"""The rulebook of strata: members counted by what they are on the day on which they enter."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.cohort.stage import select
from pipelines.cohort.strata import count_strata
from pipelines.files.frames import concat
from pipelines.files.schemas import MEMBERS
from tests.one_person import definition
from tests.spec.test_controls import CASE, someone

PEOPLE = [
    someone(1, CASE, born="2001-03-04"),
    someone(2, [("2020-01-01", "A1")], sex=2, born="1950-01-01", home="0114"),
    someone(3, [("2020-12-31", "A1")], sex=2, born="1950-01-01", home="0114"),
    someone(4, CASE, sex=0, home=None),
    someone(5, []),
]


def counted(strata: list[Any]) -> list[tuple[Any, ...]]:
    asked = definition(strata=strata)
    members = concat([select(each, None, asked).members for each in PEOPLE], MEMBERS)
    return [tuple(row.values()) for row in count_strata(PEOPLE, asked.strata, members)]


def test_members_are_counted_by_sex_year_and_home_of_their_index_day_and_unknown_has_a_row() -> None:
    assert counted(["sex"]) == [("men", 1), ("unknown", 1), ("women", 2)]
    assert counted(["year"]) == [("2019", 2), ("2020", 2)]
    assert counted(["municipality"]) == [("0114", 2), ("0180", 1), ("unknown", 1)]


def test_age_groups_begin_with_the_years_named_and_a_birthday_on_the_day_counts() -> None:
    assert counted([{"age": [18, 45, 65]}]) == [("18-44", 1), ("45-64", 1), ("65+", 2)]
    assert counted([{"age": [19]}]) == [("0-18", 1), ("19+", 3)]


def test_only_combinations_that_occur_have_a_row() -> None:
    assert counted(["sex", "year"]) == [("men", "2019", 1), ("unknown", "2019", 1), ("women", "2020", 2)]


@pytest.mark.parametrize("strata", [["sex", "sex"], [{"age": [45, 18]}], [{"age": []}], ["height"]])
def test_strata_that_are_none_or_stand_twice_are_refused(strata: list[Any]) -> None:
    with pytest.raises(ValidationError):
        definition(strata=strata)


def test_strata_change_nothing_of_who_is_a_member_and_are_said_in_words() -> None:
    asked = definition(strata=["sex", {"age": [18, 65]}])
    assert asked.meaning == definition().meaning
    assert (
        asked.sentences()[-1]
        == "Members are counted by sex, age (0-17, 18-64, 65+), as of the day on which they enter."
    )
