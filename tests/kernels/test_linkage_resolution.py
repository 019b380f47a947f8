"""From pairs to persons: clusters against an obvious twin, and the bars that no cluster ever crosses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels.weighing import MOST_RECORDS, Bars
from tests.amount import share_of
from tests.clusters_twin import (
    BARRED,
    CLOSE,
    SEEDS,
    Problem,
    Run,
    SomeRows,
    likely_pairs,
    made,
    parts,
    slow_join,
    slow_move,
    valid,
)

# Uninterpreted, numpy warns of the overflow that hashing and the sum of bits are made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")


@settings(max_examples=share_of(200))
@given(SEEDS, st.integers(1, 11), BARRED, st.sampled_from([-6.0, 0.0, 4.0]), st.integers(0, 2))
def test_clusters_are_joined_as_the_slow_ones(
    seed: int, n: int, barred: str, threshold: float, sure: int
) -> None:
    problem = made(seed, n, barred)
    pairs = likely_pairs(problem, seed)
    run, clusters = Run(problem, pairs, threshold), [{record} for record in range(n)]
    assert run.join(sure) == slow_join(problem, clusters, pairs, sure, threshold)
    assert run.parts() == set(map(frozenset, clusters))
    assert all(run.stirred[run.label[record]] for each in clusters if len(each) > 1 for record in each)


@settings(max_examples=share_of(400))
@given(SEEDS, st.integers(2, 11), BARRED, st.sampled_from([-6.0, 0.0, 4.0]), st.data())
def test_records_move_as_the_slow_ones(
    seed: int, n: int, barred: str, threshold: float, data: st.DataObject
) -> None:
    problem = made(seed, n, barred)
    clusters = [{record} for record in range(n)]
    joined = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=n))
    slow_join(problem, clusters, joined, len(joined), threshold)
    label = np.empty(n, np.int32)
    for each in clusters:
        label[list(each)] = data.draw(st.sampled_from(sorted(each)))
    pairs = likely_pairs(problem, seed)
    run = Run(problem, pairs, threshold, label.tolist())
    run.stirred[:] = True
    assert run.move() == slow_move(problem, clusters, pairs, threshold)
    assert run.parts() == set(map(frozenset, clusters))


@settings(max_examples=share_of(120))
@given(SEEDS, st.lists(st.integers(0, 1), min_size=2, max_size=9), st.booleans())
def test_two_clusters_are_weighed_by_all_pairs_of_their_records(
    seed: int, sides: list[int], few: bool
) -> None:
    assume(len(set(sides)) == 2)
    problem = made(seed, len(sides), few=few)
    lefts, rights = ([record for record, side in enumerate(sides) if side == which] for which in (0, 1))
    assert_joined_above(problem, lefts, rights, problem.weight(lefts, rights))


def assert_joined_above(problem: Problem, lefts: list[int], rights: list[int], weight: float) -> None:
    label = [lefts[0] if record in lefts else rights[-1] for record in range(len(problem.rows))]
    for pair in ((lefts[-1], rights[0]), (rights[0], lefts[0])):
        assert Run(problem, [pair], weight - CLOSE, label).join() == 1
        assert Run(problem, [pair], weight + CLOSE, label).join() == 0


def test_of_large_clusters_the_first_records_stand_for_all() -> None:
    problem = made(4, 3 * MOST_RECORDS)
    lefts, rights = list(range(0, 3 * MOST_RECORDS, 2)), list(range(1, 3 * MOST_RECORDS, 2))
    assert_joined_above(problem, lefts, rights, problem.weight(lefts[:MOST_RECORDS], rights[:MOST_RECORDS]))


def test_a_bar_between_any_records_of_large_clusters_holds() -> None:
    problem = made(4, 3 * MOST_RECORDS)
    last = 3 * MOST_RECORDS - 1
    problem = problem._replace(
        bars=problem.bars._replace(apart=np.array([(last - 1) << 32 | last], np.int64))
    )
    label = [record % 2 for record in range(3 * MOST_RECORDS)]
    run = Run(problem, [(0, 1)], -1e9, label)
    assert run.join(1) == 0


@settings(max_examples=share_of(120))
@given(SEEDS, BARRED)
def test_two_records_alone_are_one_person_if_they_weigh_more_than_the_threshold(
    seed: int, barred: str
) -> None:
    problem = made(seed, 2, barred)
    weight = problem.weight([0], [1])
    for threshold in (weight - 1, weight - CLOSE, weight + CLOSE, weight + 1):
        run = Run(problem, [(0, 1)], threshold)
        for _ in run.steps():
            assert (run.label[0] == run.label[1]) == (weight > threshold and not problem.barred(0, 1))


def test_a_weight_at_the_threshold_does_not_join() -> None:
    problem = made(1, 2)
    evidence = problem.evidence
    evidence = evidence._replace(
        weights=evidence.weights * 0,
        rarity=evidence.rarity * 0,
        dependence=evidence.dependence * 0,
        prior=2.0,
    )
    assert Run(problem._replace(evidence=evidence), [(0, 1)], 2.0).join() == 0
    assert Run(problem._replace(evidence=evidence), [(0, 1)], np.nextafter(2.0, 0)).join() == 1


@settings(max_examples=share_of(200))
@given(SEEDS, st.integers(1, 26), BARRED, st.sampled_from([-20.0, -5.0, 0.0, 3.0]), st.booleans())
def test_no_cluster_ever_crosses_a_bar(seed: int, n: int, barred: str, threshold: float, few: bool) -> None:
    problem = made(seed, n, barred, few)
    run = Run(problem, likely_pairs(problem, seed), threshold)
    for _ in run.steps():
        assert valid(problem, run.parts())
        assert ((run.label >= 0) & (run.label < n)).all()


BARS: dict[str, Callable[[Bars], Bars]] = {
    "records of one duplicate-free source": lambda bars: bars._replace(single=np.array([63, 63], np.int8)),
    "different values that hold on one day": lambda bars: bars._replace(
        unlike=_column(0, 1), since=_column(0, 5), until=_column(5, 9)
    ),
    "an end before the other's beginning": lambda bars: bars._replace(
        before=_column(9, -(2**31)), after=_column(2**31 - 1, 8)
    ),
    "an end before the other's beginning, the other way": lambda bars: bars._replace(
        before=_column(-(2**31), 9), after=_column(8, 2**31 - 1)
    ),
    "a pair known to be apart": lambda bars: bars._replace(apart=np.array([1], np.int64)),
}
NO_BARS: dict[str, Callable[[Bars], Bars]] = {
    "records of two duplicate-free sources": lambda bars: bars._replace(single=np.array([0, 63], np.int8)),
    "different values, one after the other": lambda bars: bars._replace(
        unlike=_column(0, 1), since=_column(0, 6), until=_column(5, 9)
    ),
    "a value that is not known": lambda bars: bars._replace(
        unlike=_column(0, -1), since=_column(0, 5), until=_column(5, 9)
    ),
    "an end on the day of the beginning": lambda bars: bars._replace(
        before=_column(9, -(2**31)), after=_column(2**31 - 1, 9)
    ),
    "other pairs known to be apart": lambda bars: bars._replace(
        apart=np.array([0, 2, 1 << 32 | 2], np.int64)
    ),
}


def _column(*values: int) -> np.ndarray:
    return np.array(values, np.int32)[:, None]


@pytest.mark.parametrize(("why", "joined"), [*((why, 0) for why in BARS), *((why, 1) for why in NO_BARS)])
def test_hard_evidence_bars_even_a_sure_pair(why: str, joined: int) -> None:
    problem = made(1, 2)
    problem = problem._replace(bars=(BARS | NO_BARS)[why](problem.bars))
    assert Run(problem, [(0, 1)], -100.0).join() == joined
    assert Run(problem, [(0, 1)], 100.0).join(1) == joined


@settings(max_examples=share_of(100))
@given(SEEDS, st.integers(2, 20), BARRED, st.booleans())
def test_neither_the_side_of_a_record_nor_another_run_changes_the_result(
    seed: int, n: int, barred: str, few: bool
) -> None:
    problem = made(seed, n, barred, few)
    pairs = likely_pairs(problem, seed)
    turned = [(j, i) if place % 2 else (i, j) for place, (i, j) in enumerate(pairs)]
    runs = [Run(problem, each, 0.0) for each in (pairs, pairs, turned)]
    for run in runs:
        list(run.steps())
    assert runs[0].label.tolist() == runs[1].label.tolist()
    assert runs[0].parts() == runs[2].parts()


@settings(max_examples=share_of(100))
@given(SEEDS, st.integers(1, 12), st.integers(1, 12), BARRED)
def test_records_that_no_pair_connects_do_not_change_each_other(
    seed: int, n: int, m: int, barred: str
) -> None:
    problem = made(seed, n + m, barred)
    pairs = [pair for pair in likely_pairs(problem, seed) if (pair[0] < n) == (pair[1] < n)]
    whole = Run(problem, pairs, 0.0)
    list(whole.steps())
    for begin, end in ((0, n), (n, n + m)):
        bars = problem.bars
        apart = [(key >> 32, key & 0xFFFFFFFF) for key in bars.apart.tolist()]
        inside = [(i - begin) << 32 | (j - begin) for i, j in apart if begin <= i < end and begin <= j < end]
        some = Bars(*(each[begin:end] for each in bars[:-1]), np.array(inside, np.int64))
        part = problem._replace(
            rows=SomeRows(problem.rows, end - begin), codes=problem.codes[begin:end], bars=some
        )
        alone = Run(part, [(i - begin, j - begin) for i, j in pairs if begin <= i < end], 0.0)
        list(alone.steps())
        assert alone.parts() == parts(whole.label[begin:end])


@settings(max_examples=share_of(30))
@given(SEEDS, st.integers(2, 14))
def test_once_nothing_moves_nothing_moves(seed: int, n: int) -> None:
    problem = made(seed, n, "all")
    run = Run(problem, likely_pairs(problem, seed), 0.0)
    run.join()
    for _ in range(30):
        if not run.move() and not run.join():
            break
    else:
        assume(False)
    before = run.label.copy()
    assert run.move() == run.join() == 0
    assert (run.label == before).all()
