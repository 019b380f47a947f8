"""Boxes: short changes of a cube that leave every sum as it was, drawn around one cell.

In each dimension a unit goes from a leaf beside the cell's position to one below it, and so it does in all
that lies between these and where they meet, or it is a new one, up to the total; a box is the product of such
steps, one for each dimension (Kelly, Golden and Assad 1992 protect cells with such circuits). Of those drawn
the one is taken that hides least.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.jit import compiled

_LONGEST = 512  # cells of a box
_DEEP = 32  # positions of a step


class Grid(NamedTuple):
    """`shape`, `stride`, `begin`: int64 (dimensions,); `begin` cuts the rest. `parent`: int64, of each
    position within its dimension, -1 for the total. `leaf`: bool."""

    shape: np.ndarray
    stride: np.ndarray
    begin: np.ndarray
    parent: np.ndarray
    leaf: np.ndarray


class Rules(NamedTuple):
    """`lower`, `upper`: int64 (cells,), least and greatest change. `price`: float (cells,), of changing a
    cell."""

    lower: np.ndarray
    upper: np.ndarray
    price: np.ndarray


@compiled
def _may(rules: Rules, cell: int, change: int) -> bool:
    return rules.lower[cell] <= change <= rules.upper[cell]


@compiled
def lies_below(grid: Grid, d: int, position: int, top: int) -> bool:
    """Is a position of dimension `d` the position `top`, or below it?"""
    p = position
    while p >= 0:
        if p == top:
            return True
        p = grid.parent[grid.begin[d] + p]
    return False


@compiled
def climb(grid: Grid, d: int, up: int, down: int, places: np.ndarray, signs: np.ndarray) -> int:
    """Positions from the leaves `up` and `down` (-1 for none) to where they meet; how many.

    Writes them and their signs, 1 above `up` and -1 above `down`, into row `d` of `places` and `signs`, int64
    (dimensions, positions).
    """
    count, p = 0, up
    while p >= 0 and not (down >= 0 and lies_below(grid, d, down, p)):
        places[d, count], signs[d, count] = p, 1
        count += 1
        p = grid.parent[grid.begin[d] + p]
    meet, p = p, down
    while p >= 0 and p != meet:
        places[d, count], signs[d, count] = p, -1
        count += 1
        p = grid.parent[grid.begin[d] + p]
    return count


@compiled
def _cheap_first(positions: np.ndarray, count: int, base: int, stride: int, price: np.ndarray) -> None:
    found = positions[:count].copy()
    prices = np.empty(count)
    for k in range(count):
        prices[k] = price[base + found[k] * stride]
    positions[:count] = found[np.argsort(prices, kind="mergesort")]


@compiled
def _early(state: np.uint64, count: int) -> int:
    """A drawn place of `count`, the first ones more often."""
    drawn = np.float64(state >> np.uint64(33)) / 2147483648.0
    return min(count - 1, np.int64(drawn * drawn * drawn * count))


@compiled
def find_box(
    grid: Grid, rules: Rules, cell: int, draws: int, most: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest of `draws` boxes that change `cell`: its cells and their changes, int64 (k,), ascending;
    none if no box was within the rules and cost at most `most`."""
    dimensions = len(grid.shape)
    size = 0
    for d in range(dimensions):
        size = max(size, grid.shape[d])
    places, signs, counts = (
        np.zeros((dimensions, _DEEP), np.int64),
        np.zeros((dimensions, _DEEP), np.int64),
        np.zeros(dimensions, np.int64),
    )
    below, beside = np.zeros((dimensions, size), np.int64), np.zeros((dimensions, size), np.int64)
    below_count, beside_count = np.zeros(dimensions, np.int64), np.zeros(dimensions, np.int64)
    at, turn = np.zeros(dimensions, np.int64), np.zeros(dimensions, np.int64)
    cells, changes = np.zeros(_LONGEST, np.int64), np.zeros(_LONGEST, np.int64)
    best_cells, best_changes, best = np.zeros(0, np.int64), np.zeros(0, np.int64), most
    left = cell
    for d in range(dimensions):
        at[d] = left // grid.stride[d]
        left -= at[d] * grid.stride[d]
    state = np.uint64(2 * seed + 1)
    for way in (1, -1):
        if not _may(rules, cell, way):
            continue
        possible = True
        for d in range(dimensions):
            below_count[d], beside_count[d] = 0, 0
            base = cell - at[d] * grid.stride[d]
            for p in range(grid.shape[d]):
                if not grid.leaf[grid.begin[d] + p]:
                    continue
                if lies_below(grid, d, p, at[d]):
                    if p == at[d] or _may(rules, base + p * grid.stride[d], way):
                        below[d, below_count[d]] = p
                        below_count[d] += 1
                elif _may(rules, base + p * grid.stride[d], -way):
                    beside[d, beside_count[d]] = p
                    beside_count[d] += 1
            _cheap_first(below[d], below_count[d], base, grid.stride[d], rules.price)
            _cheap_first(beside[d], beside_count[d], base, grid.stride[d], rules.price)
            if below_count[d] == 0:
                possible = False
        for _ in range(draws if possible else 0):
            whole = 1
            for d in range(dimensions):
                state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                up = below[d, _early(state, below_count[d])]
                down = -1
                state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                if (
                    at[d] > 0 and beside_count[d] > 0 and state >> np.uint64(61) > 0
                ):  # now and then the total changes, too
                    down = beside[d, _early(state, beside_count[d])]
                counts[d] = climb(grid, d, up, down, places, signs)
                turn[d] = 0
                whole *= counts[d]
            if whole > _LONGEST:
                continue
            price, sound = 0.0, True
            for k in range(whole):
                c, v = 0, way
                for d in range(dimensions):
                    c += places[d, turn[d]] * grid.stride[d]
                    v *= signs[d, turn[d]]
                if not _may(rules, c, v):
                    sound = False
                    break
                cells[k], changes[k] = c, v
                price += rules.price[c]
                if price > best:
                    sound = False
                    break
                d = dimensions - 1
                while d >= 0:
                    turn[d] += 1
                    if turn[d] < counts[d]:
                        break
                    turn[d] = 0
                    d -= 1
            if sound:
                best, best_cells, best_changes = price, cells[:whole].copy(), changes[:whole].copy()
    order = np.argsort(best_cells)
    return best_cells[order], best_changes[order]
