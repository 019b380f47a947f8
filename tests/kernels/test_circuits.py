"""Reverse deletion beside ranks of dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.basis import basis
from kernels.circuits import show
from kernels.differences import differences
from tests.amount import share_of

FLAT, DEEP, LINE = (-1, 0, 0, 0), (-1, 0, 0, 1, 1, 2), (-1, 0, 1)
CUBES = [(FLAT, FLAT), (DEEP, FLAT), (DEEP, LINE, (-1, 0, 0)), ((-1, 0, 0), (-1, 0, 0), (-1, 0, 0))]
NOBODY = 1 << 20


def dense(parents: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """All changes that keep all sums: one row for each combination of leaves, int64 (leaves, cells)."""
    whole = np.ones((1, 1), np.int64)
    for each in parents:
        leaves = [place for place in range(len(each)) if place not in each]
        above = np.zeros((len(leaves), len(each)), np.int64)
        for row, leaf in enumerate(leaves):
            while leaf >= 0:
                above[row, leaf] = 1
                leaf = each[leaf]
        whole = np.kron(whole, above)
    return whole


def rank(rows: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(rows)) if rows.size else 0


def left_open(changes: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Cells that can change while the shown ones do not, bool (cells,)."""
    known = rank(changes[:, shown])
    return np.array(
        [rank(changes[:, [*np.flatnonzero(shown), cell]]) > known for cell in range(changes.shape[1])]
    )


def in_step(changes: np.ndarray, shown: np.ndarray, one: int, other: int) -> bool:
    """Does `one` stay as it is whenever `other` and the shown ones do?"""
    return rank(changes[:, [*np.flatnonzero(shown), other]]) == rank(
        changes[:, [*np.flatnonzero(shown), other, one]]
    )


@pytest.mark.parametrize("parents", CUBES)
def test_differences_are_a_basis(parents: tuple[tuple[int, ...], ...]) -> None:
    begin, cell, value = differences(parents)
    changes = dense(parents)
    columns = np.zeros((len(begin) - 1, changes.shape[1]), np.int64)
    columns[np.repeat(np.arange(len(begin) - 1), np.diff(begin)), cell] = value
    assert rank(columns) == len(columns) == len(changes) == rank(np.vstack([changes, columns]))


@settings(max_examples=share_of(60), deadline=None)
@given(st.sampled_from(CUBES), st.integers(0, 10_000), st.booleans())
def test_what_is_shown_tells_no_needed_cell_and_no_more_could_be_shown(
    parents: tuple[tuple[int, ...], ...], seed: int, alone: bool
) -> None:
    random = np.random.default_rng(seed)
    changes = dense(parents)
    cells = changes.shape[1]
    needed = random.random(cells) < 0.2
    single = np.where(needed & alone & (random.random(cells) < 0.6), np.arange(cells), -1)
    begin, cell, value = differences(parents)
    state = basis(cells, begin, cell, value, 100_000)
    order = random.permutation(np.flatnonzero(~needed))
    shown = np.zeros(cells, bool)
    shown[order] = show(state, order, needed, single, 1000, NOBODY, 1)
    open_cells = left_open(changes, shown)
    assert np.array_equal(open_cells, state.uses > 0)
    assert open_cells[needed].all()
    pairs = [(a, b) for a in np.flatnonzero(needed) for b in np.flatnonzero(single >= 0) if a != b]
    before = {pair for pair in pairs if in_step(changes, np.zeros(cells, bool), *pair)}
    assert not [pair for pair in pairs if pair not in before and in_step(changes, shown, *pair)]
    if not alone:
        for cell in order[~shown[order]]:
            more = shown.copy()
            more[cell] = True
            assert not left_open(changes, more)[needed].all()


def test_a_column_that_would_be_too_long_leaves_its_cell_hidden() -> None:
    begin, cell, value = differences((FLAT, FLAT))
    state = basis(16, begin, cell, value, 1000)
    assert not show(state, np.array([10]), np.zeros(16, bool), np.full(16, -1), 1, NOBODY, 1).any()
    assert show(state, np.array([10]), np.zeros(16, bool), np.full(16, -1), 100, NOBODY, 1).all()
