"""Bloom filters of records, and how alike two of them are: cryptographic long-term keys (Schnell, Bachteler
and Reiher, 2011).

A filter is a row of `words`, uint64 (n, bits / 64): bit j is bit j % 64 of word j // 64. Nothing here is
keyed. Positions come from outside, where a key has drawn them; a position beyond the row is an out-of-range
write, so callers check.
"""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled, inlined

_ODD, _PAIRS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_NIBBLES, _BYTES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
NO_KEY = -1  # of a record that says nothing: it is in no block


@inlined
def popcount(word: np.uint64) -> np.uint64:
    """Bits set in one word. This form of the sum is the one that compilers turn into the machine's own
    instruction, vectorised."""
    word = word - ((word >> np.uint64(1)) & _ODD)
    word = (word & _PAIRS) + ((word >> np.uint64(2)) & _PAIRS)
    word = (word + (word >> np.uint64(4))) & _NIBBLES
    return (word * _BYTES) >> np.uint64(56)


@compiled
def imprint(
    words: np.ndarray, value: np.ndarray, starts: np.ndarray, tokens: np.ndarray, positions: np.ndarray
) -> None:
    """Set the bits of one field in every row, in place.

    `words`: uint64 (n, bits / 64). `value`: int64 (n,), which of the field's values each row has, negative if
    unknown. `starts`: int64 (values + 1,), where the tokens of each value begin. `tokens`: int64
    (starts[-1],), row of `positions`. `positions`: int64 (distinct tokens, k), each below bits.
    """
    for i in range(len(value)):
        v = value[i]
        if v < 0:
            continue
        for t in range(starts[v], starts[v + 1]):
            for j in range(positions.shape[1]):
                place = positions[tokens[t], j]
                words[i, place >> 6] |= np.uint64(1) << np.uint64(place & 63)


@compiled
def diffuse(words: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Filters of which each bit is the exclusive or of several bits of the old one (Armknecht, Heng and
    Schnell, 2023).

    With the picks (j, j + half) it is the folding of Schnell and Borgs (2016). A filter without a bit stays
    so. `words`: uint64 (n, bits / 64). `picks`: int64 (new bits, t), each below bits; new bits is a multiple
    of 64. Returns uint64 (n, new bits / 64).
    """
    n = len(words)
    size, t = picks.shape
    out = np.zeros((n, size // 64), np.uint64)
    for i in range(n):
        for j in range(size):
            bit = np.uint64(0)
            for k in range(t):
                place = picks[j, k]
                bit ^= (words[i, place >> 6] >> np.uint64(place & 63)) & np.uint64(1)
            out[i, j >> 6] |= bit << np.uint64(j & 63)
    return out


@compiled
def bit_counts(words: np.ndarray) -> np.ndarray:
    """Bits set in each filter. `words`: uint64 (n, bits / 64). Returns int64 (n,)."""
    out = np.zeros(len(words), np.int64)
    for i in range(len(words)):
        total = np.uint64(0)
        for k in range(words.shape[1]):
            total += popcount(words[i, k])
        out[i] = np.int64(total)
    return out


@compiled
def dice_rows(a: np.ndarray, b: np.ndarray, count_a: int, count_b: int) -> float:
    """Dice coefficient of two filters: bits in common, twice, over bits of both (Dice, 1945).

    `a`, `b`: uint64 (bits / 64,), contiguous. `count_a`, `count_b`: their bits set. An empty filter is like
    nothing: 0.
    """
    if count_a == 0 or count_b == 0:
        return 0.0
    common = np.uint64(0)
    for k in range(len(a)):
        common += popcount(a[k] & b[k])
    return 2.0 * np.float64(np.int64(common)) / np.float64(count_a + count_b)


@compiled
def dice(words: np.ndarray, counts: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Dice coefficients of pairs of rows.

    `words`: uint64 (n, bits / 64), `counts`: int64 (n,) from `bit_counts`. `left`, `right`: int64 (pairs,).
    Returns float64 (pairs,).
    """
    out = np.empty(len(left), np.float64)
    for p in range(len(left)):
        i, j = left[p], right[p]
        out[p] = dice_rows(words[i], words[j], counts[i], counts[j])
    return out


@compiled
def sample_keys(words: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Blocking keys: the filter's bits at a few places, read as a number; like filters share some (Indyk and
    Motwani, 1998).

    `words`: uint64 (n, bits / 64). `samples`: int64 (L, width), each below bits; width is at most 62. Returns
    int64 (n, L), `NO_KEY` for filters without a bit.
    """
    n = len(words)
    out = np.empty((n, len(samples)), np.int64)
    counts = bit_counts(words)
    for i in range(n):
        for s in range(len(samples)):
            key = np.int64(0)
            for j in range(samples.shape[1]):
                place = samples[s, j]
                bit = (words[i, place >> 6] >> np.uint64(place & 63)) & np.uint64(1)
                key = (key << 1) | np.int64(bit)
            out[i, s] = key if counts[i] > 0 else NO_KEY
    return out
