"""Other whole-number tables with the same sums: a walk over sums of given changes that stays within bounds.

Each step adds or takes away one column, a change that leaves every sum as it was. A wish (this cell must
differ, that one stay) is a bound that does not hold yet. What is out of bounds is mended by the column that
mends most and leaves most room, by weights that grow where the walk is stuck (breakout search, Morris 1993);
what cannot be mended in so many steps is undone. All is in whole numbers, so a table that is found needs no
rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.jit import compiled

_OUT = 4  # a unit out of bounds counts as much as so many cells without room
_STUCK = 20  # steps without less out of bounds


class Lattice(NamedTuple):
    """`begin`: int64 (columns + 1,), `cell`: int32, `value`: int64 (entries,), the changes. `first`: int64
    (cells + 1,), `column`: int32, `factor`: int64 (entries,), the same by cell."""

    begin: np.ndarray
    cell: np.ndarray
    value: np.ndarray
    first: np.ndarray
    column: np.ndarray
    factor: np.ndarray


class Walk(NamedTuple):
    """`change`: int64 (cells,), where the walk is. `lower`, `upper`: int64 (cells,), bounds, wishes included.
    `weight`: int64 (cells,). `bad`, `place`: int64 (cells,), cells out of bounds, and where each stands there
    (-1: nowhere). `number`: int64 (2,), how many are bad, and the state of the random numbers."""

    change: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    weight: np.ndarray
    bad: np.ndarray
    place: np.ndarray
    number: np.ndarray


def lattice(cells: int, begin: np.ndarray, cell: np.ndarray, value: np.ndarray) -> Lattice:
    """The columns that `begin`: int64 (columns + 1,), cuts `cell` and `value`, integers (entries,), into, by
    column and by cell."""
    order = np.argsort(cell, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=cells))]).astype(np.int64)
    column = np.repeat(np.arange(len(begin) - 1), np.diff(begin))[order].astype(np.int32)
    return Lattice(
        begin=begin.astype(np.int64),
        cell=cell.astype(np.int32),
        value=value.astype(np.int64),
        first=first,
        column=column,
        factor=value[order].astype(np.int64),
    )


def walk(change: np.ndarray, lower: np.ndarray, upper: np.ndarray, seed: int) -> Walk:
    """A walk that stands at `change`, within the bounds `lower` and `upper` or not: int64 (cells,) each.
    `seed`: 0 or more."""
    bad = np.flatnonzero((change < lower) | (change > upper))
    place, listed = np.full(len(change), -1, np.int64), np.zeros(len(change), np.int64)
    place[bad], listed[: len(bad)] = np.arange(len(bad)), bad
    change, lower, upper = (part.astype(np.int64, copy=True) for part in (change, lower, upper))
    weight, number = np.ones(len(change), np.int64), np.array([len(bad), 1 + seed % (2**31 - 3)], np.int64)
    return Walk(
        change=change, lower=lower, upper=upper, weight=weight, bad=listed, place=place, number=number
    )


@compiled
def _draw(state: Walk, below: int) -> int:
    """A random number from 0 to `below` - 1 (Park and Miller's generator)."""
    state.number[1] = state.number[1] * 48271 % 2147483647
    return state.number[1] % below


@compiled
def _judge(state: Walk, c: int) -> None:
    """Enter or leave the list of the bad."""
    bad = state.change[c] < state.lower[c] or state.change[c] > state.upper[c]
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
def _add(given: Lattice, state: Walk, b: int, times: int) -> None:
    for e in range(given.begin[b], given.begin[b + 1]):
        c = given.cell[e]
        state.change[c] += times * given.value[e]
        _judge(state, c)


@compiled
def _loss(given: Lattice, state: Walk, b: int, times: int) -> int:
    """What is lost once the column is added so many times: units out of bounds, by weight, and cells with
    room to fall."""
    loss = 0
    for e in range(given.begin[b], given.begin[b + 1]):
        c = given.cell[e]
        old = state.change[c]
        new = old + times * given.value[e]
        low, high = state.lower[c], state.upper[c]
        if new < low or new > high or old < low or old > high:
            loss += state.weight[c] * _OUT * (max(low - new, new - high, 0) - max(low - old, old - high, 0))
        loss += (1 if new <= low else 0) - (1 if old <= low else 0)
    return loss


@compiled
def _repair(given: Lattice, state: Walk, steps: int, wide: int, journal: np.ndarray) -> bool:
    """Bring everything within bounds in at most `steps` steps, each the best of at most `wide` columns;
    otherwise undo them."""
    fewest, since, heavy, last, turn = 1 << 60, 0, 0, -1, 0
    taken = 0
    while state.number[0] > 0 and taken < steps:
        if state.number[0] < fewest:
            fewest, since = state.number[0], taken
        v = state.bad[_draw(state, state.number[0])]
        up = state.change[v] < state.lower[v]
        begin, count = given.first[v], given.first[v + 1] - given.first[v]
        skip = _draw(state, count) if count > wide else 0
        best, times, chosen = 1 << 60, 0, -1
        for k in range(min(count, wide)):
            e = begin + (skip + k) % count
            b = given.column[e]
            sign = 1 if (given.factor[e] > 0) == up else -1
            if b == last and sign == -turn:
                continue  # it would undo the last step
            loss = _loss(given, state, b, sign) * 8 + _draw(state, 8)
            if loss < best:
                best, times, chosen = loss, sign, b
        if chosen < 0:
            break
        if best >= 8 and taken - since > _STUCK:
            heavy = 1
            for k in range(state.number[0]):
                state.weight[state.bad[k]] += 1
        _add(given, state, chosen, times)
        last, turn = chosen, times
        journal[taken, 0], journal[taken, 1] = chosen, times
        taken += 1
    sound = state.number[0] == 0
    for k in range(taken - 1, -1, -1):
        if not sound:
            _add(given, state, journal[k, 0], -journal[k, 1])
        if heavy:
            for e in range(given.begin[journal[k, 0]], given.begin[journal[k, 0] + 1]):
                state.weight[given.cell[e]] = 1
    if heavy:
        for k in range(state.number[0]):
            state.weight[state.bad[k]] = 1
    return sound


@compiled
def wish(given: Lattice, state: Walk, order: np.ndarray, steps: int, wide: int) -> np.ndarray:
    """Make the cells `order` (int64 (k,)) differ one after another, each if a way is found in which the
    earlier ones stay so.

    Nothing may be out of bounds before. Returns bool (k,): does it differ?
    """
    done = np.zeros(len(order), np.bool_)
    journal = np.zeros((steps, 2), np.int64)
    for k in range(len(order)):
        p = order[k]
        low, high = state.lower[p], state.upper[p]
        turn = _draw(state, 2)
        for way in range(2):
            rise = way == turn
            if (rise and (high <= 0 or state.change[p] < 0)) or (
                not rise and (low >= 0 or state.change[p] > 0)
            ):
                continue
            if rise:
                state.lower[p] = max(low, 1)
            else:
                state.upper[p] = min(high, -1)
            _judge(state, p)
            done[k] = _repair(given, state, steps, wide, journal)
            if done[k]:
                break
            state.lower[p], state.upper[p] = low, high
            _judge(state, p)
    return done
