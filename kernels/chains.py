"""Chains of boxes: a change of a cube that leaves every sum as it was, and of which one cell must be part.

A box (`kernels.boxes`) that changes the cell mostly breaks a bound somewhere; another box through that place
mends it and may break one elsewhere, and so on, by weights that grow where the walk is stuck (breakout
search, Morris 1993), until all bounds hold or so many steps are taken. What a cell costs that it opens counts
with what is out of bounds. Afterwards what it opened is closed again, the dearest first, where boxes beside
it will do. All is in whole numbers, and the work has a limit in steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.boxes import Grid, Rules, climb, lies_below
from kernels.jit import compiled

_LONGEST = 512  # cells of a box
_DEEP = 32  # positions of a step in one dimension
_STUCK = 20  # steps without less out of bounds
_CLOSING = 60  # steps to close a cell again
_DEAR = 4.0  # a cell that costs as much as the limit counts as so many units out of bounds


class Chain(NamedTuple):
    """`change`: int64 (cells,), where the walk is, 0 before and after. `weight`: int64 (cells,). `bad`,
    `place`: int64 (cells,), cells out of bounds, and where each stands there (-1: nowhere). `touched`: int64
    (cells,), `seen`: bool (cells,), cells that were changed; `low`, `high`: int64 (cells,), the bounds that
    these had, in the same order. `number`: int64 (4,), how many are bad, how many touched, the random
    numbers' state, and steps taken."""

    change: np.ndarray
    weight: np.ndarray
    bad: np.ndarray
    place: np.ndarray
    touched: np.ndarray
    seen: np.ndarray
    low: np.ndarray
    high: np.ndarray
    number: np.ndarray


class Ask(NamedTuple):
    """`cell`, `way`: what must change, and whether it rises (1) or falls (-1). `limit`: float, what a cell
    may cost. `draws`, `steps`: boxes to choose from in a step, and steps."""

    cell: int
    way: int
    limit: float
    draws: int
    steps: int


class _Room(NamedTuple):
    """What is written over and over: positions and signs of a step in each dimension; a box and the best;
    leaves to choose from, below the cell's position and beside it."""

    places: np.ndarray
    signs: np.ndarray
    counts: np.ndarray
    cells: np.ndarray
    changes: np.ndarray
    leaves: np.ndarray
    numbers: np.ndarray
    journal: np.ndarray


def chain(cells: int) -> Chain:
    """A walk that has not begun, for a cube of so many cells."""
    return Chain(
        change=np.zeros(cells, np.int64),
        weight=np.ones(cells, np.int64),
        bad=np.zeros(cells, np.int64),
        place=np.full(cells, -1, np.int64),
        touched=np.zeros(cells, np.int64),
        seen=np.zeros(cells, np.bool_),
        low=np.zeros(cells, np.int64),
        high=np.zeros(cells, np.int64),
        number=np.zeros(4, np.int64),
    )


@compiled
def _draw(state: Chain) -> float:
    """A random number from 0 to 1 (Park and Miller's generator)."""
    state.number[2] = state.number[2] * 48271 % 2147483647
    return state.number[2] / 2147483647.0


@compiled
def _out(rules: Rules, limit: float, c: int, change: int) -> int:
    """How far a change of a cell is out of bounds."""
    if rules.price[c] > limit:
        return abs(change)
    return max(rules.lower[c] - change, change - rules.upper[c], 0)


@compiled
def _judge(rules: Rules, state: Chain, limit: float, c: int) -> None:
    """Enter or leave the list of the bad."""
    bad = _out(rules, limit, c, state.change[c]) > 0
    at = state.place[c]
    if bad and at < 0:
        state.bad[state.number[0]] = c
        state.place[c] = state.number[0]
        state.number[0] += 1
    elif not bad and at >= 0:
        state.number[0] -= 1
        last = state.bad[state.number[0]]
        state.bad[at], state.place[last] = last, at
        state.place[c] = -1


@compiled
def _loss(rules: Rules, state: Chain, limit: float, c: int, by: int) -> float:
    """What is lost once a cell changes by so much more: units out of bounds, by weight, and what it costs."""
    price, old = rules.price[c], state.change[c]
    new = old + by
    low, high = rules.lower[c], rules.upper[c]
    if price > limit:
        low, high = 0, 0
    loss = float(state.weight[c] * (max(low - new, new - high, 0) - max(low - old, old - high, 0)))
    if price > 0.0:
        if old == 0:
            loss += _DEAR * min(price / limit, 1.0)
        elif new == 0:
            loss -= _DEAR * min(price / limit, 1.0)
    return loss


