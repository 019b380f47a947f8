"""The rulebook of matching: who may be the control of a case, who is chosen, and how long a control is
followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.cohort.controls import find_controls
from pipelines.cohort.stage import select
from pipelines.files.frames import Category, concat
from pipelines.files.schemas import DAY_UNKNOWN, MEMBERS
from pipelines.study.definition import Definition
from tests.one_person import day, definition, person
from tests.people import MadeShard

CASE = [("2019-03-04", "A1")]


def someone(
    id: int, events: list[tuple[str, str]], sex: int = 1, home: str | None = "0180", **more: Any
) -> MadeShard:
    """A person of that id in a shard of their own, living in a municipality always."""
    shard = person(events, **more)
    shard.frames["persons"]["person"] = np.array([id])
    shard.frames["persons"]["sex"] = np.array([sex], np.int8)
    homes = 1 if home else 0
    shard.frames["residences"] = {
        "person": np.zeros(homes, np.int32),
        "start": np.full(homes, day("1900-01-01"), np.int32),
        "end": np.full(homes, day("2100-01-01"), np.int32),
        "municipality": Category.constant(home, homes),
    }
    return shard


def asking(more: dict[str, Any] | None = None, **controls: Any) -> Definition:
    return definition(controls={"ratio": 1, "exact": [], **controls}, **(more or {}))


def pairs(asked: Definition, *people: MadeShard) -> list[tuple[int, int, str]]:
    """Case, control and the control's last day."""
    members = concat([select(each, None, asked).members for each in people], MEMBERS)
    rows = find_controls(people, None, asked, members).controls
    columns = (np.asarray(rows[name]).tolist() for name in ("case", "person", "end"))
    return [
        (case, control, str(np.datetime64(end, "D"))) for case, control, end in zip(*columns, strict=True)
    ]


def chosen(asked: Definition, *people: MadeShard) -> list[tuple[int, int]]:
    return [pair[:2] for pair in pairs(asked, *people)]


def test_a_control_is_followed_from_the_cases_day_to_the_ends_that_a_member_has() -> None:
    assert pairs(asking(), someone(1, CASE), someone(2, [])) == [(1, 2, "2021-12-31")]
    assert pairs(asking({"follow_up": 10}), someone(1, CASE), someone(2, [])) == [(1, 2, "2019-03-13")]
    assert pairs(asking(), someone(1, CASE), someone(2, [], died="2020-02-02")) == [(1, 2, "2020-02-02")]
    assert pairs(
        asking({"censor": [{"codes": "other"}]}), someone(1, CASE), someone(2, [("2020-05-05", "B1")])
    ) == [(1, 2, "2020-05-05")]


def test_who_falls_ill_later_may_be_a_control_before_and_is_followed_to_the_day_before() -> None:
    later = [("2020-06-07", "A1")]
    assert pairs(asking(), someone(1, CASE), someone(2, later)) == [(1, 2, "2020-06-06")]
    assert chosen(asking(never_cases=True), someone(1, CASE), someone(2, later)) == []


@pytest.mark.parametrize("when", ["2016-01-01", "2019-03-04"])
def test_who_has_fallen_ill_before_or_on_that_day_is_no_control(when: str) -> None:
    assert (1, 2) not in chosen(asking(), someone(1, CASE), someone(2, [(when, "A1")]))


def test_who_opted_out_has_died_or_is_not_observed_long_enough_is_no_control() -> None:
    for more in (
        {"opted_out": True},
        {"died": "2019-03-03"},
        {"observed": ("2019-02-03", "2024-12-31")},
        {"observed": ("2015-01-01", "2019-03-03")},
    ):
        assert chosen(asking({"prior_observation": 30}), someone(1, CASE), someone(2, [], **more)) == []
    assert chosen(
        asking({"prior_observation": 30}),
        someone(1, CASE),
        someone(2, [], observed=("2019-02-02", "2024-12-31")),
    ) == [(1, 2)]


def test_a_control_has_the_sex_birth_year_and_municipality_asked_for_and_unknown_matches_nothing() -> None:
    case = someone(1, CASE)
    others = [
        someone(2, [], sex=2),
        someone(3, [], born="1971-01-01"),
        someone(4, [], home="0114"),
        someone(5, [], home=None),
    ]
    same = someone(6, [], born="1970-12-31")
    assert chosen(asking(exact=["sex", "birth_year", "municipality"], ratio=9), case, *others, same) == [
        (1, 6)
    ]
    assert len(chosen(asking(ratio=9), case, *others, same)) == 5
    unknown = [someone(1, CASE, sex=0), someone(2, [], sex=0)]
    assert chosen(asking(exact=["sex"]), *unknown) == []
    unborn = [someone(1, CASE), someone(2, [])]
    for each in unborn:
        each.frames["persons"]["birth_day"] = np.array([DAY_UNKNOWN], np.int32)
    assert chosen(asking(), *unborn) == [(1, 2)]
    for more in ({"exact": ["birth_year"]}, {"nearest": {"birth_day": 9000}}):
        assert chosen(asking(**more), *unborn) == []
        assert chosen(asking(**more), someone(3, CASE, born="1970-01-01"), *unborn[1:]) == []


def test_controls_are_of_the_ages_and_the_sex_that_the_definition_asks_for() -> None:
    for more in ({"age": {"from": 18, "to": 50}}, {"sex": "man"}):
        assert chosen(
            asking(more, ratio=9), someone(1, CASE), someone(2, [], born="2005-01-01", sex=2), someone(3, [])
        ) == [(1, 3)]


def test_the_nearest_in_day_of_birth_come_first_and_none_beyond_the_caliper() -> None:
    people = [
        someone(2, [], born="1970-06-25"),
        someone(3, [], born="1970-06-10"),
        someone(4, [], born="1975-01-01"),
    ]
    assert chosen(asking(nearest={"birth_day": 30}), someone(1, CASE), *people) == [(1, 3)]
    assert chosen(asking(nearest={"birth_day": 30}, ratio=9), someone(1, CASE), *people) == [(1, 2), (1, 3)]


def test_the_earlier_case_chooses_first_and_a_control_serves_one_case_unless_it_is_replaced() -> None:
    people = [someone(1, [("2019-05-05", "A1")]), someone(2, [("2019-03-04", "A1")]), someone(3, [])]
    assert chosen(asking(never_cases=True), *people) == [(2, 3)]
    assert chosen(asking(never_cases=True, replace=True), *people) == [(1, 3), (2, 3)]


def test_another_seed_chooses_others_of_those_equally_near() -> None:
    people = [someone(1, CASE), *(someone(id, []) for id in range(2, 12))]
    assert len({tuple(chosen(asking(seed=seed), *people)) for seed in range(20)}) > 3


def test_controls_change_nothing_of_who_is_a_member() -> None:
    assert asking().meaning == definition().meaning


def test_a_definition_by_which_a_person_enters_several_times_has_no_controls() -> None:
    with pytest.raises(ValidationError, match="controls are for persons who enter once"):
        asking({"index": {"codes": "index", "which": "all"}})


def test_the_words_of_a_definition_say_who_its_controls_are() -> None:
    said = "\n".join(
        asking({"prior_observation": 90}, ratio=4, exact=["sex"], nearest={"birth_day": 365}).sentences()
    )
    assert (
        "at most 4 controls of the same sex, born at most 365 days apart, the nearest first; a person is the "
        "control of one alone." in said
    )
    assert (
        "observed on that day and for 90 days before, and has no event like that by which people enter until "
        "then or on that day." in said
    )
