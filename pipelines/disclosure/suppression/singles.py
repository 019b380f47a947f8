"""Those who know their own cell: each other small cell gets moves that leave theirs as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kernels.exposure import exposed
from pipelines.disclosure.suppression.blocks import blocks
from pipelines.disclosure.suppression.bounds import Bounds
from pipelines.disclosure.suppression.moves import Move, Mover
from pipelines.disclosure.suppression.search import DEARER, GROUP, NEAR, Search
from pipelines.disclosure.suppression.system import System
from pipelines.disclosure.suppression.worlds import Worlds
from pipelines.errors import DisclosureError

_ROUNDS, _SHARE = 30, 0.2  # walks that each leave alone a share of those in question
_SEVERAL = 4  # people in question for one cell
_FEW = 8
_WALKS, _AT_ONCE = 8, 2  # walks that change whatever they can, so many at once
_STEPS, _LONG, _LAST = 60, 200, 2000  # steps for one cell
_HIDDEN_PART, _PART = 2500, 6000
_MANY = 12
_CHEAP = 100.0  # what a move for one cell may cost while there are other ways to try


class Guard:
    """`exposed`: small cells, each with the persons alone in another cell who are part of every move that it
    has; none where nobody is."""

    def __init__(self, search: Search) -> None:
        self._search, self._system = search, search.system
        self._others = self._system.guarded
        if search.worlds is not None:
            cells = np.flatnonzero(self._others)
            for _ in range(_WALKS):
                for move in search.worlds.find(
                    [search.random.permutation(cells) for _ in range(_AT_ONCE)], _STEPS
                ):
                    search.keep(move)
        self.exposed = _exposed(self._system, self._others, search.moves)

    def _note(self, move: Move) -> None:
        singles = set(np.unique(self._system.same[move.variables]).tolist())
        for variable in move.variables[self._others[move.variables]].tolist():
            if variable in self.exposed:
                self.exposed[variable] &= singles
                if not self.exposed[variable]:
                    del self.exposed[variable]

    def left(self, part: np.ndarray | None = None) -> dict[int, set[int]]:
        """Cells that are still exposed, all or those of a `part`, int64 (k,): by each whoever might work it
        out."""
        if part is None:
            return dict(sorted(self.exposed.items()))
        return {
            variable: self.exposed[variable]
            for variable in part[self._others[part]].tolist()
            if variable in self.exposed
        }

    def run(self) -> None:
        """Add moves until nobody is exposed. Raises `DisclosureError` where that cannot be."""
        search = self._search
        if search.worlds is not None:
            self._by_walks(search.worlds)
            self._chained(NEAR)
            self._among(search.reach.within(1))
            self._by_one(_CHEAP)
            if search.boxed:
                for most in DEARER:
                    self._chained(most)
            else:
                for box in (1, 3):
                    self._among(search.reach.within(box), each=True)
                self._whole()
        for bounds in search.ladder():
            self._ladder(bounds)
            if not self.exposed:
                return
        raise DisclosureError(
            "disclosure",
            "someone alone in a cell could work out another",
            "coarsen the tables or raise the minimum",
        )

    def _ladder(self, bounds: Bounds) -> None:
        """Moves within bounds: among what is hidden, then hiding more, in one part of the tables after
        another, then in all of them."""
        small = self._system.size <= 2 * _PART
        if self._search.worlds is None:
            for size in (_HIDDEN_PART, self._system.size) if not small else (self._system.size,):
                for part in blocks(self._system, size, self._search.hidden):
                    if self.left(part):
                        self._part(Mover(self._system, bounds, part), part, apart=False)
        for size in (_PART, self._system.size) if not small else (self._system.size,):
            for part in blocks(self._system, size, bounds.lower < bounds.upper):
                if self.left(part):
                    self._part(Mover(self._system, bounds, part), part, apart=True)

    def _by_walks(self, worlds: Worlds) -> None:
        """Moves among what is hidden that leave alone a random share of those in question; then one for each
        cell that leaves them all."""
        for _ in range(_ROUNDS):
            if not self.exposed:
                return
            sought, still = [], []
            for _ in range(_AT_ONCE):
                cells, spared = self._share()
                sought.append(cells)
                still.append(self._system.of(spared.tolist()))
            for move in worlds.find(sought, _LONG, still):
                self._keep(move)
        for cell in sorted(self.exposed):
            if len(self.exposed.get(cell, ())) > _SEVERAL:
                for move in worlds.find([np.array([cell])], _LAST):
                    self._keep(move)
            if cell in self.exposed:
                for move in worlds.find([np.array([cell])], _LAST, [self._system.of(self.exposed[cell])]):
                    self._keep(move)

    def _by_one(self, most: float) -> None:
        """A short move, drawn, for each exposed cell."""
        for cell in self.left():
            for singles in self._ways(cell, each=True):
                if move := self._search.box(cell, singles, most):
                    self._keep(move)

    def _chained(self, most: float) -> None:
        """A chain of boxes for each exposed cell, which opens none dearer than `most`."""
        for cell in self.left():
            for singles in self._ways(cell, each=True):
                if move := self._search.chain(cell, singles, most):
                    self._keep(move)

    def _share(self) -> tuple[np.ndarray, np.ndarray]:
        """Some of those in question, drawn, and all cells that one of them could work out and none of them
        knows."""
        random, same = self._search.random, self._system.same
        everyone = np.array(sorted(set().union(*self.exposed.values())), np.int64)
        spared = everyone[random.random(len(everyone)) < _SHARE]
        known = set(spared.tolist())
        cells = [
            each
            for each, singles in sorted(self.exposed.items())
            if singles & known and int(same[each]) not in known
        ]
        return random.permutation(np.array(cells, np.int64)), spared

    def _among(self, bounds: Bounds, each: bool = False) -> None:
        """Cheap moves within bounds, in one part of the tables after another: for each exposed cell one that
        leaves all in question alone, or else (`each`, where these are few) one for each of them."""
        for part in blocks(self._system, GROUP, bounds.lower < bounds.upper):
            if not self.left(part) or self._search.weary:
                continue
            mover = Mover(self._system, bounds, part)
            for cell in self.left(part):
                if self._search.weary:
                    break
                if len(self.exposed.get(cell, ())) > _SEVERAL:
                    # A short move, whoever is in it, leaves few in question.
                    self._avoid(mover, [cell], set(), _CHEAP)
                for singles in self._ways(cell, each):
                    self._avoid(mover, [cell], singles, _CHEAP)

    def _whole(self) -> None:
        """Moves in whole numbers, the cheapest for each exposed cell: slow, and few are left that need it."""
        bounds = self._search.reach.within(1)
        for part in blocks(self._system, GROUP, bounds.lower < bounds.upper):
            mover = Mover(self._system, bounds, part) if self.left(part) else None
            for cell in self.left(part):
                for singles in self._ways(cell, each=True):
                    for move in self._search.cheapest_whole(mover, cell, singles) if mover else ():
                        self._keep(move)

    def _ways(self, cell: int, each: bool) -> Iterator[set[int]]:
        """Whom a move for a cell could leave alone: everyone who is still in question, then, where these are
        few, one by one."""
        everyone = set(self.exposed.get(cell, ()))
        for singles in (
            everyone,
            *({single} for single in sorted(everyone) if each and len(everyone) <= _SEVERAL),
        ):
            if singles & self.exposed.get(cell, set()):
                yield singles

    def _keep(self, move: Move) -> None:
        self._search.keep(move)
        self._note(move)

    def _part(self, mover: Mover, part: np.ndarray, apart: bool) -> None:
        if self._search.worlds is None:
            self._many(mover, part)
        if apart:
            self._one_by_one(mover, part)
            self._pairs(mover, part)

    def _many(self, mover: Mover, part: np.ndarray) -> None:
        """Moves that leave alone a random half of those who are part of all moves of some exposed cell, for
        all these cells."""
        random, same = self._search.random, self._system.same
        for _ in range(_MANY):
            exposed = self.left(part)
            if len(exposed) < _FEW:
                return
            everyone = sorted(set().union(*exposed.values()))
            spared = {single for single in everyone if random.random() < 0.5}
            sought = [
                each
                for each, singles in exposed.items()
                if singles & spared and int(same[each]) not in spared
            ]
            for group in np.array_split(random.permutation(sought), len(sought) // 64 + 1):
                self._avoid(mover, group.tolist(), spared)

    def _one_by_one(self, mover: Mover, part: np.ndarray) -> None:
        """A move for each exposed cell that leaves all alone who are part of its other moves."""
        exposed = self.left(part)
        for variable in self._search.random.permutation(np.array(list(exposed), np.int64)).tolist():
            if variable in self.exposed:
                self._avoid(mover, [variable], self.exposed[variable])

    def _pairs(self, mover: Mover, part: np.ndarray) -> None:
        """A move for each exposed cell and each person alone."""
        for variable, singles in self.left(part).items():
            for single in sorted(singles):
                if single in self.exposed.get(variable, ()):
                    self._avoid(mover, [variable], {single})

    def _avoid(self, mover: Mover, cells: Sequence[int], singles: set[int], most: float = np.inf) -> None:
        """Keep moves through those of `cells` that are exposed, and none of `singles`, at most so dear for
        each."""
        sought = np.array(
            [cell for cell in cells if cell in self.exposed and self._system.same[cell] not in singles],
            np.int64,
        )
        if not len(sought):
            return
        mover.freeze(mover.active[self._system.of(singles)[mover.active]])
        moves = self._search.cheapest(mover, sought)
        if self._search.price(moves) <= most * len(sought):
            for move in moves:
                self._keep(move)


def _exposed(system: System, others: np.ndarray, moves: Sequence[Move]) -> dict[int, set[int]]:
    """The cells `others` (bool (n,)) that only ever change with someone who is alone, and who these are."""
    cells, number = np.flatnonzero(others), np.full(system.size, -1, np.int64)
    number[cells] = np.arange(len(cells))
    persons, own = np.unique(system.same, return_inverse=True)
    if persons[0] == -1:
        persons, own = persons[1:], own - 1
    words = -(-len(moves) // 64)
    moved, disturbed = np.zeros((len(cells), words), np.uint64), np.zeros((words, len(persons)), np.uint64)
    for place, move in enumerate(moves):
        word, bit = place // 64, np.uint64(1) << np.uint64(place % 64)
        here = number[move.variables]
        moved[here[here >= 0], word] |= bit
        who = np.unique(own[move.variables])
        disturbed[word, who[who >= 0]] |= bit
    found = np.empty((0, 2), np.int64)
    while (count := exposed(moved, disturbed, own[cells], 0, len(cells), found)) > len(found):
        found = np.empty((count, 2), np.int64)
    pairs: dict[int, set[int]] = {}
    for cell, person in found.tolist():
        pairs.setdefault(int(cells[cell]), set()).add(int(persons[person]))
    return pairs
