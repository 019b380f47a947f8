"""The stream of pairs that a blocking rule makes: each pair once over all rules, compared in batches, counted
by pattern, kept if promising.

Pairs are never stored as such. The rows of a rule stand block by block; a pair is made by the first rule that
brings it together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.blocks import mix
from kernels.comparisons import BATCH, BITS, LEVELS, Batch, Plan, Scratch, Values
from kernels.jit import compiled
from kernels.patterns import add_levels

_EMPTY = -1


class RuleRows(NamedTuple):
    """The rows of one rule, block by block.

    `records`: int32 (m,), the record of each row; one may stand in several blocks of a rule whose keys are
    many. `begins`, `ends`: int32 (m,), the rows with which each row pairs (none where begins >= ends), always
    after itself; `ends` ascend; `begins` may be empty: all that come after. `block`: int32 (m,), the block in
    which each row stands. Of all records: `groups`: int32 (n,), no pair lies within one, -1 for none;
    `codes`: int32 (n, fields), -1 if unknown; `keys`: int32 (n, columns), the record's blocks by this rule
    and all before it, -1 for none. `columns`: int32 (rules + 1,), where each rule's columns begin; this
    rule's come last.
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
    """Pairs by pattern, and the pairs kept. `patterns`: int64 (size,); `counts`: int64, pairs; `new`: int64,
    those among them that no earlier rule makes; `promising`: bool, are such pairs kept? `left`, `right`:
    int32 (kept,), records; `kept`: int64, their patterns."""

    patterns: np.ndarray
    counts: np.ndarray
    new: np.ndarray
    promising: np.ndarray
    left: np.ndarray
    right: np.ndarray
    kept: np.ndarray


