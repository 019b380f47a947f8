"""Other tables that agree with all that is shown, by walks over the columns of a proposal (`kernels.worlds`).

One walk changes most of the hidden cells at once, so a few dozen of them certify a whole table; a walk that
has to leave some cells as they are is what someone cannot exclude who knows these. Each has random numbers of
its own, so threads do not decide what it finds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kernels.basis import Basis, shorten
from kernels.worlds import lattice, walk, wish
from pipelines.disclosure.suppression.bounds import Bounds
from pipelines.disclosure.suppression.moves import Move

_PASSES = 12
_WIDE = 1000


class Worlds:
    """`variables`: int64 (k,), ascending, those that some column changes."""

    def __init__(self, columns: Basis, bounds: Bounds, seed: int) -> None:
        shorten(columns, _PASSES)
        kept = np.flatnonzero(columns.length[: columns.number[0]] > 0)
        length = columns.length[kept]
        begin = np.concatenate([[0], np.cumsum(length)])
        entries = np.arange(begin[-1]) + np.repeat(columns.start[kept] - begin[:-1], length)
        self.variables, cell = np.unique(columns.cell[entries].astype(np.int64), return_inverse=True)
        self._lattice = lattice(len(self.variables), begin, cell.ravel(), columns.value[entries])
        self._lower, self._upper = bounds.lower[self.variables], bounds.upper[self.variables]
        self._seed = seed

    def find(
        self, sought: Sequence[np.ndarray], steps: int, still: Sequence[np.ndarray] | None = None
    ) -> list[Move]:
        """For each list of variables one move that changes as many of them as can be found, the first ones
        first.

        `sought`: int64 (k,) each, in order; `steps`: how many columns may be added for one variable. `still`:
        for each list bool (variables of the system,), those that may not change. Moves of nothing are left
        out.
        """
        if not len(self.variables):
            return []
        seeds = range(self._seed, self._seed + len(sought))
        self._seed += len(sought)
        masks = still if still is not None else [None] * len(sought)
        with ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), max(1, len(sought)))) as pool:
            found = list(pool.map(self._find, sought, seeds, [steps] * len(sought), masks))
        return [move for move in found if len(move.variables)]

    def _places(self, sought: np.ndarray) -> np.ndarray:
        place = np.searchsorted(self.variables, sought)
        return place[self.variables[np.minimum(place, len(self.variables) - 1)] == sought]

    def _find(self, sought: np.ndarray, seed: int, steps: int, still: np.ndarray | None) -> Move:
        lower, upper = self._lower, self._upper
        if still is not None:
            free = ~still[self.variables]
            lower, upper = lower * free, upper * free
        state = walk(np.zeros(len(self.variables), np.int64), lower, upper, seed * 7919)
        wish(self._lattice, state, self._places(sought), steps, _WIDE)
        changed = np.flatnonzero(state.change)
        return Move(self.variables[changed], state.change[changed])
