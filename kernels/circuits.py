"""Reverse deletion: which cells may be shown after all, while every cell that needs protection can still
change.

The state is a basis of all changes of the hidden cells that leave every sum as it was, as sparse columns of
whole numbers, doubly linked by cell. Showing a cell takes one column out of the basis: the shortest that
changes the cell is added to the others so that none changes it any more (integer Gauss elimination). A cell
is recomputable from the shown ones exactly if no column changes it, so whether another cell may be shown is
known before it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.basis import Basis, link, squeeze, unlink
from kernels.elimination import PRIME, inverse
from kernels.jit import compiled


@compiled
def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


@compiled
def show(
    state: Basis,
    order: np.ndarray,
    needed: np.ndarray,
    single: np.ndarray,
    longest: int,
    largest: int,
    seed: int,
) -> np.ndarray:
    """Show the cells `order` (int64 (k,)) one by one, each if every needed cell that could change before
    still can.

    `needed`: bool (cells,). `single`: int64 (cells,), a number for each person who is alone in a cell and
    knows it, the same in all cells known to count that person, -1 elsewhere; other needed cells must still be
    able to change while theirs do not. `longest`, `largest`: a cell stays hidden where a column would become
    longer, or a number in it larger. `seed`: of random numbers; they decide nothing but whether two cells are
    taken to move in step, and cells that do always are. Returns bool (k,): is it shown?
    """
    shown = np.zeros(len(order), np.bool_)
    mine = np.zeros(len(state.start), np.int64)
    dense = np.zeros(len(state.head), np.int64)
    touched = np.empty(2 * longest + 8, np.int64)
    guard = (single >= 0).any()
    steps = _steps(state, needed, seed if guard else -1)
    for k in range(len(order)):
        s = order[k]
        pivot, e = -1, state.head[s]
        while e >= 0:
            b = state.column[e]
            mine[b] = state.value[e]
            if (
                pivot < 0
                or state.length[b] < state.length[pivot]
                or (state.length[b] == state.length[pivot] and b < pivot)
            ):
                pivot = b
            e = state.after[e]
        if pivot < 0:
            shown[k] = True
            continue
        if _keeps(state, s, pivot, mine, needed) and (
            not guard or _apart(state, steps, s, pivot, mine[pivot], needed, single)
        ):
            begin, count = state.start[pivot], state.length[pivot]
            old = state.cell[begin : begin + count].copy()
            shown[k] = _eliminate(state, s, pivot, mine, dense, touched, longest, largest)
            if guard:
                _settle(steps, old, needed, shown[k])
        e = state.head[s]
        while e >= 0:
            mine[state.column[e]] = 0
            e = state.after[e]
    return shown


class Steps(NamedTuple):
    """Two random changes modulo a prime; cells that move in step in all changes have one ratio of the two.

    `one`, `two`, `new_one`, `new_two`: int64 (cells,). `ratio`: int64 (cells,), of needed cells. `head`,
    `after`, `before`: needed cells by the last bits of their ratio.
    """

    one: np.ndarray
    two: np.ndarray
    new_one: np.ndarray
    new_two: np.ndarray
    ratio: np.ndarray
    head: np.ndarray
    after: np.ndarray
    before: np.ndarray


@compiled
def _steps(state: Basis, needed: np.ndarray, seed: int) -> Steps:
    size = len(state.head) if seed >= 0 else 0
    buckets = 1
    while buckets < size:
        buckets *= 2
    steps = Steps(
        one=np.zeros(size, np.int64),
        two=np.zeros(size, np.int64),
        new_one=np.zeros(size, np.int64),
        new_two=np.zeros(size, np.int64),
        ratio=np.zeros(size, np.int64),
        head=np.full(buckets, -1, np.int64),
        after=np.full(size, -1, np.int64),
        before=np.full(size, -1, np.int64),
    )
    if seed < 0:
        return steps
    draw = np.uint64(2 * seed + 1)
    for b in range(state.number[0]):
        draw = draw * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        r = np.int64(draw >> np.uint64(33)) % PRIME
        draw = draw * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        q = np.int64(draw >> np.uint64(33)) % PRIME
        for e in range(state.start[b], state.start[b] + state.length[b]):
            c, v = state.cell[e], state.value[e] % PRIME
            steps.one[c] = (steps.one[c] + r * v) % PRIME
            steps.two[c] = (steps.two[c] + q * v) % PRIME
    for c in range(size):
        if needed[c] and state.uses[c] > 0:
            steps.ratio[c] = steps.one[c] * inverse(steps.two[c]) % PRIME
            _enter(steps, c)
    return steps


@compiled
def _enter(steps: Steps, c: int) -> None:
    h = steps.ratio[c] & (len(steps.head) - 1)
    steps.after[c], steps.before[c] = steps.head[h], -1
    if steps.head[h] >= 0:
        steps.before[steps.head[h]] = c
    steps.head[h] = c


@compiled
def _leave(steps: Steps, c: int) -> None:
    a, p = steps.after[c], steps.before[c]
    if p >= 0:
        steps.after[p] = a
    else:
        steps.head[steps.ratio[c] & (len(steps.head) - 1)] = a
    if a >= 0:
        steps.before[a] = p


@compiled
def _apart(
    state: Basis, steps: Steps, s: int, pivot: int, own: int, needed: np.ndarray, single: np.ndarray
) -> bool:
    """Once `s` is shown, does nobody who is alone in a cell move in step with another needed cell? If so the
    new ratios are entered; the old ones, in `new_one` and `new_two` by then, are brought back by `_settle`
    where they have to be."""
    scale = inverse(own % PRIME)
    one, two = steps.one[s] * scale % PRIME, steps.two[s] * scale % PRIME
    begin, end = state.start[pivot], state.start[pivot] + state.length[pivot]
    for e in range(begin, end):
        c, v = state.cell[e], state.value[e] % PRIME
        if needed[c]:
            _leave(steps, c)
        steps.new_one[c], steps.new_two[c] = steps.one[c], steps.two[c]
        steps.one[c] = (steps.one[c] + (PRIME - one) * v) % PRIME
        steps.two[c] = (steps.two[c] + (PRIME - two) * v) % PRIME
    sound = True
    for e in range(begin, end):
        c = state.cell[e]
        if not needed[c]:
            continue
        steps.ratio[c] = steps.one[c] * inverse(steps.two[c]) % PRIME
        other = steps.head[steps.ratio[c] & (len(steps.head) - 1)]
        while other >= 0 and sound:
            if steps.ratio[other] == steps.ratio[c] and single[c] != single[other]:
                sound = False
            other = steps.after[other]
        _enter(steps, c)
    if not sound:
        _settle(steps, state.cell[begin:end].copy(), needed, False)
    return sound


@compiled
def _settle(steps: Steps, cells: np.ndarray, needed: np.ndarray, good: bool) -> None:
    """Leave the ratios as they are where all went well; otherwise bring back the old ones."""
    if good:
        return
    for c in cells:
        if needed[c]:
            _leave(steps, c)
        steps.one[c], steps.two[c] = steps.new_one[c], steps.new_two[c]
        if needed[c]:
            steps.ratio[c] = steps.one[c] * inverse(steps.two[c]) % PRIME
            _enter(steps, c)


@compiled
def _keeps(state: Basis, s: int, pivot: int, mine: np.ndarray, needed: np.ndarray) -> bool:
    """Can every needed cell of the pivot still change without `s`: is its row no multiple of that of `s`?"""
    for e in range(state.start[pivot], state.start[pivot] + state.length[pivot]):
        p = state.cell[e]
        if not needed[p] or state.uses[p] != state.uses[s]:
            continue  # some column has one of the two alone, and will have p
        same, f = True, state.head[p]
        while f >= 0:
            if mine[state.column[f]] * state.value[e] != state.value[f] * mine[pivot]:
                same = False
                break
            f = state.after[f]
        if same:
            return False
    return True


@compiled
def _eliminate(
    state: Basis,
    s: int,
    pivot: int,
    mine: np.ndarray,
    dense: np.ndarray,
    touched: np.ndarray,
    longest: int,
    largest: int,
) -> bool:
    """Add the pivot to every other column that changes `s`; False, and nothing changed, where one would
    become too long or too large."""
    others = np.empty(state.uses[s], np.int64)
    number, need, e = 0, 0, state.head[s]
    while e >= 0:
        b = state.column[e]
        if b != pivot:
            others[number] = b
            number += 1
            need += state.length[b] + state.length[pivot]
        e = state.after[e]
    if state.number[1] + need > len(state.cell):
        squeeze(state)
        if state.number[1] + need > len(state.cell):
            return False
    first = state.number[1]
    begins = np.empty(number + 1, np.int64)
    begins[0] = first
    sound = True
    for n in range(number):
        b = others[n]
        common = _gcd(abs(mine[b]), abs(mine[pivot]))
        mb, mp = mine[pivot] // common, mine[b] // common
        count = 0
        for e in range(state.start[b], state.start[b] + state.length[b]):
            dense[state.cell[e]] = state.value[e] * mb
            touched[count] = state.cell[e]
            count += 1
        for e in range(state.start[pivot], state.start[pivot] + state.length[pivot]):
            c = state.cell[e]
            if dense[c] == 0:
                touched[count] = c
                count += 1
                dense[c] = -state.value[e] * mp
            else:
                dense[c] -= state.value[e] * mp
                if dense[c] == 0:
                    dense[c] = largest + 1  # marks a cell that was there and is not any more
        common, at = 0, begins[n]
        for j in range(count):
            c = touched[j]
            v = dense[c]
            dense[c] = 0
            if v == largest + 1:
                continue
            if abs(v) > largest:
                sound = False
            common = _gcd(common, abs(v))
            state.cell[at], state.value[at], state.column[at] = c, v, b
            at += 1
        begins[n + 1] = at
        if at - begins[n] > longest:
            sound = False
        if not sound:
            return False
        if common > 1:
            for j in range(begins[n], at):
                state.value[j] //= common
    unlink(state, pivot)
    for n in range(number):
        b = others[n]
        unlink(state, b)
        state.start[b], state.length[b] = begins[n], begins[n + 1] - begins[n]
        for e in range(state.start[b], state.start[b] + state.length[b]):
            link(state, e)
        mine[b] = 0
    mine[pivot] = 0
    state.length[pivot] = 0
    state.number[1] = begins[number]
    return True