class Weights(NamedTuple):
    """What pairs weigh, in 1/1000 bits. `levels`: int64 (fields, LEVELS). `together`: int64 (terms, LEVELS,
    LEVELS), of the fields `first` and `second`: int8 (terms,). `floor`: int64, from which a pair is kept.
    `rarity`: int32, what values add where both records hold them, field after field from `rarity_begins`:
    int64 (fields + 1,) on, by the values' codes; `near`: int64, 1/1000 of that for the level next to equal.
    `most`: int64 (fields, LEVELS), the most that levels can weigh with it. `tops`: int8 (fields,), level of
    equal values.
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


class Part(NamedTuple):
    """Which pairs of a rule: those that its rows `first` up to, but not with, `until` make with rows after
    them. `every`: a power of two; of so many pairs one is taken, chosen by the hash of its two records; 1 for
    all. `repeats`: also those that an earlier rule makes.
    """

    first: int
    until: int
    every: int
    repeats: bool


class _Room(NamedTuple):
    """Room for pairs that are compared at once, each (BATCH,): `left`, `right`: int32, columns of the codes;
    `new`: bool, does no earlier rule make them? `patterns`: int64."""

    left: np.ndarray
    right: np.ndarray
    new: np.ndarray
    patterns: np.ndarray


class _Near(NamedTuple):
    """What is compared, of the rows from a part's first on. `records`: int32 (span,); `codes`: int32 (fields,
    span); `groups`: int32 (span,); `keys`: int32 (columns, span), all as `RuleRows` says."""

    records: np.ndarray
    codes: np.ndarray
    groups: np.ndarray
    keys: np.ndarray


class _Found(NamedTuple):
    """A tally in the making: `distinct` patterns in a table that is -1 where empty, and room for more than
    the `number` of pairs kept."""

    patterns: np.ndarray
    counts: np.ndarray
    new: np.ndarray
    promising: np.ndarray
    left: np.ndarray
    right: np.ndarray
    kept: np.ndarray
    distinct: int
    number: int


@compiled
def stream(
    values: Values, plan: Plan, scratch: Scratch, rows: RuleRows, part: Part, weights: Weights
) -> Tally:
    """Compare the pairs of a part of a rule. Those that reach the floor of `weights` are kept."""
    found, room = _nothing(), _room()
    near = _gathered(rows, part.first, part.until)
    batch = Batch(near.codes, room.left, room.right, room.patterns)
    made = np.zeros(BATCH, np.bool_)
    ends, block, columns, keys = rows.ends, rows.block, rows.columns, near.keys
    first, until = part.first, part.until
    i = first
    j = _begin(rows, i)
    while i < until:
        count = np.int64(0)
        while i < until and count < BATCH:
            stop = min(np.int64(ends[i]), j + BATCH - count)
            if j < stop:
                _mark_made(made, block, columns, keys, i, j, stop, first)
                count = _take(room, near, made, i, j, stop, part, count)
                j = stop
            if j >= ends[i]:
                i += 1
                j = _begin(rows, i)
        add_levels(values, plan, scratch, batch, count)
        found = _with(found, room, count, near.codes, near.records, weights)
    return _tally(found)


@compiled
def stream_pairs(
    values: Values,
    plan: Plan,
    scratch: Scratch,
    codes: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    weights: Weights,
) -> Tally:
    """`stream` of pairs that are listed. `codes`: int32 (n, fields); `left`, `right`: int32 (pairs,),
    records, quickest where those of one come together."""
    found, room = _nothing(), _room()
    room.left[:], room.right[:], room.new[:] = np.arange(BATCH), np.arange(BATCH, 2 * BATCH), True
    fields = codes.shape[1]
    near, records = np.empty((fields, 2 * BATCH), np.int32), np.empty(2 * BATCH, np.int32)
    batch = Batch(near, room.left, room.right, room.patterns)
    for begin in range(0, len(left), BATCH):
        count = min(BATCH, len(left) - begin)
        for k in range(count):
            a, b = left[begin + k], right[begin + k]
            records[k], records[BATCH + k] = a, b
            for field in range(fields):
                near[field, k], near[field, BATCH + k] = codes[a, field], codes[b, field]
        add_levels(values, plan, scratch, batch, count)
        found = _with(found, room, count, near, records, weights)
    return _tally(found)


@compiled
def _begin(rows: RuleRows, i: int) -> int:
    """The first row with which row i pairs."""
    return np.int64(rows.begins[i]) if i < len(rows.begins) else np.int64(i + 1)


@compiled
def _gathered(rows: RuleRows, first: int, until: int) -> _Near:
    span = max(until, np.int64(rows.ends[until - 1])) - first if until > first else 0
    records = rows.records[first : first + span]
    codes = np.empty((rows.codes.shape[1], span), np.int32)
    groups, keys = np.empty((1, span), np.int32), np.empty((np.int64(rows.columns[-1]), span), np.int32)
    for begin in range(0, span, BATCH):  # few rows at a time, so that each is fetched once
        end = min(begin + BATCH, span)
        _fetch(rows.codes, records, begin, end, codes)
        _fetch(rows.groups.reshape(-1, 1), records, begin, end, groups)
        _fetch(rows.keys, records, begin, end, keys)
    return _Near(records, codes, groups[0], keys)


@compiled
def _fetch(table: np.ndarray, records: np.ndarray, begin: int, end: int, into: np.ndarray) -> None:
    """Columns `begin` to `end` of int32 (columns, m) from the rows of int32 (n, columns or more)."""
    for column in range(len(into)):
        for k in range(begin, end):
            into[column, k] = table[records[k], column]


@compiled
def _mark_made(
    made: np.ndarray,
    block: np.ndarray,
    columns: np.ndarray,
    keys: np.ndarray,
    i: int,
    begin: int,
    end: int,
    base: int,
) -> None:
    """Which of the pairs of row i with rows `begin` to `end` an earlier rule makes, or an earlier key of this
    one.

    `keys`: int32 (columns, span), of rows from `base` on. Fills `made`: bool.
    """
    made[: end - begin] = False
    for rule in range(len(columns) - 1):
        first, last = columns[rule], columns[rule + 1]
        this = rule == len(columns) - 2
        if this and last - first == 1:
            return
        for p in range(first, last):
            key = keys[p, i - base]
            if key < 0 or (this and key >= block[i]):
                continue
            for q in range(first, last):
                for k in range(end - begin):
                    made[k] |= keys[q, begin - base + k] == key


@compiled
def _take(
    room: _Room, near: _Near, made: np.ndarray, i: int, begin: int, end: int, part: Part, count: int
) -> int:
    """Add the pairs of row i with rows `begin` to `end` to the `count` pairs that there are; returns how many
    there are then."""
    left, right, new, records, groups = room.left, room.right, room.new, near.records, near.groups
    base, every, repeats = part.first, part.every, part.repeats
    group = groups[i - base]
    sample = np.uint64(every - 1)
    for other in range(begin, end):
        apart = (group < 0) | (group != groups[other - base])
        left[count], right[count], new[count] = i - base, other - base, not made[other - begin]
        chosen = every == 1 or _chosen(records, i - base, other - base, sample)
        count += apart & (repeats | new[count]) & chosen
    return count


@compiled
def _chosen(records: np.ndarray, i: int, j: int, sample: np.uint64) -> bool:
    a, b = records[i], records[j]
    return mix(np.uint64(min(a, b)) << np.uint64(32) | np.uint64(max(a, b))) & sample == np.uint64(0)


@compiled
def _room() -> _Room:
    return _Room(
        np.empty(BATCH, np.int32),
        np.empty(BATCH, np.int32),
        np.empty(BATCH, np.bool_),
        np.empty(BATCH, np.int64),
    )


@compiled
def _nothing() -> _Found:
    size, room = 1 << 12, 1 << 10
    return _Found(
        patterns=np.full(size, _EMPTY, np.int64),
        counts=np.zeros(size, np.int64),
        new=np.zeros(size, np.int64),
        promising=np.zeros(size, np.bool_),
        left=np.empty(room, np.int32),
        right=np.empty(room, np.int32),
        kept=np.empty(room, np.int64),
        distinct=0,
        number=0,
    )


@compiled
def _tally(found: _Found) -> Tally:
    full, number = np.flatnonzero(found.patterns != _EMPTY), found.number
    return Tally(
        patterns=found.patterns[full],
        counts=found.counts[full],
        new=found.new[full],
        promising=found.promising[full],
        left=found.left[:number].copy(),
        right=found.right[:number].copy(),
        kept=found.kept[:number].copy(),
    )


@compiled
def _with(
    found: _Found, room: _Room, count: int, codes: np.ndarray, records: np.ndarray, weights: Weights
) -> _Found:
    """A tally with the first `count` pairs of the room. `codes`: int32 (fields, m), `records`: int32 (m,), of
    its columns."""
    patterns, counts, new, promising, left, right, kept, distinct, number = found
    if (distinct + count) * 2 > len(patterns):
        patterns, counts, new, promising = _grown(patterns, counts, new, promising)
    if number + count > len(left):
        left, right, kept = _doubled(left), _doubled(right), _doubled(kept)
    slots = room.patterns
    for k in range(count):
        slot = _slot(patterns, slots[k])
        if patterns[slot] == _EMPTY:
            patterns[slot] = slots[k]
            promising[slot] = most_weight(slots[k], weights) >= weights.floor
            distinct += 1
        counts[slot] += 1
        new[slot] += room.new[k]
        slots[k] = slot
    for k in range(count):
        if promising[slots[k]]:
            i, j, pattern = room.left[k], room.right[k], patterns[slots[k]]
            if len(weights.rarity) == 0 or _weight(pattern, weights, codes, i, j) >= weights.floor:
                left[number], right[number] = min(records[i], records[j]), max(records[i], records[j])
                kept[number] = pattern
                number += 1
    return _Found(patterns, counts, new, promising, left, right, kept, distinct, number)


@compiled
def most_weight(pattern: int, weights: Weights) -> int:
    """The most that a pair of this pattern can weigh."""
    return _summed(pattern, weights.most, weights.together, weights.first, weights.second)


@compiled
def _summed(
    pattern: int, levels: np.ndarray, together: np.ndarray, first: np.ndarray, second: np.ndarray
) -> int:
    total = np.int64(0)
    for field in range(len(levels)):
        total += levels[field, pattern >> (BITS * field) & (LEVELS - 1)]
    for term in range(len(first)):
        a = pattern >> (BITS * first[term]) & (LEVELS - 1)
        b = pattern >> (BITS * second[term]) & (LEVELS - 1)
        total += together[term, a, b]
    return total


@compiled
def _weight(pattern: int, weights: Weights, codes: np.ndarray, i: int, j: int) -> int:
    """What the pair of columns i and j of `codes`: int32 (fields, m) weighs, rare values counted."""
    total = _summed(pattern, weights.levels, weights.together, weights.first, weights.second)
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
def _grown(
    patterns: np.ndarray, counts: np.ndarray, new: np.ndarray, promising: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    size = 2 * len(patterns)
    into, into_counts = np.full(size, _EMPTY, np.int64), np.zeros(size, np.int64)
    into_new, into_promising = np.zeros(size, np.int64), np.zeros(size, np.bool_)
    for old in range(len(patterns)):
        if patterns[old] != _EMPTY:
            slot = _slot(into, patterns[old])
            into[slot], into_counts[slot] = patterns[old], counts[old]
            into_new[slot], into_promising[slot] = new[old], promising[old]
    return into, into_counts, into_new, into_promising


@compiled
def _doubled(array: np.ndarray) -> np.ndarray:
    new = np.empty(2 * len(array), array.dtype)
    new[: len(array)] = array
    return new
