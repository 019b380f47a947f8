"""All tables of a permit as one system of linear relations.

A cell that stands in two tables is one variable: cells of one population with the same coordinates outside
the totals are the same. A **move** is an integer change of each variable, the same in every measure. The
system says which moves lead from the true tables to others that no attacker can tell from them: every sum
still holds, nothing shown has changed, and each hidden cell is still what the rule makes of it (a primary in
1..minimum-1, a secondary at least minimum).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sparse

from pipelines.cubes.cube import PERSON_COUNTS, Cube
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.bounds import UNBOUNDED, Bounds
from pipelines.disclosure.suppression.limits import Limits, reach
from pipelines.disclosure.suppression.prices import margins
from pipelines.disclosure.suppression.relations import Relations, relate, same_person
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.disclosure.suppression.variables import merged, room_of, variables_of


@dataclass(frozen=True)
class System:
    """`n` variables and the relations between their changes.

    `persons`: int64 (n,), the larger of the counts of people. `primary`: bool (n,). `narrow`: how far each
    variable may move for an attacker who knows which hidden cells are small (a small one has to stay small);
    `wide`: for one who knows the rule alone. Both allow nothing where a zero must be shown. `rows`,
    `columns`, `signs`: int64 (entries,): relation, variable and coefficient of each entry. `lowest`,
    `highest`: int64 (relations,): bounds of each relation's sum over a move, both 0 where children add up.
    `cells`: for each cube the variable of each cell. `same`: int64 (n,), variables that are known to count
    the one same person share a number; -1 for all others. `parents`: of each dimension's positions, where the
    variables are the cells of one cube in order. `unpublished`: bool (n,), variables that stand in no table.
    `least`: int64 (n,), fewest persons that each may show. `aside`: bool (n,), variables that are hidden
    whatever is in them, so that who is alone in a cell may work them out. `dear`: int64 (n,), how many
    times over a variable's persons count where it is hidden; absent: once.
    """

    persons: np.ndarray
    primary: np.ndarray
    narrow: Bounds
    wide: Bounds
    rows: np.ndarray
    columns: np.ndarray
    signs: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    cells: tuple[np.ndarray, ...]
    same: np.ndarray
    parents: tuple[tuple[int, ...], ...] | None = None
    unpublished: np.ndarray | None = None
    least: np.ndarray | None = None
    aside: np.ndarray | None = None
    dear: np.ndarray | None = None

    @cached_property
    def matrix(self) -> sparse.csc_matrix:
        """The relations, int64 (relations, n)."""
        entries = (self.signs, (self.rows, self.columns))
        return sparse.csc_matrix(entries, (self.relations, self.size), dtype=np.int64)

    @cached_property
    def adds_up(self) -> bool:
        """Is every relation an equation?"""
        return not self.lowest.any() and not self.highest.any()

    @cached_property
    def loss(self) -> np.ndarray:
        """What is lost where each variable is hidden, in persons of an inner cell, int64 (n,)."""
        return self.persons if self.dear is None else self.persons * self.dear

    def showing(self, shown: np.ndarray) -> System:
        """The same system where the variables `shown`, bool (n,), may not be hidden."""
        return replace(self, narrow=self.narrow.where(~shown), wide=self.wide.where(~shown))

    @property
    def secret(self) -> np.ndarray:
        """Variables that stand in no table, bool (n,)."""
        return np.zeros(self.size, bool) if self.unpublished is None else self.unpublished

    @property
    def guarded(self) -> np.ndarray:
        """Variables of somebody that who is alone in a cell must not work out, bool (n,)."""
        return self.needed & (self.persons > 0)

    @property
    def needed(self) -> np.ndarray:
        """Variables that are hidden for what is in them, bool (n,)."""
        return self.primary if self.aside is None else self.primary & ~self.aside

    def of(self, singles: Collection[int]) -> np.ndarray:
        """Variables that count one of the persons `singles` (numbers of `same`), bool (n,)."""
        who = np.zeros(self.size + 1, bool)  # the last stands for -1
        who[list(singles)] = True
        return who[self.same]

    def without(self, variables: np.ndarray) -> System:
        """The same, and nobody can come to `variables`, int64 (k,), who is not there."""
        free = np.ones(self.size, bool)
        free[variables] = False
        return replace(self, narrow=self.narrow.where(free), wide=self.wide.where(free))

    @cached_property
    def _people(self) -> tuple[np.ndarray, np.ndarray]:
        """Variables by the number of whom they count, and these numbers."""
        order = np.argsort(self.same, kind="stable")
        return order, self.same[order]

    def own(self, singles: Collection[int]) -> np.ndarray:
        """The same variables as numbers, int64 (k,), ascending."""
        order, whose = self._people
        people = np.array(sorted(singles), np.int64)
        begin, end = np.searchsorted(whose, people), np.searchsorted(whose, people, side="right")
        parts = [order[a:b] for a, b in zip(begin.tolist(), end.tolist(), strict=True)]
        return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))

    @property
    def size(self) -> int:
        """Number of variables."""
        return len(self.persons)

    @property
    def relations(self) -> int:
        """Number of relations."""
        return len(self.lowest)


def build(cubes: Sequence[Cube], policy: Policy, rules: Sequence[Sensitive] = ()) -> System:
    """The system of cubes of one permit. `rules`: what else is sensitive, for each cube, or nothing. Raises
    DataError where their numbers contradict each other."""
    cells, size = variables_of(cubes)
    counts = [merged(cubes, cells, size, measure) for measure in PERSON_COUNTS]
    limits = Limits.of(policy, size, cells, rules)
    primary = np.logical_or.reduce([limits.unsafe, *(limits.small(count) for count in counts)])
    narrow, wide = reach(counts, primary, room_of(cubes, cells, counts[0]), limits)
    relations = Relations()
    for cube, variables in zip(cubes, cells, strict=True):
        relate(cube, variables, relations)
    rows, columns, signs, lowest, highest = relations.arrays()
    whole = len(cubes) == 1 and size == cubes[0].cells
    return System(
        persons=np.maximum.reduce(counts),
        primary=primary,
        narrow=narrow,
        wide=wide,
        rows=rows,
        columns=columns,
        signs=signs,
        lowest=lowest,
        highest=highest,
        cells=tuple(cells),
        same=same_person(counts, relations.families),
        parents=tuple(dimension.parents for dimension in cubes[0].dimensions) if whole else None,
        least=limits.least,
        dear=margins(cubes, cells, size),
    )


@dataclass(frozen=True)
class Before:
    """What is known of variables that stand in earlier releases, bool (n,) each: `shown`; `hidden`; `needed`,
    those that have to stay uncertain whatever they are part of."""

    shown: np.ndarray
    hidden: np.ndarray
    needed: np.ndarray


def assemble(
    cubes: Sequence[Cube],
    cells: Sequence[np.ndarray],
    persons: np.ndarray,
    unpublished: np.ndarray,
    sums: Sequence[tuple[np.ndarray, int]],
    policy: Policy,
    rules: Sequence[Sensitive] = (),
    before: Before | None = None,
) -> System:
    """The system of cubes of persons whose variables are known.

    `cells`: for each cube int64 (cells,), the variable of each cell. `persons`: int64 (n,). `unpublished`:
    bool (n,), in no cube that is to be released. `sums`: what adds up besides, as variables of the parts,
    int64 (parts,), and of the whole. `rules`: as in `build`, of the first cubes. `before`: where there are
    earlier releases.
    """
    limits = Limits.of(policy, len(persons), cells, rules)
    primary = (limits.small(persons) | limits.unsafe) & ~unpublished
    unknown = unpublished
    if before is not None:
        primary, unknown = primary | before.needed, unpublished & ~before.shown & ~before.hidden
    narrow, wide = reach([persons], primary, persons, limits)
    narrow, wide = (each.also(unknown, -persons, UNBOUNDED) for each in (narrow, wide))
    if before is not None:
        narrow = narrow.where(~before.shown)
        wide = wide.where(~before.shown)
        unpublished = unpublished & ~before.shown
    relations = Relations()
    for cube, variables in zip(cubes, cells, strict=True):
        relate(cube, variables, relations)
    zero = np.zeros(1, np.int64)
    for parts, whole in sums:
        line = np.array([[*parts, whole]], np.int64)
        relations.families.append(line)
        relations.add(line, np.array([1] * len(parts) + [-1], np.int64), zero, zero)
    rows, columns, signs, lowest, highest = relations.arrays()
    return System(
        persons=persons,
        primary=primary,
        narrow=narrow,
        wide=wide,
        rows=rows,
        columns=columns,
        signs=signs,
        lowest=lowest,
        highest=highest,
        cells=tuple(cells),
        same=same_person([persons], relations.families),
        unpublished=unpublished,
        least=limits.least,
        dear=margins(cubes, cells, len(persons)),
    )
