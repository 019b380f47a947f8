"""A basis of changes: sparse columns of whole numbers in one pool, doubly linked by cell.

Each column is a change of some cells that leaves every sum as it was.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.jit import compiled


class Basis(NamedTuple):
    """Entries, (pool,) each: `cell`: int32; `value`: int64, by how much; `column`: int32; `after`, `before`:
    int64, the other entries of the cell, -1 for none. `head`, `uses`: int64 (cells,), the first entry of each
    cell, -1 for none, and how many columns change it. `start`, `length`: int64 (columns,), where each column
    lies in the pool; `length` 0 where a column is out. `number`: int64 (2,), columns, entries in use.
    """

    cell: np.ndarray
    value: np.ndarray
    column: np.ndarray
    after: np.ndarray
    before: np.ndarray
    head: np.ndarray
    uses: np.ndarray
    start: np.ndarray
    length: np.ndarray
    number: np.ndarray


def basis(cells: int, begin: np.ndarray, cell: np.ndarray, value: np.ndarray, room: int) -> Basis:
    """The columns that `begin`: int64 (columns + 1,), cuts `cell` and `value`: int64 (entries,), into, with
    room for `room` entries."""
    count = len(begin) - 1
    start, length = np.zeros(count, np.int64), np.zeros(count, np.int64)
    start[:], length[:] = begin[:-1], np.diff(begin)
    made = Basis(
        cell=np.zeros(room, np.int32),
        value=np.zeros(room, np.int64),
        column=np.zeros(room, np.int32),
        after=np.zeros(room, np.int64),
        before=np.zeros(room, np.int64),
        head=np.full(cells, -1, np.int64),
        uses=np.zeros(cells, np.int64),
        start=start,
        length=length,
        number=np.array([count, len(cell)], np.int64),
    )
    made.cell[: len(cell)], made.value[: len(cell)] = cell, value
    made.column[: len(cell)] = np.repeat(np.arange(count), length)
    link_all(made)
    return made


@compiled
def link_all(state: Basis) -> None:
    """Link all entries of all columns into the lists of their cells."""
    for b in range(state.number[0]):
        for e in range(state.start[b], state.start[b] + state.length[b]):
            link(state, e)


@compiled
def link(state: Basis, e: int) -> None:
    """Put an entry first in the list of its cell."""
    c = state.cell[e]
    old = state.head[c]
    state.after[e], state.before[e] = old, -1
    if old >= 0:
        state.before[old] = e
    state.head[c] = e
    state.uses[c] += 1


@compiled
def unlink(state: Basis, b: int) -> None:
    """Take the entries of a column out of the lists of their cells."""
    for e in range(state.start[b], state.start[b] + state.length[b]):
        c, a, p = state.cell[e], state.after[e], state.before[e]
        if p >= 0:
            state.after[p] = a
        else:
            state.head[c] = a
        if a >= 0:
            state.before[a] = p
        state.uses[c] -= 1


@compiled
def squeeze(state: Basis) -> None:
    """Close the gaps in the pool; columns keep their numbers, and lie in the order of their entries."""
    order = np.argsort(state.start[: state.number[0]], kind="mergesort")
    begin = 0
    for b in order:
        source = state.start[b]
        for k in range(state.length[b]):
            state.cell[begin + k], state.value[begin + k], state.column[begin + k] = (
                state.cell[source + k],
                state.value[source + k],
                b,
            )
        state.start[b] = begin
        begin += state.length[b]
    state.head[:] = -1
    state.uses[:] = 0
    state.number[1] = begin
    link_all(state)


@compiled
def shorten(state: Basis, passes: int) -> None:
    """Make columns shorter: take another from each, or add it, where that leaves fewer cells, the longest
    first, in so many passes.

    What the columns span, in whole numbers too, stays the same.
    """
    columns, cells = state.number[0], len(state.head)
    mine, both = np.zeros(cells, np.int64), np.zeros(columns, np.int64)
    same, opposite = np.zeros(columns, np.int64), np.zeros(columns, np.int64)
    met = np.empty(columns, np.int64)
    for _ in range(passes):
        improved = 0
        for a in np.argsort(-state.length[:columns], kind="mergesort"):
            while state.length[a] > 0:
                number = 0
                for e in range(state.start[a], state.start[a] + state.length[a]):
                    mine[state.cell[e]] = state.value[e]
                    f = state.head[state.cell[e]]
                    while f >= 0:
                        b = state.column[f]
                        if both[b] == 0:
                            met[number] = b
                            number += 1
                        both[b] += 1
                        same[b] += 1 if state.value[f] == state.value[e] else 0
                        opposite[b] += 1 if state.value[f] == -state.value[e] else 0
                        f = state.after[f]
                least, best, sign = state.length[a], -1, 0
                for k in range(number):
                    b = met[k]
                    length = state.length[a] + state.length[b] - both[b] - max(same[b], opposite[b])
                    if b != a and (length < least or (length == least and best >= 0 and b < best)):
                        least, best, sign = length, b, -1 if same[b] >= opposite[b] else 1
                    both[b], same[b], opposite[b] = 0, 0, 0
                good = best >= 0
                if good and state.number[1] + least > len(state.cell):
                    squeeze(state)
                    good = state.number[1] + least <= len(state.cell)
                if good:
                    improved += 1
                    _join(state, a, best, sign, mine)
                for e in range(state.start[a], state.start[a] + state.length[a]):
                    mine[state.cell[e]] = 0
                if not good:
                    break
        if improved == 0:
            break


@compiled
def _join(state: Basis, a: int, b: int, sign: int, mine: np.ndarray) -> None:
    """Add column `b` to column `a`, or take it away; `mine` holds column `a`, and nothing afterwards."""
    unlink(state, a)
    at = state.number[1]
    for e in range(state.start[b], state.start[b] + state.length[b]):
        c = state.cell[e]
        v = mine[c] + sign * state.value[e]
        mine[c] = 0
        if v != 0:
            state.cell[at], state.value[at], state.column[at] = c, v, a
            at += 1
    for e in range(state.start[a], state.start[a] + state.length[a]):
        c = state.cell[e]
        if mine[c] != 0:
            state.cell[at], state.value[at], state.column[at] = c, mine[c], a
            at += 1
            mine[c] = 0
    state.start[a], state.length[a] = state.number[1], at - state.number[1]
    state.number[1] = at
    for e in range(state.start[a], at):
        link(state, e)
