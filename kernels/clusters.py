"""Clusters of records: joined while the evidence of all their records together, field by field, speaks for one person.

Two clusters are weighed by the prior plus, for each field, a power mean over all pairs of their records of what the field's level weighs; a
record that disagrees with some records and agrees with others of a person is weighed by both. A join that hard evidence forbids is never
made.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kernels.blocks import mix
from kernels.comparisons import BITS, LEVELS, Plan, Scratch, Values
from kernels.jit import compiled, inlined
from kernels.patterns import add_levels

MOST_RECORDS: Final = 20  # of each of two clusters are weighed against each other
_MOST_PAIRS: Final = MOST_RECORDS * MOST_RECORDS
NEVER: Final = -(1 << 40)


class Evidence(NamedTuple):
    """What speaks for and against. Weights are in bits.

    `weights`: float64 (fields, LEVELS); `prior`: float64; `mean`: exponent of the power mean, above 0. `rarity`: float64 (fields, values),
    what a value adds where both records hold it; of fields without it the first is nan. `near_share`: part of that for the level next to
    equal. `tops`: int8 (fields,), level of equal values. `dependence`: float64 (terms, LEVELS, LEVELS) of the field pairs `first`,
    `second`: int8.
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
    """What forbids that two records are one person. `single`: int8 (n,), 0-63 the duplicate-free source of each record, -1 for none.
    `unlike`: int32 (n, fields), values that differ in nobody, -1 if unknown; `since`, `until`: int32 (n, fields), days between which each
    holds. `before`, `after`: int32 (n, orders), days: none of `before` lies after one of `after` of the same person; the unknown are the
    smallest and largest. `apart`: int64, pairs known not to be one person, smaller << 32 | larger, ascending.
    """

    single: np.ndarray
    unlike: np.ndarray
    since: np.ndarray
    until: np.ndarray
    before: np.ndarray
    after: np.ndarray
    apart: np.ndarray


class _Members(NamedTuple):
    """Records of each cluster as chains. At a cluster's name: `head`, `tail`, `size`, `sources` (duplicate-free ones, as bits)."""

    head: np.ndarray
    after: np.ndarray
    before: np.ndarray
    size: np.ndarray
    sources: np.ndarray


@compiled
def _chains(label: np.ndarray, bars: Bars) -> _Members:
    n = len(label)
    head, after, before = np.full(n, -1, np.int32), np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    size, sources = np.zeros(n, np.int32), np.zeros(n, np.uint64)
    for i in range(n - 1, -1, -1):
        c = label[i]
        if head[c] >= 0:
            before[head[c]] = i
        after[i] = head[c]
        head[c] = i
        size[c] += 1
        if bars.single[i] >= 0:
            sources[c] |= np.uint64(1) << np.uint64(bars.single[i])
    return _Members(head, after, before, size, sources)


@compiled
def _barred(bars: Bars, i: int, j: int) -> bool:
    for field in range(bars.unlike.shape[1]):
        a, b = bars.unlike[i, field], bars.unlike[j, field]
        if a >= 0 and b >= 0 and a != b and bars.since[i, field] <= bars.until[j, field] and bars.since[j, field] <= bars.until[i, field]:
            return True
    for order in range(bars.before.shape[1]):
        if bars.before[i, order] > bars.after[j, order] or bars.before[j, order] > bars.after[i, order]:
            return True
    if len(bars.apart):
        key = np.int64(min(i, j)) << 32 | np.int64(max(i, j))
        place = np.searchsorted(bars.apart, key)
        return place < len(bars.apart) and bars.apart[place] == key
    return False


class Weigher(NamedTuple):
    """What weighing needs: `codes` int32 (n, fields); `order` int32 (n,), where each record stands in them; and memory: `batch_codes` int32
    (fields, 2 * MOST_RECORDS), `left`, `right` int32 (MOST_RECORDS ** 2,), `patterns` int64."""

    codes: np.ndarray
    order: np.ndarray
    batch_codes: np.ndarray
    left: np.ndarray
    right: np.ndarray
    patterns: np.ndarray


