"""Concept labels, "SYSTEM/CODE": because a category's labels ascend, a prefix of a code is a range of
them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.files.frames import Category


def prefix_range(labels: Sequence[str], prefix: str) -> tuple[int, int]:
    """Positions of the labels, ascending, that begin with `prefix`: the first, and the one after the last."""
    return bisect_left(labels, prefix), bisect_left(labels, prefix + chr(0x10FFFF))


def with_prefix(concepts: Category, prefixes: Iterable[str]) -> np.ndarray:
    """Which rows have a concept that begins with one of `prefixes`: bool (n,)."""
    wanted = np.zeros(len(concepts.labels) + 1, bool)  # the last place is for rows without a concept
    for prefix in prefixes:
        begin, end = prefix_range(concepts.labels, prefix)
        wanted[begin:end] = True
    return wanted[concepts.places]
