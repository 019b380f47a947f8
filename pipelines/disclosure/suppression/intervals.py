"""Intervals: how much of a sensitive cell stays unknown, besides that it has not one value alone.

One move lets a cell be something else. `values: 3` asks for another move, by which it has a third value;
`whole`, of a cell of 2 where 5 may be shown, for three, to 1, 3 and 4. Moves that are there already are taken
several times over first, and walks over what is hidden find others; then a linear programme seeks one move
for each value that is missing: the one that hides least, and where that is none in whole numbers, one of few
cells.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipelines.disclosure.suppression.moves import Move, Mover
from pipelines.disclosure.suppression.search import Search
from pipelines.errors import DisclosureError

_TRIES = 6
_FAR = 6  # persons that a cell is looked for to be off by
_WALKS, _ROUNDS, _AT_ONCE = (100, 1000), 3, 8


class Widening:
    """`seen`: by cell that must be uncertain, the changes that some move makes. `lacking`: bool (n,), cells
    that lack some."""

    def __init__(self, search: Search, least: np.ndarray, values: int) -> None:
        """`least`: int64 (n,), fewest persons that each variable may show. `values`: how many each sensitive
        cell must be able to have; 0: each value from 1 to less than `least` that a small one could have."""
        self._search, self._system, self._values = search, search.system, values
        system, persons = self._system, self._system.persons
        cells = np.flatnonzero(
            system.primary & ~system.secret if values else (persons > 0) & (persons < least)
        )
        cells = cells[system.primary[cells]]
        self._small = {
            cell: set(range(1 - int(persons[cell]), int(least[cell] - persons[cell]))) - {0}
            for cell in cells.tolist()
        }
        self.seen: dict[int, set[int]] = {cell: set() for cell in self._small}
        self.lacking = np.zeros(system.size, bool)
        self.lacking[[cell for cell in self.seen if self._wanted(cell)]] = True
        for move in list(search.moves):
            self._note(move)

    def run(self) -> None:
        """Add moves until no value is missing. Raises `DisclosureError` where that cannot be."""
        for move in list(self._search.moves):
            for times in self._multiples(move):
                self._keep(Move(move.variables, move.changes * times))
        if self._values:
            self._walk()
        for bounds in self._search.ladder():
            if not self.lacking.any():
                return
            mover = Mover(self._system, bounds)
            for cell in np.flatnonzero(self.lacking).tolist():
                for change in self._wanted(cell):
                    if self._lacks(cell, change):
                        self._seek(mover, cell, change)
        if self.lacking.any():
            raise DisclosureError(
                "disclosure",
                "no other tables were found in which each sensitive cell has every value that it must be "
                "able to have",
                "coarsen the tables, raise the minimum, or ask for interval: point",
            )

    def _wanted(self, cell: int) -> list[int]:
        """Changes that the cell lacks, the smallest first."""
        seen = self.seen[cell]
        if not self._values:
            return sorted(self._small[cell] - seen, key=lambda each: (abs(each), each))
        if len(seen) >= self._values - 1:
            return []
        far = range(-_FAR, _FAR + 1)
        return sorted({*far} - {0} - seen, key=lambda each: (each not in self._small[cell], abs(each), each))

    def _lacks(self, cell: int, change: int) -> bool:
        return bool(self.lacking[cell]) and change in self._wanted(cell)

    def _helps(self, variables: np.ndarray, changes: np.ndarray) -> bool:
        """Does a change give a cell a value that it lacks?"""
        some = self.lacking[variables]
        return any(map(self._lacks, variables[some].tolist(), changes[some].tolist()))

    def _multiples(self, move: Move) -> Iterator[int]:
        """How often, either way, a move could be made and give a cell a value that it lacks."""
        bounds = self._search.reach
        lower, upper = bounds.lower[move.variables], bounds.upper[move.variables]
        for times in (-1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6):
            changes = move.changes * times
            if (
                (changes >= lower).all()
                and (changes <= upper).all()
                and self._helps(move.variables, changes)
                and self._holds(move.variables, changes)
            ):
                yield times

    def _walk(self) -> None:
        """Moves that hide nothing more, and each change many of the cells that lack a value."""
        worlds, search = self._search.worlds, self._search
        for steps in _WALKS if worlds is not None else ():
            for _ in range(_ROUNDS):
                lacking = np.flatnonzero(self.lacking)
                if worlds is None or not len(lacking):
                    return
                sought = [search.random.permutation(lacking) for _ in range(_AT_ONCE)]
                for move in worlds.find(sought, steps, [~search.hidden] * _AT_ONCE):
                    if self._helps(move.variables, move.changes) and self._holds(
                        move.variables, move.changes
                    ):
                        self._keep(move)

    def _holds(self, variables: np.ndarray, changes: np.ndarray) -> bool:
        """Does every relation hold after a change? Those that are no equations bound how often a move can be
        made."""
        system = self._system
        sums = system.matrix[:, variables] @ changes
        return bool(((sums >= system.lowest) & (sums <= system.highest)).all())

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
            if not self._lacks(cell, change):
                return

    def _keep(self, move: Move) -> None:
        self._search.keep(move)
        self._note(move)

    def _note(self, move: Move) -> None:
        some = self.lacking[move.variables]
        cells, changes = move.variables[some].tolist(), move.changes[some].tolist()
        for cell, change in zip(cells, changes, strict=True):
            self.seen[cell].add(change)
            self.lacking[cell] = bool(self._wanted(cell))
