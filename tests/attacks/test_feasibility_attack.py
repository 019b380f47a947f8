"""Attacks on feasibility by a requester who knows everybody's records but one: is that person in the cohort?

The attacker knows the method and its settings, not the site's key. Each question is a definition of the
attacker's choice; two that differ by the one person at most are told apart by their answers. The same attacks
run on counts that are only rounded and cut off, which shows that they are attacks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np

from pipelines.cohort.feasibility import told
from pipelines.site.site import Feasibility

RULE = Feasibility()
DAY = RULE.questions_a_day
TRIALS = 400
Answer = Callable[[int, str, bytes], int | None]


def protected(persons: int, question: str, key: bytes) -> int | None:
    return told((("in the cohort", persons),), question, key, RULE)[-1].persons


def rounded(persons: int, question: str, key: bytes) -> int | None:
    return None if persons < 10 else (persons + 5) // 10 * 10


def key_of(trial: int) -> bytes:
    return trial.to_bytes(32, "little")


def success(attack: Callable[[Callable[[int, str], int | None], bool], bool], answer: Answer) -> float:
    """How often the attacker is right of a person who is in the cohort half of the time."""
    right = 0
    for trial in range(TRIALS):
        member, key = trial % 2 == 0, key_of(trial)
        right += attack(lambda persons, question, key=key: answer(persons, question, key), member) == member
    return right / TRIALS


def by_boundary(ask: Callable[[int, str], int | None], member: bool) -> bool:
    """Choose a group of 104 known persons, who with one more are rounded up; ask of group and person
    together."""
    return (ask(104 + member, "group and person") or 0) > 105


def by_threshold(ask: Callable[[int, str], int | None], member: bool) -> bool:
    """Nine known persons: with one more the count is said."""
    return ask(9 + member, "nine and person") is not None


def by_averages(ask: Callable[[int, str], int | None], member: bool) -> bool:
    """A day's questions, half of them with the person and half without, each written in another way."""
    sizes = range(100, 100 + DAY // 2)
    gains = [
        (ask(size + member, f"with {size}") or 0) - (ask(size, f"without {size}") or 0) for size in sizes
    ]
    return float(np.mean(gains)) > 0.5


def test_a_person_is_not_found_at_the_boundary_of_rounding() -> None:
    assert success(by_boundary, rounded) == 1
    assert success(by_boundary, protected) < 0.62


def test_a_person_is_not_found_at_the_least_count_that_is_said() -> None:
    assert success(by_threshold, rounded) == 1
    assert success(by_threshold, protected) < 0.62


def test_a_person_is_not_found_by_the_average_of_a_day_of_questions() -> None:
    assert success(by_averages, rounded) > 0.9
    assert success(by_averages, protected) < 0.65


def test_a_question_asked_again_teaches_nothing() -> None:
    assert len({protected(104, "question", key_of(1)) for _ in range(100)}) == 1


def test_no_answer_is_much_more_likely_with_the_person_than_without() -> None:
    """The bound behind all attacks on one count: odds change by e^(1/5) at most, but for chance here."""
    n = 20_000
    for persons in (0, 9, 14, 104):
        one, other = (
            Counter(protected(size, str(number), key_of(size)) for number in range(n))
            for size in (persons, persons + 1)
        )
        for answer in {*one, *other}:
            if min(one[answer], other[answer]) > 500:
                assert abs(math.log(one[answer] / other[answer])) < 1 / RULE.scale + 0.15


def test_steps_are_told_apart_by_no_threshold_on_true_counts() -> None:
    """The attacker's own step removes 29 known persons and the one; told apart or not, it is by chance."""

    def by_step(ask: Callable[[int, str], int | None], member: bool) -> bool:
        return bool(ask(int(member), "step"))

    def steps(member: int, question: str, key: bytes) -> int:
        return len(told((("before", 500), ("after", 471 - member)), question, key, RULE)) - 1

    assert success(by_step, steps) < 0.62
    assert success(by_step, lambda member, question, key: int(29 + member >= 30)) == 1
