"""Clusters of records: union-find under the constraint that some clusters never join."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def _root(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled
def join(parent: np.ndarray, exclusive: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join the clusters of each pair, in the order given, unless both are exclusive. Changes `parent` and
    `exclusive`.

    `parent`: int32 or int64 (n,), a forest whose roots are the smallest of their cluster. `exclusive`: bool
    (n,), at the roots. `left`, `right`: int64 (m,), 0 <= each < n. Returns bool (m,): are the two in one
    cluster now?
    """
    together = np.zeros(len(left), np.bool_)
    for k in range(len(left)):
        a, b = _root(parent, left[k]), _root(parent, right[k])
        if a != b and exclusive[a] and exclusive[b]:
            continue
        low, high = min(a, b), max(a, b)
        parent[high] = low
        exclusive[low] |= exclusive[high]
        together[k] = True
    return together


@compiled
def flatten(parent: np.ndarray) -> None:
    """Point every node of the forest `parent`, int32 or int64 (n,), at its root. Changes it."""
    for i in range(len(parent)):
        parent[i] = _root(parent, i)


@compiled
def representatives(cluster: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """The node of the smallest `rank` in each cluster, the first of several.

    `cluster`: int (n,), node at the root of each. `rank`: int64 (n,). Returns int64 (n,), of use at the
    roots.
    """
    best = np.arange(len(cluster))
    for i in range(len(cluster)):
        if rank[i] < rank[best[cluster[i]]] or (rank[i] == rank[best[cluster[i]]] and i < best[cluster[i]]):
            best[cluster[i]] = i
    return best
