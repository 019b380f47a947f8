"""Loops of the cell-key method: keys of records are added up, and what a cell changes by is looked up by its
count and its key.

Keys are whole numbers from 0 to below `MODULUS`, which stands for 1: sums of whole numbers are the same in
whatever order.
"""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled

MODULUS = 10**12


@compiled
def add_keys(keys: np.ndarray, starts: np.ndarray, sums: np.ndarray, size: int) -> np.ndarray:
    """The sum of keys, less whole multiples of the modulus, in each of `size` sums, int64 (size,).

    `keys`: int64 (n,), 0 to below the modulus. `starts`: int64 (n + 1,); key i is in sums[starts[i]:starts[i
    + 1]], `sums`: int64 (entries,).
    """
    out = np.zeros(size, np.int64)
    for i in range(len(keys)):
        for j in range(starts[i], starts[i + 1]):
            added = out[sums[j]] + keys[i]
            out[sums[j]] = added - MODULUS if added >= MODULUS else added
    return out


@compiled
def look_up(
    count: np.ndarray, keys: np.ndarray, first: np.ndarray, bounds: np.ndarray, changes: np.ndarray
) -> np.ndarray:
    """What each count becomes, int64 (n,).

    `count`: int64 (n,), at least 0. `keys`: int64 (n,). `first`: int64 (rows + 1,), where each row of the
    table of transitions begins; row i is for a count of i, the last row for all larger ones, too. `bounds`,
    `changes`: int64, of all entries: a key changes the count by the first entry whose bound it is below.
    """
    out = np.empty(len(count), np.int64)
    last = len(first) - 2
    for i in range(len(count)):
        row = min(count[i], last)
        entry = first[row]
        while entry < first[row + 1] - 1 and keys[i] >= bounds[entry]:
            entry += 1
        out[i] = count[i] + changes[entry]
    return out
