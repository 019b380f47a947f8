"""Boxes drawn around a cell: whatever comes out keeps every sum and every rule, and where there is one box
alone it is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.boxes import Grid, Rules, find_box
from tests.amount import share_of

PARENTS = ((-1, 0, 1, 1, 0, 4, 4), (-1, 0, 0, 0), (-1, 0, 1, 1, 0, 4))
SHAPE = tuple(map(len, PARENTS))
CELLS = int(np.prod(SHAPE))


def grid() -> Grid:
    shape = np.array(SHAPE, np.int64)
    stride = np.array([int(np.prod(SHAPE[d + 1 :])) for d in range(len(SHAPE))], np.int64)
    begin = np.array([sum(SHAPE[:d]) for d in range(len(SHAPE))], np.int64)
    parent = np.concatenate([np.array(each, np.int64) for each in PARENTS])
    leaf = np.concatenate([[place not in each for place in range(len(each))] for each in PARENTS])
    return Grid(shape, stride, begin, parent, leaf)


def adds_up(change: np.ndarray) -> bool:
    """The obvious way: along each dimension each parent is the sum of its children."""
    cube = change.reshape(SHAPE)
    for axis, parents in enumerate(PARENTS):
        for parent in set(parents) - {-1}:
            below = sum(np.take(cube, place, axis) for place, each in enumerate(parents) if each == parent)
            if not np.array_equal(below, np.take(cube, parent, axis)):
                return False
    return True


@settings(max_examples=share_of(60))
@given(
    cell=st.integers(0, CELLS - 1),
    seed=st.integers(0, 10**6),
    closed=st.floats(0, 0.5),
    most=st.floats(0, 300),
)
def test_a_box_keeps_sums_bounds_and_price(cell: int, seed: int, closed: float, most: float) -> None:
    random = np.random.default_rng(seed)
    lower, upper = -random.integers(0, 2, CELLS), np.where(random.random(CELLS) < closed, 0, 5)
    price = random.random(CELLS) * 20
    cells, changes = find_box(grid(), Rules(lower, upper, price), cell, 300, most, seed)
    change = np.zeros(CELLS, np.int64)
    change[cells] = changes
    assert adds_up(change)
    if len(cells):
        assert change[cell] != 0 and (np.diff(cells) > 0).all()
        assert (change >= lower).all() and (change <= upper).all()
        assert price[cells].sum() <= most + 1e-9


@pytest.mark.parametrize("cell", [0, 17, 45, CELLS - 1])
def test_where_everything_may_change_there_is_a_box_around_every_cell_and_the_same_one_each_time(
    cell: int,
) -> None:
    free = Rules(np.full(CELLS, -1), np.full(CELLS, 1), np.ones(CELLS))
    first, again = (find_box(grid(), free, cell, 200, np.inf, 7) for _ in range(2))
    assert len(first[0]) and np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    nothing = free._replace(lower=np.zeros(CELLS, np.int64), upper=np.zeros(CELLS, np.int64))
    assert not len(find_box(grid(), nothing, cell, 200, np.inf, 7)[0])


@pytest.mark.parametrize("cell", [CELLS - 1, 17])
def test_where_nothing_may_fall_a_box_raises_all_that_holds_the_cell(cell: int) -> None:
    rising = Rules(np.zeros(CELLS, np.int64), np.full(CELLS, 1), np.ones(CELLS))
    cells, changes = find_box(grid(), rising, cell, 4000, np.inf, 3)
    assert {0, cell} <= set(cells.tolist()) and (changes == 1).all()
