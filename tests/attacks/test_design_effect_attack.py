"""What does a published design effect tell of the person with the most events? Other people with the same
numbers are looked for: as many persons, as many events, the same effect, and another largest contribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.cubes.design_effects import HUNDREDTHS, LEAST, rounded_up


def published(events: np.ndarray) -> tuple[int, int, int]:
    """Persons, events and design effect of a cell whose persons are followed equally long."""
    n, total = len(events), int(events.sum())
    spread = float(((events - total / n) ** 2).sum()) * n / (n - 1) / total
    effect = int(rounded_up(np.array([spread]))[0])
    return n, total, effect if HUNDREDTHS * total >= LEAST * effect and n >= LEAST else 0


def others(events: np.ndarray) -> set[int]:
    """Largest contributions of other cells that publish the same."""
    told, largest = published(events), int(events.max())
    rest, found = np.sort(events)[:-2].astype(float), set()
    for first in range(max(2, largest // 2), 2 * largest):
        for second in range(1, first + 1, max(1, largest // 40)):
            left = int(events.sum()) - first - second
            if left < len(rest):
                continue
            for shape in (rest, np.ones(len(rest))):
                made = 1 + np.floor((left - len(rest)) * shape / shape.sum()).astype(np.int64)
                made[: left - int(made.sum())] += 1
                if made.max() <= first and published(np.array([*made, first, second])) == told:
                    found.add(first)
    return found


@given(
    events=st.lists(st.integers(1, 30), min_size=12, max_size=40),
    large=st.integers(10, 80),
)
def test_the_largest_contribution_is_not_known_to_a_tenth(events: list[int], large: int) -> None:
    cell = np.array([*events, large])
    assume(published(cell)[2] > 0)
    found = {*others(cell), int(cell.max())}
    assert max(found) >= 1.1 * min(found)


@pytest.mark.parametrize(
    "events",
    [
        [21, 1, 1, 1, 1],  # few persons, of whom a sum of squares would tell all
        [200, *[1] * 19],  # one with nearly all events
        [5000, *range(1, 60)],
    ],
)
def test_a_cell_that_one_person_dominates_tells_nothing(events: list[int]) -> None:
    assert published(np.array(events))[2] == 0


def test_persons_who_are_all_alike_are_not_told_from_persons_who_differ_by_chance() -> None:
    random = np.random.default_rng(1)
    alike, by_chance = np.full(30, 10), 1 + random.multinomial(270, np.full(30, 1 / 30))
    assert published(alike) == published(by_chance) == (30, 300, 100)
