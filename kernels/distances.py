"""How far two texts are apart: Jaro-Winkler and Damerau-Levenshtein over pooled symbols.

A text is a run of symbols in a pool (uint16), each standing for one code point. Results are those of the
textbook definitions on code points, whatever the alphabet and the length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.bits import ones
from kernels.jit import compiled, inlined

_WORD = 64


class EditMemory(NamedTuple):
    """Memory to count edits in. `last`: int32 (alphabet,), zero, and zero again after. `table`: int32 (most
    symbols + 2, most symbols + 2), room for texts that fit in it.
    """

    last: np.ndarray
    table: np.ndarray


@inlined
def _lowest(bits: np.uint64) -> np.uint64:
    return bits & (~bits + np.uint64(1))


@inlined
def _window(j: int, reach: int, length: int) -> np.uint64:
    """The places, of the first `length` of a word, that lie within `reach` of place j."""
    low, high = max(j - reach, 0), min(j + reach + 1, length)
    return (
        ~(~np.uint64(0) << np.uint64(high - low)) << np.uint64(low) if high - low < _WORD else ~np.uint64(0)
    )


@compiled
def winkler(jaro: float, prefix: int) -> float:
    """Jaro-Winkler from a Jaro similarity and the symbols that two texts begin with in common (Winkler, 1990;
    weight 0.1, above 0.7)."""
    return jaro + min(prefix, 4) * 0.1 * (1.0 - jaro) if jaro > 0.7 else jaro


@compiled
def common_prefix(symbols: np.ndarray, a: int, length_a: int, b: int, length_b: int, most: int) -> int:
    """Symbols with which both texts begin, at most `most`. `symbols`: uint16 (pool,); `a`, `b`: where each
    text begins in it."""
    k = 0
    while k < min(most, min(length_a, length_b)) and symbols[a + k] == symbols[b + k]:
        k += 1
    return k


@inlined
def jaro_winkler(
    masks: np.ndarray, symbols: np.ndarray, a: int, length_a: int, b: int, length_b: int
) -> float:
    """Jaro-Winkler similarity of two texts, bit-parallel where the first has at most 64 symbols.

    `masks`: uint64 (alphabet,), zero, and zero again after. `symbols`: uint16 (pool,); `a`, `b`: where each
    text begins in it. Two empty texts are equal.
    """
    if length_a == 0 or length_b == 0:
        return 1.0 if length_a == length_b else 0.0
    if length_a > _WORD:
        jaro = _jaro_long(symbols, a, length_a, b, length_b)
    else:
        jaro = _jaro_word(masks, symbols, a, length_a, b, length_b)
    return winkler(jaro, common_prefix(symbols, a, length_a, b, length_b, 4))


@inlined
def _jaro(common: int, swaps: int, length_a: int, length_b: int) -> float:
    return (common / length_a + common / length_b + (common - swaps // 2) / common) / 3.0 if common else 0.0


@inlined
def _jaro_word(masks: np.ndarray, symbols: np.ndarray, a: int, length_a: int, b: int, length_b: int) -> float:
    one = np.uint64(1)
    for k in range(length_a):
        masks[symbols[a + k]] |= one << np.uint64(k)
    reach = max(max(length_a, length_b) // 2 - 1, 0)
    taken = np.uint64(0)
    common = np.int64(0)
    end = min(length_b, length_a + reach)
    matched = np.uint64(0)  # places of b that found a partner, as far as a word goes
    swaps = np.int64(0)
    for j in range(end):
        found = masks[symbols[b + j]] & _window(j, reach, length_a) & ~taken
        if found != np.uint64(0):
            taken |= _lowest(found)
            if j < _WORD:
                matched |= one << np.uint64(j)
            common += 1
    if end > _WORD:  # a long second text: which of its places matched does not fit in a word
        swaps = _swaps_long(masks, symbols, taken, b, end, length_a, reach)
    else:
        rest = taken
        while matched != np.uint64(0):
            bit = _lowest(matched)
            j = ones(bit - one)
            first = _lowest(rest)
            swaps += np.int64((masks[symbols[b + j]] & first) == np.uint64(0))
            rest ^= first
            matched ^= bit
    for k in range(length_a):
        masks[symbols[a + k]] = np.uint64(0)
    return _jaro(common, swaps, length_a, length_b)


@compiled
def _swaps_long(
    masks: np.ndarray, symbols: np.ndarray, all_taken: np.uint64, b: int, end: int, length_a: int, reach: int
) -> int:
    taken = np.uint64(0)
    rest = all_taken
    swaps = np.int64(0)
    for j in range(end):
        found = masks[symbols[b + j]] & _window(j, reach, length_a) & ~taken
        if found != np.uint64(0):
            taken |= _lowest(found)
            first = _lowest(rest)
            swaps += np.int64((masks[symbols[b + j]] & first) == np.uint64(0))
            rest ^= first
    return swaps


@compiled
def _jaro_long(symbols: np.ndarray, a: int, length_a: int, b: int, length_b: int) -> float:
    reach = max(max(length_a, length_b) // 2 - 1, 0)
    taken_a = np.zeros(length_a, np.bool_)
    taken_b = np.zeros(length_b, np.bool_)
    common = np.int64(0)
    for j in range(min(length_b, length_a + reach)):
        for i in range(max(j - reach, 0), min(j + reach + 1, length_a)):
            if not taken_a[i] and symbols[a + i] == symbols[b + j]:
                taken_a[i] = taken_b[j] = True
                common += 1
                break
    swaps = np.int64(0)
    i = 0
    for j in range(length_b):
        if taken_b[j]:
            while not taken_a[i]:
                i += 1
            swaps += np.int64(symbols[a + i] != symbols[b + j])
            i += 1
    return _jaro(common, swaps, length_a, length_b)


@inlined
def damerau_levenshtein(
    memory: EditMemory,
    symbols: np.ndarray,
    a: int,
    length_a: int,
    b: int,
    length_b: int,
    most: int,
    transpose: bool,
) -> int:
    """Edits from one text to the other: insert, delete, change, and with `transpose` swap of neighbours that
    may then be edited between (Lowrance and Wagner, 1975; the unrestricted distance); `most` + 1 where there
    are more.

    `symbols`: uint16 (pool,); `a`, `b`: where each text begins in it.
    """
    while length_a and length_b and symbols[a] == symbols[b]:
        a, b, length_a, length_b = a + 1, b + 1, length_a - 1, length_b - 1
    while length_a and length_b and symbols[a + length_a - 1] == symbols[b + length_b - 1]:
        length_a, length_b = length_a - 1, length_b - 1
    if abs(length_a - length_b) > most:
        return most + 1
    if length_a == 0 or length_b == 0:
        return max(length_a, length_b)
    if length_a == 1 and length_b == 1:
        return min(1, most + 1)
    if (
        transpose
        and length_a == 2
        and length_b == 2
        and symbols[a] == symbols[b + 1]
        and symbols[a + 1] == symbols[b]
    ):
        return min(1, most + 1)
    if most <= 1:
        return most + 1
    if length_a + 2 > memory.table.shape[0] or length_b + 2 > memory.table.shape[1]:
        return _edits_long(memory.last, symbols, a, length_a, b, length_b, most, transpose)
    return _edits(memory, symbols, a, length_a, b, length_b, most, transpose)


@compiled
def _edits_long(
    last: np.ndarray,
    symbols: np.ndarray,
    a: int,
    length_a: int,
    b: int,
    length_b: int,
    most: int,
    transpose: bool,
) -> int:
    memory = EditMemory(last, np.empty((length_a + 2, length_b + 2), np.int32))
    return _edits(memory, symbols, a, length_a, b, length_b, most, transpose)


@inlined
def _edits(
    memory: EditMemory,
    symbols: np.ndarray,
    a: int,
    length_a: int,
    b: int,
    length_b: int,
    most: int,
    transpose: bool,
) -> int:
    """Only cells within `most` of the diagonal matter: no path of at most so many edits leaves them."""
    last, table = memory.last, memory.table
    far = np.int32(most + 1)
    for j in range(min(length_b, most + 1) + 1):
        table[0, j + 1] = far
        table[1, j + 1] = j
    table[0, 0] = table[1, 0] = far
    done = 0
    for i in range(1, length_a + 1):
        begin, end = max(i - most, 1), min(i + most, length_b)
        table[i + 1, 0] = far
        table[i + 1, begin] = i if begin == 1 else far
        column = 0
        least = far
        letter = symbols[a + i - 1]
        for j in range(begin, end + 1):
            other = symbols[b + j - 1]
            best = min(table[i, j] + np.int32(letter != other), min(table[i + 1, j], table[i, j + 1]) + 1)
            if transpose:
                row = np.int64(last[other])
                if column > 0 and row > 0 and i - row + j - column - 1 <= most and abs(row - column) <= most:
                    best = min(best, table[row, column] + (i - row) + (j - column) - 1)
            table[i + 1, j + 1] = min(best, far)
            least = min(least, best)
            if letter == other:
                column = j
        if end < length_b:
            table[i + 1, end + 2] = far
        last[letter] = i
        done = i
        if least > most and not transpose:
            break
    result = min(table[length_a + 1, length_b + 1], far) if done == length_a else far
    for i in range(done):
        last[symbols[a + i]] = 0
    return np.int64(result)
