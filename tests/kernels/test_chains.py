"""Chains of boxes: whatever comes out keeps every sum and every rule, what it opens is dear only where
nothing cheaper is there, and the rules are as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.boxes import Rules, find_box
from kernels.chains import Ask, chain, find_chain
from tests.amount import share_of
from tests.kernels.test_boxes import CELLS, PARENTS, SHAPE, adds_up, grid

NOBODY = np.empty(0, np.int64)


def found(rules: Rules, ask: Ask, spared: np.ndarray = NOBODY, seed: int = 5) -> np.ndarray:
    cells, changes = find_chain(grid(), rules, chain(CELLS), ask, spared, seed)
    change = np.zeros(CELLS, np.int64)
    change[cells] = changes
    return change


@settings(max_examples=share_of(100))
@given(
    cell=st.integers(0, CELLS - 1),
    seed=st.integers(0, 10**6),
    closed=st.floats(0, 0.7),
    way=st.sampled_from([1, -1]),
    limit=st.floats(1, 30),
)
def test_a_chain_keeps_sums_bounds_prices_and_who_is_spared(
    cell: int, seed: int, closed: float, way: int, limit: float
) -> None:
    random = np.random.default_rng(seed)
    lower, upper = -random.integers(0, 3, CELLS), np.full(CELLS, 5, np.int64)
    lower[random.random(CELLS) < closed] = 0
    price = np.where(random.random(CELLS) < 0.5, 0.0, random.random(CELLS) * 20)
    spared = np.setdiff1d(random.integers(0, CELLS, 5), [cell])
    rules = Rules(lower.copy(), upper.copy(), price)
    state = chain(CELLS)
    ask = Ask(cell, way, limit, 30, 60)
    cells, changes = find_chain(grid(), rules, state, ask, spared, seed)
    assert np.array_equal(rules.lower, lower) and np.array_equal(rules.upper, upper)
    assert not (state.change.any() or state.seen.any()) and (state.weight == 1).all()
    assert (state.place == -1).all()
    change = np.zeros(CELLS, np.int64)
    change[cells] = changes
    assert adds_up(change) and (np.diff(cells) > 0).all()
    assert not change[spared].any()
    if len(cells):
        assert change[cell] * way > 0
        assert (change >= lower).all() and (change <= upper).all()
        assert (price[cells] <= limit).all()
    again = find_chain(grid(), rules, state, ask, spared, seed)
    assert np.array_equal(again[0], cells) and np.array_equal(again[1], changes)


def test_a_chain_is_found_where_no_box_is_within_the_bounds() -> None:
    """Three leaves by three, a plus and a minus in each row and column: no box, the sum of two."""
    change = np.zeros(SHAPE, np.int64)
    for k, row in enumerate((2, 3, 5)):
        for deep, sign in ((2, 1), (3, -1)):
            change[row, 1 + k, deep] += sign
            change[row, 1 + (k + 1) % 3, deep] -= sign
    for axis, parents in enumerate(PARENTS):
        along = np.moveaxis(change, axis, 0)
        for place in range(len(parents) - 1, 0, -1):
            along[parents[place]] += along[place]
    ring, cell = change.ravel(), int(np.ravel_multi_index((2, 1, 2), SHAPE))
    assert adds_up(ring)
    rules = Rules(np.minimum(ring, 0), np.maximum(ring, 0), np.zeros(CELLS))
    assert not len(find_box(grid(), rules, cell, 4000, np.inf, 3)[0])
    assert np.array_equal(found(rules, Ask(cell, 1, 1.0, 60, 60)), ring)


@pytest.mark.parametrize("seed", range(4))
def test_a_chain_opens_no_dear_cell_where_a_free_box_is_there(seed: int) -> None:
    cell = 45
    free = Rules(np.full(CELLS, -1), np.full(CELLS, 1), np.ones(CELLS))
    cells, _ = find_box(grid(), free, cell, 200, np.inf, 7)
    price = np.full(CELLS, 9.0)
    price[cells] = 0.0
    change = found(Rules(free.lower, free.upper, price), Ask(cell, 1, 10.0, 200, 60), seed=seed)
    assert change[cell] == 1 and price[change != 0].sum() == 0


def test_nothing_is_found_where_nothing_may_change() -> None:
    still = np.zeros(CELLS, np.int64)
    assert not found(Rules(still, still.copy(), np.zeros(CELLS)), Ask(45, 1, 1.0, 60, 60)).any()
