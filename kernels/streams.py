"""The stream of pairs that a blocking rule makes: each pair once over all rules, compared in batches, counted by pattern, kept if
promising.

Pairs are never stored as such. The rows of a rule stand block by block; a pair is made by the first rule that brings it together.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kernels.blocks import mix
from kernels.comparisons import BITS, LEVELS, TEXT, Plan, Scratch, Values, add_levels
from kernels.jit import compiled

BATCH: Final = 512
_EMPTY = -1


class Rows(NamedTuple):
    """The rows of one rule, block by block.

    `records`: int32 (m,), the record of each row; one may stand in several blocks of a rule whose keys are many. `begins`, `ends`: int32
    (m,), the rows with which each row pairs (none where begins >= ends), always after itself; `ends` ascend. `block`: int32 (m,), the
    block in which each row stands. Of all records: `groups`: int32 (n,), no pair lies within one, -1 for none; `codes`: int32 (n, fields),
    -1 if unknown; `keys`: int32 (n, columns), the record's blocks by this rule and all before it, negative and different for those in
    none. `columns`: int32 (rules + 1,), where each rule's columns begin; this rule's come last.
    """

    records: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    block: np.ndarray
    groups: np.ndarray
    codes: np.ndarray
    keys: np.ndarray
    columns: np.ndarray


class Tally(NamedTuple):
    """Pairs by pattern, and the pairs kept. `patterns`: int64 (size,), -1 where empty; `counts`: int64; `promising`: bool, are such pairs
    kept? `left`, `right`: int32 (kept,), records; `kept`: int64, their patterns."""

    patterns: np.ndarray
    counts: np.ndarray
    promising: np.ndarray
    left: np.ndarray
    right: np.ndarray
    kept: np.ndarray


class Weights(NamedTuple):
    """What pairs weigh, in 1/1000 bits. `levels`: int64 (fields, LEVELS). `together`: int64 (terms, LEVELS, LEVELS), of the fields
    `first` and `second`: int8 (terms,). `floor`: int64, from which a pair is kept. `rarity`: int32, what values add where both records
    hold them, field after field from `rarity_begins`: int64 (fields + 1,) on, by the values' codes; `near`: int64, 1/1000 of that for the
    level next to equal. `most`: int64 (fields, LEVELS), the most that levels can weigh with it. `tops`: int8 (fields,), level of equal
    values.
    """

    levels: np.ndarray
    together: np.ndarray
    first: np.ndarray
    second: np.ndarray
    floor: int
    rarity: np.ndarray
    rarity_begins: np.ndarray
    near: int
    most: np.ndarray
    tops: np.ndarray


@compiled
def _mark_made(made: np.ndarray, rows: Rows, keys: np.ndarray, i: int, begin: int, end: int, base: int) -> None:
    """Which of the pairs of row i with rows `begin` to `end` an earlier rule makes, or an earlier key of this one.

    `keys`: int32 (columns, span), of rows from `base` on. Fills `made`: bool.
    """
    count = end - begin
    made[:count] = False
    columns = rows.columns
    for rule in range(len(columns) - 1):
        first, last = columns[rule], columns[rule + 1]
        this = rule == len(columns) - 2
        if last - first == 1:
            if not this:
                key = keys[first, i - base]
                theirs = keys[first, begin - base : end - base]
                for k in range(count):
                    made[k] |= theirs[k] == key
            continue
        for p in range(first, last):
            key = keys[p, i - base]
            if key < 0 or (this and key >= rows.block[i]):
                continue
            for q in range(first, last):
                theirs = keys[q, begin - base : end - base]
                for k in range(count):
                    made[k] |= theirs[k] == key


@compiled
def stream(
    values: Values, plan: Plan, scratch: Scratch, rows: Rows, first: int, end: int, every: int, repeats: bool, weights: Weights
) -> Tally:
    """Compare the pairs that rows `first` to `end` make with those after them.

    `every`: a power of two; of so many pairs one is taken, chosen by the hash of its two records; 1 for all. `repeats`: also those
    that an earlier rule makes. Pairs that reach the floor of `weights` are kept.
    """
    patterns, counts = np.full(1 << 12, _EMPTY, np.int64), np.zeros(1 << 12, np.int64)
    promising = np.zeros(1 << 12, np.bool_)
    used = 0
    left, right, kept = np.empty(1 << 10, np.int32), np.empty(1 << 10, np.int32), np.empty(1 << 10, np.int64)
    number = 0
    codes, signs, groups, keys = _gathered(values, plan, rows, first, end, repeats)
    batch_left, batch_right, batch = np.empty(BATCH, np.int32), np.empty(BATCH, np.int32), np.empty(BATCH, np.int64)
    made, closer = np.zeros(BATCH, np.bool_), np.empty(BATCH, np.int32)
    waiting = 0
    sample = np.uint64(every - 1)
    i = first
    j = np.int64(rows.begins[i]) if i < end else np.int64(0)
    while i < end or waiting > 0:
        while i < end and waiting < BATCH:
            stop = min(np.int64(rows.ends[i]), j + BATCH - waiting)
            if j < stop:
                if not repeats:
                    _mark_made(made, rows, keys, i, j, stop, first)
                group = groups[i - first]
                for other in range(j, stop):
                    if (group < 0 or group != groups[other - first]) and (repeats or not made[other - j]):
                        if every == 1 or _chosen(rows, i, other, sample):
                            batch_left[waiting] = i - first
                            batch_right[waiting] = other - first
                            waiting += 1
                j = stop
            if j >= rows.ends[i]:
                i += 1
                j = np.int64(rows.begins[i]) if i < end else np.int64(0)
        add_levels(values, plan, scratch, codes, signs, batch_left, batch_right, waiting, closer, batch)
        if (used + waiting) * 2 > len(patterns):
            patterns, counts, promising = _grown(patterns, counts, promising)
        if number + waiting > len(left):
            left, right, kept = _doubled(left), _doubled(right), _doubled(kept)
        used = _count(patterns, counts, promising, used, batch, waiting, weights)
        number = _keep(
            patterns, promising, weights, codes, rows.records, first, batch_left, batch_right, batch, waiting, left, right, kept, number
        )  # fmt: skip
        waiting = 0
    full = np.flatnonzero(patterns != _EMPTY)
    return Tally(patterns[full], counts[full], promising[full], left[:number].copy(), right[:number].copy(), kept[:number].copy())


@compiled
def stream_pairs(
    values: Values, plan: Plan, scratch: Scratch, codes: np.ndarray, left: np.ndarray, right: np.ndarray, weights: Weights
) -> Tally:
    """`stream` of pairs that are listed. `codes`: int32 (n, fields); `left`, `right`: int32, records, ascending by `left`."""
    patterns, counts = np.full(1 << 12, _EMPTY, np.int64), np.zeros(1 << 12, np.int64)
    promising = np.zeros(1 << 12, np.bool_)
    used = 0
    kept_left, kept_right, kept = np.empty(1 << 10, np.int32), np.empty(1 << 10, np.int32), np.empty(1 << 10, np.int64)
    number = 0
    fields = codes.shape[1]
    near, signs = np.empty((fields, 2 * BATCH), np.int32), np.zeros((fields, 2 * BATCH), np.uint64)
    places_left, places_right = np.arange(BATCH).astype(np.int32), np.arange(BATCH, 2 * BATCH).astype(np.int32)
    records = np.empty(2 * BATCH, np.int32)
    batch, closer = np.empty(BATCH, np.int64), np.empty(BATCH, np.int32)
    for begin in range(0, len(left), BATCH):
        waiting = min(BATCH, len(left) - begin)
        for k in range(waiting):
            records[k], records[BATCH + k] = left[begin + k], right[begin + k]
        for place in range(2 * BATCH):
            if place % BATCH < waiting:
                for field in range(fields):
                    code = codes[records[place], field]
                    near[field, place] = code
                    if plan.kinds[field] == TEXT and code >= 0:
                        signs[field, place] = values.signatures[code]
        add_levels(values, plan, scratch, near, signs, places_left, places_right, waiting, closer, batch)
        if (used + waiting) * 2 > len(patterns):
            patterns, counts, promising = _grown(patterns, counts, promising)
        if number + waiting > len(kept_left):
            kept_left, kept_right, kept = _doubled(kept_left), _doubled(kept_right), _doubled(kept)
        used = _count(patterns, counts, promising, used, batch, waiting, weights)
        number = _keep(
            patterns, promising, weights, near, records, 0, places_left, places_right, batch, waiting, kept_left, kept_right, kept, number
        )  # fmt: skip
    full = np.flatnonzero(patterns != _EMPTY)
    return Tally(patterns[full], counts[full], promising[full], kept_left[:number].copy(), kept_right[:number].copy(), kept[:number].copy())


@compiled
def _gathered(
    values: Values, plan: Plan, rows: Rows, first: int, end: int, repeats: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What is compared, of the rows from `first` on, field by field: codes, signatures, groups and keys."""
    last = max(end, np.int64(rows.ends[end - 1])) if end > first else first
    span = last - first
    fields = len(plan.kinds)
    codes, signs = np.empty((fields, span), np.int32), np.zeros((fields, span), np.uint64)
    groups = np.empty(span, np.int32)
    columns = 0 if repeats else np.int64(rows.columns[-1])
    keys = np.empty((columns, span), np.int32)
    for k in range(span):
        record = rows.records[first + k]
        groups[k] = rows.groups[record]
        for field in range(fields):
            code = rows.codes[record, field]
            codes[field, k] = code
            if plan.kinds[field] == TEXT and code >= 0:
                signs[field, k] = values.signatures[code]
        for column in range(columns):
            keys[column, k] = rows.keys[record, column]
    return codes, signs, groups, keys


