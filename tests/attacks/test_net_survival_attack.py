"""What do the chances of dying that net survival publishes tell of the few who leave between two bands? Other
people with the same numbers are looked for: as many at risk, as many who leave, the same published chances,
and leavers of another age."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.cubes.expected_deaths import carried

GROWTH = 0.0985  # of the chance of dying, a year of age
YEAR = 0.0002


def chances(ages: np.ndarray) -> np.ndarray:
    return np.asarray(YEAR * np.exp(GROWTH * (ages - 20)))


def told(ages: np.ndarray) -> int:
    p = chances(ages)
    sums = (np.array([len(p)]), np.array([1e9 * p.sum()]), np.array([1e18 * (p**2).sum()]))
    return int(carried(*sums)[0])


def published(stay: np.ndarray, leave: np.ndarray) -> tuple[int, int]:
    return told(np.append(stay, leave)), told(stay)


@given(seed=st.integers(0, 2**32), stays=st.integers(30, 150), share=st.floats(0.02, 0.16))
def test_the_age_of_those_who_leave_is_not_known_to_two_years(seed: int, stays: int, share: float) -> None:
    random = np.random.default_rng(seed)
    stay, leave = random.uniform(45, 85, stays), random.uniform(45, 85, max(3, int(stays * share)))
    truth = published(stay, leave)
    assume(all(truth))
    found = {
        older
        for older in np.arange(-12, 12.1, 0.25)
        for others in np.arange(-0.4, 0.41, 0.02)
        if published(stay + others, leave + older) == truth
    }
    assert max(found) - min(found) >= 2


@pytest.mark.parametrize("ages", [[90, *[30] * 60], [50] * 29], ids=["one outweighs", "few"])
def test_of_few_or_of_one_who_outweighs_all_others_nothing_is_told(ages: list[int]) -> None:
    assert told(np.array(ages, float)) == 0


def test_one_person_more_or_less_of_many_changes_nothing_most_of_the_time() -> None:
    random, same = np.random.default_rng(3), []
    for _ in range(300):
        ages = random.uniform(45, 85, 100)
        same.append(told(ages) == told(ages[1:]))
    assert np.mean(same) > 0.6
