"""Loops of the cell-key method, against the obvious way."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.cell_key import MODULUS, add_keys, look_up

keyed = st.lists(
    st.tuples(st.integers(0, MODULUS - 1), st.lists(st.integers(0, 4), max_size=3, unique=True)), max_size=30
)


@given(keyed)
def test_keys_add_up_on_a_circle(made: list[tuple[int, list[int]]]) -> None:
    starts = np.cumsum([0, *(len(own) for _, own in made)]).astype(np.int64)
    sums = np.array([each for _, own in made for each in own], np.int64)
    expected = [sum(key for key, own in made if place in own) % MODULUS for place in range(5)]
    assert add_keys(np.array([key for key, _ in made], np.int64), starts, sums, 5).tolist() == expected


@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 9), st.integers(-3, 3)), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, MODULUS - 1)), max_size=20),
)
def test_a_key_finds_the_first_entry_that_it_is_below(
    table: list[list[tuple[int, int]]], asked: list[tuple[int, int]]
) -> None:
    first = np.cumsum([0, *map(len, table)]).astype(np.int64)
    bounds = [
        np.round(np.cumsum([w for w, _ in row]) / sum(w for w, _ in row) * MODULUS).astype(np.int64)
        for row in table
    ]
    changes = np.array([change for row in table for _, change in row], np.int64)
    expected = []
    for count, key in asked:
        row = min(count, len(table) - 1)
        entry = next(place for place, bound in enumerate(bounds[row]) if key < bound)
        expected.append(count + table[row][entry][1])
    counts, keys = (np.array([each[place] for each in asked], np.int64) for place in (0, 1))
    assert look_up(counts, keys, first, np.concatenate(bounds), changes).tolist() == expected
