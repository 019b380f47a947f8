"""The rulebook of feasibility: what may be said of how many would be in a cohort, to whom, and how often."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cohort.feasibility import Told, question, told
from pipelines.errors import PermitError, SettingsError
from pipelines.site import audit
from pipelines.site.permit import Permit
from pipelines.site.site import Feasibility, Site
from pipelines.study.definition import Definition
from tests.one_person import definition
from workflows import feasibility

KEY = bytes(range(32))
RULE = Feasibility()
counts = st.lists(st.integers(0, 5000), min_size=1, max_size=12).map(lambda each: sorted(each, reverse=True))


def said(
    *persons: int, asked: str = "question", key: bytes = KEY, rule: Feasibility = RULE
) -> tuple[Told, ...]:
    return told(tuple((f"step {place}", count) for place, count in enumerate(persons)), asked, key, rule)


@given(counts, st.text())
def test_every_number_that_is_said_is_a_multiple_of_ten_and_none_lies_below_ten(
    persons: list[int], asked: str
) -> None:
    for each in said(*persons, asked=asked):
        assert each.persons is None or (each.persons % 10 == 0 and each.persons >= 10)


@given(counts, st.text())
def test_steps_that_differ_by_few_persons_are_told_as_one_and_no_step_is_left_out(
    persons: list[int], asked: str
) -> None:
    steps = said(*persons, asked=asked)
    assert [step for each in steps for step in each.steps] == [
        f"step {place}" for place in range(len(persons))
    ]
    shown = [each.persons or 0 for each in steps]
    assert all(before - after >= 30 for before, after in pairwise(shown))


def test_two_steps_between_which_four_persons_leave_are_told_as_one_nearly_always() -> None:
    assert sum(len(said(500, 496, asked=str(number))) == 1 for number in range(1000)) > 970


def test_a_cohort_of_nobody_is_told_as_fewer_than_ten_and_so_is_mostly_one_of_four() -> None:
    for persons, least in ((0, 930), (4, 800)):
        assert sum(said(persons, asked=str(number))[-1].persons is None for number in range(1000)) > least


def test_a_count_is_near_the_truth() -> None:
    off = sorted(abs((said(1234, asked=str(number))[-1].persons or 0) - 1234) for number in range(1000))
    assert off[500] <= 6
    assert off[950] <= 20


def test_the_same_question_gets_the_same_answer_and_another_key_or_question_another() -> None:
    assert said(1234, 700, 300) == said(1234, 700, 300)
    assert len({said(1234, 700, 300, asked=str(number)) for number in range(50)}) > 10
    assert len({said(1234, 700, 300, key=bytes([number]) * 32) for number in range(50)}) > 10


def test_a_question_is_what_the_definition_means_of_these_sources_in_this_snapshot() -> None:
    asked = definition()
    same = question(asked, ("a", "b"), "1")
    assert question(definition(title="another title"), ("b", "a"), "1") == same
    for other in (
        question(definition(follow_up=9), ("a", "b"), "1"),
        question(asked, ("a",), "1"),
        question(asked, ("a", "b"), "2"),
    ):
        assert other != same


def test_a_minimum_of_more_persons_is_followed() -> None:
    strict = Feasibility(minimum=30)
    assert (strict.least, strict.step) == (60, 180)
    assert said(50, asked="1", rule=strict)[-1].persons is None


# ---- who may ask, and how often ----------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text("site: s\nsources: {}\nfeasibility: {questions_a_day: 3}\n")
    return Site.load(tmp_path)


@pytest.fixture
def permit(site: Site) -> Permit:
    return Permit.model_construct(file=site.root / "permits" / "p.yaml", permit="p")


def ask(site: Site, permit: Permit, number: int, requester: str = "Anna") -> int:
    asked: Definition = definition(follow_up=number)
    return feasibility.allow(site, permit, asked, question(asked, ("a",), "1"), "1", requester)


def test_a_requester_may_ask_so_many_different_questions_a_day_and_the_same_one_again(
    site: Site, permit: Permit
) -> None:
    assert [ask(site, permit, number) for number in (1, 2, 2, 1, 3)] == [1, 2, 2, 2, 3]
    with pytest.raises(
        PermitError,
        match=r"Anna has asked 3 different questions today.*; ask one of them again, wait until tomorrow",
    ):
        ask(site, permit, 4)
    assert ask(site, permit, 2) == 3
    assert ask(site, permit, 4, "Bo") == 1


def test_the_next_day_has_questions_of_its_own(
    site: Site, permit: Permit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        ask(site, permit, number)

    class Tomorrow:
        @staticmethod
        def now(zone: object) -> datetime:
            return datetime(2999, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(feasibility, "datetime", Tomorrow)
    assert ask(site, permit, 4) == 1


def test_each_question_stands_in_the_log_by_its_hash_and_requester_and_with_no_count(
    site: Site, permit: Permit
) -> None:
    ask(site, permit, 1)
    (entry,) = audit.entries(site, "feasibility")
    assert set(entry["about"]) == {"permit", "requester", "definition", "snapshot", "question"}
    assert (entry["about"]["requester"], entry["about"]["definition"]) == (
        "Anna",
        definition(follow_up=1).meaning,
    )


def test_a_refused_question_is_logged_too(site: Site, permit: Permit) -> None:
    for number in range(1, 4):
        ask(site, permit, number)
    with pytest.raises(PermitError):
        ask(site, permit, 4)
    assert len(list(audit.entries(site, "feasibility refused"))) == 1
    assert audit.verify(site) == 4


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_requester_has_a_name(name: str) -> None:
    with pytest.raises(SettingsError, match="say for whom"):
        feasibility.named(name)
