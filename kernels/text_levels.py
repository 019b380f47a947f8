"""Levels of texts that differ, for many pairs at once: most are told by signatures, many were met before, the
rest is looked at test by test. Each test looks at the `count` pairs that are listed, and says which of them
reach its bound."""

from __future__ import annotations

import numpy as np

from kernels.comparisons import (
    BITS,
    DAMERAU_LEVENSHTEIN,
    JARO_WINKLER,
    LEVENSHTEIN,
    PREFIX,
    SAME,
    WORD,
    Batch,
    Plan,
    Scratch,
    Values,
)
from kernels.distances import EditMemory, common_prefix, damerau_levenshtein, jaro_winkler
from kernels.jit import compiled, inlined
from kernels.signatures import those_alike


@compiled
def text_levels(values: Values, plan: Plan, scratch: Scratch, batch: Batch, field: int, count: int) -> None:
    """Levels of the `count` pairs of the batch that wait, added to their patterns: most are told by
    signatures, many were met before, the others are looked at."""
    codes, left, right = batch.codes, batch.left, batch.right
    waiting, first, second, signatures = scratch.waiting, scratch.first, scratch.second, values.signatures
    for each in range(count):
        k = waiting[each]
        first[each], second[each] = signatures[codes[field, left[k]]], signatures[codes[field, right[k]]]
    count = those_alike(
        first[:count], second[:count], plan.least[field], scratch.common, scratch.places, waiting
    )
    while count > 0:
        new, count = _recall(scratch, batch, field, count)
        if new > 0:
            _compare_texts(values, plan, scratch, batch, field, new)
            _remember(scratch, batch, field, new)
        waiting[:count] = scratch.common[:count]


@compiled
def _recall(scratch: Scratch, batch: Batch, field: int, count: int) -> tuple[int, int]:
    """Levels of pairs of values that were met before. Returns how many were not, which it lists in
    `scratch.waiting`, and how many were only just met among these, which it lists in `scratch.common`."""
    codes, left, right, patterns = batch.codes, batch.left, batch.right, batch.patterns
    memo, waiting, again = scratch.memo, scratch.waiting, scratch.common
    mask, new, echoes = np.uint64(memo.shape[1] - 1), 0, 0
    for each in range(count):
        k = waiting[each]
        key = _of_both(codes[field, left[k]], codes[field, right[k]])
        slot = _slot(key) & mask
        known = memo[field, slot]
        met, level = known >> np.uint64(4) == key, np.int64(known & np.uint64(15))
        memo[field, slot] = known if met else key << np.uint64(4)  # level 0: to be looked at
        patterns[k] += np.int64(met & (level > 0)) * (level - np.int64(1)) << (BITS * field)
        waiting[new], again[echoes] = k, k
        new += not met
        echoes += met & (level == 0)
    return new, echoes


@compiled
def _remember(scratch: Scratch, batch: Batch, field: int, count: int) -> None:
    """Put the levels of the pairs that wait into the patterns, and where they are found again."""
    codes, left, right, patterns = batch.codes, batch.left, batch.right, batch.patterns
    memo, waiting, levels = scratch.memo, scratch.waiting, scratch.levels
    mask = np.uint64(memo.shape[1] - 1)
    for each in range(count):
        k = waiting[each]
        key = _of_both(codes[field, left[k]], codes[field, right[k]])
        memo[field, _slot(key) & mask] = key << np.uint64(4) | np.uint64(levels[each])
        patterns[k] += (levels[each] - 1) << (BITS * field)


@inlined
def _of_both(a: int, b: int) -> np.uint64:
    return np.uint64(min(a, b)) << np.uint64(30) | np.uint64(max(a, b))


@inlined
def _slot(key: np.uint64) -> np.uint64:
    return (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)


@compiled
def _are_similar(symbols: np.ndarray, scratch: Scratch, count: int, bound: float) -> None:
    """By Jaro-Winkler, which is -1 in `scratch.similarity` where it was not computed yet."""
    texts, listed, reached = scratch.texts, scratch.rest, scratch.reached
    masks, similarity = scratch.masks, scratch.similarity
    for each in range(count):
        k = listed[each]
        if similarity[k] < 0:
            similarity[k] = jaro_winkler(masks, symbols, texts[k, 0], texts[k, 1], texts[k, 2], texts[k, 3])
        reached[k] = similarity[k] >= bound


@compiled
def _are_edited(
    symbols: np.ndarray, scratch: Scratch, count: int, bound: float, most: int, swaps: bool
) -> None:
    """By their edits, of which `most` are counted; -1 in `scratch.edits` where they were not counted yet."""
    texts, listed, reached, edits = scratch.texts, scratch.rest, scratch.reached, scratch.edits
    memory = EditMemory(scratch.last, scratch.table)
    for each in range(count):
        k = listed[each]
        if edits[k] < 0:
            edits[k] = damerau_levenshtein(
                memory, symbols, texts[k, 0], texts[k, 1], texts[k, 2], texts[k, 3], most, swaps
            )
        reached[k] = edits[k] <= bound