@compiled
def _spread(grid: Grid, room: _Room, row: int, way: int) -> int:
    """Write the cells and changes of the box in a row of the journal, int64 (2 dimensions,); how many."""
    dimensions = len(grid.shape)
    whole = 1
    for d in range(dimensions):
        up, down = room.journal[row, 2 * d], room.journal[row, 2 * d + 1]
        room.counts[d] = climb(grid, d, up, down, room.places, room.signs)
        whole *= room.counts[d]
    if whole > _LONGEST:
        return 0
    room.cells[0], room.changes[0] = 0, way
    count = 1
    for d in range(dimensions):
        for k in range(count - 1, -1, -1):
            c, v = room.cells[k], room.changes[k]
            for j in range(room.counts[d] - 1, -1, -1):
                at = k * room.counts[d] + j
                room.cells[at] = c + room.places[d, j] * grid.stride[d]
                room.changes[at] = v * room.signs[d, j]
        count *= room.counts[d]
    return count


@compiled
def _apply(rules: Rules, state: Chain, ask: Ask, room: _Room, count: int) -> None:
    for k in range(count):
        c = room.cells[k]
        if not state.seen[c]:
            state.seen[c] = True
            n = state.number[1]
            state.touched[n], state.low[n], state.high[n] = c, rules.lower[c], rules.upper[c]
            state.number[1] += 1
        state.change[c] += room.changes[k]
        _judge(rules, state, ask.limit, c)


@compiled
def _leaves(grid: Grid, rules: Rules, state: Chain, ask: Ask, room: _Room, v: int, way: int) -> None:
    """Leaves to go up from, below the position of `v` in each dimension, and to go down to, beside it (-1:
    none), those first that lose least along the line through `v`."""
    left, width = v, room.leaves.shape[2]
    for d in range(len(grid.shape)):
        stride, b = grid.stride[d], grid.begin[d]
        at = left // stride
        left -= at * stride
        base = v - at * stride
        costs = np.zeros((2, width))
        room.numbers[d, 0], room.numbers[d, 1] = 0, 0
        for p in range(-1, grid.shape[d]):
            if p >= 0 and not grid.leaf[b + p]:
                continue
            q, cost = p, 0.0
            while q >= 0 and not lies_below(grid, d, at, q):
                up = lies_below(grid, d, q, at)
                cost += _loss(rules, state, ask.limit, base + q * stride, way if up else -way)
                q = grid.parent[b + q]
            side = 0 if q == at else 1
            if side == 1:
                r = grid.parent[b + at]
                while r >= 0 and r != q:
                    cost += _loss(rules, state, ask.limit, base + r * stride, way)
                    r = grid.parent[b + r]
            n = room.numbers[d, side]
            room.leaves[d, side, n], costs[side, n] = p, cost
            room.numbers[d, side] += 1
        for side in range(2):
            n = room.numbers[d, side]
            order = np.argsort(costs[side, :n], kind="mergesort")
            room.leaves[d, side, :n] = room.leaves[d, side, :n][order]


@compiled
def _mend(grid: Grid, rules: Rules, state: Chain, ask: Ask, room: _Room, steps: int) -> int:
    """Bring everything within bounds; steps taken, which are undone, and -1, where that is not done in
    `steps` steps."""
    dimensions, fewest, since, taken = len(grid.shape), 1 << 60, 0, 0
    spare = len(room.journal) - 1
    while state.number[0] > 0 and taken < steps:
        if state.number[0] < fewest:
            fewest, since = state.number[0], taken
        v = state.bad[int(_draw(state) * state.number[0])]
        now = state.change[v]
        way = 1 if _out(rules, ask.limit, v, now + 1) < _out(rules, ask.limit, v, now) else -1
        _leaves(grid, rules, state, ask, room, v, way)
        best = np.inf
        for _ in range(ask.draws):
            for d in range(dimensions):
                for side in range(2):
                    x = _draw(state)
                    room.journal[spare, 2 * d + side] = room.leaves[
                        d, side, int(x * x * x * room.numbers[d, side])
                    ]
            count = _spread(grid, room, spare, way)
            loss = _draw(state) * 0.5
            for k in range(count):
                loss += _loss(rules, state, ask.limit, room.cells[k], room.changes[k])
            if count > 0 and loss < best:
                best = loss
                room.journal[taken] = room.journal[spare]
                room.journal[taken, 2 * dimensions] = way
        if best == np.inf:
            break
        if best >= 0.5 and taken - since > _STUCK:
            for k in range(state.number[0]):
                state.weight[state.bad[k]] += 1
        _apply(rules, state, ask, room, _spread(grid, room, taken, way))
        taken += 1
        state.number[3] += 1
    if state.number[0] == 0:
        return taken
    _undo(grid, rules, state, ask, room, taken)
    return -1


