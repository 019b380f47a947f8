"""Who could work out what: cells that never change unless someone's own cells do, over many changes at once,
a bit for each."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def exposed(
    moved: np.ndarray, disturbed: np.ndarray, own: np.ndarray, first: int, last: int, found: np.ndarray
) -> int:
    """Pairs of a cell from `first` to `last` - 1 and a person whose cells change in every change of that
    cell.

    `moved`: uint64 (cells, words), the changes in which a cell differs, a bit each. `disturbed`: uint64
    (words, persons), those in which some cell of a person does. `own`: int64 (cells,), the person who is
    alone in a cell, -1 for none; not a pair. Writes as many pairs (cell, person) as there is room for into
    `found`, int64 (room, 2), and returns how many there are.
    """
    words, persons = disturbed.shape
    count = 0
    for c in range(first, last):
        lead = 0
        while lead < words and moved[c, lead] == 0:
            lead += 1
        if lead == words:
            continue
        for p in range(persons):
            if moved[c, lead] & ~disturbed[lead, p] or p == own[c]:
                continue
            always = True
            for w in range(lead + 1, words):
                if moved[c, w] & ~disturbed[w, p]:
                    always = False
                    break
            if always:
                if count < len(found):
                    found[count, 0], found[count, 1] = c, p
                count += 1
    return count
