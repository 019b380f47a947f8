"""Blocks: rows brought together by the hash of their blocking key, with few passes over memory."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled, inlined

_BITS = 11
_PASSES = 3


@inlined
def mix(x: np.uint64) -> np.uint64:
    """Spread 64 bits (finaliser of splitmix64; Steele, Lea and Flood, 2014): one to one, keeps no secret."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def combine(keys: np.ndarray, codes: np.ndarray, derived: np.ndarray) -> None:
    """Mix one more derived key into each row's blocking key. Changes `keys`: uint64 (n,), 0 where one of its
    keys is unknown.

    `codes`: int32 (n,), position of each row's value in `derived`: int64 (values,), negative for unknown.
    """
    for i in range(len(keys)):
        code = np.int64(codes[i])
        value = derived[code] if code >= 0 else np.int64(-1)
        if keys[i] != np.uint64(0):
            keys[i] = (
                mix((keys[i] + np.uint64(0x9E3779B97F4A7C15)) ^ np.uint64(value)) | np.uint64(1)
                if value >= 0
                else np.uint64(0)
            )


@compiled
def order_by_key(keys: np.ndarray) -> np.ndarray:
    """Rows with a key, ascending by key and among equals as they stood: radix sort of the top 33 bits, then
    of what ties there.

    `keys`: uint64 (n,), 0 for none. Returns int32 (m,).
    """
    n = len(keys)
    m = 0
    counts = np.zeros((_PASSES, 1 << _BITS), np.int64)
    mask = np.uint64((1 << _BITS) - 1)
    for i in range(n):
        if keys[i] != np.uint64(0):
            m += 1
            for turn in range(_PASSES):
                counts[turn, (keys[i] >> np.uint64(64 - _BITS * (_PASSES - turn))) & mask] += 1
    order, beside = np.empty(m, np.int32), np.empty(m, np.int32)
    m = 0
    for i in range(n):
        if keys[i] != np.uint64(0):
            order[m] = i
            m += 1
    for turn in range(_PASSES):
        shift = np.uint64(64 - _BITS * (_PASSES - turn))
        total = 0
        for each in range(1 << _BITS):
            here = counts[turn, each]
            counts[turn, each] = total
            total += here
        for k in range(m):
            digit = (keys[order[k]] >> shift) & mask
            beside[counts[turn, digit]] = order[k]
            counts[turn, digit] += 1
        order, beside = beside, order
    for k in range(1, m):
        row = order[k]
        place = k
        while place > 0 and keys[order[place - 1]] > keys[row]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = row
    return order


@compiled
def in_blocks(keys: np.ndarray, order: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out rows that share their key with none, and number the blocks.

    `keys`: uint64 (n,); `order`: int32 (m,), rows ascending by key. Fills `ids`: int32 (n,), each row's
    block, -1 for none. Returns the rows left, int32, and where each row's block ends among them, int32.
    """
    m = len(order)
    kept = 0
    blocks = 0
    ends = np.empty(m, np.int32)
    ids[:] = -1
    begin = 0
    while begin < m:
        end = begin + 1
        while end < m and keys[order[end]] == keys[order[begin]]:
            end += 1
        if end - begin > 1:
            stop = kept + end - begin
            for k in range(begin, end):
                ids[order[k]] = blocks
                order[kept] = order[k]
                ends[kept] = stop
                kept += 1
            blocks += 1
        begin = end
    return order[:kept], ends[:kept]
