"""Comparing two records field by field: how well two values agree, as a level, and the levels of all fields as one pattern.

Level 0 is "not known on one side", 1 is "different", and each level that a field names is one more, the best one the highest: a field with
levels equal, JW 0.9, JW 0.8 has 4, 3, 2. Two tests may lead to one level. A pattern holds four bits for each field, the first lowest.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kernels.distances import common_prefix, damerau_levenshtein, jaro_winkler, ones
from kernels.jit import compiled
from kernels.signatures import may_agree

BITS: Final = 4
LEVELS: Final = 1 << BITS
MOST_FIELDS: Final = 15

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
    -1 for none. `least`: uint8 (fields, 64, 64, 5), see `signatures.least_common`; all 0 where no bound holds. `partners`: int8
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
    (fields, 2**k), zero: levels of pairs of values that were met before."""

    masks: np.ndarray
    last: np.ndarray
    table: np.ndarray
    memo: np.ndarray


@compiled
def text_level(
    symbols: np.ndarray, starts: np.ndarray, derived: np.ndarray, breaks: np.ndarray, tests: np.ndarray, bounds: np.ndarray,
    sizes: np.ndarray, levels: np.ndarray, most: int, masks: np.ndarray, last: np.ndarray, table: np.ndarray, a: int, b: int,
) -> int:  # fmt: skip
    """Level of two different texts. The shorter is compared with the longer, of equal length the first in order with the other, so that
    the level depends on the two values alone. `tests`, `bounds`, `sizes`, `levels`: of one field; `most`: the most edits that it asks
    for."""
    start_a, start_b = starts[a], starts[b]
    length_a, length_b = starts[a + 1] - start_a, starts[b + 1] - start_b
    if length_a > length_b or (length_a == length_b and _after(symbols, start_a, start_b, length_a)):
        start_a, start_b, length_a, length_b = start_b, start_a, length_b, length_a
    similarity = -1.0
    edits = np.int64(-1)
    plain_edits = np.int64(-1)
    end = len(tests)
    for place in range(1, end):
        test, bound = tests[place], bounds[place]
        reached = False
        if length_a < sizes[place] or length_b < sizes[place]:
            continue
        if test == JARO_WINKLER:
            if similarity < 0:
                similarity = jaro_winkler(masks, symbols, start_a, length_a, start_b, length_b)
            reached = similarity >= bound
        elif test == DAMERAU_LEVENSHTEIN:
            if edits < 0:
                edits = np.int64(damerau_levenshtein(last, table, symbols, start_a, length_a, start_b, length_b, most, True))
            reached = edits <= bound
        elif test == LEVENSHTEIN:
            if plain_edits < 0:
                plain_edits = np.int64(damerau_levenshtein(last, table, symbols, start_a, length_a, start_b, length_b, most, False))
            reached = plain_edits <= bound
        elif test == PREFIX:
            wanted = np.int64(bound)
            reached = common_prefix(symbols, start_a, length_a, start_b, length_b, wanted) == wanted
        elif test == SAME:
            key = derived[np.int64(bound), a]
            reached = key >= 0 and key == derived[np.int64(bound), b]
        elif test == WORD:
            reached = _share_word(symbols, breaks, start_a, length_a, start_b, length_b)
        if reached:
            return np.int64(levels[place])
    return 1


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
def _text_levels(
    symbols: np.ndarray, starts: np.ndarray, derived: np.ndarray, breaks: np.ndarray, tests: np.ndarray, bounds: np.ndarray,
    sizes: np.ndarray, levels: np.ndarray, most: int, masks: np.ndarray, last: np.ndarray, table: np.ndarray, memo: np.ndarray,
    code: np.ndarray, left: np.ndarray, right: np.ndarray, closer: np.ndarray, count: int,
    patterns: np.ndarray, place: int,
) -> None:  # fmt: skip
    """Levels of pairs that no bound settles, looked up where two texts have met before. `memo`: uint64 (2**k,), of one field."""
    mask = np.uint64(len(memo) - 1)
    for each in range(count):
        k = closer[each]
        a, b = np.int64(code[left[k]]), np.int64(code[right[k]])
        key = np.uint64(min(a, b)) << np.uint64(30) | np.uint64(max(a, b))
        slot = ((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
        known = memo[slot]
        if known >> np.uint64(4) == key:
            level = np.int64(known & np.uint64(15))
        else:
            level = np.int64(text_level(symbols, starts, derived, breaks, tests, bounds, sizes, levels, most, masks, last, table, a, b))
            memo[slot] = key << np.uint64(4) | np.uint64(level)
        patterns[k] |= level << place


@compiled
def _other_levels(
    values: Values, plan: Plan, field: int, code: np.ndarray, left: np.ndarray, right: np.ndarray, closer: np.ndarray, count: int,
    patterns: np.ndarray,
) -> None:  # fmt: skip
    kind = plan.kinds[field]
    for each in range(count):
        k = closer[each]
        a, b = np.int64(code[left[k]]), np.int64(code[right[k]])
        if kind == DATE:
            level = np.int64(date_level(values, plan, field, a, b))
        elif kind == NUMBER:
            level = np.int64(number_level(values, plan, field, a, b))
        elif kind == SET:
            level = np.int64(set_level(values, plan, field, a, b))
        else:
            level = np.int64(bloom_level(values, plan, field, a, b))
        patterns[k] |= level << (BITS * field)


@compiled
def add_levels(
    values: Values, plan: Plan, scratch: Scratch, codes: np.ndarray, signs: np.ndarray, left: np.ndarray, right: np.ndarray, count: int,
    waiting: np.ndarray, patterns: np.ndarray,
) -> None:  # fmt: skip
    """The pattern of each of `count` pairs.

    `codes`: int32 (fields, m), -1 if unknown; `signs`: uint64 (fields, m), signatures of texts. `left`, `right`: int32, columns of these.
    `waiting`: int32, room for as many. Fills `patterns`: int64.
    """
    patterns[:count] = 0
    for field in range(len(plan.kinds)):
        kind = plan.kinds[field]
        top = np.int64(plan.tops[field])
        if top == 0:  # blocks, and is not compared
            continue
        least = plan.least[field]
        alone = top == 2  # nothing but equal and different
        place = BITS * field
        code, sign = codes[field], signs[field]
        closer = 0
        for k in range(count):
            a, b = code[left[k]], code[right[k]]
            level = np.int64(1)
            if a == b:
                level = top
            if a < 0 or b < 0:
                level = np.int64(0)
            elif a != b and not alone and (kind != TEXT or may_agree(sign[left[k]], sign[right[k]], least)):
                waiting[closer] = k
                closer += 1
                level = np.int64(0)
            patterns[k] |= level << place
        if kind == TEXT:
            first, end = plan.firsts[field], plan.firsts[field + 1]
            _text_levels(
                values.symbols, values.starts, values.derived, values.breaks, plan.tests[first:end], plan.bounds[first:end],
                plan.sizes[first:end], plan.levels[first:end],
                np.int64(plan.edits[field]), scratch.masks, scratch.last, scratch.table, scratch.memo[field], code, left, right, waiting,
                closer, patterns, place,
            )  # fmt: skip
        else:
            _other_levels(values, plan, field, code, left, right, waiting, closer, patterns)
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
