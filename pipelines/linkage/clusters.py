"""Clusters of records, held on rank 0: first by number, then by weight, never two anchors in one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kernels.claims import ANCHOR_BEFORE
from kernels.components import flatten, join, representatives
from pipelines.compute.ranks import Ranks
from pipelines.linkage.numbers import Settled, national
from pipelines.linkage.rows import Rows, concat

UNUSED, TARGET, SEEKER = 0, 1, 2

_COLUMNS = ("record", "first", "anchor", "closed", "source", "facts", "first_day")


def gather_records(ranks: Ranks, rows: Rows) -> Rows | None:
    """One row for each record, ascending, on rank 0: `record`, `first`, `anchor`, `closed`, `source`,
    `national` (bool), `sex`, `birth` (packed) and `first_day` of its latest row."""
    last = np.flatnonzero(np.append(rows["record"][1:] != rows["record"][:-1], True)[: len(rows["record"])])
    records = {name: rows[name][last] for name in _COLUMNS if name != "facts"}
    records["sex"], records["birth"] = rows["facts"][last, 1].astype(np.int8), rows["facts"][last, 0]
    begins = np.append(0, last[:-1] + 1)[: len(last)]
    records["national"] = np.logical_or.reduceat(national(rows), begins) if len(last) else np.empty(0, bool)
    gathered = ranks.gather(records)
    return concat(gathered) if gathered is not None else None


@dataclass
class Clusters:
    """Clusters of n records: by number units, then by weight persons.

    `cluster`: int32 (n,), for each record the first record of its cluster. `exclusive`: bool (n,), at that
    record: has the cluster an anchor or a number of its own, so that it never joins another such? `role`:
    int8 (n,), what the record does in probabilistic linkage: `UNUSED`, `TARGET` or `SEEKER`.
    """

    cluster: np.ndarray
    exclusive: np.ndarray
    role: np.ndarray


def by_number(records: Rows, settled: Settled) -> Clusters:
    """Units: clusters of records that share a number, and records alone."""
    n = len(records["record"])
    cluster, anchored = np.arange(n, dtype=np.int32), np.zeros(n, bool)
    left, right = _places(records["record"], settled.left), _places(records["record"], settled.right)
    ties = settled.role == ANCHOR_BEFORE
    join(cluster, anchored, left[ties], right[ties])  # one person of the register under two numbers
    flatten(cluster)
    anchored[cluster[records["anchor"]]] = True
    join(cluster, anchored, left[~ties], right[~ties])
    flatten(cluster)
    exclusive = anchored
    numbered = records["national"].copy()
    numbered[np.searchsorted(records["record"], settled.disputed)] = False
    anchored = exclusive[cluster]
    exclusive[cluster[numbered]] = True
    return Clusters(cluster, exclusive, _roles(records, cluster, anchored, exclusive[cluster]))


def _places(records: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """int64 (m,): where each of `wanted` stands in `records`, ascending; looked up in order, which keeps the
    search in cache."""
    order = np.argsort(wanted)
    places = np.empty(len(wanted), np.int64)
    places[order] = np.searchsorted(records, wanted[order])
    return places


def _roles(records: Rows, cluster: np.ndarray, anchored: np.ndarray, exclusive: np.ndarray) -> np.ndarray:
    """Who is looked for, and who looks: of a cluster with an anchor the anchors, of one with a number alone
    all records; a record in neither looks. Sources that may not be re-identified take no part, nor does what
    is joined to them alone."""
    shut = np.zeros(len(cluster), bool)
    shut[cluster[records["closed"]]] = True
    role = np.zeros(len(cluster), np.int8)
    role[records["anchor"] | (exclusive & ~anchored & ~records["closed"])] = TARGET
    role[~exclusive & ~shut[cluster]] = SEEKER
    return role


def scatter(
    ranks: Ranks, records: Rows | None, clusters: Clusters | None, rows: Rows
) -> tuple[np.ndarray, np.ndarray]:
    """For this rank's n rows the cluster and the role of their record: int64 (n,), the first record of the
    cluster, and int8 (n,), as in `Clusters`."""
    record = np.cumsum(np.append(False, rows["record"][1:] != rows["record"][:-1])[: len(rows["record"])])
    counts = ranks.gather(int(record[-1]) + 1 if len(record) else 0)
    shares: list[tuple[np.ndarray, np.ndarray] | None] = [None] * ranks.size
    if clusters is not None and counts is not None:
        edges = np.cumsum([0, *counts])
        shares = [(clusters.cluster[a:b], clusters.role[a:b]) for a, b in pairwise(edges)]
    cluster, role = ranks.exchange(shares)[0]
    return cluster[record].astype(np.int64), role[record]


def by_weight(
    records: Rows, clusters: Clusters, pairs: Rows, threshold: int
) -> tuple[np.ndarray, np.ndarray]:
    """Join clusters by the pairs found, heaviest first, then by cluster. Changes `clusters`.

    `pairs`: `left`, `right` (int64, the first records of two units), `weight` (int32, 1/1000 bits);
    `threshold` in 1/1000 bits. Returns int32 (n,), for each record the first of its unit; int32 (n,), at
    these the weight by which the unit joined another, 0 if it did not.
    """
    before = clusters.cluster.copy()
    left, right, weight = decided(clusters, pairs, threshold)
    together = join(clusters.cluster, clusters.exclusive, left, right)
    flatten(clusters.cluster)
    joined = np.zeros(len(before), np.int32)
    for side in (left, right):
        np.maximum.at(joined, side[together], weight[together])
    return before, joined


def decided(clusters: Clusters, pairs: Rows, threshold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair of clusters once, at its best weight, heaviest first; without those that a rival makes
    unlikely.

    A record is at most one of the people who have an anchor or number of their own: the odds of each are
    taken against the sum of all. Returns int64 (m,), int64 (m,), the clusters of each pair, the smaller
    first; int32 (m,), its weight in 1/1000 bits.
    """
    left = np.minimum(pairs["left"], pairs["right"])
    right = np.maximum(pairs["left"], pairs["right"])
    weight = pairs["weight"]
    order = np.lexsort((-weight, right, left))
    left, right, weight = left[order], right[order], weight[order]
    once = np.append(True, (left[1:] != left[:-1]) | (right[1:] != right[:-1]))[: len(left)]
    left, right, weight = left[once], right[once], weight[once]
    odds = np.exp2(weight / 1000.0)
    one_sided = clusters.exclusive[left] != clusters.exclusive[right]
    seeker = np.where(clusters.exclusive[left], right, left)
    all_odds = np.bincount(seeker[one_sided], weights=odds[one_sided], minlength=len(clusters.cluster))
    rival = np.where(one_sided, all_odds[seeker] - odds, 0.0)
    likely = odds / (1.0 + np.maximum(rival, 0.0)) >= np.exp2(threshold / 1000.0) * (1 - 1e-9)
    left, right, weight = left[likely], right[likely], weight[likely]
    order = np.lexsort((right, left, -weight))
    return left[order], right[order], weight[order]


def persons_of(records: Rows, clusters: Clusters) -> np.ndarray:
    """int64 (n,): the record that names each record's person.

    The first delivered, then the one of the register, then the one of the smallest record key.
    """
    rank = records["first"].astype(np.int64) << 1 | ~records["anchor"]
    return representatives(clusters.cluster, rank)[clusters.cluster]