def weigher(codes: np.ndarray, order: np.ndarray | None = None) -> Weigher:
    """Memory to weigh clusters of the records of `codes`: int32 (n, fields), as they stand or in some `order`."""
    order = np.arange(len(codes)) if order is None else order
    return Weigher(
        codes, order.astype(np.int32), np.zeros((codes.shape[1], 2 * MOST_RECORDS), np.int32), np.zeros(_MOST_PAIRS, np.int32),
        np.zeros(_MOST_PAIRS, np.int32), np.zeros(_MOST_PAIRS, np.int64),
    )  # fmt: skip


@compiled
def _take(room: Weigher, record: int, place: int) -> None:
    row = room.order[record]
    for field in range(room.codes.shape[1]):
        room.batch_codes[field, place] = room.codes[row, field]


@inlined
def _weigh(values: Values, plan: Plan, scratch: Scratch, room: Weigher, evidence: Evidence, lefts: int, rights: int) -> float:
    """Weight of the records taken first against those taken next, in bits."""
    count = 0
    for i in range(lefts):
        for j in range(lefts, lefts + rights):
            room.left[count], room.right[count] = i, j
            count += 1
    add_levels(values, plan, scratch, room.batch_codes, room.left, room.right, count, room.patterns)
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
def _between(
    values: Values, plan: Plan, scratch: Scratch, room: Weigher, evidence: Evidence, bars: Bars, members: _Members, a: int, b: int
) -> float:
    """Weight of two clusters, `NEVER` where hard evidence bars them."""
    lefts = 0
    i = members.head[a]
    while i >= 0:
        j = members.head[b]
        while j >= 0:
            if _barred(bars, i, j):
                return float(NEVER)
            j = members.after[j]
        if lefts < MOST_RECORDS:
            _take(room, i, lefts)
            lefts += 1
        i = members.after[i]
    rights = 0
    j = members.head[b]
    while j >= 0 and rights < MOST_RECORDS:
        _take(room, j, lefts + rights)
        rights += 1
        j = members.after[j]
    return _weigh(values, plan, scratch, room, evidence, lefts, rights)


@compiled
def _of_two(room: Weigher, evidence: Evidence, bars: Bars, i: int, j: int, pattern: int) -> float:
    """Weight of two records whose pattern is known, `NEVER` where hard evidence bars them."""
    if _barred(bars, i, j):
        return float(NEVER)
    _take(room, i, 0)
    _take(room, j, 1)
    room.left[0], room.right[0], room.patterns[0] = 0, 1, pattern
    return weight_of(room, evidence, 1)


@compiled
def agglomerate(
    values: Values, plan: Plan, scratch: Scratch, room: Weigher, evidence: Evidence, bars: Bars, left: np.ndarray, right: np.ndarray,
    patterns: np.ndarray, sure: int, threshold: float, label: np.ndarray, stirred: np.ndarray,
) -> int:  # fmt: skip
    """Join clusters along pairs, in the order given. Changes `label`.

    `left`, `right`: int32 (pairs,), records; `patterns`: int64, what their comparison showed, -1 if not known. The first `sure` are one
    person unless hard evidence bars it, the others if their clusters weigh more than `threshold` bits. `label`: int32 (n,), the cluster of
    each record, named by one of its records. `stirred`: bool (n,), set at clusters that grow. Returns the joins.
    """
    members = _chains(label, bars)
    tails = np.full(len(label), -1, np.int32)
    for i in range(len(label)):
        tails[label[i]] = i
    size = 1 << 12
    while size < 2 * len(left) and size < 1 << 22:
        size *= 2
    refused = np.zeros(size, np.uint64)  # pairs of clusters weighed in vain, at their present sizes
    joins = 0
    for k in range(len(left)):
        a, b = label[left[k]], label[right[k]]
        if a == b:
            continue
        if members.head[a] > members.head[b]:  # not by name, for names may come from elsewhere
            a, b = b, a
        if members.sources[a] & members.sources[b] != np.uint64(0):
            continue
        key = mix(
            mix(np.uint64(a) << np.uint64(32) | np.uint64(b)) ^ (np.uint64(members.size[a]) << np.uint64(32) | np.uint64(members.size[b]))
        ) | np.uint64(1)
        slot = np.int64(key >> np.uint64(20)) & (size - 1)
        if refused[slot] == key:
            continue
        if patterns[k] >= 0 and members.size[a] == 1 and members.size[b] == 1:
            weight = _of_two(room, evidence, bars, members.head[a], members.head[b], patterns[k])
        else:
            weight = _between(values, plan, scratch, room, evidence, bars, members, a, b)
        if weight <= (float(NEVER) if k < sure else threshold):
            refused[slot] = key
            continue
        joins += 1
        stirred[a] = stirred[b] = True
        if members.size[a] < members.size[b]:
            a, b = b, a
        i = members.head[b]
        while i >= 0:
            label[i] = a
            i = members.after[i]
        members.after[tails[a]] = members.head[b]
        members.before[members.head[b]] = tails[a]
        tails[a] = tails[b]
        members.size[a] += members.size[b]
        members.sources[a] |= members.sources[b]
        members.size[b], members.head[b] = 0, -1
    return joins


