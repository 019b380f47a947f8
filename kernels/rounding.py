"""Loops that choose which counts are rounded up and which down, so that the sums that are published move
least.

Counts that are to be rounded are **parts**. Each lies `rest` above a multiple of the base, and either falls
by that or rises to the next multiple. A sum moves by the whole of what its parts move. Arrays in compressed
rows: what belongs to row i of `starts`, `entries` is entries[starts[i]:starts[i + 1]].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.jit import compiled


class Within(NamedTuple):
    """Which sums each part is in, and which parts are in each sum, in compressed rows. `starts`: int64 (parts
    + 1,), into `sums`: int64 (entries,); `part_starts`: int64 or int32 (sums + 1,), into `parts`: int64 or
    int32 (entries,).
    """

    starts: np.ndarray
    sums: np.ndarray
    part_starts: np.ndarray
    parts: np.ndarray


@compiled
def _flip(
    part: int, up: np.ndarray, base: int, starts: np.ndarray, sums: np.ndarray, moved: np.ndarray
) -> None:
    """Round a part the other way."""
    change = -base if up[part] else base
    up[part] = not up[part]
    for j in range(starts[part], starts[part + 1]):
        moved[sums[j]] += change


@compiled
def _price(
    part: int,
    up: np.ndarray,
    base: int,
    starts: np.ndarray,
    sums: np.ndarray,
    moved: np.ndarray,
    weight: np.ndarray,
    cost: np.ndarray,
) -> int:
    """What the cost grows by if a part is rounded the other way."""
    change = -base if up[part] else base
    price = 0
    for j in range(starts[part], starts[part + 1]):
        old = moved[sums[j]]
        price += weight[sums[j]] * (_cost(old + change, cost) - _cost(old, cost))
    return price


@compiled
def _cost(moved: int, cost: np.ndarray) -> int:
    size = abs(moved)
    last = len(cost) - 1
    return cost[size] if size <= last else cost[last] + (size - last) * (cost[last] - cost[last - 1])


@compiled
def diffuse(
    rest: np.ndarray, base: int, starts: np.ndarray, sums: np.ndarray, size: int, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A first choice: each part in turn goes whichever way leaves the sums of those before it, and of itself,
    moved least.

    `rest`: int64 (parts,), 1 to `base` - 1. `starts`, `sums`: which of `size` sums each part is in. `weight`:
    int64 (size,). Returns `up`: bool (parts,), and `moved`: int64 (size,).
    """
    up, moved = np.zeros(len(rest), np.bool_), np.zeros(size, np.int64)
    for part in range(len(rest)):
        lower, upper = 0, 0
        for j in range(starts[part], starts[part + 1]):
            old = moved[sums[j]]
            lower += weight[sums[j]] * (old - rest[part]) ** 2
            upper += weight[sums[j]] * (old + base - rest[part]) ** 2
        up[part] = upper < lower
        change = base - rest[part] if up[part] else -rest[part]
        for j in range(starts[part], starts[part + 1]):
            moved[sums[j]] += change
    return up, moved


@compiled
def settle(
    up: np.ndarray,
    moved: np.ndarray,
    base: int,
    within: Within,
    weight: np.ndarray,
    cost: np.ndarray,
    most: int,
    draws: np.ndarray,
) -> int:
    """Tries in turn what is drawn, and keeps what raises the cost by at most `most`: threshold accepting
    (Dueck and Scheuer 1990).

    Half of what is tried rounds one part the other way; the rest rounds two the other way that are in one
    sum, one up and one down. `up`: bool (parts,), `moved`: int64 (sums,), as `diffuse` returns them, changed
    in place. `weight`: int64 (sums,). `cost`: int64 (k,), of a sum that moves by 0, 1, …, times its weight;
    beyond the last it grows by as much again for each. `draws`: float64 (tries, 3), 0 to below 1. Returns
    what the cost has grown by.
    """
    starts, sums, part_starts, parts = within
    grown = 0
    for i in range(len(draws)):
        part = int(draws[i, 0] * len(up))
        if draws[i, 1] < 0.5:
            price = _price(part, up, base, starts, sums, moved, weight, cost)
            if price <= most:
                _flip(part, up, base, starts, sums, moved)
                grown += price
            continue
        span = starts[part + 1] - starts[part]
        together = sums[starts[part] + int((2 * draws[i, 1] - 1) * span)]
        first, members = part_starts[together], part_starts[together + 1] - part_starts[together]
        begin = int(draws[i, 2] * members)
        for step in range(min(members, 8)):
            other = parts[first + (begin + step) % members]
            if up[other] != up[part]:
                price = _price(part, up, base, starts, sums, moved, weight, cost)
                _flip(part, up, base, starts, sums, moved)
                price += _price(other, up, base, starts, sums, moved, weight, cost)
                if price <= most:
                    _flip(other, up, base, starts, sums, moved)
                    grown += price
                else:
                    _flip(part, up, base, starts, sums, moved)
                break
    return grown


