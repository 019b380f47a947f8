"""Parts of a system of tables that can be worked on by themselves while everything else stays as it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipelines.disclosure.suppression.system import System


def blocks(system: System, size: int, active: np.ndarray) -> Iterator[np.ndarray]:
    """Cut the active variables into parts of `size` or somewhat more: int64 (k,), ascending, one after
    another.

    `active`: bool (n,). A part holds neighbouring positions of the longest dimension, where parents stand
    before their children, with all other dimensions whole. A system that is no single cube is one part.
    """
    cells = np.flatnonzero(active)
    if system.parents is None or len(cells) <= size:
        yield cells
        return
    shape = [len(each) for each in system.parents]
    longest = int(np.argmax(shape))
    position = cells // int(np.prod(shape[longest + 1 :])) % shape[longest]
    order = np.argsort(position, kind="stable")
    ends = np.cumsum(np.bincount(position, minlength=shape[longest]))
    begin = 0
    for end in ends.tolist():
        if end - begin >= size or (end == len(cells) and end > begin):
            yield np.sort(cells[order[begin:end]])
            begin = end
