"""The stream of pairs against two loops and a set; patterns and levels."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.pairs import (
    FIELDS,
    PATTERNS,
    Blocked,
    Pairs,
    People,
    birth_level,
    number_level,
    pattern_levels,
    sample_patterns,
    stream,
)
from kernels.strings import lengths
from tests.amount import share_of


def people(random: np.random.Generator, n: int) -> People:
    """People of few names, so that all levels occur."""
    names = np.zeros((n, 2, 8), np.uint8)
    pool = np.zeros((5, 8), np.uint8)
    for k, word in enumerate(("", "ANNA", "ANNE", "ERIKSSON", "ERIKSON")):
        pool[k, : len(word)] = [ord(letter) - 64 for letter in word]
    which = random.integers(0, 5, (n, 2))
    names[:] = pool[which]
    facts = np.stack(
        [
            random.choice(
                [
                    -1,
                    1950 << 9 | 3 << 5 | 4,
                    1950 << 9 | 4 << 5 | 3,
                    1950 << 9 | 3 << 5 | 9,
                    1961 << 9 | 1 << 5 | 1,
                ],
                n,
            ),
            random.integers(0, 3, n),
            random.choice([-1, 11122, 11133, 22233], n),
            random.choice([-1, 1234, 1243, 1235, 9876], n),
        ],
        1,
    ).astype(np.int32)
    return People(
        random.integers(0, n, n),
        names,
        np.stack([lengths(names[:, 0]), lengths(names[:, 1])], 1),
        which.astype(np.int64),
        facts,
    )


def take(rows: People, order: np.ndarray) -> People:
    return People(*(np.ascontiguousarray(column[order]) for column in rows))


def blocks(keys: np.ndarray, seeker: np.ndarray, rule: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order of the rows with a key, where blocks begin in it, and the seekers of each."""
    order = np.array(
        sorted(np.flatnonzero(keys[:, rule] >= 0), key=lambda i: (keys[i, rule], not seeker[i])), np.int64
    )
    values = sorted({int(key) for key in keys[order, rule]})
    begins = np.array(
        [*(np.flatnonzero(keys[order, rule] == value)[0] for value in values), len(order)], np.int64
    )
    return order, begins, np.array([(seeker & (keys[:, rule] == value)).sum() for value in values], np.int64)


def one_pattern(rows: People, i: int, j: int) -> int:
    histogram = np.zeros(PATTERNS, np.int64)
    sample_patterns(
        rows._replace(cluster=np.arange(len(rows.cluster))),
        np.array([i]),
        np.array([j]),
        0.8,
        0.92,
        histogram,
    )
    return int(np.flatnonzero(histogram)[0])


@settings(max_examples=share_of(40), deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 24), st.integers(1, 3))
def test_every_pair_with_a_seeker_is_made_once_by_its_first_rule(seed: int, n: int, rules: int) -> None:
    random = np.random.default_rng(seed)
    rows, seeker, keys = people(random, n), random.random(n) < 0.4, random.integers(-1, 4, (n, rules))
    histogram, made = np.zeros((2**rules, PATTERNS), np.int64), []
    weights = np.arange(PATTERNS, dtype=np.int32)
    for rule in range(rules):
        order, begins, seekers = blocks(keys, seeker, rule)
        nothing, room = (
            Pairs(np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int32))
            for size in (0, n * n + 1)
        )
        blocked = Blocked(np.ascontiguousarray(keys[order]), rule, begins, seekers)
        arguments = (take(rows, order), blocked, 0.8, 0.92)
        stream(*arguments, histogram, weights, 0, nothing)
        found = stream(*arguments, np.zeros((0, PATTERNS), np.int64), weights, 0, room)
        made += [
            (*sorted((int(order[a]), int(order[b]))), int(w))
            for a, b, w in zip(room.left[:found], room.right[:found], room.weight[:found], strict=True)
        ]
    wanted = {
        (i, j, one_pattern(rows, i, j)): sum(1 << r for r in range(rules) if keys[i, r] == keys[j, r] >= 0)
        for i, j in combinations(range(n), 2)
        if (seeker[i] or seeker[j])
        and rows.cluster[i] != rows.cluster[j]
        and any(keys[i, r] == keys[j, r] >= 0 for r in range(rules))
    }
    assert sorted(made) == sorted(wanted)
    expected = np.zeros_like(histogram)
    for (_, _, pattern), rule_set in wanted.items():
        expected[rule_set, pattern] += 1
    assert (histogram == expected).all()


def test_pairs_beyond_the_room_are_counted_and_not_written() -> None:
    rows = people(np.random.default_rng(1), 12)._replace(cluster=np.arange(12))
    room = Pairs(np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3, np.int32))
    blocked = Blocked(np.zeros((12, 1), np.int64), 0, np.array([0, 12]), np.array([12]))
    nowhere = np.zeros((0, PATTERNS), np.int64)
    assert stream(rows, blocked, 0.8, 0.92, nowhere, np.zeros(PATTERNS, np.int32), 0, room) == 66


@settings(max_examples=share_of(50), deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_pattern_does_not_depend_on_which_side_a_record_stands(seed: int) -> None:
    rows = people(np.random.default_rng(seed), 2)
    assert one_pattern(rows, 0, 1) == one_pattern(rows, 1, 0)


def test_levels_come_back_from_a_pattern() -> None:
    levels = pattern_levels(np.arange(PATTERNS))
    assert len({tuple(each) for each in levels.tolist()}) == PATTERNS
    assert levels.max(0).tolist() == [len(each) - 1 for each in FIELDS.values()]


def level_names(rows: People) -> dict[str, str]:
    levels = pattern_levels(np.array([one_pattern(rows, 0, 1)]))[0]
    return {field: names[level] for (field, names), level in zip(FIELDS.items(), levels, strict=True)}


def test_swapped_names_count_once() -> None:
    rows = people(np.random.default_rng(3), 2)
    rows.codes[:] = [[1, 3], [3, 1]]
    found = level_names(rows)
    assert (found["given"], found["surname"]) == ("swapped", "unknown")


@pytest.mark.parametrize(
    ("a", "b", "level"),
    [
        ((1950, 3, 4), (1950, 3, 4), "equal"),
        ((1950, 3, 4), (1950, 4, 3), "day and month swapped"),
        ((1950, 3, 4), (1951, 3, 4), "near"),
        ((1950, 3, 4), (1950, 9, 4), "near"),
        ((1950, 3, 4), (1951, 4, 3), "different"),
        ((1950, 3, 4), None, "unknown"),
    ],
)
def test_birth_days(a: tuple[int, int, int], b: tuple[int, int, int] | None, level: str) -> None:
    packed = [-1 if each is None else each[0] << 9 | each[1] << 5 | each[2] for each in (a, b)]
    assert FIELDS["birth_day"][birth_level(*packed)] == level


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_number_levels_are_the_slow_ones(a: int, b: int) -> None:
    x, y = f"{a:04d}", f"{b:04d}"
    neighbours = {x[:k] + x[k + 1] + x[k] + x[k + 2 :] for k in range(3)}
    slip = sum(p != q for p, q in zip(x, y, strict=True)) == 1 or y in neighbours
    assert number_level(a, b) == (3 if x == y else 2 if slip else 1)