@compiled
def rearrange(
    values: Values, plan: Plan, scratch: Scratch, room: Weigher, evidence: Evidence, bars: Bars, begins: np.ndarray, others: np.ndarray,
    threshold: float, label: np.ndarray, stirred: np.ndarray,
) -> int:  # fmt: skip
    """Move each record to the neighbouring cluster that weighs most for it, or to none if none weighs more than `threshold`. Changes
    `label`.

    `begins`: int64 (n + 1,), `others`: int32: the records paired with each. `stirred`: bool (n,), clusters that changed since they were
    last looked at; a record is looked at if its cluster or a neighbour's is such, and one that could go nowhere is not. Returns the moves.
    """
    n = len(label)
    again = np.zeros(n, np.bool_)
    members = _chains(label, bars)
    seen = np.full(n, -1, np.int32)
    free = np.empty(n, np.int32)
    frees = 0
    for i in range(n):
        if members.head[i] < 0:
            free[frees] = i
            frees += 1
    moves = 0
    for i in range(n):
        own = label[i]
        alone = members.size[own] == 1
        elsewhere = False
        fresh = stirred[own]
        for place in range(begins[i], begins[i + 1]):
            c = label[others[place]]
            elsewhere |= c != own
            fresh |= stirred[c]
        if not fresh or not (elsewhere or members.size[own] > 2):
            continue
        best, best_weight = np.int64(-1), threshold
        own_weight = threshold
        for place in range(begins[i], begins[i + 1] + 1):
            c = own if place == begins[i + 1] else label[others[place]]
            if seen[c] == i or (c == own and alone):
                continue
            seen[c] = i
            if c != own and bars.single[i] >= 0 and members.sources[c] >> np.uint64(bars.single[i]) & np.uint64(1):
                continue
            weight = _one_against(values, plan, scratch, room, evidence, bars, members, i, c)
            if c == own:
                own_weight = weight
            if weight > best_weight or (weight == best_weight and c == own):
                best, best_weight = np.int64(c), weight
        target = np.int64(own)
        if best >= 0 and best != own and best_weight > own_weight:
            target = best
        elif best < 0 and not alone and own_weight < threshold:
            frees -= 1
            target = np.int64(free[frees])
        if target == own:
            continue
        moves += 1
        again[own] = again[target] = True
        if members.before[i] >= 0:
            members.after[members.before[i]] = members.after[i]
        else:
            members.head[own] = members.after[i]
        if members.after[i] >= 0:
            members.before[members.after[i]] = members.before[i]
        members.size[own] -= 1
        if members.size[own] == 0:
            free[frees] = own
            frees += 1
        members.before[i], members.after[i] = -1, members.head[target]
        if members.head[target] >= 0:
            members.before[members.head[target]] = i
        members.head[target] = i
        members.size[target] += 1
        label[i] = target
        if bars.single[i] >= 0:
            bit = np.uint64(1) << np.uint64(bars.single[i])
            members.sources[own] &= ~bit
            members.sources[target] |= bit
    stirred[:] = again
    return moves


@compiled
def _one_against(
    values: Values, plan: Plan, scratch: Scratch, room: Weigher, evidence: Evidence, bars: Bars, members: _Members, i: int, c: int
) -> float:
    """Weight of one record against a cluster, itself left out."""
    _take(room, i, 0)
    taken = 1
    j = members.head[c]
    while j >= 0:
        if j != i:
            if _barred(bars, i, j):
                return float(NEVER)
            if taken <= MOST_RECORDS:
                _take(room, j, taken)
                taken += 1
        j = members.after[j]
    return _weigh(values, plan, scratch, room, evidence, 1, taken - 1)
