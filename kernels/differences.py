"""The changes of a cube that leave every sum as it was, as a basis of short columns.

In one dimension a change moves a unit from a leaf to the next one, or from outside to the first: the paths
from both up to where they meet change by 1. The products of such changes, one for each dimension, are a basis
of all changes of the cube; in a table of two dimensions they are rectangles of neighbours with alternating
signs, the plainest of the circuits that Kelly, Golden and Assad (1992) protect cells with.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def differences(parents: Sequence[Sequence[int]]) -> Columns:
    """A basis of the changes of a cube.

    `parents`: for each dimension the parent of each position, -1 for the total at position 0, parents before
    children. Returns `begin`: int64 (columns + 1,), where each column begins; `cell`, `value`: int64
    (entries,), row-major number of a cell and its change.
    """
    begin, cell, value = np.array([0, 1]), np.zeros(1, np.int64), np.ones(1, np.int64)
    for each in parents:
        steps = _of_dimension(each)
        lengths = [np.diff(begin) * len(step) for step in steps]
        cell = np.concatenate(
            [(cell[:, None] * len(each) + [place for place, _ in step]).ravel() for step in steps]
        )
        value = np.concatenate([(value[:, None] * [sign for _, sign in step]).ravel() for step in steps])
        begin = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return begin, cell, value


def _of_dimension(parents: Sequence[int]) -> list[list[tuple[int, int]]]:
    """The first leaf and all above it; then for each position and the one after it under the same parent, the
    first leaf of either."""
    size = len(parents)
    children: list[list[int]] = [[] for _ in range(size)]
    for position in range(1, size):
        children[parents[position]].append(position)
    paths: list[list[int]] = [[] for _ in range(size)]
    for position in range(size - 1, -1, -1):  # down to the first leaf
        paths[position] = [*paths[children[position][0]], position] if children[position] else [position]
    steps = [[(place, 1) for place in paths[0]]]
    for siblings in children:
        for one, other in pairwise(siblings):
            steps.append([(place, 1) for place in paths[one]] + [(place, -1) for place in paths[other]])
    return steps
