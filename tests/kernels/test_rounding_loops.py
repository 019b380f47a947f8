"""Loops of rounding, against the obvious way."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.cells import spread
from kernels.rounding import Within, diffuse, of_sums, settle, total, walks

PARENTS = ([-1, 0, 0, 1, 1], [-1, 0, 0], [-1, 0, 1])
BASE, SUMS = 5, 6
member = st.lists(st.integers(0, SUMS - 1), min_size=1, max_size=4, unique=True)
parts = st.lists(st.tuples(st.integers(1, BASE - 1), member), min_size=1, max_size=12)


def rows(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return starts, np.array([each for one in lists for each in one], np.int64)


def within(lists: list[list[int]]) -> Within:
    turned = rows([[part for part, own in enumerate(lists) if number in own] for number in range(SUMS)])
    return Within(*rows(lists), *turned)


def moves(rest: list[int], up: np.ndarray, lists: list[list[int]]) -> list[int]:
    return [
        sum(BASE - r if u else -r for r, u, own in zip(rest, up, lists, strict=True) if number in own)
        for number in range(SUMS)
    ]


@given(st.lists(st.tuples(*(st.integers(0, len(each) - 1) for each in PARENTS)), min_size=1, max_size=6))
def test_a_row_is_in_each_cell_that_has_ancestors_of_its_places(places: list[tuple[int, ...]]) -> None:
    steps, depth = spread(PARENTS)
    number = np.array([np.prod([depth[d, place] for d, place in enumerate(each)]) for each in places])
    starts = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    into = np.empty(starts[-1], np.int64)
    of_sums(np.array(places, np.int32), steps, depth, np.array([7], np.int64), starts[:-1], into)
    shape = [len(each) for each in PARENTS]
    for i, each in enumerate(places):
        chains = [[place] for place in each]
        for chain, parents in zip(chains, PARENTS, strict=True):
            while parents[chain[-1]] >= 0:
                chain.append(parents[chain[-1]])
        expected = {7 + int(np.ravel_multi_index(cell, shape)) for cell in product(*chains)}
        assert set(into[starts[i] : starts[i + 1]].tolist()) == expected and len(expected) == number[i]


@given(parts)
def test_values_add_up_in_their_sums(made: list[tuple[int, list[int]]]) -> None:
    values, lists = [each for each, _ in made], [own for _, own in made]
    expected = [sum(value for value, own in made if number in own) for number in range(SUMS)]
    assert total(np.array(values), *rows(lists), SUMS).tolist() == expected


@given(parts)
def test_each_part_goes_the_way_that_moves_the_sums_so_far_least(made: list[tuple[int, list[int]]]) -> None:
    rest, lists = [each for each, _ in made], [own for _, own in made]
    weight = np.arange(1, SUMS + 1)
    up, moved = diffuse(np.array(rest), BASE, *rows(lists), SUMS, weight)
    so_far = np.zeros(SUMS, int)
    for part, (r, own) in enumerate(made):
        down = sum(int(weight[s]) * (so_far[s] - r) ** 2 for s in own)
        rise = sum(int(weight[s]) * (so_far[s] + BASE - r) ** 2 for s in own)
        assert up[part] == (rise < down)
        so_far[own] += BASE - r if up[part] else -r
    assert moved.tolist() == so_far.tolist() == moves(rest, up, lists)


@given(parts, st.integers(0, 200), st.sampled_from([4, 100]), st.integers(0, 2**32 - 1))
def test_what_is_tried_keeps_sums_and_cost_and_costs_no_more_than_is_allowed(
    made: list[tuple[int, list[int]]], most: int, size: int, seed: int
) -> None:
    rest, lists = [each for each, _ in made], [own for _, own in made]
    weight, cost = np.arange(1, SUMS + 1), np.arange(size) ** 2
    up, moved = diffuse(np.array(rest), BASE, *rows(lists), SUMS, weight)

    def price() -> int:
        beyond = cost[-1] - cost[-2]
        return sum(
            int(w) * int(cost[min(abs(m), size - 1)] + max(0, abs(m) - size + 1) * beyond)
            for w, m in zip(weight, moved, strict=True)
        )

    for draw in np.random.default_rng(seed).random((40, 3)):
        earlier, kept = price(), up.copy()
        grown = settle(up, moved, BASE, within(lists), weight, cost, most, draw[None])
        assert moved.tolist() == moves(rest, up, lists)
        assert price() - earlier == grown <= most and (kept != up).sum() <= 2


@given(parts, st.lists(st.integers(0, 2), min_size=2 * SUMS, max_size=2 * SUMS), st.integers(0, 2**32 - 1))
def test_a_walk_leaves_every_sum_possible_and_changes_one_that_was_not_changed_before(
    made: list[tuple[int, list[int]]], room: list[int], seed: int
) -> None:
    lists = [own for _, own in made]
    used = sorted({each for own in lists for each in own})
    below, above = np.array(room[:SUMS]), np.array(room[SUMS:])
    draws = np.random.default_rng(seed).random(97)
    walk, count, way = walks(np.array(used), below, above, within(lists), draws, 6, 3)
    seen: set[int] = set()
    for number in range(int(walk.max(initial=-1)) + 1):
        change = np.zeros(SUMS, int)
        for part, step in zip(count[walk == number], way[walk == number], strict=True):
            change[lists[part]] += step
        assert (change <= above).all() and (-change <= below).all()
        new = set(np.flatnonzero(change).tolist()) - seen
        assert new
        seen |= new
    if min(above[used]) > 0:  # then one count more is a walk, wherever it begins
        assert seen == set(used)
