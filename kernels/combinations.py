"""Blocks by every combination of two keys: which records share any two of many keys, for tables so dirty that
no rule of few keys finds them."""

from __future__ import annotations

import numpy as np

from kernels.blocks import mix
from kernels.jit import compiled


@compiled
def combined(
    keys: np.ndarray, families: np.ndarray, kinds: np.ndarray, part: int, parts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each key of each record, and each two of them that say different things: their hashes, of which one in
    `parts` is taken at a time.

    `keys`: uint64 (n, columns), 0 for none. `families`: int8 (columns,), keys of one family say much the same
    and are not combined, unless they are of one kind: `kinds`: int8 (columns,), keys of one kind are words of
    the same bag. Returns records, int32 (m,), and hashes, uint64 (m,).
    """
    n, columns = keys.shape
    total = 0
    records, hashes = np.empty(0, np.int32), np.empty(0, np.uint64)
    for turn in range(2):
        if turn == 1:
            records, hashes = np.empty(total, np.int32), np.empty(total, np.uint64)
            total = 0
        for i in range(n):
            for a in range(columns):
                if keys[i, a] == np.uint64(0):
                    continue
                for b in range(a, columns):
                    if keys[i, b] == np.uint64(0):
                        continue
                    if a != b and families[a] == families[b] and kinds[a] != kinds[b]:
                        continue
                    low, high = min(keys[i, a], keys[i, b]), max(keys[i, a], keys[i, b])
                    code = mix(mix(low + np.uint64(1)) ^ (high if a != b else np.uint64(0))) | np.uint64(1)
                    if np.int64((code >> np.uint64(32)) % np.uint64(parts)) == part:
                        if turn == 1:
                            records[total], hashes[total] = i, code
                        total += 1
    return records, hashes


@compiled
def pairs_of_blocks(
    rows: np.ndarray, ends: np.ndarray, records: np.ndarray, groups: np.ndarray, most: int
) -> np.ndarray:
    """Pairs of the blocks of at most `most` rows: int64, smaller record << 32 | larger, repeats among them.

    `rows`: int32 (m,), positions in `records` (int32), block by block; `ends`: int32 (m,). `groups`: int32
    (n,), no pair lies within one.
    """
    total = 0
    pairs = np.empty(0, np.int64)
    for turn in range(2):
        if turn == 1:
            pairs = np.empty(total, np.int64)
            total = 0
        begin = 0
        while begin < len(rows):
            end = np.int64(ends[begin])
            if end - begin <= most:
                for i in range(begin, end):
                    for j in range(i + 1, end):
                        a, b = np.int64(records[rows[i]]), np.int64(records[rows[j]])
                        if a != b and (groups[a] < 0 or groups[a] != groups[b]):
                            if turn == 1:
                                pairs[total] = min(a, b) << 32 | max(a, b)
                            total += 1
            begin = end
    return pairs