@compiled
def _undo(grid: Grid, rules: Rules, state: Chain, ask: Ask, room: _Room, taken: int) -> None:
    for k in range(taken - 1, -1, -1):
        way = room.journal[k, 2 * len(grid.shape)]
        _apply(rules, state, ask, room, _spread(grid, room, k, -way))


@compiled
def _price(rules: Rules, state: Chain) -> float:
    price = 0.0
    for k in range(state.number[1]):
        if state.change[state.touched[k]] != 0:
            price += rules.price[state.touched[k]]
    return price


@compiled
def _close(grid: Grid, rules: Rules, state: Chain, ask: Ask, room: _Room) -> None:
    """Close again what the walk opened, the dearest first, where another way costs less."""
    count = state.number[1]
    opened = np.empty(count, np.int64)
    number = 0
    for k in range(count):
        c = state.touched[k]
        if state.change[c] != 0 and rules.price[c] > 0 and c != ask.cell:
            opened[number] = c
            number += 1
    opened = opened[:number]
    opened = opened[np.argsort(-rules.price[opened], kind="mergesort")]
    for c in opened:
        if state.change[c] == 0:
            continue
        before = _price(rules, state)
        low, high = rules.lower[c], rules.upper[c]
        rules.lower[c], rules.upper[c] = 0, 0
        _judge(rules, state, ask.limit, c)
        taken = _mend(grid, rules, state, ask, room, min(ask.steps, _CLOSING))
        if taken >= 0 and _price(rules, state) < before:
            continue  # stays closed
        if taken > 0:
            _undo(grid, rules, state, ask, room, taken)
        rules.lower[c], rules.upper[c] = low, high
        _judge(rules, state, ask.limit, c)


@compiled
def find_chain(
    grid: Grid, rules: Rules, state: Chain, ask: Ask, spared: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A change of `ask.cell` that keeps every sum and rule and leaves the cells `spared`, int64 (k,), as they
    are: its cells and their changes, int64 (k,), ascending; none if none was found in so many steps.

    Cells dearer than `ask.limit` stay as they are, too. `seed`: of random numbers, 0 or more.
    """
    dimensions, size = len(grid.shape), 0
    for d in range(dimensions):
        size = max(size, grid.shape[d])
    room = _Room(
        places=np.zeros((dimensions, _DEEP), np.int64),
        signs=np.zeros((dimensions, _DEEP), np.int64),
        counts=np.zeros(dimensions, np.int64),
        cells=np.zeros(_LONGEST, np.int64),
        changes=np.zeros(_LONGEST, np.int64),
        leaves=np.zeros((dimensions, 2, size + 1), np.int64),
        numbers=np.zeros((dimensions, 2), np.int64),
        journal=np.zeros((max(ask.steps, _CLOSING) + 1, 2 * dimensions + 1), np.int64),
    )
    state.number[0], state.number[1], state.number[2] = 0, 0, 1 + seed % (2**31 - 3)
    before = np.empty((len(spared) + 1, 2), np.int64)
    for k in range(len(spared) + 1):
        c = spared[k] if k < len(spared) else ask.cell
        before[k, 0], before[k, 1] = rules.lower[c], rules.upper[c]
        if k < len(spared):
            rules.lower[c], rules.upper[c] = 0, 0
        elif ask.way > 0:
            rules.lower[c] = max(1, before[k, 0])
        else:
            rules.upper[c] = min(-1, before[k, 1])
    _judge(rules, state, ask.limit, ask.cell)
    if _mend(grid, rules, state, ask, room, ask.steps) >= 0:
        _close(grid, rules, state, ask, room)
    touched = state.touched[: state.number[1]].copy()
    cells = np.sort(touched[state.change[touched] != 0])
    changes = state.change[cells].copy()
    for k in range(len(touched)):
        c = touched[k]
        rules.lower[c], rules.upper[c] = state.low[k], state.high[k]
        state.change[c], state.weight[c], state.seen[c] = 0, 1, False
    for k in range(len(spared) + 1):
        c = spared[k] if k < len(spared) else ask.cell
        rules.lower[c], rules.upper[c] = before[k, 0], before[k, 1]
    state.place[ask.cell], state.weight[ask.cell], state.number[0] = -1, 1, 0
    return cells, changes
