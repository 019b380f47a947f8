"""Concept labels, "SYSTEM/CODE": because a category's labels ascend, a prefix of a code is a range of
them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.files.frames import Category
from pipelines.study.codes import is_whole


def prefix_range(labels: Sequence[str], prefix: str) -> tuple[int, int]:
    """Positions of the labels, ascending, that begin with `prefix`, or are it where it is a whole code: the
    first, and the one after the last."""
    if is_whole(prefix):
        return bisect_left(labels, prefix), bisect_right(labels, prefix)
    return bisect_left(labels, prefix), bisect_left(labels, prefix + chr(0x10FFFF))


def with_prefix(concepts: Category, prefixes: Iterable[str]) -> np.ndarray:
    """Which rows have a concept that begins with one of `prefixes`, or is it where that is a whole code: bool
    (n,)."""
    wanted = np.zeros(len(concepts.labels) + 1, bool)  # the last place is for rows without a concept
    for prefix in prefixes:
        begin, end = prefix_range(concepts.labels, prefix)
        wanted[begin:end] = True
    return wanted[concepts.places]
