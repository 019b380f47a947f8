"""Exact linear algebra: which unknowns do linear equations determine?

Gauss-Jordan elimination modulo the prime 2^31 - 1, sparsest row first, over a dense block in which zeros are
skipped. A rank modulo a prime never exceeds the rank over the rationals, and falls below it only if the prime
divides a minor; Markowitz (1957) for the order.
"""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled

PRIME = 2**31 - 1


@compiled
def inverse(a: int) -> int:
    """The number that makes 1 of `a` modulo the prime; 0 for 0."""
    result, base, power = 1, a % PRIME, PRIME - 2
    while power > 0:
        if power & 1:
            result = result * base % PRIME
        base = base * base % PRIME
        power >>= 1
    return result


@compiled
def _reduce(block: np.ndarray) -> np.ndarray:
    """Bring `block` (int64 (rows, columns), residues) to reduced echelon form in place; returns int64
    (rows,), pivot column or -1."""
    rows, columns = block.shape
    pivot = np.full(rows, -1, np.int64)
    done = np.zeros(rows, np.bool_)
    filled = np.zeros(rows, np.int64)
    height = np.zeros(columns, np.int64)
    for i in range(rows):
        for j in range(columns):
            if block[i, j] != 0:
                filled[i] += 1
                height[j] += 1
    places = np.empty(columns, np.int64)
    for _ in range(rows):
        best = -1
        for i in range(rows):
            if not done[i] and filled[i] > 0 and (best < 0 or filled[i] < filled[best]):
                best = i
        if best < 0:
            break
        done[best] = True
        count, column = 0, -1
        for j in range(columns):
            if block[best, j] != 0:
                places[count] = j
                count += 1
                if column < 0 or height[j] < height[column]:
                    column = j
        pivot[best] = column
        scale = inverse(block[best, column])
        for k in range(count):
            block[best, places[k]] = block[best, places[k]] * scale % PRIME
        for i in range(rows):
            factor = block[i, column]
            if i == best or factor == 0:
                continue
            for k in range(count):
                j = places[k]
                old = block[i, j]
                new = (old + (PRIME - factor) * block[best, j]) % PRIME
                block[i, j] = new
                change = (1 if new != 0 else 0) - (1 if old != 0 else 0)
                filled[i] += change
                height[j] += change
    return pivot


@compiled
def _alone(block: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    rows, columns = block.shape
    out = np.zeros(columns, np.bool_)
    for i in range(rows):
        if pivot[i] < 0:
            continue
        count = 0
        for j in range(columns):
            if block[i, j] != 0:
                count += 1
        if count == 1:
            out[pivot[i]] = True
    return out


def determined(block: np.ndarray) -> np.ndarray:
    """The unknowns that the equations with these coefficients fix to one value, bool (columns,). `block`:
    int64 (rows, columns)."""
    residues = np.ascontiguousarray(block, np.int64) % PRIME
    if not residues.size:
        return np.zeros(block.shape[1], bool)
    pivot = _reduce(residues)
    return _alone(residues, pivot)
