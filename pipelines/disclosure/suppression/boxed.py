"""Short moves around one cell of a cube, drawn (`kernels.boxes`): the quickest way to a move where any box is
within the bounds."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from kernels.boxes import Grid, Rules, find_box
from pipelines.disclosure.suppression.moves import Move
from pipelines.disclosure.suppression.system import System

_DRAWS = 10_000


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
        self._system, self._lower, self._upper = system, lower, upper
        self._seed = 0

    def find(self, cell: int, price: np.ndarray, spared: Collection[int], most: float) -> Move | None:
        """The cheapest drawn move that changes `cell` and nothing of those in `spared`, for at most `most`;
        None if there was none.

        `price`: float64 (n,), for each unit of change.
        """
        self._seed += 1
        still = self._system.of(spared)
        rules = Rules(np.where(still, 0, self._lower), np.where(still, 0, self._upper), price)
        cells, changes = find_box(self._grid, rules, cell, _DRAWS, most, self._seed * 7919 + cell)
        return Move(cells, changes) if len(cells) else None
