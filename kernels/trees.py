"""Trees over clusters: which of many ties hold a cluster together."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def spanning(left: np.ndarray, right: np.ndarray, size: int) -> np.ndarray:
    """Is each edge, in the order given, one that joins two parts not joined before (Kruskal, 1956)?

    `left`, `right`: int64 (m,), 0 <= each < `size`. Returns bool (m,).
    """
    parent = np.arange(size)
    joins = np.zeros(len(left), np.bool_)
    for k in range(len(left)):
        a, b = left[k], right[k]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a != b:
            parent[max(a, b)] = min(a, b)
            joins[k] = True
    return joins
