"""Binary search for compiled code."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def lower_bound(values: np.ndarray, low: int, high: int, wanted: int) -> int:
    """The first place of `low` to `high` - 1 whose value is at least `wanted`, `high` if none is. `values`:
    integers (n,), ascending between them."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low
