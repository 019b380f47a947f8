"""Union-find under constraints, representatives, and EM, each against an obvious twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mixture
from kernels.components import flatten, join, representatives
from kernels.pairs import FIELDS, PATTERNS, pattern_levels

EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25)


def slow_join(exclusive: list[bool], edges: list[tuple[int, int]]) -> tuple[list[set[int]], list[bool]]:
    """Sets of nodes, joined one edge after the other."""
    sets, together = [{node} for node in range(len(exclusive))], []
    for a, b in edges:
        left, right = (next(each for each in sets if node in each) for node in (a, b))
        if left is not right and any(exclusive[i] for i in left) and any(exclusive[i] for i in right):
            together.append(False)
            continue
        if left is not right:
            sets.remove(right)
            left |= right
        together.append(True)
    return sets, together


@given(EDGES, st.lists(st.booleans(), min_size=10, max_size=10))
def test_joining_is_the_slow_one_and_no_cluster_holds_two_anchors(
    edges: list[tuple[int, int]], anchors: list[bool]
) -> None:
    parent, exclusive = np.arange(10, dtype=np.int32), np.array(anchors)
    left, right = (np.array([edge[side] for edge in edges], np.int64) for side in (0, 1))
    together = join(parent, exclusive, left, right)
    flatten(parent)
    sets, expected = slow_join(anchors, edges)
    assert together.tolist() == expected
    assert parent.tolist() == [min(next(each for each in sets if node in each)) for node in range(10)]
    assert all(sum(anchors[node] for node in each) <= 1 for each in sets)
    assert all(exclusive[min(each)] == any(anchors[node] for node in each) for each in sets)


@given(EDGES, st.lists(st.integers(0, 3), min_size=10, max_size=10))
def test_the_representative_is_the_first_of_the_smallest_rank(
    edges: list[tuple[int, int]], rank: list[int]
) -> None:
    cluster = np.arange(10, dtype=np.int32)
    join(
        cluster, np.zeros(10, bool), *(np.array([edge[side] for edge in edges], np.int64) for side in (0, 1))
    )
    flatten(cluster)
    chosen = representatives(cluster, np.array(rank, np.int64))[cluster]
    for node in range(10):
        assert chosen[node] == min(
            (each for each in range(10) if cluster[each] == cluster[node]),
            key=lambda each: (rank[each], each),
        )


def simulated(
    random: np.random.Generator, matches: int, others: int
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Levels and counts of simulated pairs, and the m and u that made them."""
    m, u = [], []
    for names in FIELDS.values():
        known = len(names) - 1
        m.append(np.append(0, np.full(known, 0.1 / max(known - 1, 1))))
        m[-1][-1] = 0.9
        u.append(np.append(0, np.full(known, 0.1 / max(known - 1, 1))))
        u[-1][1] = 0.9
    every = pattern_levels(np.arange(PATTERNS))
    chance = [np.prod([each[f][every[:, f]] for f in range(len(FIELDS))], axis=0) for each in (m, u)]
    counts = random.multinomial(matches, chance[0] / chance[0].sum()) + random.multinomial(
        others, chance[1] / chance[1].sum()
    )
    seen = np.flatnonzero(counts)
    return every[seen], counts[seen], m, u


def test_em_finds_the_m_that_made_the_pairs() -> None:
    levels, counts, m, u = simulated(np.random.default_rng(7), 4_000, 60_000)
    start = [np.where(np.arange(len(each)) > 0, 1.0 / max(len(each) - 1, 1), 0.0) for each in m]
    found, matches = mixture.fit(levels, counts, u, start, 1.0, range(len(FIELDS)))
    assert matches == pytest.approx(4_000, rel=0.05)
    for f in range(len(FIELDS)):
        assert found[f] == pytest.approx(m[f], abs=0.02)


def test_a_field_that_a_rule_does_not_train_keeps_its_belief() -> None:
    levels, counts, m, u = simulated(np.random.default_rng(8), 500, 5_000)
    found, _ = mixture.fit(levels, counts, u, m, 1.0, [0, 1])
    assert (found[2] == m[2]).all()
    assert not (found[0] == m[0]).all()


@pytest.mark.parametrize(("matches", "seed"), [(300, 1), (1_000, 2), (3_000, 3)])
def test_the_match_rate_is_that_of_all_pairs(matches: int, seed: int) -> None:
    levels, counts, m, u = simulated(np.random.default_rng(seed), matches, 20_000)
    odds = mixture.log_odds(levels, m, u, range(len(FIELDS)))
    assert mixture.match_rate(odds, counts, 1_000_000) * 1_000_000 == pytest.approx(matches, rel=0.1)


def test_an_unknown_level_says_nothing() -> None:
    unknown = np.zeros((1, len(FIELDS)), np.int64)
    _, _, m, u = simulated(np.random.default_rng(1), 10, 10)
    assert mixture.log_odds(unknown, m, u, range(len(FIELDS))) == 0
