"""Blocking keys of pooled texts: what two texts must have in common to be compared at all. Each key is int64,
-1 for none."""

from __future__ import annotations

import numpy as np

from kernels.blocks import mix
from kernels.jit import compiled
from kernels.strings import sound_of

_GAP = 27


@compiled
def _hash_run(symbols: np.ndarray, begin: int, end: int) -> int:
    code = np.uint64(end - begin)
    for k in range(begin, end):
        code = mix((code + np.uint64(0x9E3779B97F4A7C15)) ^ np.uint64(symbols[k]))
    return np.int64(code >> np.uint64(1))


@compiled
def run_keys(symbols: np.ndarray, starts: np.ndarray, skip: int, length: int, drop: int) -> np.ndarray:
    """Key of a part of each text: from symbol `skip` (counted from the end where negative), at most `length`
    symbols of it, without the last `drop`: int64 (n,), -1 where nothing is left. `symbols`: uint16 (pool,),
    one text after another; `starts`: int64 (n + 1,), where each begins."""
    n = len(starts) - 1
    out = np.full(n, -1, np.int64)
    for i in range(n):
        size = starts[i + 1] - starts[i]
        begin = skip if skip >= 0 else max(size + skip, 0)
        end = min(begin + length, size - drop)
        if end > begin:
            out[i] = _hash_run(symbols, starts[i] + begin, starts[i] + end)
    return out


@compiled
def stem_keys(symbols: np.ndarray, starts: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    """Key of what each text begins with: up to the first break between words, else the first half; int64
    (n,), -1 for none. `symbols`, `starts`: as for `run_keys`; `breaks`: bool (alphabet,)."""
    n = len(starts) - 1
    out = np.full(n, -1, np.int64)
    for i in range(n):
        end = starts[i]
        while end < starts[i + 1] and not breaks[symbols[end]]:
            end += 1
        if end == starts[i + 1]:
            end = min(starts[i] + max((starts[i + 1] - starts[i]) // 2, 1), starts[i + 1])
        if end > starts[i]:
            out[i] = _hash_run(symbols, starts[i], end)
    return out


@compiled
def sound_keys(symbols: np.ndarray, starts: np.ndarray, folded: np.ndarray, skip: int) -> np.ndarray:
    """What the main part of each name sounds like (`kernels.strings.sounds`): int64 (n,), -1 for nothing.
    `symbols`, `starts`: as for `run_keys`; `folded`: uint8 (alphabet,), base letter of each symbol, 1-26, 27
    for a blank or hyphen, 0 for what is left out."""
    n = len(starts) - 1
    out = np.full(n, -1, np.int64)
    row = np.zeros(66, np.uint8)
    for i in range(n):
        length = 0
        for k in range(starts[i], starts[i + 1]):
            letter = folded[symbols[k]]
            if length < 64 and letter > 0 and (letter != _GAP or (length > 0 and row[length - 1] != _GAP)):
                row[length] = letter
                length += 1
        if length > 0 and row[length - 1] == _GAP:
            length -= 1
        row[length] = 0
        if length > 0:
            code = sound_of(row, skip)
            out[i] = code if code > 0 else -1
    return out


@compiled
def word_keys(
    symbols: np.ndarray,
    starts: np.ndarray,
    folded: np.ndarray,
    breaks: np.ndarray,
    least: int,
    sound: bool,
    most: int,
    wanted: int,
) -> np.ndarray:
    """Keys of the words of each text: int64 (n, most), distinct, ascending, -1 at the end. Words shorter than
    `least` do not count.

    `symbols`, `starts`: as for `run_keys`; `folded`: uint8 (alphabet,), as for `sound_keys`; `breaks`: bool
    (alphabet,), symbols between words.
    `sound`: what each word sounds like in place of the word. `wanted`: only so many symbols that each word
    begins with, of words that are longer; 0 for all.
    """
    n = len(starts) - 1
    out = np.full((n, most), -1, np.int64)
    row = np.zeros(66, np.uint8)
    for i in range(n):
        found = 0
        k = starts[i]
        while k < starts[i + 1]:
            length = 0
            letters = 0
            code = np.uint64(1)
            while k < starts[i + 1] and not breaks[symbols[k]]:
                letter = folded[symbols[k]]
                if 0 < letter < _GAP and letters < 64:
                    row[letters] = letter
                    letters += 1
                if wanted == 0 or length < wanted:
                    shown = np.uint64(letter) if 0 < letter < _GAP else np.uint64(symbols[k]) + np.uint64(64)
                    code = mix((code + np.uint64(0x9E3779B97F4A7C15)) ^ shown)
                length += 1
                k += 1
            row[letters] = 0
            if sound and letters >= least:
                found = _insert(out[i], found, np.int64(sound_of(row, 0)))
            elif not sound and length >= least and length > wanted:
                found = _insert(out[i], found, np.int64(code >> np.uint64(1)))
            k += 1
    return out


@compiled
def together(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The keys of both: int64 (n, a + b) of `first`, int64 (n, a), and `second`, int64 (n, b), each distinct,
    ascending, -1 at the end."""
    n = len(first)
    out = np.full((n, first.shape[1] + second.shape[1]), -1, np.int64)
    for i in range(n):
        found = 0
        for k in range(first.shape[1]):
            found = _insert(out[i], found, first[i, k])
        for k in range(second.shape[1]):
            found = _insert(out[i], found, second[i, k])
    return out


@compiled
def _insert(row: np.ndarray, found: int, code: int) -> int:
    """Keep `code` among the smallest of a row that is distinct and ascending; returns how many the row
    holds."""
    if code <= 0:
        return found
    place = found
    for k in range(found):
        if row[k] == code:
            return found
        if row[k] > code:
            place = k
            break
    if place == len(row):
        return found
    for k in range(min(found, len(row) - 1), place, -1):
        row[k] = row[k - 1]
    row[place] = code
    return min(found + 1, len(row))


@compiled
def unordered(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One key of two in either order, -1 where one is unknown. `first`, `second`: int64 (n,)."""
    out = np.full(len(first), -1, np.int64)
    for i in range(len(first)):
        if first[i] >= 0 and second[i] >= 0:
            low, high = np.uint64(min(first[i], second[i])), np.uint64(max(first[i], second[i]))
            out[i] = np.int64(mix(mix(low + np.uint64(1)) ^ high) >> np.uint64(1))
    return out
