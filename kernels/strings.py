"""Names as fixed-width rows of symbols, what they sound like, and how alike two of them are.

A symbol row is uint8 (width,): 1-26 for the letters A-Z, 27 between two parts of a name, 0 after the end.
Width is at most 64.
"""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled, inlined

SYMBOLS = 28
_GAP = 27

# Base letters of U+00C0 to U+017F, "?" where there is none.
_LATIN = np.frombuffer(
    b"AAAAAAACEEEEIIIIDNOOOOO?OUUUUYTSAAAAAAACEEEEIIIIDNOOOOO?OUUUUYTYAAAAAACCCCCCCCDDDDEEEEEEEEEEGGGGGGGG"
    b"HHHHIIIIIIIIIIIIJJKKKLLLLLLLLLLNNNNNNNNNOOOOOOOORRRRRRSSSSSSSSTTTTTTUUUUUUUUUUUUWWYYYZZZZZZS",
    np.uint8,
)
_A, _Z, _LOWER, _HYPHEN, _BLANK = 65, 90, 32, 45, 32

# What each letter sounds like, A to Z: 0 silent, 1 B P, 2 F V W, 3 C K Q, 4 G J, 5 D T, 6 L, 7 M N, 8 R, 9 S
# Z, 10 vowels, 11 X.
_SOUND = np.array(
    [10, 1, 3, 5, 10, 2, 4, 0, 10, 4, 3, 6, 7, 7, 10, 1, 3, 8, 9, 5, 10, 2, 2, 11, 10, 9], np.uint8
)
_VOWEL, _G, _K, _S, _X = 10, 4, 3, 9, 11
_SOUNDS_KEPT = 8


@compiled
def fold(names: np.ndarray) -> np.ndarray:
    """Symbol rows of names: letters without case and diacritics, one gap for blanks and hyphens, all else
    left out.

    `names`: uint8 (n, width), UTF-8 with zero bytes at the end. Returns uint8 (n, width).
    """
    n, width = names.shape
    out = np.zeros((n, width), np.uint8)
    for i in range(n):
        length = 0
        k = 0
        while k < width and names[i, k] != 0:
            letter = np.int64(names[i, k])
            k += 1
            if 0xC3 <= letter <= 0xC5 and k < width and names[i, k] >= 0x80:
                letter = np.int64(_LATIN[(letter - 0xC3) * 64 + names[i, k] - 0x80])
                k += 1
            if letter > _Z:
                letter -= _LOWER
            if _A <= letter <= _Z:
                out[i, length] = letter - _A + 1
                length += 1
            elif (
                (names[i, k - 1] == _HYPHEN or names[i, k - 1] == _BLANK)
                and length > 0
                and out[i, length - 1] != _GAP
            ):
                out[i, length] = _GAP
                length += 1
        if length > 0 and out[i, length - 1] == _GAP:
            out[i, length - 1] = 0
    return out


@compiled
def lengths(rows: np.ndarray) -> np.ndarray:
    """Symbols in each row. `rows`: uint8 (n, width). Returns uint8 (n,)."""
    n, width = rows.shape
    out = np.zeros(n, np.uint8)
    for i in range(n):
        while out[i] < width and rows[i, out[i]] != 0:
            out[i] += 1
    return out


@compiled
def sounds(rows: np.ndarray, skip: int) -> np.ndarray:
    """What each name's main part sounds like, for blocking: consonant groups after Soundex (Russell, 1918)
    with Swedish readings.

    The main part is the first of more than `skip` letters (3 passes over "af" and "von"), or the last. K for
    CH and CK, S for soft C, J for the silent first letter of DJ, GJ, HJ, LJ; F for PH; vowels count only at
    the start. `rows`: uint8 (n, width), symbols. Returns int64 (n,): up to 8 sounds of 4 bits, 0 for an empty
    name.
    """
    out = np.zeros(len(rows), np.int64)
    for i in range(len(rows)):
        out[i] = sound_of(rows[i], skip)
    return out


