"""Levels of dates, numbers, sets and Bloom filters that differ."""

from __future__ import annotations

import numpy as np

from kernels.bits import ones
from kernels.comparisons import (
    BITS,
    DATE,
    DAY_MONTH,
    DAYS,
    JACCARD,
    MONTH_DAY,
    NUMBER,
    PARTS,
    SET,
    SLIP,
    WITHIN,
    YEAR,
    YEAR_PART,
    Batch,
    Plan,
    Values,
)
from kernels.jit import compiled


@compiled
def value_levels(
    values: Values, plan: Plan, batch: Batch, field: int, waiting: np.ndarray, count: int
) -> None:
    """Levels of values that are different and no texts, added to the patterns. `waiting`: int32
    (batch,), of which the first `count` are the pairs that differ."""
    codes, left, right, patterns = batch.codes, batch.left, batch.right, batch.patterns
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
    same_year, same_month, same_day = (
        x // 10000 == y // 10000,
        x // 100 % 100 == y // 100 % 100,
        x % 100 == y % 100,
    )
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
        room = (
            plan.bounds[place]
            if plan.tests[place] == WITHIN
            else plan.bounds[place] / 100.0 * max(abs(x), abs(y))
        )
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
