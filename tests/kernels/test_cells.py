"""Counting into cells, against the obvious way."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.cells import add_distinct, add_up, count_distinct, spread, two_largest

PARENTS = ([-1, 0, 0, 1, 1], [-1, 0, 0], [-1, 0, 1, 2])


def ancestors(parents: list[int], position: int) -> list[int]:
    chain = [position]
    while parents[chain[-1]] >= 0:
        chain.append(parents[chain[-1]])
    return chain


rows = st.lists(
    st.tuples(st.integers(0, 5), st.tuples(*(st.integers(0, len(each) - 1) for each in PARENTS))), max_size=30
)


@given(rows)
def test_sums_distinct_counts_and_the_two_largest_in_every_margin(
    made: list[tuple[int, tuple[int, ...]]],
) -> None:
    made = sorted(made)
    shape = tuple(len(each) for each in PARENTS)
    sums, groups = np.zeros(shape, np.int64), {cell: set() for cell in product(*map(range, shape))}
    for group, positions in made:
        for cell in product(
            *(ancestors(each, position) for each, position in zip(PARENTS, positions, strict=True))
        ):
            sums[cell] += group + 1
            groups[cell].add(group)
    group = np.array([each for each, _ in made], np.int64)
    positions = np.array([each for _, each in made], np.int32).reshape(len(made), len(PARENTS))
    steps, depth = spread(PARENTS)
    np.testing.assert_array_equal(add_up(positions, group + 1, steps, depth, sums.size), sums.ravel())
    weighted = [sum(each % 3 for each in groups[cell]) for cell in product(*map(range, shape))]
    np.testing.assert_array_equal(
        add_distinct(group, group % 3, positions, steps, depth, sums.size), weighted
    )
    largest = two_largest(group, positions, group % 4, steps, depth, sums.size)
    for number, cell in enumerate(product(*map(range, shape))):
        rows = [
            each
            for each, places in made
            if all(k in ancestors(p, at) for p, at, k in zip(PARENTS, places, cell, strict=True))
        ]
        added = sorted((sum(each % 4 for each in rows if each == one) for one in set(rows)), reverse=True)
        assert largest[number].tolist() == [*added, 0, 0][:2]
    expected = [len(groups[cell]) for cell in product(*map(range, shape))]
    np.testing.assert_array_equal(count_distinct(group, positions, steps, depth, sums.size), expected)
