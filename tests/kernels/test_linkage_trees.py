"""Spanning trees against their obvious twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.trees import spanning

EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25)


@given(EDGES)
def test_an_edge_is_of_the_tree_if_it_joins_what_was_apart(edges: list[tuple[int, int]]) -> None:
    parts = [{node} for node in range(10)]
    expected = []
    for left, right in edges:
        one, other = (next(part for part in parts if node in part) for node in (left, right))
        expected.append(one is not other)
        if one is not other:
            parts.remove(other)
            one |= other
    left, right = (np.array([edge[side] for edge in edges], np.int64) for side in range(2))
    assert spanning(left, right, 10).tolist() == expected
