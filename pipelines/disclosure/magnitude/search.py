"""Which sums to hide so that every sensitive one stays uncertain by what it needs, for whoever knows that no
contribution is negative.

A move is a change of hidden sums after which every margin still holds and none is below 0: some step, many
times over. A cell is protected by a move that raises it by what it needs and one that lowers it so. They are
sought one cell at a time, the one that needs most first, by a linear programme that pays for what it hides
(Fischetti and Salazar, 2000). Whoever is alone in a cell knows that cell: each sensitive cell needs moves
that leave theirs as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from pipelines.disclosure.suppression.bounds import Bounds
from pipelines.disclosure.suppression.moves import Move, Mover
from pipelines.disclosure.suppression.system import System
from pipelines.errors import DisclosureError

# Of what a cell needs: a step changes cells by whole multiples of one of these parts.
_PARTS = (1, 2, 4, 12, 60)
_MOST = 3  # steps by which a cell changes at most, of its own
_FREE, _WORTH = 1e-3, 1e4
_NOBODY = -1
_TRIES = 3


@dataclass(frozen=True)
class Sums:
    """`amount`: int64 (n,), the true sum of each variable. `need`: int64 (n,), how far each must be able to
    lie above and below, 0 for what is not sensitive. `first`: int64 (n,), who contributes most, and `less`,
    how far it must do so for that one; `sole`: int64 (n,), who is alone in it, -1 where nobody is."""

    amount: np.ndarray
    need: np.ndarray
    first: np.ndarray
    less: np.ndarray
    sole: np.ndarray

    def asked(self, cell: int, person: int) -> int:
        """How far a sum must be able to lie above and below for a person who knows the sums that he is alone
        in."""
        if person == self.sole[cell]:
            return 0
        return int(self.less[cell] if person == self.first[cell] else self.need[cell])


class SumSearch:
    """The pattern as it grows. `hidden`: bool (n,). `moves`: each whole, in the finest unit. `bounded`: are
    sums known to be at least 0?"""

    def __init__(self, system: System, sums: Sums, bounded: bool, singles: bool) -> None:
        self.system, self.sums, self.bounded, self.singles = system, sums, bounded, singles
        self.sensitive = sums.need > 0
        self.hidden = self.sensitive | system.secret
        self.moves: list[Move] = []
        self._price = 1.0 + np.minimum(
            _WORTH, _WORTH * sums.amount / max(1, int(sums.amount[~system.secret].max(initial=1)))
        )
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
        if not any(self._serves(move, cell, way, int(self.sums.need[cell])) for move in self.moves):
            self._sought(cell, way, set(), int(self.sums.need[cell])) or _raise()
        while self.singles and (known := self._known(cell, way, self.moves)):
            person, need = min(known), self.sums.asked(cell, min(known))
            alike = {each for each in known if self.sums.asked(cell, each) == need}
            self._sought(cell, way, alike, need) or self._sought(cell, way, {person}, need) or _raise()

    def _known(self, cell: int, way: int, moves: Iterable[Move]) -> set[int]:
        """Those alone in a cell for whom no move changes the cell as far as it has to."""
        everyone = {
            int(each) for move in moves if self._serves(move, cell, way, 1) for each in self._singles(move)
        }
        return {person for person in everyone if not self._hides_from(person, cell, way, moves)}

    def _hides_from(self, person: int, cell: int, way: int, moves: Iterable[Move]) -> bool:
        need = self.sums.asked(cell, person)
        return need == 0 or any(
            self._serves(move, cell, way, need) and person not in self._singles(move) for move in moves
        )

    def _singles(self, move: Move) -> set[int]:
        return set(np.unique(self.sums.sole[move.variables]).tolist()) - {_NOBODY}

    def _serves(self, move: Move, cell: int, way: int, need: int) -> bool:
        place = np.searchsorted(move.variables, cell)
        return bool(
            place < len(move.variables)
            and move.variables[place] == cell
            and way * move.changes[place] >= need
        )

    def _sought(self, cell: int, way: int, spared: set[int], need: int) -> bool:
        """Find and keep a move that changes the cell by `need` and leaves what `spared` are alone in; False
        where none is found."""
        for parts in _PARTS:
            step = -(-need // parts)
            move = self._step(cell, way, step, -(-need // step), spared)
            if move is not None:
                self.moves.append(move)
                self.hidden[move.variables] = True
                return True
        return False

    def _step(self, cell: int, way: int, step: int, times: int, spared: set[int]) -> Move | None:
        """The cheapest move in multiples of `step` that changes the cell by `times` of them."""
        lower = (
            -np.minimum(self.sums.amount // step, _MOST * times)
            if self.bounded
            else np.full(self.system.size, -_MOST * times)
        )
        lower = np.where(self.system.secret, -np.minimum(self.sums.amount // step, _MOST * times), lower)
        bounds = Bounds(lower, np.full(self.system.size, _MOST * times)).where(self._movable)
        if spared:
            bounds = bounds.where(~np.isin(self.sums.sole, sorted(spared)))
        if way * (bounds.upper[cell] if way > 0 else bounds.lower[cell]) < times:
            return None
        forced = np.arange(self.system.size) == cell
        bounds = Bounds(
            np.where(forced, way * times, bounds.lower), np.where(forced, way * times, bounds.upper)
        )
        mover, nothing = Mover(self.system, bounds), np.zeros(self.system.size)
        flat = np.random.default_rng(cell)
        for attempt in range(_TRIES):  # what is cheapest may be none in whole numbers; then what is short
            costs = (
                flat.uniform(0.2, 1.0, self.system.size)
                if attempt
                else np.where(self.hidden, _FREE, self._price)
            )
            for move in mover.find(costs, nothing):
                if cell in move.variables:
                    return Move(move.variables, move.changes * step)
        return None

    def _prune(self) -> None:
        """Drop moves that no sensitive sum needs, those that hide most first, and show again what they alone
        had hidden."""
        changing: dict[tuple[int, int], set[int]] = {}
        for place, move in enumerate(self.moves):
            for cell, change in zip(move.variables.tolist(), move.changes.tolist(), strict=True):
                if self.sensitive[cell]:
                    changing.setdefault((cell, 1 if change > 0 else -1), set()).add(place)
        known = {
            key: {each for place in places for each in self._singles(self.moves[place])}
            if self.singles
            else set()
            for key, places in changing.items()
        }
        gone: set[int] = set()
        for place in sorted(range(len(self.moves)), key=lambda each: (-self._loss(self.moves[each]), each)):
            keys = [key for key, places in changing.items() if place in places]
            if all(self._enough(key, known[key], changing[key] - {place}) for key in keys):
                gone.add(place)
                for key in keys:
                    changing[key].discard(place)
        self.moves = [move for place, move in enumerate(self.moves) if place not in gone]
        self.hidden = self.sensitive | self.system.secret
        for move in self.moves:
            self.hidden[move.variables] = True

    def _loss(self, move: Move) -> float:
        return float(
            self._price[
                move.variables[~self.sensitive[move.variables] & ~self.system.secret[move.variables]]
            ].sum()
        )

    def _enough(self, key: tuple[int, int], persons: set[int], places: set[int]) -> bool:
        """Is a cell protected one way by these moves alone, for all these persons?"""
        cell, way = key
        moves = [self.moves[place] for place in sorted(places)]
        if not any(self._serves(move, cell, way, int(self.sums.need[cell])) for move in moves):
            return False
        return all(self._hides_from(person, cell, way, moves) for person in persons)


def _raise() -> NoReturn:
    what = "no other table was found in which a sum is as uncertain as it has to be"
    raise DisclosureError("disclosure", what, "make the table coarser, or lower what is asked for")
