"""Clusters of records: joined while the evidence of all their records together, field by field, speaks for
one person.

`kernels.weighing` says how two clusters are weighed. A join that hard evidence forbids is never made.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.blocks import mix
from kernels.jit import compiled
from kernels.weighing import MOST_RECORDS, NEVER, Bars, Grounds, Weigher, barred, take, weigh, weight_of_two


class Links(NamedTuple):
    """Pairs along which clusters may join. `left`, `right`: int32 (pairs,), records; `patterns`: int64
    (pairs,), what their comparison showed, -1 if not known."""

    left: np.ndarray
    right: np.ndarray
    patterns: np.ndarray


class _Members(NamedTuple):
    """Records of each cluster as chains, ascending at first. Of each record: `after`, `before`: int32 (n,),
    -1 for none. At a cluster's name: `head`, its first record, int32 (n,), -1 where no cluster is so named;
    `size`: int32 (n,); `sources`: uint64 (n,), the duplicate-free ones, as bits."""

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
def _side_by_side(room: Weigher, bars: Bars, members: _Members, a: int, b: int) -> tuple[int, int]:
    """Take records of two clusters to be weighed: how many of each, -1 where hard evidence bars them."""
    lefts = 0
    i = members.head[a]
    while i >= 0:
        j = members.head[b]
        while j >= 0:
            if barred(bars, i, j):
                return -1, -1
            j = members.after[j]
        if lefts < MOST_RECORDS:
            take(room, i, lefts)
            lefts += 1
        i = members.after[i]
    rights = 0
    j = members.head[b]
    while j >= 0 and rights < MOST_RECORDS:
        take(room, j, lefts + rights)
        rights += 1
        j = members.after[j]
    return lefts, rights


@compiled
def agglomerate(
    grounds: Grounds, links: Links, sure: int, threshold: float, label: np.ndarray, stirred: np.ndarray
) -> int:
    """Join clusters along pairs, in the order given. Changes `label`.

    The first `sure` of `links` are one person unless hard evidence bars it, the others if their clusters
    weigh more than `threshold` bits. `label`: int32 (n,), the cluster of each record, named by one of its
    records. `stirred`: bool (n,), set at clusters that grow. Returns the joins.
    """
    values, plan, scratch, room, evidence, bars = grounds
    left, right, patterns = links
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
            mix(np.uint64(a) << np.uint64(32) | np.uint64(b))
            ^ (np.uint64(members.size[a]) << np.uint64(32) | np.uint64(members.size[b]))
        ) | np.uint64(1)
        slot = np.int64(key >> np.uint64(20)) & (size - 1)
        if refused[slot] == key:
            continue
        if patterns[k] >= 0 and members.size[a] == 1 and members.size[b] == 1:
            weight = weight_of_two(room, evidence, bars, members.head[a], members.head[b], patterns[k])
        else:
            weight = float(NEVER)
            lefts, rights = _side_by_side(room, bars, members, a, b)
            if lefts >= 0:
                weight = weigh(values, plan, scratch, room, evidence, lefts, rights)
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
    grounds: Grounds,
    begins: np.ndarray,
    others: np.ndarray,
    threshold: float,
    label: np.ndarray,
    stirred: np.ndarray,
) -> int:
    """Move each record to the neighbouring cluster that weighs most for it, or to none if none weighs more
    than `threshold` bits. Changes `label`: int32 (n,), as `agglomerate` does.

    `begins`: int64 (n + 1,), `others`: int32 (begins[n],): the records paired with each. `stirred`: bool
    (n,), clusters that changed since they were last looked at; a record is looked at if its cluster or a
    neighbour's is such, and one that could go nowhere is not. Returns the moves.
    """
    values, plan, scratch, room, evidence, bars = grounds
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
            if (
                c != own
                and bars.single[i] >= 0
                and members.sources[c] >> np.uint64(bars.single[i]) & np.uint64(1)
            ):
                continue
            weight = float(NEVER)
            beside = _one_beside(room, bars, members, i, c)
            if beside >= 0:
                weight = weigh(values, plan, scratch, room, evidence, 1, beside)
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
def _one_beside(room: Weigher, bars: Bars, members: _Members, i: int, c: int) -> int:
    """Take one record and those of a cluster, itself left out, to be weighed: how many of the cluster, -1
    where hard evidence bars them."""
    take(room, i, 0)
    taken = 1
    j = members.head[c]
    while j >= 0:
        if j != i:
            if barred(bars, i, j):
                return -1
            if taken <= MOST_RECORDS:
                take(room, j, taken)
                taken += 1
        j = members.after[j]
    return taken - 1
