"""Grand totals are dear: they are hidden only where nothing else is found, or where it costs too much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.cubes.cube import Cube
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.prices import margins
from pipelines.disclosure.suppression.protect import found
from pipelines.disclosure.suppression.system import System, build
from tests.made_cubes import count, counts_only, dimension, flat, from_frequencies

POLICY = Policy(minimum=5, zeros="open")
SEX, AGE = flat("sex", "men", "women"), flat("age", "a", "b", "c", "d")
PLACE = dimension("place", {"north": ["n1", "n2", "n3"], "south": ["s1", "s2", "s3"]})
CARE = dimension("care", {"K1": ["d1", "d2", "d3"], "K2": ["d4", "d5"]})


def permit(seed: int) -> list[Cube]:
    """Tables of 40 people as a permit asks for: whoever has several diagnoses stands in several cells."""
    random = np.random.default_rng(seed)
    people = [
        (
            random.choice(["men", "women"]),
            random.choice(["a", "b", "c", "d"], p=[0.5, 0.3, 0.15, 0.05]),
            random.choice(["n1", "n2", "n3", "s1", "s2", "s3"], p=[0.4, 0.25, 0.15, 0.1, 0.06, 0.04]),
        )
        for _ in range(40)
    ]
    events = [
        (person, random.choice(["d1", "d2", "d3", "d4", "d5"], p=[0.5, 0.25, 0.15, 0.06, 0.04]))
        for person in range(40)
        for _ in range(random.integers(1, 4))
    ]
    return [
        counts_only(count("a", [SEX, AGE, PLACE], list(enumerate(people)))),
        counts_only(count("b", [SEX, AGE], [(person, own[:2]) for person, own in enumerate(people)])),
        count("c", [CARE, SEX], [(person, (code, people[person][0])) for person, code in events]),
        count("d", [CARE, PLACE], [(person, (code, people[person][2])) for person, code in events]),
    ]


def hides_its_grand_total(system: System) -> bool:
    search = found(system, lambda _text: None)
    return any(bool(search.hidden[own[0]]) for own in system.cells)


@pytest.mark.parametrize("seed", range(4))
def test_the_grand_total_of_a_permit_stands_where_it_was_hidden(seed: int) -> None:
    system = build(permit(seed), POLICY)
    assert hides_its_grand_total(replace(system, dear=None))
    assert not hides_its_grand_total(system)


def test_where_nothing_else_can_be_hidden_the_grand_total_is() -> None:
    """Five people, each alone: none can be fewer, so whoever is more makes the total more."""
    alone = from_frequencies("t", [flat("x", *"abcde")], [((code,), 1) for code in "abcde"])
    assert hides_its_grand_total(build([alone], POLICY))


def test_a_grand_total_counts_sixteen_times_and_totals_along_one_of_several_dimensions_four_times() -> None:
    one = from_frequencies("one", [SEX], [(("men",), 9), (("women",), 9)])
    two = from_frequencies("two", [SEX, AGE], [((s, a), 9) for s in ("men", "women") for a in "ab"])
    assert margins([one], [np.arange(3)], 3).tolist() == [16, 1, 1]
    times = margins([two], [np.arange(15)], 15).reshape(3, 5)
    assert times[0].tolist() == [16, 4, 4, 4, 4] and times[1:].tolist() == [[4, 1, 1, 1, 1]] * 2
    both = margins([one, two], [np.array([0, 5, 10]), np.arange(15)], 15)
    assert np.array_equal(both, times.ravel())
