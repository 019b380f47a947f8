"""Comparing two records field by field: how well two values agree, as a level, and the levels of all fields as one pattern.

Level 0 is "not known on one side", 1 is "different", and each level that a field names is one more, the best one the highest: a field with
levels equal, JW 0.9, JW 0.8 has 4, 3, 2. Two tests may lead to one level. A pattern holds four bits for each field, the first lowest.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kernels.bits import ones
from kernels.distances import common_prefix, damerau_levenshtein, jaro_winkler
from kernels.jit import compiled, inlined
from kernels.signatures import those_alike

BITS: Final = 4
LEVELS: Final = 1 << BITS
MOST_FIELDS: Final = 15
BATCH: Final = 1024  # pairs compared at once, at most

# Kinds of values.
TEXT, DATE, NUMBER, SET, BLOOM, CODE = range(6)

# Tests. The bound of each is a number; of SAME the row of `Values.derived`; of some nothing.
EQUAL, JARO_WINKLER, DAMERAU_LEVENSHTEIN, LEVENSHTEIN, PREFIX, SAME, WORD = range(7)  # of texts
DAY_MONTH, PARTS, SLIP, DAYS, YEAR, YEAR_PART, MONTH_DAY = range(7, 14)  # of dates
WITHIN, PERCENT, OVERLAP, JACCARD, DICE = range(14, 19)  # of numbers, sets, filters
SWAPPED, ELSEWHERE = range(19, 21)  # of a field beside another


class Values(NamedTuple):
    """The distinct values of all fields; what a record holds is a position among those of its field's kind.

    Texts: `symbols` uint16, one text after another; `starts` int64 (texts + 1,); `signatures` uint64 (texts,);
    `derived` int64 (keys, texts), -1 for none; `breaks` bool (alphabet,), symbols between words. Dates: `days` int32, days since
    1970-01-01, and `digits` int32, yyyymmdd. `numbers` float64. Sets: `members` int32, ascending within each; `set_starts` int64 (sets +
    1,). Bloom filters: `words` uint64 (filters, words); `bits_set` int32. `alphabet`: number of symbols.
    """

    symbols: np.ndarray
    starts: np.ndarray
    signatures: np.ndarray
    derived: np.ndarray
    breaks: np.ndarray
    days: np.ndarray
    digits: np.ndarray
    numbers: np.ndarray
    members: np.ndarray
    set_starts: np.ndarray
    words: np.ndarray
    bits_set: np.ndarray
    alphabet: int


class Plan(NamedTuple):
    """What is compared how.

    `kinds`: int8 (fields,); `tops`: int8 (fields,), level of equal values, 0 for a field that is not compared. `firsts`: int32 (fields +
    1,), where each field's tests begin in `tests` (int8), `bounds` (float64), `sizes` (int32, symbols that both texts must have at least)
    and `levels` (int8, to which it leads), the best first and always EQUAL. `edits`: int8 (fields,), the most edits that a test allows,
    -1 for none. `least`: uint8 (fields, places), see `signatures.least_common`, as one row; all 0 where no bound holds. `partners`: int8
    (fields,), the field with which values may be swapped, -1 for none; `echoes`: int8, the field whose swap this one would only say
    again, -1 for none. `group`: int32 (fields,), bits of the fields in which a value may stand instead.
    """

    kinds: np.ndarray
    tops: np.ndarray
    firsts: np.ndarray
    tests: np.ndarray
    bounds: np.ndarray
    sizes: np.ndarray
    levels: np.ndarray
    edits: np.ndarray
    least: np.ndarray
    partners: np.ndarray
    echoes: np.ndarray
    group: np.ndarray


class Scratch(NamedTuple):
    """Memory of one thread. `masks`: uint64 (alphabet,), `last`: int32 (alphabet,), both zero. `table`: int32 (66, 66). `memo`: uint64
    (fields, 2**k), zero: levels of pairs of values that were met before. Of each pair of a batch: `waiting`, `rest`, `common`, `places`:
    int32; `first`, `second`: uint64, signatures; `texts`: int64 (batch, 4), where both texts begin and how long they are; `similarity`:
    float64; `edits`, `levels`: int64; `reached`: bool."""

    masks: np.ndarray
    last: np.ndarray
    table: np.ndarray
    memo: np.ndarray
    waiting: np.ndarray
    rest: np.ndarray
    common: np.ndarray
    places: np.ndarray
    first: np.ndarray
    second: np.ndarray
    texts: np.ndarray
    similarity: np.ndarray
    edits: np.ndarray
    levels: np.ndarray
    reached: np.ndarray


def scratch(values: Values, plan: Plan, memo: int, batch: int = BATCH) -> Scratch:
    """Memory for one thread. `memo`: 2**memo pairs of values of each field are remembered."""
    size = max(values.alphabet, 1)
    waiting, rest, common, places = np.empty((4, batch), np.int32)
    first, second = np.empty((2, batch), np.uint64)
    edits, levels = np.empty((2, batch), np.int64)
    return Scratch(
        np.zeros(size, np.uint64), np.zeros(size, np.int32), np.empty((66, 66), np.int32),
        np.zeros((len(plan.kinds), 1 << memo), np.uint64), waiting, rest, common, places, first, second,
        np.empty((batch, 4), np.int64), np.empty(batch), edits, levels, np.empty(batch, np.bool_),
    )  # fmt: skip


# ---- texts: each of these looks at the `count` pairs that are listed, and says which of them reach its bound ---------------------------


@compiled
def _are_similar(
    masks: np.ndarray, symbols: np.ndarray, texts: np.ndarray, listed: np.ndarray, count: int, bound: float, similarity: np.ndarray,
    reached: np.ndarray,
) -> None:  # fmt: skip
    """By Jaro-Winkler. `similarity`: -1 where it was not computed yet."""
    for each in range(count):
        k = listed[each]
        if similarity[k] < 0:
            similarity[k] = jaro_winkler(masks, symbols, texts[k, 0], texts[k, 1], texts[k, 2], texts[k, 3])
        reached[k] = similarity[k] >= bound


@compiled
def _are_edited(
    last: np.ndarray, table: np.ndarray, symbols: np.ndarray, texts: np.ndarray, listed: np.ndarray, count: int, bound: float, most: int,
    swaps: bool, edits: np.ndarray, reached: np.ndarray,
) -> None:  # fmt: skip
    """By their edits, of which `most` are counted. `edits`: -1 where they were not counted yet."""
    for each in range(count):
        k = listed[each]
        if edits[k] < 0:
            edits[k] = damerau_levenshtein(last, table, symbols, texts[k, 0], texts[k, 1], texts[k, 2], texts[k, 3], most, swaps)
        reached[k] = edits[k] <= bound


@compiled
def _begin_alike(symbols: np.ndarray, texts: np.ndarray, listed: np.ndarray, count: int, wanted: int, reached: np.ndarray) -> None:
    for each in range(count):
        k = listed[each]
        reached[k] = common_prefix(symbols, texts[k, 0], texts[k, 1], texts[k, 2], texts[k, 3], wanted) == wanted


@compiled
def _have_the_same(
    derived: np.ndarray, row: int, codes: np.ndarray, field: int, left: np.ndarray, right: np.ndarray, waiting: np.ndarray,
    listed: np.ndarray, count: int, reached: np.ndarray,
) -> None:  # fmt: skip
    """By a key that is derived of each."""
    for each in range(count):
        k = listed[each]
        key = derived[row, codes[field, left[waiting[k]]]]
        reached[k] = key >= 0 and key == derived[row, codes[field, right[waiting[k]]]]


@compiled
def _share_words(symbols: np.ndarray, breaks: np.ndarray, texts: np.ndarray, listed: np.ndarray, count: int, reached: np.ndarray) -> None:
    for each in range(count):
        k = listed[each]
        reached[k] = _share_word(symbols, breaks, texts[k, 0], texts[k, 1], texts[k, 2], texts[k, 3])


@compiled
def _find(
    symbols: np.ndarray, starts: np.ndarray, codes: np.ndarray, field: int, left: np.ndarray, right: np.ndarray, waiting: np.ndarray,
    count: int, texts: np.ndarray,
) -> None:  # fmt: skip
    """Where the texts of each pair stand, the shorter first, of equal length that which comes first in order, so that what is found
    depends on the two texts alone. Fills `texts`."""
    for each in range(count):
        k = waiting[each]
        a, b = codes[field, left[k]], codes[field, right[k]]
        texts[each, 0], texts[each, 1], texts[each, 2], texts[each, 3] = starts[a], starts[a + 1], starts[b], starts[b + 1]
    for each in range(count):
        a, b = texts[each, 0], texts[each, 2]
        length_a, length_b = texts[each, 1] - a, texts[each, 3] - b
        if length_a > length_b or (length_a == length_b and _after(symbols, a, b, length_a)):
            a, b, length_a, length_b = b, a, length_b, length_a
        texts[each, 0], texts[each, 1], texts[each, 2], texts[each, 3] = a, length_a, b, length_b


@compiled
def _compare_texts(
    values: Values, plan: Plan, scratch: Scratch, codes: np.ndarray, field: int, left: np.ndarray, right: np.ndarray, count: int
) -> None:  # fmt: skip
    """Levels of the first `count` pairs that wait, test after test. Fills `scratch.levels`."""
    texts, listed, waiting, reached, symbols = scratch.texts, scratch.rest, scratch.waiting, scratch.reached, values.symbols
    _find(symbols, values.starts, codes, field, left, right, waiting, count, texts)
    scratch.levels[:count], scratch.similarity[:count], scratch.edits[:count] = 1, -1.0, -1
    for k in range(count):
        listed[k] = k
    most, swaps = np.int64(plan.edits[field]), False
    for place in range(plan.firsts[field] + 1, plan.firsts[field + 1]):
        test, bound = plan.tests[place], plan.bounds[place]
        if test == JARO_WINKLER:
            _are_similar(scratch.masks, symbols, texts, listed, count, bound, scratch.similarity, reached)
        elif test == DAMERAU_LEVENSHTEIN or test == LEVENSHTEIN:
            if swaps != (test == DAMERAU_LEVENSHTEIN):
                swaps = not swaps
                scratch.edits[:] = -1
            _are_edited(scratch.last, scratch.table, symbols, texts, listed, count, bound, most, swaps, scratch.edits, reached)
        elif test == PREFIX:
            _begin_alike(symbols, texts, listed, count, np.int64(bound), reached)
        elif test == SAME:
            _have_the_same(values.derived, np.int64(bound), codes, field, left, right, waiting, listed, count, reached)
        elif test == WORD:
            _share_words(symbols, values.breaks, texts, listed, count, reached)
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
def _share_word(symbols: np.ndarray, breaks: np.ndarray, a: int, length_a: int, b: int, length_b: int) -> bool:
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


@compiled
def _slip(a: int, b: int) -> bool:
    """Do two dates, as eight digits, differ in one digit or two swapped neighbours?"""
    x, y = a, b
    differ = 0
    last_x = np.int64(-1)
    last_y = np.int64(-1)
    swapped = False
    for _place in range(8):
        digit_x, digit_y = x % 10, y % 10
        x, y = x // 10, y // 10
        if digit_x != digit_y:
            differ += 1
            swapped = swapped or (digit_x == last_y and digit_y == last_x)
            last_x, last_y = digit_x, digit_y
        else:
            last_x = last_y = np.int64(-1)
    return differ == 1 or (differ == 2 and swapped)


@compiled
def date_level(values: Values, plan: Plan, field: int, a: int, b: int) -> int:
    """Level of two different dates."""
    day_a, day_b = np.int64(values.days[a]), np.int64(values.days[b])
    x, y = np.int64(values.digits[a]), np.int64(values.digits[b])
    same_year, same_month, same_day = x // 10000 == y // 10000, x // 100 % 100 == y // 100 % 100, x % 100 == y % 100
    first, end = plan.firsts[field], plan.firsts[field + 1]
    for place in range(first + 1, end):
        test, bound = plan.tests[place], plan.bounds[place]
        reached = False
        if test == DAY_MONTH:
            reached = same_year and x // 100 % 100 == y % 100 and y // 100 % 100 == x % 100
        elif test == PARTS:
            reached = np.int64(same_year) + np.int64(same_month) + np.int64(same_day) >= bound
        elif test == SLIP:
            reached = _slip(x, y)
        elif test == DAYS:
            reached = abs(day_a - day_b) <= bound
        elif test == YEAR:
            reached = same_year
        elif test == YEAR_PART:
            reached = same_year and (same_month or same_day)
        elif test == MONTH_DAY:
            reached = same_month and same_day
        if reached:
            return np.int64(plan.levels[place])
    return 1


@compiled
def number_level(values: Values, plan: Plan, field: int, a: int, b: int) -> int:
    """Level of two different numbers."""
    x, y = values.numbers[a], values.numbers[b]
    first, end = plan.firsts[field], plan.firsts[field + 1]
    for place in range(first + 1, end):
        room = plan.bounds[place] if plan.tests[place] == WITHIN else plan.bounds[place] / 100.0 * max(abs(x), abs(y))
        if abs(x - y) <= room:
            return np.int64(plan.levels[place])
    return 1


@compiled
def set_level(values: Values, plan: Plan, field: int, a: int, b: int) -> int:
    """Level of two different sets."""
    i, j = values.set_starts[a], values.set_starts[b]
    end_i, end_j = values.set_starts[a + 1], values.set_starts[b + 1]
    size = end_i - i + end_j - j
    common = 0
    while i < end_i and j < end_j:
        x, y = values.members[i], values.members[j]
        common += x == y
        i += x <= y
        j += y <= x
    first, end = plan.firsts[field], plan.firsts[field + 1]
    for place in range(first + 1, end):
        share = np.float64(common)
        if plan.tests[place] == JACCARD:
            share = common / max(size - common, 1)
        if common > 0 and share >= plan.bounds[place]:
            return np.int64(plan.levels[place])
    return 1


@compiled
def bloom_level(values: Values, plan: Plan, field: int, a: int, b: int) -> int:
    """Level of two different Bloom filters, by the Dice coefficient of their bits."""
    common = 0
    for word in range(values.words.shape[1]):
        common += ones(values.words[a, word] & values.words[b, word])
    dice = 2.0 * common / max(values.bits_set[a] + values.bits_set[b], 1)
    first, end = plan.firsts[field], plan.firsts[field + 1]
    for place in range(first + 1, end):
        if dice >= plan.bounds[place]:
            return np.int64(plan.levels[place])
    return 1


@compiled
def _settle(
    codes: np.ndarray, field: int, top: int, left: np.ndarray, right: np.ndarray, count: int, waiting: np.ndarray, patterns: np.ndarray
) -> int:  # fmt: skip
    """What equality alone says of a field: unknown, different or equal. Returns how many pairs are different; `waiting` lists them."""
    place, differ = BITS * field, 0
    for k in range(count):
        a, b = codes[field, left[k]], codes[field, right[k]]
        known, equal = (a >= 0) & (b >= 0), a == b
        patterns[k] |= np.int64(known) * (np.int64(1) + np.int64(equal) * (top - np.int64(1))) << place
        waiting[differ] = k
        differ += known & (a != b)
    return differ


@compiled
def _text_levels(
    values: Values, plan: Plan, scratch: Scratch, codes: np.ndarray, field: int, left: np.ndarray, right: np.ndarray, count: int,
    patterns: np.ndarray,
) -> None:  # fmt: skip
    """Levels of the `count` pairs that wait: most are told by signatures, many were met before, the others are looked at."""
    waiting, first, second, signatures, memo = scratch.waiting, scratch.first, scratch.second, values.signatures, scratch.memo
    for each in range(count):
        k = waiting[each]
        first[each], second[each] = signatures[codes[field, left[k]]], signatures[codes[field, right[k]]]
    count = those_alike(first[:count], second[:count], plan.least[field], scratch.common, scratch.places, waiting)
    while count > 0:
        new, count = _recall(memo, codes, field, left, right, waiting, count, scratch.common, patterns)
        if new > 0:
            _compare_texts(values, plan, scratch, codes, field, left, right, new)
            _remember(memo, codes, field, left, right, waiting, new, scratch.levels, patterns)
        waiting[:count] = scratch.common[:count]


@compiled
def _recall(
    memo: np.ndarray, codes: np.ndarray, field: int, left: np.ndarray, right: np.ndarray, waiting: np.ndarray, count: int,
    again: np.ndarray, patterns: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """Levels of pairs of values that were met before. Returns how many were not, which it lists in `waiting`, and how many were only just
    met among these, which it lists in `again`."""
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
def _remember(
    memo: np.ndarray, codes: np.ndarray, field: int, left: np.ndarray, right: np.ndarray, waiting: np.ndarray, count: int,
    levels: np.ndarray, patterns: np.ndarray,
) -> None:  # fmt: skip
    """Put levels into the patterns, and where they are found again."""
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
def _other_levels(
    values: Values, plan: Plan, codes: np.ndarray, field: int, left: np.ndarray, right: np.ndarray, waiting: np.ndarray, count: int,
    patterns: np.ndarray,
) -> None:  # fmt: skip
    """Levels of values that are different and no texts."""
    kind = plan.kinds[field]
    for each in range(count):
        k = waiting[each]
        a, b = np.int64(codes[field, left[k]]), np.int64(codes[field, right[k]])
        if kind == DATE:
            level = np.int64(date_level(values, plan, field, a, b))
        elif kind == NUMBER:
            level = np.int64(number_level(values, plan, field, a, b))
        elif kind == SET:
            level = np.int64(set_level(values, plan, field, a, b))
        else:
            level = np.int64(bloom_level(values, plan, field, a, b))
        patterns[k] += (level - 1) << (BITS * field)


@compiled
def add_levels(
    values: Values, plan: Plan, scratch: Scratch, codes: np.ndarray, left: np.ndarray, right: np.ndarray, count: int, patterns: np.ndarray
) -> None:  # fmt: skip
    """The pattern of each of `count` pairs, no more than `scratch` has room for.

    `codes`: int32 (fields, m), -1 if unknown. `left`, `right`: int32, columns of these. Fills `patterns`: int64.
    """
    patterns[:count] = 0
    for field in range(len(plan.kinds)):
        top = np.int64(plan.tops[field])
        if top == 0:  # blocks, and is not compared
            continue
        differ = _settle(codes, field, top, left, right, count, scratch.waiting, patterns)
        if top > 2 and differ > 0:
            if plan.kinds[field] == TEXT:
                _text_levels(values, plan, scratch, codes, field, left, right, differ, patterns)
            else:
                _other_levels(values, plan, codes, field, left, right, scratch.waiting, differ, patterns)
        if plan.partners[field] >= 0:
            _mark_swaps(plan, codes, left, right, count, patterns, field)
        if plan.group[field] != 0:
            _mark_elsewhere(plan, codes, left, right, count, patterns, field)
    for field in range(len(plan.kinds)):
        if plan.echoes[field] >= 0:
            _hush_echoes(plan, codes, left, right, count, patterns, field)


@compiled
def _swapped(codes: np.ndarray, i: int, j: int, field: int, partner: int) -> bool:
    a, b = codes[field, i], codes[partner, i]
    return a != b and a >= 0 and b >= 0 and a == codes[partner, j] and b == codes[field, j]


@compiled
def _mark_swaps(plan: Plan, codes: np.ndarray, left: np.ndarray, right: np.ndarray, count: int, patterns: np.ndarray, field: int) -> None:
    first, end = plan.firsts[field], plan.firsts[field + 1]
    swap = np.int64(0)
    for place in range(first, end):
        if plan.tests[place] == SWAPPED:
            swap = np.int64(plan.levels[place])
    for k in range(count):
        level = patterns[k] >> (BITS * field) & (LEVELS - 1)
        if level < swap and _swapped(codes, left[k], right[k], field, plan.partners[field]):
            patterns[k] += (swap - level) << (BITS * field)


@compiled
def _mark_elsewhere(
    plan: Plan, codes: np.ndarray, left: np.ndarray, right: np.ndarray, count: int, patterns: np.ndarray, field: int
) -> None:
    """The level of values that stand in another field of the other record."""
    mark = np.int64(0)
    for place in range(plan.firsts[field], plan.firsts[field + 1]):
        if plan.tests[place] == ELSEWHERE:
            mark = np.int64(plan.levels[place])
    for k in range(count):
        level = patterns[k] >> (BITS * field) & (LEVELS - 1)
        if 0 < level < mark:
            a, b = codes[field, left[k]], codes[field, right[k]]
            for other in range(len(plan.kinds)):
                if plan.group[field] >> other & 1 and (codes[other, right[k]] == a or codes[other, left[k]] == b):
                    patterns[k] += (mark - level) << (BITS * field)
                    break


@compiled
def _hush_echoes(plan: Plan, codes: np.ndarray, left: np.ndarray, right: np.ndarray, count: int, patterns: np.ndarray, field: int) -> None:
    partner = plan.echoes[field]
    for k in range(count):
        if _swapped(codes, left[k], right[k], field, partner):
            patterns[k] &= ~(np.int64(LEVELS - 1) << (BITS * field))
