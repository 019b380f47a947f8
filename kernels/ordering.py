"""A total order over many integer columns, made with few sorts: columns are packed into 64-bit words, ties
alone are looked at twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def packed_words(columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Columns as few uint64 words whose order, word by word, is the order of the columns, first to last.

    `columns`: signed integers (n,), n > 0. A column takes as many bits as its range needs.
    """
    words: list[np.ndarray] = []
    word, used = np.zeros(len(columns[0]), np.uint64), 0
    for column in columns:
        low, high = int(column.min()), int(column.max())
        bits = (high - low).bit_length()
        if not bits:
            continue
        offset = column.astype(np.int64).view(np.uint64) - np.uint64(low % 2**64)
        if used + bits > 64:
            words.append(word)
            word, used = offset, bits
        else:
            word, used = (word << np.uint64(bits)) | offset, used + bits
    words.append(word)
    return words


def distinct_order(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Positions of the distinct rows, ascending by the columns, first to last.

    `columns`: signed integers (n,). Returns int64 (m,), m <= n: of rows equal in every column one is kept.
    """
    if not len(columns[0]):
        return np.empty(0, np.int64)
    first, *rest = packed_words(columns)
    order = np.argsort(first)
    ranked = first[order]
    same = ranked[1:] == ranked[:-1]
    if not same.any():
        return order
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    rows = order[tied]
    rows = rows[np.lexsort([*(word[rows] for word in reversed(rest)), first[rows]])]
    order[tied] = rows
    repeats = first[rows[1:]] == first[rows[:-1]]
    for word in rest:
        repeats &= word[rows[1:]] == word[rows[:-1]]
    return np.delete(order, tied[1:][repeats])


def range_bounds(ranges: int) -> np.ndarray:
    """int64 (ranges - 1,): the smallest number of each range but the first, where the non-negative int64 are
    cut into equal `ranges`.

    A number's range is floor(number * ranges / 2**63), or its position here (`np.searchsorted`, side
    "right").
    """
    return np.array([-(-(each << 63) // ranges) for each in range(1, ranges)], np.int64)
