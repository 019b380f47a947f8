"""What is not certain of an index: each person as a tree of units, and the ties that were not made.

A unit is the records that share a number, or one that shares none. A match weight alone holds units together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kernels.trees import spanning
from pipelines.files.frames import Frame, array
from pipelines.linkage.clusters import Clusters, persons_of
from pipelines.linkage.rows import Rows

CERTAIN = 2**31 - 1  # weight of what no tie holds


@dataclass(frozen=True)
class Units:
    """For each of n records, of use at the first one of its unit.

    `name`: int64 (n,), the key of the record that names the unit; `numbered`: bool (n,), has it an anchor or
    number of its own? `cluster`: int32 (n,), the first record of its person; `root`: int64 (n,), at that one,
    the unit that the person is known by: the one with an anchor or number, else the one that names the
    person.
    """

    name: np.ndarray
    numbered: np.ndarray
    cluster: np.ndarray
    root: np.ndarray

    @staticmethod
    def of(records: Rows, clusters: Clusters, before: np.ndarray, numbered: np.ndarray) -> Units:
        """`before`: int32 (n,), for each record the first of its unit; `numbered`: bool (n,), at that one:
        has the unit an anchor or number of its own? `clusters`: the persons.
        """
        name = records["record"][persons_of(records, replace(clusters, cluster=before))]
        return Units(name, numbered, clusters.cluster, _roots(records, clusters, before, numbered))

    def ties(self, strongest: tuple[np.ndarray, np.ndarray, np.ndarray], pairs: Rows) -> Frame:
        """Schema TIES.

        `strongest`: int64 (m,), int64 (m,), int32 (m,): left, right and weight of the units that
        `clusters.decided` found, heaviest first: of them those that hold a person together by the heaviest
        weights are its tree (Kruskal). `pairs`: all that were found.
        """
        left, right, weight = strongest
        kept = self.cluster[left] == self.cluster[right]
        left, right, weight = left[kept], right[kept], weight[kept]
        tree = spanning(left, right, len(self.cluster))
        toward, weights = _hung(self.root, left[tree], right[tree], weight[tree], self.cluster)
        held_by = np.flatnonzero(toward >= 0)
        unit, other, doubt = self._doubts(pairs)
        columns = {
            "unit": self.name[np.append(held_by, unit)],
            "toward": self.name[np.append(toward[held_by], other)],
            "weight": np.append(weights[held_by], doubt),
            "made": np.repeat(np.array([1, 0], np.int8), [len(held_by), len(unit)]),
        }
        order = np.lexsort((columns["toward"], columns["made"], columns["unit"]))
        return {name: column[order] for name, column in columns.items()}

    def _doubts(self, pairs: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each unit without anchor or number, each that has one and is not of its person, and the best weight
        of the two."""
        left, right, weight = pairs["left"], pairs["right"], pairs["weight"]
        doubtful = np.flatnonzero(
            (self.numbered[left] != self.numbered[right]) & (self.cluster[left] != self.cluster[right])
        )
        left, right, weight = left[doubtful], right[doubtful], weight[doubtful]
        unit, other = np.where(self.numbered[left], right, left), np.where(self.numbered[left], left, right)
        order = np.lexsort((-weight, other, unit))
        unit, other, weight = unit[order], other[order], weight[order]
        once = np.append(True, (unit[1:] != unit[:-1]) | (other[1:] != other[:-1]))[: len(unit)]
        return unit[once], other[once], weight[once]


def _roots(records: Rows, clusters: Clusters, before: np.ndarray, numbered: np.ndarray) -> np.ndarray:
    """int64 (n,), at the first record of each person: the unit that it is known by."""
    root = before[persons_of(records, clusters)].astype(np.int64)
    known = np.flatnonzero(numbered & (before == np.arange(len(before))))
    root[clusters.cluster[known]] = known
    return root


def _hung(
    roots: np.ndarray, left: np.ndarray, right: np.ndarray, weight: np.ndarray, cluster: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each unit's neighbour on the way to the root, -1 for a root and for who has no tie (int64 (n,)), and
    that edge's weight (int32 (n,))."""
    toward, weights = np.full(len(roots), -1, np.int64), np.zeros(len(roots), np.int32)
    reached = np.zeros(len(roots), bool)
    reached[roots[cluster[left]]] = True
    while len(left):
        for near, far in ((left, right), (right, left)):
            step = np.flatnonzero(reached[near] & ~reached[far])
            toward[far[step]], weights[far[step]] = near[step], weight[step]
            reached[far[step]] = True
        ahead = ~(reached[left] & reached[right])
        left, right, weight = left[ahead], right[ahead], weight[ahead]
    return toward, weights


def ways(units_of: Frame, ties: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The units of `units_of` (schema UNITS), ascending: their names, where the unit stands that each hangs
    on, and by what weight.

    Returns int64 (u,); int64 (u,), itself where nothing holds it, `u` where it hangs on a unit that hangs on
    nothing and has no doubt; int32 (u,), `CERTAIN` where nothing needs to hold it.
    """
    units = np.unique(array(units_of, "unit"))
    toward, weight = np.arange(len(units)), np.full(len(units), CERTAIN, np.int32)
    made = np.flatnonzero(array(ties, "made") == 1)
    place, on = np.searchsorted(units, array(ties, "unit")[made]), array(ties, "toward")[made]
    target = np.searchsorted(units, on)
    known = np.append(units, 0)[target] == on
    toward[place] = np.where(known, target, len(units))
    weight[place] = array(ties, "weight")[made]
    return units, toward, weight


def held(index: Frame, units_of: Frame, ties: Frame) -> tuple[np.ndarray, np.ndarray]:
    """For each record of an index its unit, and the weakest weight on its way to the root, `CERTAIN` for the
    root itself.

    Returns int64 (n,), below zero for roots, so that no two are alike; int32 (n,).
    """
    units, ahead, weakest = ways(units_of, ties)
    is_root = np.append(ahead == np.arange(len(units)), True)
    ahead, weakest = np.append(ahead, len(units)), np.append(weakest, np.int32(CERTAIN))
    while not is_root[ahead].all():
        weakest, ahead = np.minimum(weakest, weakest[ahead]), ahead[ahead]
    unit, hold = -1 - array(index, "person"), np.full(len(array(index, "person")), CERTAIN, np.int32)
    of = np.searchsorted(units, array(units_of, "unit"))
    hangs = np.flatnonzero(~is_root[of])
    place = np.searchsorted(array(index, "record"), array(units_of, "record")[hangs])
    unit[place] = units[of[hangs]]
    hold[place] = weakest[of[hangs]]
    return unit, hold
