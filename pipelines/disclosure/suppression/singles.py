"""Those who know their own cell: each other small cell gets moves that leave theirs as it is."""

from __future__ import annotations

import numpy as np

from pipelines.disclosure.suppression.blocks import blocks
from pipelines.disclosure.suppression.moves import Move, Mover
from pipelines.disclosure.suppression.search import Search
from pipelines.errors import DisclosureError

_ROUNDS = 12
_FEW = 8
_HIDDEN_PART, _PART = 2500, 6000


class Guard:
    """`exposed`: small cells, each with the persons alone in another cell who are part of every move that it has."""

    def __init__(self, search: Search) -> None:
        self._search, self._system = search, search.system
        self.exposed: dict[int, set[int]] = {}
        self._others = self._system.primary & (self._system.persons > 0)
        for move in search.moves:
            self._note(move)

    def _note(self, move: Move) -> None:
        singles = set(np.unique(self._system.same[move.variables]).tolist()) - {-1}
        for variable in move.variables[self._others[move.variables]].tolist():
            known = self.exposed.get(variable)
            self.exposed[variable] = singles - {int(self._system.same[variable])} if known is None else known & singles

    def left(self, part: np.ndarray | None = None) -> dict[int, set[int]]:
        """Cells that are still exposed, all or those of a part."""
        if part is None:
            return {variable: singles for variable, singles in sorted(self.exposed.items()) if singles}
        return {variable: self.exposed[variable] for variable in part[self._others[part]].tolist() if self.exposed.get(variable)}

    def run(self) -> None:
        """Add moves until nobody is exposed. Raises `DisclosureError` where that cannot be."""
        search, small = self._search, self._system.size <= 2 * _PART
        for bounds in search.ladder():
            for size in (_HIDDEN_PART, self._system.size) if not small else (self._system.size,):
                for part in blocks(self._system, size, search.hidden):
                    if self.left(part):
                        self._part(Mover(self._system, bounds, part), part, apart=False)
            for size in (_PART, self._system.size) if not small else (self._system.size,):
                for part in blocks(self._system, size, bounds.lower < bounds.upper):
                    if self.left(part):
                        self._part(Mover(self._system, bounds, part), part, apart=True)
            if not self.left():
                return
        raise DisclosureError("disclosure", "someone alone in a cell could work out another", "coarsen the tables or raise the minimum")

    def _part(self, mover: Mover, part: np.ndarray, apart: bool) -> None:
        self._many(mover, part)
        if apart:
            self._one_by_one(mover, part)
            self._pairs(mover, part)

    def _many(self, mover: Mover, part: np.ndarray) -> None:
        """Moves that leave alone a random half of those who are part of all moves of some exposed cell, for all these cells."""
        random, same = self._search.random, self._system.same
        for _ in range(_ROUNDS):
            exposed = self.left(part)
            if len(exposed) < _FEW:
                return
            everyone = sorted(set().union(*exposed.values()))
            spared = {single for single in everyone if random.random() < 0.5}
            sought = [each for each, singles in exposed.items() if singles & spared and int(same[each]) not in spared]
            for group in np.array_split(random.permutation(sought), len(sought) // 64 + 1):
                self._avoid(mover, group.astype(np.int64), spared)

    def _one_by_one(self, mover: Mover, part: np.ndarray) -> None:
        """A move for each exposed cell that leaves all alone who are part of its other moves."""
        exposed = self.left(part)
        for variable in self._search.random.permutation(np.array(list(exposed), np.int64)).tolist():
            if self.exposed[variable]:
                self._avoid(mover, np.array([variable]), self.exposed[variable])

    def _pairs(self, mover: Mover, part: np.ndarray) -> None:
        """A move for each exposed cell and each person alone."""
        for variable, singles in self.left(part).items():
            for single in sorted(singles):
                if single in self.exposed[variable]:
                    self._avoid(mover, np.array([variable]), {single})

    def _avoid(self, mover: Mover, sought: np.ndarray, singles: set[int]) -> None:
        mover.freeze(mover.active[np.isin(self._system.same[mover.active], sorted(singles))])
        for move in self._search.cheapest(mover, sought):
            self._search.keep(move)
            self._note(move)
