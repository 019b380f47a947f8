"""Whole intervals: of each small cell, every value that it could have as a small one stays possible.

One move lets a cell be something else; for a cell of 2 where 5 may be shown, three are needed, to 1, 3 and 4.
Moves that are there already are taken several times over first; then a linear programme seeks one move for
each value that is missing: the one that hides least, and where that is none in whole numbers, one of few
cells.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipelines.disclosure.suppression.moves import Move, Mover
from pipelines.disclosure.suppression.search import Search
from pipelines.errors import DisclosureError

_TRIES = 6


class Widening:
    """`missing`: by small cell, the changes that no move makes yet."""

    def __init__(self, search: Search, least: np.ndarray) -> None:
        """`least`: int64 (n,), fewest persons that each variable may show."""
        self._search, self._system = search, search.system
        persons = self._system.persons
        small = np.flatnonzero(self._system.primary & (persons > 0) & (persons < least))
        self.missing = {
            int(cell): set(range(1 - int(persons[cell]), int(least[cell] - persons[cell]))) - {0}
            for cell in small
        }
        for move in list(search.moves):
            self._note(move)

    def run(self) -> None:
        """Add moves until no value is missing. Raises `DisclosureError` where that cannot be."""
        for move in list(self._search.moves):
            for times in self._multiples(move):
                self._keep(Move(move.variables, move.changes * times))
        for bounds in self._search.ladder():
            cells = [cell for cell, changes in sorted(self.missing.items()) if changes]
            if not cells:
                return
            mover = Mover(self._system, bounds)
            for cell in cells:
                for change in sorted(self.missing[cell], key=lambda each: (abs(each), each)):
                    if change in self.missing[cell]:
                        self._seek(mover, cell, change)
        if any(self.missing.values()):
            raise DisclosureError(
                "disclosure",
                "no other tables were found for every value below the minimum of each small cell",
                "coarsen the tables, raise the minimum, or ask for interval: point",
            )

    def _multiples(self, move: Move) -> Iterator[int]:
        """How often, either way, a move could be made and give a cell a value that it lacks."""
        bounds = self._search.reach
        lower, upper = bounds.lower[move.variables], bounds.upper[move.variables]
        for times in (-1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6):
            changes = move.changes * times
            if (
                (changes >= lower).all()
                and (changes <= upper).all()
                and any(
                    change in self.missing.get(cell, ())
                    for cell, change in zip(move.variables.tolist(), changes.tolist(), strict=True)
                )
            ):
                yield times

    def _seek(self, mover: Mover, cell: int, change: int) -> None:
        if not mover.force(cell, change):
            return
        nothing = np.zeros(self._system.size)
        for attempt in range(_TRIES):
            if not attempt:
                moves = self._search.cheapest(mover, np.array([cell]))
            else:
                moves = mover.find(self._search.random.uniform(0.2, 1.0, self._system.size), nothing)
            for move in moves:
                if cell in move.variables:
                    self._keep(move)
            if change not in self.missing[cell]:
                return

    def _keep(self, move: Move) -> None:
        self._search.keep(move)
        self._note(move)

    def _note(self, move: Move) -> None:
        for cell, change in zip(move.variables.tolist(), move.changes.tolist(), strict=True):
            if cell in self.missing:
                self.missing[cell].discard(change)
