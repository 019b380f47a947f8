"""Which sums to hide so that every sensitive one stays uncertain by what it needs, for whoever knows that no contribution is negative.

A move is a change of hidden sums after which every margin still holds and none is below 0: some step, many times over. A cell is protected
by a move that raises it by what it needs and one that lowers it so. They are sought one cell at a time, the one that needs most first, by a
linear programme that pays for what it hides (Fischetti and Salazar, 2000). Whoever is alone in a cell knows that cell: each sensitive cell
needs moves that leave theirs as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.disclosure.suppression.moves import Move, Mover
from pipelines.disclosure.suppression.system import Bounds, System
from pipelines.errors import DisclosureError

_PARTS = (1, 2, 4, 12, 60)  # of what a cell needs: a step changes cells by whole multiples of one of these parts
_MOST = 3  # steps by which a cell changes at most, of its own
_FREE, _WORTH = 1e-3, 1e4
_NOBODY = -1


@dataclass(frozen=True)
class Sums:
    """`amount`: int64 (n,), the true sum of each variable. `need`: int64 (n,), how far each must be able to lie above and below, 0 for what
    is not sensitive. `sole`: int64 (n,), who is alone in it, -1 where none is."""

    amount: np.ndarray
    need: np.ndarray
    sole: np.ndarray


class SumSearch:
    """The pattern as it grows. `hidden`: bool (n,). `moves`: each whole, in the finest unit. `bounded`: are sums known to be at least 0?"""

    def __init__(self, system: System, sums: Sums, bounded: bool, singles: bool) -> None:
        self.system, self.sums, self.bounded, self.singles = system, sums, bounded, singles
        self.sensitive = sums.need > 0
        self.hidden = self.sensitive | system.secret
        self.moves: list[Move] = []
        self._price = 1.0 + np.minimum(_WORTH, _WORTH * sums.amount / max(1, int(sums.amount[~system.secret].max(initial=1))))
        self._movable = (sums.amount > 0) | system.secret

    def cover(self, say: Callable[[str], None]) -> None:
        """Hide more until each sensitive sum has its moves. Raises `DisclosureError` where that cannot be."""
        order = np.flatnonzero(self.sensitive)
        order = order[np.lexsort((order, -self.sums.need[order]))]
        for done, cell in enumerate(order.tolist()):
            if done and done % 500 == 0:
                say(f"{done:,} of {len(order):,} sensitive sums are protected")
            for way in (1, -1):
                self._protect(cell, way)
        self._prune()

    def _protect(self, cell: int, way: int) -> None:
        """Moves that change the cell one way by what it needs, whoever of those alone in a cell looks."""
        moves = [move for move in self.moves if self._serves(move, cell, way)]
        if not moves:
            moves = [self._sought(cell, way, set())]
        if not self.singles:
            return
        while blocking := set.intersection(*(self._singles(move, cell) for move in moves)):
            moves.append(self._sought(cell, way, blocking))

    def _singles(self, move: Move, cell: int) -> set[int]:
        return set(np.unique(self.sums.sole[move.variables]).tolist()) - {_NOBODY, int(self.sums.sole[cell])}

    def _serves(self, move: Move, cell: int, way: int) -> bool:
        place = np.searchsorted(move.variables, cell)
        return bool(place < len(move.variables) and move.variables[place] == cell and way * move.changes[place] >= self.sums.need[cell])

    def _sought(self, cell: int, way: int, spared: set[int]) -> Move:
        for parts in _PARTS:
            step = -(-int(self.sums.need[cell]) // parts)
            move = self._step(cell, way, step, -(-int(self.sums.need[cell]) // step), spared)
            if move is not None:
                self._keep(move)
                return move
        raise DisclosureError(
            "disclosure",
            "a sum could not be made uncertain enough, whatever is hidden",
            "make the table coarser, or lower what is asked for",
        )

    def _step(self, cell: int, way: int, step: int, times: int, spared: set[int]) -> Move | None:
        """The cheapest move in multiples of `step` that changes the cell by `times` of them."""
        lower = -np.minimum(self.sums.amount // step, _MOST * times) if self.bounded else np.full(self.system.size, -_MOST * times)
        lower = np.where(self.system.secret, -np.minimum(self.sums.amount // step, _MOST * times), lower)
        bounds = Bounds(lower, np.full(self.system.size, _MOST * times)).where(self._movable)
        if spared:
            bounds = bounds.where(~np.isin(self.sums.sole, sorted(spared)))
        if way * (bounds.upper[cell] if way > 0 else bounds.lower[cell]) < times:
            return None
        forced = np.arange(self.system.size) == cell
        bounds = Bounds(np.where(forced, way * times, bounds.lower), np.where(forced, way * times, bounds.upper))
        costs = np.where(self.hidden, _FREE, self._price)
        for move in Mover(self.system, bounds).find(costs, np.zeros(self.system.size)):
            if cell in move.variables:
                return Move(move.variables, move.changes * step)
        return None

    def _keep(self, move: Move) -> None:
        self.moves.append(move)
        self.hidden[move.variables] = True

    def _prune(self) -> None:
        """Drop moves that no sensitive sum needs, those that hide most first, and show again what they alone had hidden."""
        serving: dict[tuple[int, int], list[int]] = {}
        served: list[list[tuple[int, int]]] = [[] for _ in self.moves]
        for place, move in enumerate(self.moves):
            enough = self.sensitive[move.variables] & (np.abs(move.changes) >= self.sums.need[move.variables])
            for cell, change in zip(move.variables[enough].tolist(), move.changes[enough].tolist(), strict=True):
                key = (cell, 1 if change > 0 else -1)
                serving.setdefault(key, []).append(place)
                served[place].append(key)
        gone = set()
        for place in sorted(range(len(self.moves)), key=lambda each: (-self._loss(self.moves[each]), each)):
            if all(self._enough(key[0], [each for each in serving[key] if each != place]) for key in served[place]):
                gone.add(place)
                for key in served[place]:
                    serving[key].remove(place)
        self.moves = [move for place, move in enumerate(self.moves) if place not in gone]
        self.hidden = self.sensitive | self.system.secret
        for move in self.moves:
            self.hidden[move.variables] = True

    def _loss(self, move: Move) -> float:
        return float(self._price[move.variables[~self.sensitive[move.variables] & ~self.system.secret[move.variables]]].sum())

    def _enough(self, cell: int, places: list[int]) -> bool:
        """Is the cell protected one way by these moves alone?"""
        if not places:
            return False
        return not self.singles or not set.intersection(*(self._singles(self.moves[place], cell) for place in places))