@compiled
def _chosen(rows: Rows, i: int, j: int, sample: np.uint64) -> bool:
    a, b = rows.records[i], rows.records[j]
    return mix(np.uint64(min(a, b)) << np.uint64(32) | np.uint64(max(a, b))) & sample == np.uint64(0)


@compiled
def _count(
    patterns: np.ndarray, counts: np.ndarray, promising: np.ndarray, used: int, batch: np.ndarray, waiting: int, weights: Weights
) -> int:
    """Count each pattern of a batch; returns how many distinct ones there are now."""
    for k in range(waiting):
        slot = _slot(patterns, batch[k])
        if patterns[slot] == _EMPTY:
            patterns[slot] = batch[k]
            promising[slot] = most_weight(batch[k], weights) >= weights.floor
            used += 1
        counts[slot] += 1
        batch[k] = slot
    return used


@compiled
def _keep(
    patterns: np.ndarray, promising: np.ndarray, weights: Weights, codes: np.ndarray, records: np.ndarray, first: int,
    batch_left: np.ndarray, batch_right: np.ndarray, slots: np.ndarray, waiting: int, left: np.ndarray, right: np.ndarray, kept: np.ndarray,
    number: int,
) -> int:  # fmt: skip
    """Keep the pairs that reach the floor; returns how many there are now."""
    for k in range(waiting):
        if promising[slots[k]]:
            i, j = batch_left[k], batch_right[k]
            pattern = patterns[slots[k]]
            if len(weights.rarity) > 0:
                weight = _summed(pattern, weights.levels, weights.together, weights.first, weights.second)
                if weight + _rarity(pattern, weights, codes, i, j) < weights.floor:
                    continue
            a, b = records[first + i], records[first + j]
            left[number], right[number], kept[number] = min(a, b), max(a, b), pattern
            number += 1
    return number


