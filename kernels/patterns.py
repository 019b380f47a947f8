"""The levels of all fields of a pair as one pattern: equality first, then what differs, then fields that
stand beside each other."""

from __future__ import annotations

import numpy as np

from kernels.comparisons import BITS, ELSEWHERE, LEVELS, SWAPPED, TEXT, Batch, Plan, Scratch, Values
from kernels.jit import compiled
from kernels.text_levels import text_levels
from kernels.value_levels import value_levels


@compiled
def add_levels(values: Values, plan: Plan, scratch: Scratch, batch: Batch, count: int) -> None:
    """The pattern of each of the first `count` pairs of the batch, no more than `scratch` has room for."""
    batch.patterns[:count] = 0
    for field in range(len(plan.kinds)):
        top = np.int64(plan.tops[field])
        if top == 0:  # blocks, and is not compared
            continue
        differ = _settle(batch, field, top, count, scratch.waiting)
        if top > 2 and differ > 0:
            if plan.kinds[field] == TEXT:
                text_levels(values, plan, scratch, batch, field, differ)
            else:
                value_levels(values, plan, batch, field, scratch.waiting, differ)
        if plan.partners[field] >= 0:
            _mark_swaps(plan, batch, count, field)
        if plan.group[field] != 0:
            _mark_elsewhere(plan, batch, count, field)
    for field in range(len(plan.kinds)):
        if plan.echoes[field] >= 0:
            _hush_echoes(plan, batch, count, field)


@compiled
def _settle(batch: Batch, field: int, top: int, count: int, waiting: np.ndarray) -> int:
    """What equality alone says of a field: unknown, different or equal. Returns how many pairs are different;
    `waiting` lists them."""
    codes, left, right, patterns = batch.codes, batch.left, batch.right, batch.patterns
    place, differ = BITS * field, 0
    for k in range(count):
        a, b = codes[field, left[k]], codes[field, right[k]]
        known, equal = (a >= 0) & (b >= 0), a == b
        patterns[k] |= np.int64(known) * (np.int64(1) + np.int64(equal) * (top - np.int64(1))) << place
        waiting[differ] = k
        differ += known & (a != b)
    return differ


@compiled
def _swapped(codes: np.ndarray, i: int, j: int, field: int, partner: int) -> bool:
    a, b = codes[field, i], codes[partner, i]
    return a != b and a >= 0 and b >= 0 and a == codes[partner, j] and b == codes[field, j]


@compiled
def _mark_swaps(plan: Plan, batch: Batch, count: int, field: int) -> None:
    codes, left, right, patterns = batch.codes, batch.left, batch.right, batch.patterns
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
def _mark_elsewhere(plan: Plan, batch: Batch, count: int, field: int) -> None:
    """The level of values that stand in another field of the other record."""
    codes, left, right, patterns = batch.codes, batch.left, batch.right, batch.patterns
    mark = np.int64(0)
    for place in range(plan.firsts[field], plan.firsts[field + 1]):
        if plan.tests[place] == ELSEWHERE:
            mark = np.int64(plan.levels[place])
    for k in range(count):
        level = patterns[k] >> (BITS * field) & (LEVELS - 1)
        if 0 < level < mark:
            a, b = codes[field, left[k]], codes[field, right[k]]
            for other in range(len(plan.kinds)):
                if plan.group[field] >> other & 1 and (
                    codes[other, right[k]] == a or codes[other, left[k]] == b
                ):
                    patterns[k] += (mark - level) << (BITS * field)
                    break


@compiled
def _hush_echoes(plan: Plan, batch: Batch, count: int, field: int) -> None:
    codes, left, right, patterns = batch.codes, batch.left, batch.right, batch.patterns
    partner = plan.echoes[field]
    for k in range(count):
        if _swapped(codes, left[k], right[k], field, partner):
            patterns[k] &= ~(np.int64(LEVELS - 1) << (BITS * field))
