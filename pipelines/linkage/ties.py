"""What a match weight alone holds together: each person as a tree of units, a unit being the records that share a number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kernels.trees import spanning
from pipelines.linkage.clusters import Clusters, persons_of
from pipelines.linkage.rows import Rows
from pipelines.storage import Frame, array

CERTAIN = 2**31 - 1  # weight of what no tie holds


def tie_columns(nodes: Rows, clusters: Clusters, before: np.ndarray, numbered: np.ndarray, pairs: tuple[np.ndarray, ...]) -> Rows:
    """The records of each unit but the one that its person is known by, ascending: `record`, `unit`, `toward`, `weight`, `node`.

    `before`: for each node the first of its unit. `numbered`: bool (n,), at that node: has the unit an anchor or number of its own?
    `pairs`: `left`, `right`, `weight` of the units that `clusters.decided` found, heaviest first: of them those that hold the person
    together by the heaviest weights are the tree (Kruskal), whose root is the unit with an anchor or number, else the one that names the
    person.
    """
    left, right, weight = pairs
    kept = clusters.cluster[left] == clusters.cluster[right]
    left, right, weight = left[kept], right[kept], weight[kept]
    tree = spanning(left, right, len(before))
    toward, weights = _hung(_roots(nodes, clusters, before, numbered), left[tree], right[tree], weight[tree], clusters.cluster)
    named = nodes["record"][persons_of(nodes, replace(clusters, cluster=before))]
    node = np.flatnonzero(toward[before] >= 0)
    unit = before[node]
    return {
        "record": nodes["record"][node], "unit": named[node], "toward": named[toward[unit]], "weight": weights[unit], "node": node,
    }  # fmt: skip


def _roots(nodes: Rows, clusters: Clusters, before: np.ndarray, numbered: np.ndarray) -> np.ndarray:
    """int64 (n,), at the first node of each person: the unit that it is known by."""
    root = before[persons_of(nodes, clusters)].astype(np.int64)
    known = np.flatnonzero(numbered & (before == np.arange(len(before))))
    root[clusters.cluster[known]] = known
    return root


def _hung(roots: np.ndarray, left: np.ndarray, right: np.ndarray, weight: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each unit's neighbour on the way to the root, -1 for a root and for who has no tie (int64 (n,)), and that edge's weight (int32
    (n,))."""
    toward, weights = np.full(len(roots), -1, np.int64), np.zeros(len(roots), np.int32)
    reached = np.zeros(len(roots), bool)
    reached[roots[cluster[left]]] = True
    while len(left):
        for near, far in ((left, right), (right, left)):
            step = np.flatnonzero(reached[near] & ~reached[far])
            toward[far[step]], weights[far[step]] = near[step], weight[step]
            reached[far[step]] = True
        ahead = ~(reached[left] & reached[right])
        left, right, weight = left[ahead], right[ahead], weight[ahead]
    return toward, weights


def ways(ties: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The units of `ties` (schema TIES), ascending: their names, where each one's neighbour on the way to the root stands, and the weight.

    Returns int64 (u,), int64 (u,) which is `u` where the neighbour is the root, int32 (u,).
    """
    units, first = np.unique(array(ties, "unit"), return_index=True)
    toward = array(ties, "toward")[first]
    place = np.minimum(np.searchsorted(units, toward), max(len(units) - 1, 0))
    return units, np.where(units[place] == toward, place, len(units)) if len(units) else place, array(ties, "weight")[first]


def held(index: Frame, ties: Frame) -> tuple[np.ndarray, np.ndarray]:
    """For each record of an index its unit, and the weakest weight on its way to the root, `CERTAIN` for the root itself.

    Returns int64 (n,), below zero for roots, so that no two are alike; int32 (n,).
    """
    units, toward, weight = ways(ties)
    weakest, ahead = np.append(weight, np.int32(CERTAIN)), np.append(toward, len(units))
    while (ahead < len(units)).any():
        weakest, ahead = np.minimum(weakest, weakest[ahead]), ahead[ahead]
    unit, hold = -1 - array(index, "person"), np.full(len(array(index, "person")), CERTAIN, np.int32)
    place = np.searchsorted(array(index, "record"), array(ties, "record"))
    unit[place] = array(ties, "unit")
    hold[place] = weakest[np.searchsorted(units, array(ties, "unit"))]
    return unit, hold