@compiled
def most_weight(pattern: int, weights: Weights) -> int:
    """The most that a pair of this pattern can weigh."""
    return _summed(pattern, weights.most, weights.together, weights.first, weights.second)


@compiled
def _summed(pattern: int, levels: np.ndarray, together: np.ndarray, first: np.ndarray, second: np.ndarray) -> int:
    total = np.int64(0)
    for field in range(len(levels)):
        total += levels[field, pattern >> (BITS * field) & (LEVELS - 1)]
    for term in range(len(first)):
        a = pattern >> (BITS * first[term]) & (LEVELS - 1)
        b = pattern >> (BITS * second[term]) & (LEVELS - 1)
        total += together[term, a, b]
    return total


@compiled
def _rarity(pattern: int, weights: Weights, codes: np.ndarray, i: int, j: int) -> int:
    """What rare values add to the weight of the pair of columns i and j of `codes`: int32 (fields, m)."""
    total = np.int64(0)
    for field in range(len(weights.tops)):
        begin = weights.rarity_begins[field]
        if weights.rarity_begins[field + 1] == begin:
            continue
        level = pattern >> (BITS * field) & (LEVELS - 1)
        top = np.int64(weights.tops[field])
        if level == top:
            total += weights.rarity[begin + codes[field, i]]
        elif level == top - 1 and top > 2:
            rare = min(weights.rarity[begin + codes[field, i]], weights.rarity[begin + codes[field, j]])
            total += np.int64(rare) * weights.near // 1000
    return total


@compiled
def _slot(patterns: np.ndarray, pattern: int) -> int:
    mask = len(patterns) - 1
    slot = np.int64((np.uint64(pattern) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & mask
    while patterns[slot] != pattern and patterns[slot] != _EMPTY:
        slot = (slot + 1) & mask
    return slot


@compiled
def _grown(patterns: np.ndarray, counts: np.ndarray, promising: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = 2 * len(patterns)
    new_patterns, new_counts, new_promising = np.full(size, _EMPTY, np.int64), np.zeros(size, np.int64), np.zeros(size, np.bool_)
    for old in range(len(patterns)):
        if patterns[old] != _EMPTY:
            slot = _slot(new_patterns, patterns[old])
            new_patterns[slot], new_counts[slot], new_promising[slot] = patterns[old], counts[old], promising[old]
    return new_patterns, new_counts, new_promising


@compiled
def _doubled(array: np.ndarray) -> np.ndarray:
    new = np.empty(2 * len(array), array.dtype)
    new[: len(array)] = array
    return new
