"""Which cells to hide: the primaries, and the cells that the chosen moves change.

A cell is hidden for a reason: either it is small, or some move that keeps a small cell uncertain passes through it. So the moves that
choose the pattern are at the same time its proof.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipelines.disclosure.moves import Move, Mover
from pipelines.disclosure.system import Bounds, System
from pipelines.errors import DisclosureError

_FREE = 0.01  # what it costs to move a cell that is hidden anyway: a little, so that moves stay short
_NEEDED = 1e5  # what a cell that is sought pays for its move
_FEW, _MANY = 8, 60  # how many cells are sought at a time at least, and in how many groups at most
_ROUNDS = 12
_RUNGS_NARROW = 2
_SEED = 20_260


class Search:
    """The pattern as it grows. `hidden`, `moves`: what is hidden so far, and why."""

    def __init__(self, system: System, attempt: int = 0) -> None:
        self.system = system
        self.hidden = system.primary.copy()
        self.moves: list[Move] = []
        self._bare = system.primary.copy()  # hidden cells that no move changes yet
        self._loss = 1.0 + np.sqrt(system.persons.astype(float))
        self._random = np.random.default_rng(_SEED + attempt)

    # ---- a move for each cell -----------------------------------------------------------------------------------------------

    def cover(self) -> None:
        """Hide more until each hidden cell has a move: first the moves that withstand the stronger attacker, then the others."""
        for bounds in self._ladder():
            if not self._bare.any():
                return
            mover = Mover(self.system, bounds)
            for together in (max(_FEW, int(self._bare.sum()) // _MANY), 1):
                self._cover(mover, together)
        if self._bare.any():
            raise DisclosureError("disclosure", "the audit could not certify every hidden cell", "coarsen the tables or raise the minimum")

    def _cover(self, mover: Mover, together: int) -> None:
        """Seek a move for each bare cell, so many cells at a time."""
        queue = self._random.permutation(np.flatnonzero(self._bare))
        while len(queue):
            sought, queue = queue[:together], queue[together:]
            for move in self._cheapest(mover, sought):
                self._take(move)
            queue = queue[self._bare[queue]]

    def _ladder(self) -> Iterator[Bounds]:
        """Bounds for moves, in the order in which they are tried: short moves first, and first those that leave small cells small.

        For some cells there is none of these, whatever is hidden: four cells of one person under a total of four. Then a move may make a
        small cell large, which an attacker who knows the rule alone, and not which hidden cells are small, cannot exclude.
        """
        yield from (self.system.narrow.within(box) for box in (1, 2))
        yield from (self.system.wide.within(box) for box in (1, 3, 16))

    def _cheapest(self, mover: Mover, sought: np.ndarray) -> list[Move]:
        """Moves through the cells `sought`: of two solutions with opposite signs, the one that covers more of them for less."""
        costs, signs = self._costs(), self._random.choice([-1.0, 1.0], len(sought))
        best: tuple[float, list[Move]] = (0.0, [])
        for direction in (1.0, -1.0):
            rewards = np.zeros(self.system.size)
            rewards[sought] = direction * _NEEDED * signs
            moves = [move for move in mover.find(costs, rewards) if np.isin(sought, move.variables).any()]
            score = sum(float(costs[move.variables].sum()) - _NEEDED * np.isin(sought, move.variables).sum() for move in moves)
            best = min(best, (score, moves), key=lambda each: each[0])
        return best[1]

    def _costs(self) -> np.ndarray:
        return np.where(self.hidden, _FREE, self._loss)

    def _take(self, move: Move) -> None:
        if self._bare[move.variables].any():
            self._keep(move)

    def _keep(self, move: Move) -> None:
        self.moves.append(move)
        self.hidden[move.variables] = True
        self._bare[move.variables] = False

    # ---- no more than is needed ---------------------------------------------------------------------------------------------

    def prune(self) -> None:
        """Drop moves that no small cell needs, those that lose most first, and show again what they alone had hidden."""
        primary, times = self.system.primary, np.zeros(self.system.size, np.int64)
        for move in self.moves:
            times[move.variables] += 1
        loss = np.where(primary, 0.0, self._loss)
        order = sorted(range(len(self.moves)), key=lambda k: (-float(loss[self.moves[k].variables].sum()), k))
        kept = set(order)
        for k in order:
            small = self.moves[k].variables[primary[self.moves[k].variables]]
            if (times[small] > 1).all():
                kept.remove(k)
                times[self.moves[k].variables] -= 1
        self.moves = [self.moves[k] for k in sorted(kept)]
        self.hidden = primary | (times > 0)

    # ---- those who know their own cell --------------------------------------------------------------------------------------

    def guard_singletons(self) -> None:
        """A person alone in a cell knows it. Each other small cell gets a move that leaves that cell as it is."""
        for rung, bounds in enumerate(self._ladder()):
            if not self._exposed():
                return
            self._guard_many(Mover(self.system, bounds.where(self.hidden)))
            mover = Mover(self.system, bounds)
            self._guard(mover, 1)
            if rung > _RUNGS_NARROW:
                self._guard_apart(mover)
        if self._exposed():
            raise DisclosureError("disclosure", "someone alone in a cell could work out another", "coarsen the tables or raise the minimum")

    def _guard_many(self, mover: Mover) -> None:
        """Moves that leave alone a random half of those who are part of all moves of some exposed cell, for all these cells."""
        for _ in range(_ROUNDS):
            exposed = self._exposed()
            if len(exposed) < _FEW:
                return
            everyone = sorted(set().union(*exposed.values()))
            spared = {single for single in everyone if self._random.random() < 0.5}
            sought = [each for each, singles in exposed.items() if singles & spared and int(self.system.same[each]) not in spared]
            for group in np.array_split(self._random.permutation(sought), len(sought) // 64 + 1):
                self._avoid(mover, group.astype(np.int64), spared)

    def _guard(self, mover: Mover, together: int) -> None:
        """Moves through exposed cells that leave all alone who are part of their other moves, so many cells at a time."""
        exposed = self._exposed()
        queue = self._random.permutation(np.array(list(exposed), np.int64))
        for start in range(0, len(queue), together):
            sought, frozen = list[int](), set[int]()
            for variable in queue[start : start + together].tolist():
                own = {int(self.system.same[other]) for other in [*sought, variable]}
                if not own & (frozen | exposed[variable]):
                    sought.append(variable)
                    frozen |= exposed[variable]
            self._avoid(mover, np.array(sought, np.int64), frozen)

    def _guard_apart(self, mover: Mover) -> None:
        """A move for each exposed cell and each person alone."""
        for variable, singles in self._exposed().items():
            for single in sorted(singles) if len(singles) > 1 else ():
                self._avoid(mover, np.array([variable]), {single})

    def _avoid(self, mover: Mover, sought: np.ndarray, singles: set[int]) -> None:
        mover.freeze(np.flatnonzero(np.isin(self.system.same, sorted(singles))))
        for move in self._cheapest(mover, sought):
            self._keep(move)

    def _exposed(self) -> dict[int, set[int]]:
        """Small cells, each with the persons alone in another cell who are part of every move that it has."""
        same, common = self.system.same, dict[int, set[int]]()
        others = self.system.primary & (self.system.persons > 0)
        for move in self.moves:
            singles = set(np.unique(same[move.variables]).tolist()) - {-1}
            for variable in move.variables[others[move.variables]].tolist():
                common[variable] = common[variable] & singles if variable in common else set(singles)
        left = {variable: singles - {int(same[variable])} for variable, singles in sorted(common.items())}
        return {variable: singles for variable, singles in left.items() if singles}
