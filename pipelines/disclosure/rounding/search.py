"""Which counts go up and which down: so that what is published moves least, the sums first and the counts
themselves after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from kernels.rounding import Within, diffuse, settle
from pipelines.disclosure.atoms import Atoms

_MARGIN: Final = 64  # what a margin weighs beside a cell of one atom
_ROUNDS: Final = 40  # with less and less that a try may cost
_TRIES: Final = 30  # of a round, for each part
_FEWEST, _MOST = 4_000, 600_000  # tries of a round
_DEAR: Final = 1_000_000  # what it costs to move further than is allowed
_SEED: Final = 20_261_125


@dataclass
class Rounding:
    """A choice. `parts`: int64 (parts,), the atoms that are rounded. `up`: bool (parts,). `moved`: int64
    (cells,), by how much each cell is more than it was."""

    atoms: Atoms
    base: int
    parts: np.ndarray
    up: np.ndarray
    moved: np.ndarray

    def counts(self) -> np.ndarray:
        """The rounded counts, int64 (atoms,)."""
        made = self.atoms.count.copy()
        rest = made[self.parts] % self.base
        made[self.parts] += np.where(self.up, self.base - rest, -rest)
        return made


class Search:
    """Rounds some atoms of a table. `chosen`: bool (atoms,), those that may move; whoever is at a multiple of
    the base stays."""

    def __init__(self, atoms: Atoms, base: int, chosen: np.ndarray) -> None:
        self.atoms, self.base = atoms, base
        self.parts = np.flatnonzero(chosen & (atoms.count % base > 0))
        spans = np.diff(atoms.starts)[self.parts]
        self.starts = np.concatenate([[0], np.cumsum(spans)]).astype(np.int64)
        within = np.repeat(atoms.starts[self.parts] - self.starts[:-1], spans) + np.arange(
            int(self.starts[-1])
        )
        self.sums = atoms.cells[within]
        order = np.argsort(self.sums, kind="stable")
        self.members = np.repeat(np.arange(len(self.parts)), spans)[order]
        self.member_starts = np.concatenate(
            [[0], np.cumsum(np.bincount(self.sums, minlength=atoms.size))]
        ).astype(np.int64)
        self.margins = ~atoms.inner()
        self.weight = np.where(self.margins, _MARGIN, 1).astype(np.int64)
        self.random = np.random.default_rng(_SEED)

    def first(self) -> Rounding:
        """Each part in turn, whichever way moves the sums of those before it least."""
        rest = self.atoms.count[self.parts] % self.base
        up, moved = diffuse(rest, self.base, self.starts, self.sums, self.atoms.size, self.weight)
        return Rounding(self.atoms, self.base, self.parts, up, moved)

    def of(self, up: np.ndarray) -> Rounding:
        """A choice made elsewhere. `up`: bool (parts,)."""
        rest, moved = self.atoms.count[self.parts] % self.base, np.zeros(self.atoms.size, np.int64)
        change = np.where(up, self.base - rest, -rest)
        np.add.at(moved, self.sums, np.repeat(change, np.diff(self.starts)))
        return Rounding(self.atoms, self.base, self.parts, up.copy(), moved)

    def least(self, limit: int | None = None, begin: Rounding | None = None) -> Rounding:
        """The best that is found. `limit`: no cell should move further, if that can be."""
        best = begin or self.first()
        if not len(self.parts):
            return best
        self._improve(best, self._cost(limit))
        while True:  # the one that moves furthest, a little less, as long as all others together move no more
            furthest = int(np.abs(best.moved[self.margins]).max(initial=0))
            if furthest < 2:
                return best
            tried = self.of(best.up)
            target = furthest - 1 if limit is None else min(limit, furthest - 1)
            self._improve(tried, self._cost(target))
            if self.quality(tried) >= self.quality(best) or self._sum(tried) > self._sum(best):
                return best
            best = tried
            if self.quality(best)[0] == furthest:
                return best

    def quality(self, choice: Rounding) -> tuple[int, int]:
        """How far the margins move: the one that moves furthest, and all together. Less is better."""
        return int(np.abs(choice.moved[self.margins]).max(initial=0)), self._sum(choice)

    def _sum(self, choice: Rounding) -> int:
        return int(np.abs(choice.moved[self.margins]).sum())

    def _cost(self, limit: int | None) -> np.ndarray:
        size = np.arange(16 * self.base, dtype=np.int64)
        return size**2 + (0 if limit is None else _DEAR * np.maximum(size - limit, 0))

    def _improve(self, choice: Rounding, cost: np.ndarray) -> None:
        """Threshold accepting from the choice; the best that it meets at the end of a round stays."""
        tries = int(np.clip(_TRIES * len(self.parts), _FEWEST, _MOST))
        best_up, best, grown = choice.up.copy(), 0, 0
        highest = _MARGIN * self.base**2
        for number in range(_ROUNDS):
            most = int(highest * (1 - number / (_ROUNDS - 5)) ** 3) if number < _ROUNDS - 5 else 0
            grown += settle(
                choice.up,
                choice.moved,
                self.base,
                Within(self.starts, self.sums, self.member_starts, self.members),
                self.weight,
                cost,
                most,
                self.random.random((tries, 3)),
            )
            if grown < best:
                best_up, best = choice.up.copy(), grown
        kept = self.of(best_up)
        choice.up[:], choice.moved[:] = kept.up, kept.moved
