"""What the records of two clusters weigh against each other, all fields of all pairs together.

Two clusters are weighed by the prior plus, for each field, a power mean over all pairs of their records of
what the field's level weighs; a record that disagrees with some records and agrees with others of a person is
weighed by both.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kernels.comparisons import BITS, LEVELS, Batch, Plan, Scratch, Values
from kernels.jit import compiled, inlined
from kernels.patterns import add_levels

MOST_RECORDS: Final = 20  # of each of two clusters are weighed against each other
_MOST_PAIRS: Final = MOST_RECORDS * MOST_RECORDS
NEVER: Final = -(1 << 40)


class Evidence(NamedTuple):
    """What speaks for and against. Weights are in bits.

    `weights`: float64 (fields, LEVELS); `prior`: float64; `mean`: exponent of the power mean, above 0.
    `rarity`: float64 (fields, values), what a value adds where both records hold it; of fields without it the
    first is nan. `near_share`: part of that for the level next to equal. `tops`: int8 (fields,), level of
    equal values. `dependence`: float64 (terms, LEVELS, LEVELS) of the field pairs `first`, `second`: int8.
    """

    weights: np.ndarray
    prior: float
    mean: float
    rarity: np.ndarray
    rarity_begins: np.ndarray
    near_share: float
    tops: np.ndarray
    dependence: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Bars(NamedTuple):
    """What forbids that two records are one person. `single`: int8 (n,), 0-63 the duplicate-free source of
    each record, -1 for none. `unlike`: int32 (n, fields), values that differ in nobody, -1 if unknown;
    `since`, `until`: int32 (n, fields), days between which each holds. `before`, `after`: int32 (n, orders),
    days: none of `before` lies after one of `after` of the same person; the unknown are the smallest and
    largest. `apart`: int64, pairs known not to be one person, smaller << 32 | larger, ascending.
    """

    single: np.ndarray
    unlike: np.ndarray
    since: np.ndarray
    until: np.ndarray
    before: np.ndarray
    after: np.ndarray
    apart: np.ndarray


class Weigher(NamedTuple):
    """What weighing needs: `codes` int32 (n, fields); `order` int32 (n,), where each record stands in them;
    and memory: `batch_codes` int32 (fields, 2 * MOST_RECORDS), `left`, `right` int32 (MOST_RECORDS ** 2,),
    `patterns` int64."""

    codes: np.ndarray
    order: np.ndarray
    batch_codes: np.ndarray
    left: np.ndarray
    right: np.ndarray
    patterns: np.ndarray


def weigher(codes: np.ndarray, order: np.ndarray | None = None) -> Weigher:
    """Memory to weigh clusters of the records of `codes`: int32 (n, fields), as they stand or in some
    `order`."""
    order = np.arange(len(codes)) if order is None else order
    return Weigher(
        codes=codes,
        order=order.astype(np.int32),
        batch_codes=np.zeros((codes.shape[1], 2 * MOST_RECORDS), np.int32),
        left=np.zeros(_MOST_PAIRS, np.int32),
        right=np.zeros(_MOST_PAIRS, np.int32),
        patterns=np.zeros(_MOST_PAIRS, np.int64),
    )


class Grounds(NamedTuple):
    """All that clusters are weighed by: the values of records, how they are compared, and memory for it; what
    speaks for and against one person, and what forbids it."""

    values: Values
    plan: Plan
    scratch: Scratch
    room: Weigher
    evidence: Evidence
    bars: Bars


@compiled
def barred(bars: Bars, i: int, j: int) -> bool:
    """Does hard evidence forbid that two records are one person, duplicate-free sources aside?"""
    for field in range(bars.unlike.shape[1]):
        a, b = bars.unlike[i, field], bars.unlike[j, field]
        if (
            a >= 0
            and b >= 0
            and a != b
            and bars.since[i, field] <= bars.until[j, field]
            and bars.since[j, field] <= bars.until[i, field]
        ):
            return True
    for order in range(bars.before.shape[1]):
        if bars.before[i, order] > bars.after[j, order] or bars.before[j, order] > bars.after[i, order]:
            return True
    if len(bars.apart):
        key = np.int64(min(i, j)) << 32 | np.int64(max(i, j))
        place = np.searchsorted(bars.apart, key)
        return place < len(bars.apart) and bars.apart[place] == key
    return False


@compiled
def take(room: Weigher, record: int, place: int) -> None:
    """Lay the values of a record at a place of those that are weighed next."""
    row = room.order[record]
    for field in range(room.codes.shape[1]):
        room.batch_codes[field, place] = room.codes[row, field]


@inlined
def weigh(
    values: Values, plan: Plan, scratch: Scratch, room: Weigher, evidence: Evidence, lefts: int, rights: int
) -> float:
    """Weight of the records taken first against those taken next, in bits."""
    count = 0
    for i in range(lefts):
        for j in range(lefts, lefts + rights):
            room.left[count], room.right[count] = i, j
            count += 1
    batch = Batch(room.batch_codes, room.left, room.right, room.patterns)
    add_levels(values, plan, scratch, batch, count)
    return weight_of(room, evidence, count)


@compiled
def weight_of(room: Weigher, evidence: Evidence, count: int) -> float:
    """Weight in bits of `count` pairs that are compared, as evidence of two clusters."""
    total = evidence.prior
    for field in range(room.codes.shape[1]):
        top = evidence.tops[field]
        begin = evidence.rarity_begins[field]
        rare = evidence.rarity_begins[field + 1] > begin
        known = 0
        summed = 0.0
        for k in range(count):
            level = room.patterns[k] >> (BITS * field) & (LEVELS - 1)
            if level == 0:
                continue
            weight = evidence.weights[field, level]
            if rare and level == top:
                weight += evidence.rarity[begin + room.batch_codes[field, room.left[k]]]
            elif rare and level == top - 1 and top > 2:
                a, b = room.batch_codes[field, room.left[k]], room.batch_codes[field, room.right[k]]
                weight += min(evidence.rarity[begin + a], evidence.rarity[begin + b]) * evidence.near_share
            known += 1
            summed += 2.0 ** (evidence.mean * weight) if count > 1 else weight
        if known > 0:
            total += np.log2(summed / known) / evidence.mean if count > 1 else summed
    for term in range(len(evidence.first)):
        summed = 0.0
        for k in range(count):
            a = room.patterns[k] >> (BITS * evidence.first[term]) & (LEVELS - 1)
            b = room.patterns[k] >> (BITS * evidence.second[term]) & (LEVELS - 1)
            summed += evidence.dependence[term, a, b]
        total += summed / max(count, 1)
    return total


@compiled
def weight_of_two(room: Weigher, evidence: Evidence, bars: Bars, i: int, j: int, pattern: int) -> float:
    """Weight in bits of two records whose pattern is known, `NEVER` where hard evidence bars them."""
    if barred(bars, i, j):
        return float(NEVER)
    take(room, i, 0)
    take(room, j, 1)
    room.left[0], room.right[0], room.patterns[0] = 0, 1, pattern
    return weight_of(room, evidence, 1)