@compiled
def _begin_alike(symbols: np.ndarray, scratch: Scratch, count: int, wanted: int) -> None:
    texts, listed, reached = scratch.texts, scratch.rest, scratch.reached
    for each in range(count):
        k = listed[each]
        reached[k] = (
            common_prefix(symbols, texts[k, 0], texts[k, 1], texts[k, 2], texts[k, 3], wanted) == wanted
        )


@compiled
def _have_the_same(
    derived: np.ndarray, row: int, scratch: Scratch, batch: Batch, field: int, count: int
) -> None:
    """By a key that is derived of each."""
    codes, left, right = batch.codes, batch.left, batch.right
    waiting, listed, reached = scratch.waiting, scratch.rest, scratch.reached
    for each in range(count):
        k = listed[each]
        key = derived[row, codes[field, left[waiting[k]]]]
        reached[k] = key >= 0 and key == derived[row, codes[field, right[waiting[k]]]]


@compiled
def _share_words(symbols: np.ndarray, breaks: np.ndarray, scratch: Scratch, count: int) -> None:
    texts, listed, reached = scratch.texts, scratch.rest, scratch.reached
    for each in range(count):
        k = listed[each]
        reached[k] = _share_word(symbols, breaks, texts[k, 0], texts[k, 1], texts[k, 2], texts[k, 3])


@compiled
def _find(
    symbols: np.ndarray, starts: np.ndarray, scratch: Scratch, batch: Batch, field: int, count: int
) -> None:
    """Where the texts of each pair stand, the shorter first, of equal length that which comes first in order,
    so that what is found depends on the two texts alone. Fills `scratch.texts`."""
    codes, left, right = batch.codes, batch.left, batch.right
    waiting, texts = scratch.waiting, scratch.texts
    for each in range(count):
        k = waiting[each]
        a, b = codes[field, left[k]], codes[field, right[k]]
        texts[each, 0], texts[each, 1] = starts[a], starts[a + 1]
        texts[each, 2], texts[each, 3] = starts[b], starts[b + 1]
    for each in range(count):
        a, b = texts[each, 0], texts[each, 2]
        length_a, length_b = texts[each, 1] - a, texts[each, 3] - b
        if length_a > length_b or (length_a == length_b and _after(symbols, a, b, length_a)):
            a, b, length_a, length_b = b, a, length_b, length_a
        texts[each, 0], texts[each, 1], texts[each, 2], texts[each, 3] = a, length_a, b, length_b


@compiled
def _compare_texts(
    values: Values, plan: Plan, scratch: Scratch, batch: Batch, field: int, count: int
) -> None:
    """Levels of the first `count` pairs that wait, test after test. Fills `scratch.levels`."""
    texts, listed, reached, symbols = scratch.texts, scratch.rest, scratch.reached, values.symbols
    _find(symbols, values.starts, scratch, batch, field, count)
    scratch.levels[:count], scratch.similarity[:count], scratch.edits[:count] = 1, -1.0, -1
    for k in range(count):
        listed[k] = k
    most, swaps = np.int64(plan.edits[field]), False
    for place in range(plan.firsts[field] + 1, plan.firsts[field + 1]):
        test, bound = plan.tests[place], plan.bounds[place]
        if test == JARO_WINKLER:
            _are_similar(symbols, scratch, count, bound)
        elif test == DAMERAU_LEVENSHTEIN or test == LEVENSHTEIN:
            if swaps != (test == DAMERAU_LEVENSHTEIN):
                swaps = not swaps
                scratch.edits[:] = -1
            _are_edited(symbols, scratch, count, bound, most, swaps)
        elif test == PREFIX:
            _begin_alike(symbols, scratch, count, np.int64(bound))
        elif test == SAME:
            _have_the_same(values.derived, np.int64(bound), scratch, batch, field, count)
        elif test == WORD:
            _share_words(symbols, values.breaks, scratch, count)
        else:  # of a field beside another
            continue
        rest = 0
        for each in range(count):
            k = listed[each]
            if reached[k] and min(texts[k, 1], texts[k, 3]) >= plan.sizes[place]:
                scratch.levels[k] = plan.levels[place]
            else:
                listed[rest] = k
                rest += 1
        count = rest


@compiled
def _share_word(
    symbols: np.ndarray, breaks: np.ndarray, a: int, length_a: int, b: int, length_b: int
) -> bool:
    """Do two texts have a word of two or more symbols in common?"""
    i = 0
    while i < length_a:
        end = i
        while end < length_a and not breaks[symbols[a + end]]:
            end += 1
        j = 0
        while end - i > 1 and j < length_b:
            k = 0
            while j + k < length_b and not breaks[symbols[b + j + k]]:
                k += 1
            if k == end - i and common_prefix(symbols, a + i, k, b + j, k, k) == k:
                return True
            j += k + 1
        i = end + 1
    return False


@compiled
def _after(symbols: np.ndarray, a: int, b: int, length: int) -> bool:
    for k in range(length):
        if symbols[a + k] != symbols[b + k]:
            return symbols[a + k] > symbols[b + k]
    return False