@compiled
def sound_of(row: np.ndarray, skip: int) -> int:
    """`sounds` of one symbol row: uint8 (width,)."""
    width = len(row)
    begin = 0
    end = 0
    while True:
        end = begin
        while end < width and row[end] != 0 and row[end] != _GAP:
            end += 1
        if end - begin > skip or end >= width or row[end] == 0:
            break
        begin = end + 1
    return _sound(row, begin, end)


@compiled
def _sound(row: np.ndarray, begin: int, end: int) -> int:
    code = np.int64(0)
    kept = 0
    last = 0
    k = begin
    if end - begin > 1 and row[k + 1] == 10 and (row[k] == 4 or row[k] == 7 or row[k] == 8 or row[k] == 12):
        k += 1
    while k < end and kept < _SOUNDS_KEPT:
        letter = np.int64(row[k])
        following = np.int64(row[k + 1]) if k + 1 < end else np.int64(0)
        sound = np.int64(_SOUND[letter - 1])
        if letter == 3 and (following == 5 or following == 9 or following == 25):
            sound = _S
        elif letter == 16 and following == 8:
            sound = 2
        if sound == _VOWEL and kept > 0:
            last = 0
        elif sound == _X:
            for part in (_K, _S):
                if part != last and kept < _SOUNDS_KEPT:
                    code = code << 4 | part
                    kept += 1
                last = part
        elif sound != 0 and sound != last:
            code = code << 4 | sound
            kept += 1
            last = sound
        k += 1
    return code


@compiled
def fill_masks(masks: np.ndarray, row: np.ndarray, length: int) -> None:
    """For each symbol the positions at which `row`, uint8 (width,), has it. `masks`: uint64 (SYMBOLS,), zero
    before."""
    for k in range(length):
        masks[row[k]] |= np.uint64(1) << np.uint64(k)


@compiled
def clear_masks(masks: np.ndarray, row: np.ndarray, length: int) -> None:
    """Undo `fill_masks`. `masks`: uint64 (SYMBOLS,), zero after; `row`: uint8 (width,)."""
    for k in range(length):
        masks[row[k]] = 0


@inlined
def _lowest(bits: np.uint64) -> np.uint64:
    return bits & (~bits + np.uint64(1))


@compiled
def jaro_winkler(masks: np.ndarray, a: np.ndarray, length_a: int, b: np.ndarray, length_b: int) -> float:
    """Jaro-Winkler similarity (Winkler, 1990; prefix weight 0.1 over 4 symbols, above a Jaro of 0.7),
    bit-parallel.

    `masks`: uint64 (SYMBOLS,), of row `a`, so that many rows `b` are compared at the cost of one. `a`, `b`:
    symbol rows, uint8 (width,). Two empty rows are equal.
    """
    if length_a == 0 or length_b == 0:
        return 1.0 if length_a == length_b else 0.0
    length_a, length_b = np.int64(length_a), np.int64(length_b)
    reach = max(max(length_a, length_b) // 2 - 1, 0)
    one = np.uint64(1)
    taken_a = np.uint64(0)
    taken_b = np.uint64(0)
    common = 0
    for j in range(min(length_b, length_a + reach)):
        low = max(j - reach, 0)
        high = min(j + reach + 1, length_a)
        window = (
            ((one << np.uint64(high - low)) - one) << np.uint64(low) if high - low < 64 else ~np.uint64(0)
        )
        found = masks[b[j]] & window & ~taken_a
        if found != 0:
            taken_a |= _lowest(found)
            taken_b |= one << np.uint64(j)
            common += 1
    if common == 0:
        return 0.0
    swaps = 0
    rest = taken_a
    for j in range(length_b):
        if taken_b >> np.uint64(j) & one:
            bit = _lowest(rest)
            if masks[b[j]] & bit == 0:
                swaps += 1
            rest ^= bit
    jaro = (common / length_a + common / length_b + (common - swaps // 2) / common) / 3.0
    if jaro <= 0.7:
        return jaro
    prefix = 0
    while prefix < min(4, min(length_a, length_b)) and a[prefix] == b[prefix]:
        prefix += 1
    return jaro + prefix * 0.1 * (1.0 - jaro)
