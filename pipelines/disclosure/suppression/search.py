"""Which cells to hide: the primaries, and the cells that the chosen moves change.

A cell is hidden for a reason: either it is small, or some move that keeps a small cell uncertain passes
through it. So the moves that choose the pattern are at the same time its proof. Where there is a proposal,
moves are sought among the cells that it hides, in one part of the tables after another; only what finds none
there hides more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.blocks import blocks
from pipelines.disclosure.suppression.bounds import Bounds
from pipelines.disclosure.suppression.boxed import Boxes
from pipelines.disclosure.suppression.moves import Move, Mover
from pipelines.disclosure.suppression.prices import GRAND
from pipelines.disclosure.suppression.proposal import Wanted, propose
from pipelines.disclosure.suppression.system import System
from pipelines.disclosure.suppression.worlds import Worlds
from pipelines.errors import DisclosureError

_FREE = 0.01  # what it costs to move a cell that is hidden anyway: a little, so that moves stay short
_TRIES = 4
_NEEDED = 1e6  # what a cell that is sought pays for its move
_DEAREST = 1e4  # persons of a cell that count at most
_FEW, _MANY = 8, 60  # how many cells are sought at a time at least, and in how many groups at most
_TIGHT = ((700, 16), (2500, 8), (9000, 4))  # hidden cells of a part, and cells sought at a time at last
_PART = 5000  # cells of a part in which more is hidden
_SEED = 20_260
GROUP = 15_000  # cells of a part in which moves for one cell are sought
_CHEAP = (30.0, 100.0, 300.0)  # what a move for one cell may cost while there are other ways to try
_EFFORT = 2_000_000_000  # of programmes for one cell, where chains would do, too: steps times relations
NEAR = 10.0  # what a cell of a chain may cost at first
DEARER = (30.0, 100.0, 300.0, 1_000.0, 1 + GRAND * _DEAREST)  # and at last, where nothing cheaper is found
_WALKS, _AT_ONCE = (60, 300, 1500), 2  # steps of a walk for one cell; walks at a time


class Search:
    """The pattern as it grows. `hidden`, `moves`: what is hidden so far, and why."""

    def __init__(self, system: System, attempt: int = 0, attackers: Attackers | None = None) -> None:
        self.system, self.attackers, self.attempt = system, attackers or Attackers(), attempt
        self.hidden = system.primary | system.secret
        self.moves: list[Move] = []
        self.reach = self.attackers.reach(system)
        self.bare = system.primary.copy()  # hidden cells that no move changes yet
        self.random = np.random.default_rng(_SEED + attempt)
        dear = 1 if system.dear is None else system.dear
        self._loss = 1.0 + np.minimum(system.persons, _DEAREST) * dear
        self._open = np.where(self.hidden, 0.0, self._loss)  # what it costs to hide each variable
        self._proposed = False
        boxed = system.parents is not None and system.adds_up
        self._boxes = (
            Boxes(system, system.parents, self.reach.lower, self.reach.upper)
            if boxed and system.parents
            else None
        )
        self._spent = 0  # of what programmes may do
        self.worlds: Worlds | None = None  # walks among what the proposal hides

    @property
    def boxed(self) -> bool:
        """Are the variables the cells of one cube, so that boxes can be drawn?"""
        return self._boxes is not None

    @property
    def weary(self) -> bool:
        """Have programmes done as much as they may where chains would do, too? Counted in steps, never in
        seconds, so that it is so on every machine or on none."""
        return self.boxed and self._spent >= _EFFORT

    # ---- a move for each cell ------------------------------------------------------------------------------

    def cover(self) -> None:
        """Hide more until each small cell has a move. Raises DisclosureError where one has none."""
        wanted = Wanted(self.reach, self.attackers.singletons)
        proposal = propose(self.system, wanted, self.system.loss, self.attempt)
        self._proposed = proposal is not None
        if proposal is not None:
            self._hide(proposal.hidden)
            self.worlds = Worlds(proposal.columns, self.reach, self.attempt << 20)
            self._by_walks(self.worlds)
            if self.system.parents is None:
                for size, together in _TIGHT:
                    self._among_hidden(size, together)
        if self._boxes is not None and self._proposed:
            self._one_by_one()
        for bounds in self.ladder():
            if not self.bare.any():
                return
            for size in (_PART, self.system.size) if self.system.size > 2 * _PART else (self.system.size,):
                for part in self.parts(size, bounds.lower < bounds.upper):
                    self._hiding_more(Mover(self.system, bounds, part))
        if self.bare.any():
            raise DisclosureError(
                "disclosure",
                "the audit could not certify every hidden cell",
                "coarsen the tables or raise the minimum",
            )

    def _one_by_one(self) -> None:
        """A move for each bare cell, the quick ways and the cheap moves first, and at last chains that may
        open dear cells: these are found, at a price, where programmes would go on for ever."""
        self._boxed(_CHEAP[0])
        self._chained(NEAR)
        for together in (_FEW, 1):
            self._seek(self.reach.within(1), together, _CHEAP[1])
        for most in DEARER:
            self._chained(most)

    def _chained(self, most: float) -> None:
        """A chain of boxes for each bare cell that opens none dearer than `most`."""
        for variable in np.flatnonzero(self.bare).tolist():
            if self.bare[variable] and (move := self.chain(variable, most=most)):
                self.take(move)

    def _boxed(self, most: float) -> None:
        """A short move, drawn, for each bare cell."""
        for variable in self.random.permutation(np.flatnonzero(self.bare)).tolist():
            if self.bare[variable] and (move := self.box(variable, most=most)):
                self.take(move)

    def _seek(self, bounds: Bounds, together: int, most: float) -> None:
        """Moves within bounds for so many bare cells at a time, at most `most` for each, in one part of the
        tables after another."""
        for part in self.parts(GROUP, bounds.lower < bounds.upper):
            mover, queue = Mover(self.system, bounds, part), self.random.permutation(part[self.bare[part]])
            while len(queue) and not self.weary:
                sought, queue = queue[:together], queue[together:]
                moves = self.cheapest(mover, sought)
                if self.price(moves) <= most * np.isin(sought, _variables(moves)).sum():
                    for move in moves:
                        self.take(move)
                queue = queue[self.bare[queue]]

    def parts(self, size: int, active: np.ndarray) -> Iterator[np.ndarray]:
        """Parts of the tables with about `size` active cells each, of those that hold a bare cell: int64
        (k,), ascending.

        `active`: bool (n,).
        """
        for part in blocks(self.system, size, active):
            if self.bare[part].any():
                yield part

    def _by_walks(self, worlds: Worlds) -> None:
        """Moves that each change most of the cells that are still bare, longer walks for the last ones."""
        for steps in _WALKS:
            while (bare := np.flatnonzero(self.bare)).size:
                for move in worlds.find([self.random.permutation(bare) for _ in range(_AT_ONCE)], steps):
                    self.take(move)
                if len(bare) - self.bare.sum() <= len(bare) // 10:
                    break

    def _among_hidden(self, size: int, together: int) -> None:
        """Moves that hide nothing more: for all bare cells of a part at once, in drawn directions, then for a
        few at a time."""
        for part in self.parts(size, self.hidden):
            for bounds, rounds, group in (
                (self.reach.by(1, 1), 1, 0),
                (self.reach.by(2, 2), 2, 0),
                (self.reach.by(1, 1), 1, together),
                (self.reach.by(1, 8), 1, 1 if together < _FEW else together),
            ):
                if not self.bare[part].any():
                    break
                mover = Mover(self.system, bounds, part)
                for _ in range(rounds):
                    self._sweep(mover, group)

    def _sweep(self, mover: Mover, together: int) -> None:
        """Seek a move for each bare cell of the mover, so many at a time (0: all), each in one drawn
        direction that it has."""
        cells, ways = mover.active, (mover.lower < 0) * 1 + (mover.upper > 0) * 2
        way = np.zeros(self.system.size, np.int64)
        way[cells] = ways
        queue = self.random.permutation(cells[self.bare[cells]])
        costs = np.full(self.system.size, _FREE)
        while len(queue):
            sought, queue = (queue[:together], queue[together:]) if together else (queue, queue[:0])
            rewards = np.zeros(self.system.size)
            drawn = self.random.choice([-1.0, 1.0], len(sought))
            rewards[sought] = np.select([way[sought] == 1, way[sought] == 2], [-1.0, 1.0], drawn)
            for move in mover.find(costs, rewards):
                self.take(move)
            queue = queue[self.bare[queue]]

    def _hiding_more(self, mover: Mover) -> None:
        """Seek a move for each bare cell of the mover, so many cells at a time, then one at a time."""
        for together in (max(_FEW, int(self.bare[mover.active].sum()) // _MANY), 1):
            queue = self.random.permutation(mover.active[self.bare[mover.active]])
            while len(queue):
                sought, queue = queue[:together], queue[together:]
                for move in self.cheapest(mover, sought):
                    self.take(move)
                queue = queue[self.bare[queue]]

    def ladder(self) -> Iterator[Bounds]:
        """Bounds for moves, in the order in which they are tried: short moves first.

        Without a proposal first those that leave small cells small. For some cells there is none of these,
        whatever is hidden: four cells of one person under a total of four. Then a move may make a small cell
        large, which an attacker who knows the rule alone, and not which hidden cells are small, cannot
        exclude.
        """
        if not self._proposed:
            yield from (self.system.narrow.within(box) for box in (1, 2))
        yield from (self.reach.within(1), self.reach.within(3), self.reach.by(2, 8), self.reach.within(16))

    def cheapest(self, mover: Mover, sought: np.ndarray) -> list[Move]:
        """Moves through the cells `sought`, int64 (k,): of two solutions with opposite signs, the one that
        covers more of them for less. Of one cell others are tried where these are not in whole numbers."""
        before = mover.work
        for _ in range(_TRIES if len(sought) == 1 else 1):
            signs = self.random.choice([-1.0, 1.0], len(sought))
            signs[self.reach.lower[sought] == 0] = 1.0
            costs, whole = self._costs(mover), True
            best: tuple[float, list[Move]] = (0.0, [])
            for direction in (1.0,) if (self.reach.lower[sought] == 0).all() else (1.0, -1.0):
                rewards = np.zeros(self.system.size)
                rewards[sought] = direction * _NEEDED * signs
                moves = [move for move in mover.find(costs, rewards) if np.isin(sought, move.variables).any()]
                whole &= mover.whole
                score = sum(
                    float(costs[move.variables].sum()) - _NEEDED * np.isin(sought, move.variables).sum()
                    for move in moves
                )
                best = min(best, (score, moves), key=lambda each: each[0])
                if score < 1 - _NEEDED * len(sought):
                    break  # it hides nothing more
            if best[1] or whole:
                break
        self._spent += mover.work - before
        return best[1]

    def _costs(self, mover: Mover) -> np.ndarray:
        """Of changing a cell, drawn so that no two solutions are equally good and each time others are good;
        float (n,)."""
        costs, hidden = np.zeros(self.system.size), self.hidden[mover.active]
        drawn = np.exp(self.random.normal(0.0, 1.0, len(mover.active)))
        costs[mover.active] = np.where(
            hidden, _FREE * drawn, self._loss[mover.active] * (1.0 + 0.02 * np.minimum(drawn, 10.0))
        )
        return costs

    def cheapest_whole(self, mover: Mover, variable: int, singles: Collection[int]) -> list[Move]:
        """The cheapest move in whole numbers that changes `variable` and no cell of the people `singles`."""
        costs, still = self._costs(mover), self.system.of(singles)
        found: list[list[Move]] = []
        for way in (1, -1):
            if moves := mover.cheapest_whole(variable, way, still, costs):
                found.append(moves)
                if self.price(moves) <= _CHEAP[1]:
                    break
        return min(found, key=self.price, default=[])

    def price(self, moves: Sequence[Move]) -> float:
        """What is lost where `moves` are kept."""
        changed = np.unique(_variables(moves))
        return float(self._loss[changed[~self.hidden[changed]]].sum())

    def box(self, variable: int, singles: Collection[int] = (), most: float = np.inf) -> Move | None:
        """A short move that changes `variable` and no cell of the people `singles`, of many the one that
        hides least, at most `most`; None if none was found."""
        if self._boxes is None:
            return None
        return self._boxes.find(variable, self._open, singles, most)

    def chain(self, variable: int, singles: Collection[int] = (), most: float = np.inf) -> Move | None:
        """A chain of boxes that changes `variable` and no cell of the people `singles`, and opens no cell
        dearer than `most`; None if none was found soon."""
        if self._boxes is None:
            return None
        return self._boxes.chained(variable, self._open, singles, most)

    def take(self, move: Move) -> None:
        """Keep a move that changes a bare cell."""
        if self.bare[move.variables].any():
            self.keep(move)

    def keep(self, move: Move) -> None:
        """Hide what a move changes."""
        self.moves.append(move)
        self._hide(move.variables)
        self.bare[move.variables] = False

    def _hide(self, variables: np.ndarray) -> None:
        """`variables`: int64 (k,) or bool (n,)."""
        self.hidden[variables] = True
        self._open[variables] = 0.0

    # ---- no more than is needed ----------------------------------------------------------------------------

    def prune(self) -> None:
        """Drop moves that no small cell needs, those that lose most first, and show again what they alone had
        hidden."""
        primary, times = self.system.primary, np.zeros(self.system.size, np.int64)
        for move in self.moves:
            times[move.variables] += 1
        loss = np.where(primary | self.system.secret, 0.0, self._loss)
        order = sorted(range(len(self.moves)), key=lambda k: (-float(loss[self.moves[k].variables].sum()), k))
        kept = set(order)
        for k in order:
            small = self.moves[k].variables[primary[self.moves[k].variables]]
            if (times[small] > 1).all():
                kept.remove(k)
                times[self.moves[k].variables] -= 1
        self.moves = [self.moves[k] for k in sorted(kept)]
        self.hidden = primary | (times > 0)
        self._open = np.where(self.hidden, 0.0, self._loss)


def _variables(moves: Sequence[Move]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *(move.variables for move in moves)])
