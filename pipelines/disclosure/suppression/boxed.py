"""Short moves around one cell of a cube, drawn: one box (`kernels.boxes`), the quickest way to a move where
any box is within the bounds; and chains of boxes (`kernels.chains`), which mend what the first one breaks.

Both take a stated number of draws and steps and then give up, so what they cost is bounded; the dearer a cell
may be, the surer a chain is found.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from kernels.boxes import Grid, Rules, find_box
from kernels.chains import Ask, chain, find_chain
from pipelines.disclosure.suppression.moves import Move
from pipelines.disclosure.suppression.system import System

_DRAWS = 10_000
_CHAIN_DRAWS, _CHAIN_STEPS, _CHAINS = 60, 150, 4  # of a chain: boxes in a step, and steps; chains for a cell
_OVER = 4.0  # all that a chain opens may cost so many times as much as one cell of it


class Boxes:
    """Of a system whose variables are the cells of one cube."""

    def __init__(
        self, system: System, parents: tuple[tuple[int, ...], ...], lower: np.ndarray, upper: np.ndarray
    ) -> None:
        """`parents`: of each dimension's positions; `lower`, `upper`: int64 (n,), least and greatest change
        of each variable."""
        shape = np.array([len(each) for each in parents], np.int64)
        stride = np.append(np.cumprod(shape[::-1])[::-1][1:], 1).astype(np.int64)
        begin = np.concatenate([[0], np.cumsum(shape)[:-1]]).astype(np.int64)
        leaf = np.concatenate([~np.isin(np.arange(len(each)), np.array(each)) for each in parents])
        self._grid = Grid(
            shape, stride, begin, np.concatenate([np.array(each, np.int64) for each in parents]), leaf
        )
        self._system, self._lower, self._upper = system, lower.copy(), upper.copy()
        self._chain = chain(system.size)
        self._seed = 0

    def find(self, cell: int, price: np.ndarray, spared: Collection[int], most: float) -> Move | None:
        """The cheapest drawn box that changes `cell` and nothing of those in `spared`, for at most `most`;
        None if there was none.

        `price`: float64 (n,), for each unit of change.
        """
        self._seed += 1
        still = self._system.own(spared)
        lower, upper = self._lower[still], self._upper[still]
        self._lower[still], self._upper[still] = 0, 0
        rules = Rules(self._lower, self._upper, price)
        cells, changes = find_box(self._grid, rules, cell, _DRAWS, most, self._seed * 7919 + cell)
        self._lower[still], self._upper[still] = lower, upper
        return Move(cells, changes) if len(cells) else None

    def chained(self, cell: int, price: np.ndarray, spared: Collection[int], most: float) -> Move | None:
        """The cheapest of a few chains that change `cell` and nothing of those in `spared`, and open no cell
        dearer than `most`; None if none was found.

        `price`: float64 (n,), of opening each variable, 0 where it is hidden.
        """
        rules, still = Rules(self._lower, self._upper, price), self._system.own(spared)
        best, least = None, _OVER * most
        for each in range(_CHAINS):
            way = 1 if self._lower[cell] == 0 or each % 2 else -1
            self._seed += 1
            ask = Ask(cell, way, most, _CHAIN_DRAWS, _CHAIN_STEPS)
            cells, changes = find_chain(self._grid, rules, self._chain, ask, still, self._seed * 7919 + cell)
            if len(cells) and (cost := float(price[cells].sum())) <= least:
                best, least = Move(cells, changes), cost
            if best is not None and least == 0:
                break
        return best
