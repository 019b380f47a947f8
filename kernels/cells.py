"""Loops that count into the cells of a cube, every margin at once.

A cube's cell is the row-major number of one position in each dimension. A row stands in the cell of its own
positions and in every cell that has an ancestor in place of one or more of them; `spread` gives, for each
dimension and position, what each ancestor adds to the cell's number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.jit import compiled


def spread(parents: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """What each position of each dimension adds to a cell's number, for itself and for its ancestors.

    `parents`: for each dimension the parent of each position, -1 for the total at position 0, parents before
    children. Returns `steps`: int64 (dimensions, positions, levels) and `depth`: int64 (dimensions,
    positions), levels in use.
    """
    sizes = [len(each) for each in parents]
    chains = [[_chain(each, position) for position in range(len(each))] for each in parents]
    levels = max(len(chain) for each in chains for chain in each)
    steps, depth = (
        np.zeros((len(parents), max(sizes), levels), np.int64),
        np.zeros((len(parents), max(sizes)), np.int64),
    )
    stride = int(np.prod(sizes))
    for d, each in enumerate(chains):
        stride //= sizes[d]
        for position, chain in enumerate(each):
            depth[d, position] = len(chain)
            steps[d, position, : len(chain)] = np.array(chain) * stride
    return steps, depth


def _chain(parents: Sequence[int], position: int) -> list[int]:
    chain = [position]
    while parents[chain[-1]] >= 0:
        chain.append(parents[chain[-1]])
    return chain


@compiled
def _cells_of(position: np.ndarray, steps: np.ndarray, depth: np.ndarray, into: np.ndarray) -> int:
    into[0] = 0
    size = 1
    for d in range(len(position)):
        levels = depth[d, position[d]]
        for level in range(levels - 1, -1, -1):
            for i in range(size):
                into[level * size + i] = into[i] + steps[d, position[d], level]
        size *= levels
    return size


@compiled
def _roll_up(out: np.ndarray, steps: np.ndarray, depth: np.ndarray) -> None:
    """Add each cell to its parents, one dimension after the other, children before parents (Gray and others
    1997)."""
    for d in range(steps.shape[0]):
        size = np.sum(depth[d] > 0)
        if size < 2:
            continue
        stride = steps[d, 1, 0]
        for block in range(0, len(out), size * stride):
            for position in range(size - 1, 0, -1):
                child, parent = block + position * stride, block + steps[d, position, 1]
                for inner in range(stride):
                    out[parent + inner] += out[child + inner]


@compiled
def add_up(
    positions: np.ndarray, amount: np.ndarray, steps: np.ndarray, depth: np.ndarray, cells: int
) -> np.ndarray:
    """Sum of `amount` in every cell: of each row's own cell first, which are then added to the margins.

    `positions`: int32 (n, dimensions). `amount`: int64 (n,). `steps`, `depth`: as `spread` gives them.
    Returns int64 (cells,).
    """
    out = np.zeros(cells, np.int64)
    for i in range(len(positions)):
        cell = 0
        for d in range(positions.shape[1]):
            cell += steps[d, positions[i, d], 0]
        out[cell] += amount[i]
    _roll_up(out, steps, depth)
    return out


@compiled
def count_distinct(
    group: np.ndarray, positions: np.ndarray, steps: np.ndarray, depth: np.ndarray, cells: int
) -> np.ndarray:
    """How many groups have a row in each cell, each counted once however many rows it has there.

    `group`: int64 (n,), equal values side by side, non-negative. `positions`, `steps`, `depth`: as in
    `add_up`. Returns int64 (cells,).
    """
    return add_distinct(group, np.ones(len(group), np.int64), positions, steps, depth, cells)


@compiled
def add_distinct(
    group: np.ndarray,
    amount: np.ndarray,
    positions: np.ndarray,
    steps: np.ndarray,
    depth: np.ndarray,
    cells: int,
) -> np.ndarray:
    """Sum over the groups that have a row in each cell of what each adds, once however many rows it has
    there.

    `amount`: int64 (n,), the same for all rows of a group. `group`, `positions`, `steps`, `depth`: as in
    `count_distinct`. Returns int64 (cells,).
    """
    out = np.zeros(cells, np.int64)
    last = np.full(cells, -1, np.int64)
    into = np.empty(steps.shape[2] ** steps.shape[0], np.int64)
    for i in range(len(positions)):
        own = 0
        for d in range(positions.shape[1]):
            own += steps[d, positions[i, d], 0]
        if last[own] == group[i]:  # then so are all of its margins
            continue
        for j in range(_cells_of(positions[i], steps, depth, into)):
            if last[into[j]] != group[i]:
                last[into[j]] = group[i]
                out[into[j]] += amount[i]
    return out


@compiled
def _ranked(largest: np.ndarray, cell: int, amount: int) -> None:
    if amount > largest[cell, 0]:
        largest[cell, 1] = largest[cell, 0]
        largest[cell, 0] = amount
    elif amount > largest[cell, 1]:
        largest[cell, 1] = amount


@compiled
def two_largest(
    group: np.ndarray,
    positions: np.ndarray,
    amount: np.ndarray,
    steps: np.ndarray,
    depth: np.ndarray,
    cells: int,
) -> np.ndarray:
    """The two groups that add most to each cell, by what they add: int64 (cells, 2), 0 where there is none.

    `amount`: int64 (n,), none below 0. `group`, `positions`, `steps`, `depth`: as in `count_distinct`.
    """
    largest = np.zeros((cells, 2), np.int64)
    last = np.full(cells, -1, np.int64)
    own = np.zeros(cells, np.int64)  # what the present group adds
    touched = np.empty(cells, np.int64)
    into = np.empty(steps.shape[2] ** steps.shape[0], np.int64)
    size = 0
    for i in range(len(positions)):
        if i > 0 and group[i] != group[i - 1]:
            for k in range(size):
                _ranked(largest, touched[k], own[touched[k]])
            size = 0
        for j in range(_cells_of(positions[i], steps, depth, into)):
            cell = into[j]
            if last[cell] != group[i]:
                last[cell] = group[i]
                own[cell] = 0
                touched[size] = cell
                size += 1
            own[cell] += amount[i]
    for k in range(size):
        _ranked(largest, touched[k], own[touched[k]])
    return largest
