"""Which cells of a cube lie around one: enough of them for a short move that changes it, few enough for a small linear programme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Neighbours:
    """`parents`: for each dimension the parent of each position, -1 for the total at position 0, parents before children."""

    def __init__(self, parents: Sequence[Sequence[int]]) -> None:
        self._parents = parents
        self._shape = tuple(len(each) for each in parents)
        self._leaves = [_leaves(each) for each in parents]

    def around(self, cell: int, size: int, rank: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """At most about `size` cells with `cell` among them, int64, ascending: in each dimension some leaves below its position, some
        beside it, and what lies between these and where they meet. `rank`: (cells,), of two leaves that is taken first whose cell, all
        else being as in `cell`, has the lower one; of equal ones it is drawn."""
        places = [int(each) for each in np.unravel_index(cell, self._shape)]
        lines = [self._line(axis, cell, place, rank) for axis, place in enumerate(places)]
        whole = [self._along(axis, place, self._shape[axis], lines[axis], random) for axis, place in enumerate(places)]
        chosen: list[np.ndarray] = [np.empty(0, np.int64)] * len(places)
        left = float(size)
        for done, axis in enumerate(sorted(range(len(places)), key=lambda each: (len(whole[each]), each))):
            most = max(4, int(left ** (1 / (len(places) - done))))
            fits = len(whole[axis]) <= most
            chosen[axis] = whole[axis] if fits else self._along(axis, places[axis], most, lines[axis], random)
            left = max(1.0, left / len(chosen[axis]))
        grid = np.meshgrid(*chosen, indexing="ij")
        return np.ravel_multi_index([each.ravel() for each in grid], self._shape).astype(np.int64)

    def _line(self, axis: int, cell: int, place: int, rank: np.ndarray) -> np.ndarray:
        stride = int(np.prod(self._shape[axis + 1 :]))
        return rank[cell - place * stride + np.arange(self._shape[axis]) * stride]

    def _along(self, axis: int, place: int, most: int, line: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Positions of one dimension, ascending, about `most`."""
        parents, leaves = self._parents[axis], self._leaves[axis]
        top = parents[place]
        while top >= 0 and len(leaves[top]) == len(leaves[place]):
            top = parents[top]
        below, beside = random.permutation(leaves[place]), random.permutation(np.setdiff1d(leaves[max(top, 0)], leaves[place]))
        below, beside = (some[np.argsort(line[some], kind="stable")].tolist() for some in (below, beside))
        found: set[int] = set()
        for turn in range(max(len(below), len(beside))):
            for some in (below, beside):
                if turn < len(some) and (len(found) < most or not turn):
                    at = some[turn]
                    while at >= 0 and at != top:
                        found.add(at)
                        at = parents[at]
        return np.array(sorted(found), np.int64)


def _leaves(parents: Sequence[int]) -> list[list[int]]:
    """The leaves below each position, itself included."""
    inner, below = set(parents), [list[int]() for _ in parents]
    for leaf in range(len(parents)):
        if leaf not in inner:
            above = leaf
            while above >= 0:
                below[above].append(leaf)
                above = parents[above]
    return below
