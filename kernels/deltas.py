"""Pairs given one by one, compared: what a delta needs, for its pairs are few and no rule's rows stand block by block."""

from __future__ import annotations

import numpy as np

from kernels.comparisons import TEXT, Plan, Scratch, Values, add_levels
from kernels.jit import compiled

_BATCH = 512


@compiled
def compare(values: Values, plan: Plan, scratch: Scratch, codes: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """int64 (m,): the pattern of each pair. `codes`: int32 (n, fields), -1 if unknown; `left`, `right`: int32 (m,), records."""
    fields = len(plan.kinds)
    out = np.empty(len(left), np.int64)
    here, signs = np.empty((fields, 2 * _BATCH), np.int32), np.zeros((fields, 2 * _BATCH), np.uint64)
    places = np.arange(2 * _BATCH).astype(np.int32)
    waiting, patterns = np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int64)
    for begin in range(0, len(left), _BATCH):
        count = min(_BATCH, len(left) - begin)
        for k in range(count):
            a, b = left[begin + k], right[begin + k]
            for field in range(fields):
                first, second = codes[a, field], codes[b, field]
                here[field, k], here[field, _BATCH + k] = first, second
                if plan.kinds[field] == TEXT:
                    if first >= 0:
                        signs[field, k] = values.signatures[first]
                    if second >= 0:
                        signs[field, _BATCH + k] = values.signatures[second]
        add_levels(values, plan, scratch, here, signs, places[:_BATCH], places[_BATCH:], count, waiting, patterns)
        out[begin : begin + count] = patterns[:count]
    return out
