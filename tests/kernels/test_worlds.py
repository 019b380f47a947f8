"""Walks to other tables beside all tables that there are; who could work out what, beside sets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.basis import basis, shorten
from kernels.differences import differences
from kernels.exposure import exposed
from kernels.worlds import lattice, walk, wish
from tests.amount import share_of

FLAT, DEEP = (-1, 0, 0, 0), (-1, 0, 0, 1, 1, 2, 2)


def columns(parents: tuple[tuple[int, ...], ...]) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    return int(np.prod([len(each) for each in parents])), *differences(parents)


def dense(cells: int, begin: np.ndarray, cell: np.ndarray, value: np.ndarray) -> np.ndarray:
    matrix = np.zeros((cells, len(begin) - 1), np.int64)
    matrix[cell, np.repeat(np.arange(len(begin) - 1), np.diff(begin))] = value
    return matrix


@settings(max_examples=share_of(40), deadline=None)
@given(st.integers(0, 10_000))
def test_what_a_walk_finds_is_within_bounds_and_a_sum_of_columns_and_so_it_is_one_of_all_that_there_are(
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    cells, begin, cell, value = columns((FLAT, FLAT))
    matrix = dense(cells, begin, cell, value)
    inner = np.zeros(cells, bool)
    inner[[r * 4 + c for r in (1, 2, 3) for c in (1, 2, 3)]] = True
    lower, upper = (
        np.where(inner, -random.integers(0, 2, cells), 0),
        np.where(inner, random.integers(0, 2, cells), 0),
    )
    rectangles = np.flatnonzero(~matrix[~inner].any(axis=0))
    possible = np.zeros(cells, bool)
    for times in itertools.product(
        (-1, 0, 1), repeat=4
    ):  # of neighbours: a basis of the changes of inner cells
        change = sum(
            (k * matrix[:, b] for k, b in zip(times, rectangles, strict=True)), np.zeros(cells, np.int64)
        )
        if (change >= lower).all() and (change <= upper).all():
            possible |= change != 0
    kept = np.concatenate([np.arange(begin[b], begin[b + 1]) for b in rectangles])
    state = walk(np.zeros(cells, np.int64), lower, upper, seed)
    done = wish(
        lattice(cells, np.arange(0, 4 * len(rectangles) + 1, 4), cell[kept], value[kept]),
        state,
        np.flatnonzero(inner),
        50,
        100,
    )
    assert (state.change >= lower).all() and (state.change <= upper).all()
    solution = np.linalg.lstsq(matrix.astype(float), state.change.astype(float), rcond=None)[0]
    assert np.allclose(matrix @ np.round(solution), state.change)
    assert (
        np.array_equal(np.flatnonzero(inner)[done], np.flatnonzero(state.change))
        or (state.change[np.flatnonzero(inner)[done]] != 0).all()
    )
    assert not (state.change != 0)[~possible].any()
    assert done.any() == possible.any()


@pytest.mark.parametrize("parents", [(FLAT, FLAT), (DEEP, FLAT), (DEEP, DEEP), (FLAT, FLAT, FLAT)])
def test_shorter_columns_span_the_same_whole_changes(parents: tuple[tuple[int, ...], ...]) -> None:
    cells, begin, cell, value = columns(parents)
    random = np.random.default_rng(1)
    mixed = np.triu(random.random((len(begin) - 1, len(begin) - 1)) < 0.1, 1) + np.eye(
        len(begin) - 1, dtype=np.int64
    )
    before = dense(cells, begin, cell, value) @ mixed
    column, cell = np.nonzero(before.T)
    begin = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=before.shape[1]))])
    state = basis(cells, begin, cell, before[cell, column], 3 * len(cell) + 100)
    shorten(state, 20)
    after = np.zeros_like(before)
    for b in range(before.shape[1]):
        own = slice(state.start[b], state.start[b] + state.length[b])
        after[state.cell[own], b] = state.value[own]
    turned = np.linalg.lstsq(before.astype(float), after.astype(float), rcond=None)[0]
    assert np.allclose(before @ np.round(turned), after)
    assert round(abs(np.linalg.det(np.round(turned)))) == 1
    assert (after != 0).sum() < (before != 0).sum()
    assert np.array_equal(state.uses, (after != 0).sum(axis=1))


@settings(max_examples=share_of(60), deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 150))
def test_exposed_pairs_are_those_that_sets_give(seed: int, changes: int) -> None:
    random = np.random.default_rng(seed)
    moved, disturbed, own = (
        random.random((changes, 7)) < 0.1,
        random.random((changes, 5)) < 0.6,
        random.integers(-1, 5, 7),
    )
    wanted = {
        (c, p)
        for c in range(7)
        for p in range(5)
        if moved[:, c].any()
        and p != own[c]
        and set(np.flatnonzero(moved[:, c])) <= set(np.flatnonzero(disturbed[:, p]))
    }
    words = -(-changes // 64)

    def bits(flags: np.ndarray) -> np.ndarray:
        packed = np.zeros((words, flags.shape[1]), np.uint64)
        for place, row in enumerate(flags):
            packed[place // 64, row] |= np.uint64(1) << np.uint64(place % 64)
        return packed

    found = np.empty((100, 2), np.int64)
    count = exposed(np.ascontiguousarray(bits(moved).T), bits(disturbed), own, 0, 7, found)
    assert {(int(c), int(p)) for c, p in found[:count]} == wanted
    assert exposed(np.ascontiguousarray(bits(moved).T), bits(disturbed), own, 0, 7, found[:0]) == len(wanted)
