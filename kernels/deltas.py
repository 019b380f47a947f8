"""Pairs given one by one, compared: what a delta needs, for its pairs are few and no rule's rows stand block by block."""

from __future__ import annotations

import numpy as np

from kernels.comparisons import TEXT, Plan, Scratch, Values, add_levels
from kernels.jit import compiled
from kernels.streams import Weights, most_weight

_BATCH = 512


@compiled
def promising(
    values: Values, plan: Plan, scratch: Scratch, codes: np.ndarray, left: np.ndarray, right: np.ndarray, weights: Weights
) -> tuple[np.ndarray, np.ndarray]:
    """Of the pairs those that may weigh as much as the floor of `weights`: int64, their places, and int64, their patterns.

    `codes`: int32 (n, fields), -1 if unknown; `left`, `right`: int32 (m,), records; quickest where one record's pairs come together.
    """
    fields = len(plan.kinds)
    found, shown = np.empty(len(left), np.int64), np.empty(len(left), np.int64)
    here, signs = np.empty((fields, 2 * _BATCH), np.int32), np.zeros((fields, 2 * _BATCH), np.uint64)
    places = np.arange(2 * _BATCH).astype(np.int32)
    waiting, patterns = np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int64)
    number = 0
    for begin in range(0, len(left), _BATCH):
        count = min(_BATCH, len(left) - begin)
        for k in range(count):
            a, b = left[begin + k], right[begin + k]
            for field in range(fields):
                first, second = codes[a, field], codes[b, field]
                here[field, k], here[field, _BATCH + k] = first, second
                if plan.kinds[field] == TEXT and plan.tops[field] > 2 and first != second and first >= 0 and second >= 0:
                    signs[field, k], signs[field, _BATCH + k] = values.signatures[first], values.signatures[second]
        add_levels(values, plan, scratch, here, signs, places[:_BATCH], places[_BATCH:], count, waiting, patterns)
        for k in range(count):
            if most_weight(patterns[k], weights) >= weights.floor:
                found[number], shown[number] = begin + k, patterns[k]
                number += 1
    return found[:number].copy(), shown[:number].copy()