@compiled
def of_sums(
    positions: np.ndarray,
    steps: np.ndarray,
    depth: np.ndarray,
    starts: np.ndarray,
    first: np.ndarray,
    into: np.ndarray,
) -> None:
    """Which cells of a cube each row is in, itself and all margins above it.

    `positions`: int32 (n, dimensions). `steps`, `depth`: as `kernels.cells.spread` gives them. `first`: int64
    (n,), where in `into` the cells of each row begin. `starts`: int64 (1,), added to each cell's number.
    """
    for i in range(len(positions)):
        into[first[i]] = starts[0]
        size = 1
        for d in range(positions.shape[1]):
            levels = depth[d, positions[i, d]]
            for level in range(levels - 1, -1, -1):
                for k in range(size):
                    into[first[i] + level * size + k] = into[first[i] + k] + steps[d, positions[i, d], level]
            size *= levels


@compiled
def total(values: np.ndarray, starts: np.ndarray, sums: np.ndarray, size: int) -> np.ndarray:
    """The sum of `values`, int64 (n,), in each of `size` sums, int64 (size,). `starts`: int64 (n + 1,), into
    `sums`: int64 (entries,), those that each value is in."""
    out = np.zeros(size, np.int64)
    for i in range(len(values)):
        for j in range(starts[i], starts[i + 1]):
            out[sums[j]] += values[i]
    return out


@compiled
def _over(cell: int, change: np.ndarray, below: np.ndarray, above: np.ndarray) -> int:
    """By how much a sum has changed too far."""
    return max(0, change[cell] - above[cell]) + max(0, -change[cell] - below[cell])


@compiled
def _worse(
    part: int,
    way: int,
    change: np.ndarray,
    below: np.ndarray,
    above: np.ndarray,
    starts: np.ndarray,
    sums: np.ndarray,
) -> int:
    """By how much more sums would have changed too far if a count went one up or down."""
    worse = 0
    for j in range(starts[part], starts[part + 1]):
        old = _over(sums[j], change, below, above)
        change[sums[j]] += way
        worse += _over(sums[j], change, below, above) - old
        change[sums[j]] -= way
    return worse


@compiled
def walks(
    sought: np.ndarray,
    below: np.ndarray,
    above: np.ndarray,
    within: Within,
    draws: np.ndarray,
    steps: int,
    looks: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Other counts for which every sum stays possible: for each sum that is sought and not changed yet, one
    in which it changes, if found.

    From one count of that sum, up and then down: what has changed too far is mended by another count of it,
    of those drawn the one that leaves least, as long as `steps` last. `sought`: int64 (k,), sums. `below`,
    `above`: int64 (sums,), how much less and how much more each may be. `within`: of counts, not of parts.
    `draws`: float64 (m,), 0 to below 1, taken in turn. `looks`: how many counts are drawn at a time. Returns
    int64 (entries,) each: the number of the walk, the count, 1 or -1.
    """
    starts, sums, part_starts, parts = within
    free, change = np.zeros(len(below), np.bool_), np.zeros(len(below), np.int64)
    touched = np.empty(len(below) + 1, np.int64)
    room = len(sought) * steps
    walk, count, ways = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    kept, found, at = 0, 0, 0
    for target in sought:
        for way in (1, -1):
            if free[target]:
                continue
            members = part_starts[target + 1] - part_starts[target]
            part = parts[part_starts[target] + int(draws[at % len(draws)] * members)]
            turn, number, over, last = way, 0, 0, 0
            at += 1
            for step in range(steps):
                over += _worse(part, turn, change, below, above, starts, sums)
                walk[kept + step], count[kept + step], ways[kept + step], last = found, part, turn, step + 1
                for j in range(starts[part], starts[part + 1]):
                    seen = False
                    for k in range(number):
                        seen = seen or touched[k] == sums[j]
                    if not seen:
                        touched[number] = sums[j]
                        number += 1
                    change[sums[j]] += turn
                if over == 0 or step == steps - 1:
                    break
                begin, cell = int(draws[at % len(draws)] * number), -1
                at += 1
                for k in range(number):
                    cell = touched[(begin + k) % number]
                    if _over(cell, change, below, above) > 0:
                        break
                turn = -1 if change[cell] > 0 else 1
                members, best = part_starts[cell + 1] - part_starts[cell], 1 << 60
                for _ in range(looks):
                    other = parts[part_starts[cell] + int(draws[at % len(draws)] * members)]
                    at += 1
                    worse = _worse(other, turn, change, below, above, starts, sums)
                    if worse < best:
                        part, best = other, worse
            holds = over == 0 and change[target] != 0
            for k in range(number):
                if holds and change[touched[k]] != 0:
                    free[touched[k]] = True
                change[touched[k]] = 0
            if holds:
                kept += last
                found += 1
    return walk[:kept], count[:kept], ways[:kept]
