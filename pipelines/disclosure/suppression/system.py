"""All tables of a permit as one system of linear relations.

A cell that stands in two tables is one variable: cells of one population with the same coordinates outside the totals are the same.
A **move** is an integer change of each variable, the same in every measure. The system says which moves lead from the true tables to
others that no attacker can tell from them: every sum still holds, nothing shown has changed, and each hidden cell is still what the
rule makes of it (a primary in 1..minimum-1, a secondary at least minimum).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
import scipy.sparse as sparse

from pipelines.cubes.cube import PERSON_COUNTS, Cube, Dimension
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.errors import DataError

UNBOUNDED = 1 << 40


@dataclass(frozen=True)
class Bounds:
    """`lower`, `upper`: int64 (n,), least and greatest change of each variable."""

    lower: np.ndarray
    upper: np.ndarray

    def within(self, box: int) -> Bounds:
        """The same, and no change beyond `box` either way."""
        return Bounds(np.maximum(self.lower, -box), np.minimum(self.upper, box))

    def by(self, step: int, box: int) -> Bounds:
        """The same, each a multiple of `step` and at most `box`: programmes with such bounds more often have whole solutions."""
        near = self.within(box)
        return Bounds(-(-near.lower // step * step), near.upper // step * step)

    def also(self, others: np.ndarray, lower: np.ndarray, upper: int) -> Bounds:
        """The same, but `lower` and `upper` for `others` (bool (n,))."""
        return Bounds(np.where(others, lower, self.lower), np.where(others, upper, self.upper))

    def where(self, free: np.ndarray) -> Bounds:
        """The same where `free` (bool (n,)), and no change elsewhere."""
        return Bounds(np.where(free, self.lower, 0), np.where(free, self.upper, 0))


@dataclass(frozen=True)
class System:
    """`n` variables and the relations between their changes.

    `persons`: int64 (n,), the larger of the counts of people. `primary`: bool (n,). `narrow`: how far
    each variable may move for an attacker who knows which hidden cells are small (a small one has to stay small); `wide`: for one who
    knows the rule alone. Both allow nothing where a zero must be shown.
    `rows`, `columns`, `signs`: int64 (entries,): relation, variable and coefficient of each entry. `lowest`, `highest`: int64 (relations,):
    bounds of each relation's sum over a move, both 0 where children add up. `cells`: for each cube the variable of each cell.
    `same`: int64 (n,), variables that are known to count the one same person share a number; -1 for all others. `parents`: of each
    dimension's positions, where the variables are the cells of one cube in order. `unpublished`: bool (n,), variables that stand in no
    table. `least`: int64 (n,), fewest persons that each may show.
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

    @cached_property
    def matrix(self) -> sparse.csc_matrix:
        """The relations, int64 (relations, n)."""
        entries = (self.signs, (self.rows, self.columns))
        return sparse.csc_matrix(entries, (self.relations, self.size), dtype=np.int64)

    @cached_property
    def adds_up(self) -> bool:
        """Is every relation an equation?"""
        return not self.lowest.any() and not self.highest.any()

    @property
    def secret(self) -> np.ndarray:
        """Variables that stand in no table, bool (n,)."""
        return np.zeros(self.size, bool) if self.unpublished is None else self.unpublished

    def of(self, singles: Collection[int]) -> np.ndarray:
        """Variables that count one of the persons `singles` (numbers of `same`), bool (n,)."""
        who = np.zeros(self.size + 1, bool)  # the last stands for -1
        who[list(singles)] = True
        return who[self.same]

    @property
    def size(self) -> int:
        """Number of variables."""
        return len(self.persons)

    @property
    def relations(self) -> int:
        """Number of relations."""
        return len(self.lowest)


@dataclass(frozen=True)
class Limits:
    """What a policy asks of each variable. `least`: int64 (n,), fewest persons that may be shown. `someone`: 1 where a cell of nobody is
    shown, else 0. `unsafe`: bool (n,), sensitive for another reason. `zeros`: bool (n,), of nobody, and may yet be hidden."""

    least: np.ndarray
    someone: int
    unsafe: np.ndarray
    zeros: np.ndarray

    @staticmethod
    def of(policy: Policy, size: int, cells: Sequence[np.ndarray], rules: Sequence[Sensitive]) -> Limits:
        """Of the policy, and of what its rules say of each cube; where two cubes share a cell, the strictest."""
        limits = Limits(
            np.full(size, policy.minimum, np.int64), 1 if policy.zeros == "open" else 0, np.zeros(size, bool), np.zeros(size, bool)
        )
        for own, rule in zip(cells, rules, strict=False):
            np.maximum.at(limits.least, own, rule.minimum)
            limits.unsafe[own] |= rule.unsafe
            if rule.zeros is not None:
                limits.zeros[own] |= rule.zeros
        return limits

    def small(self, count: np.ndarray) -> np.ndarray:
        """Counts that may not be shown, bool (n,)."""
        return (count >= self.someone) & (count < self.least)


def build(cubes: Sequence[Cube], policy: Policy, rules: Sequence[Sensitive] = ()) -> System:
    """The system of cubes of one permit. `rules`: what else is sensitive, for each cube, or nothing. Raises DataError where their numbers
    contradict each other."""
    cells, size = _variables(cubes)
    counts = [_merged(cubes, cells, size, measure) for measure in PERSON_COUNTS]
    limits = Limits.of(policy, size, cells, rules)
    primary = np.logical_or.reduce([limits.unsafe, *(limits.small(count) for count in counts)])
    narrow, wide = _reach(counts, primary, _other_measures(cubes, cells, counts[0]), limits)
    relations = _Relations()
    for cube, variables in zip(cubes, cells, strict=True):
        _relate(cube, variables, relations)
    same = _same_person(counts, relations.families)
    whole = len(cubes) == 1 and size == cubes[0].cells
    parents = tuple(dimension.parents for dimension in cubes[0].dimensions) if whole else None
    return System(np.maximum.reduce(counts), primary, narrow, wide, *relations.arrays(), tuple(cells), same, parents, least=limits.least)


@dataclass(frozen=True)
class Before:
    """What is known of variables that stand in earlier releases, bool (n,) each: `shown`; `hidden`; `needed`, those that have to stay
    uncertain whatever they are part of."""

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
    """The system of cubes of persons whose variables are known. `cells`: for each cube the variable of each cell. `persons`: int64 (n,).
    `unpublished`: bool (n,), in no cube that is to be released. `sums`: what adds up besides, as variables of the parts and of the whole.
    `rules`: as in `build`, of the first cubes. `before`: where there are earlier releases.
    """
    limits = Limits.of(policy, len(persons), cells, rules)
    primary = (limits.small(persons) | limits.unsafe) & ~unpublished
    unknown = unpublished
    if before is not None:
        primary, unknown = primary | before.needed, unpublished & ~before.shown & ~before.hidden
    narrow, wide = _reach([persons], primary, persons, limits)
    narrow, wide = (each.also(unknown, -persons, UNBOUNDED) for each in (narrow, wide))
    if before is not None:
        narrow, wide, unpublished = narrow.where(~before.shown), wide.where(~before.shown), unpublished & ~before.shown
    relations = _Relations()
    for cube, variables in zip(cubes, cells, strict=True):
        _relate(cube, variables, relations)
    zero = np.zeros(1, np.int64)
    for parts, whole in sums:
        line = np.array([[*parts, whole]], np.int64)
        relations.families.append(line)
        relations.add(line, np.array([1] * len(parts) + [-1], np.int64), zero, zero)
    same = _same_person([persons], relations.families)
    return System(persons, primary, narrow, wide, *relations.arrays(), tuple(cells), same, None, unpublished, limits.least)


# ---- variables --------------------------------------------------------------------------------------------------------------


def _variables(cubes: Sequence[Cube]) -> tuple[list[np.ndarray], int]:
    """The variable of each cell of each cube, and how many there are."""
    if len(cubes) == 1:
        for dimension in cubes[0].dimensions:
            _check_codes(dimension)
        return [np.arange(cubes[0].cells)], cubes[0].cells
    names = sorted({dimension.name for cube in cubes for dimension in cube.dimensions})
    populations = sorted({cube.population for cube in cubes})
    codes: dict[str, dict[str, int]] = {name: {} for name in names}
    keys = []
    for cube in cubes:
        key = np.zeros((cube.cells, 1 + len(names)), np.int64)
        key[:, 0] = populations.index(cube.population)
        coordinates = cube.coordinates()
        for axis, dimension in enumerate(cube.dimensions):
            _check_codes(dimension)
            known = codes[dimension.name]
            place = [0] + [known.setdefault(code, len(known) + 1) for code in dimension.codes[1:]]
            key[:, 1 + names.index(dimension.name)] = np.array(place, np.int64)[coordinates[:, axis]]
        keys.append(key)
    _share(cubes, keys)
    distinct, inverse = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    starts = np.cumsum([0] + [len(key) for key in keys])
    return [inverse.ravel()[a:b] for a, b in pairwise(starts)], len(distinct)


def _share(cubes: Sequence[Cube], keys: Sequence[np.ndarray]) -> None:
    """Let cells of two populations be one where they count alike in a whole margin of both: by sex, say, all members and all at risk.

    Then they are most likely the same people, and one table could show what the other hides.
    """
    for later, own in enumerate(cubes):
        for earlier, other in enumerate(cubes[:later]):
            if own.population != other.population:
                for cells, theirs in _margins(own, other):
                    if all(np.array_equal(own.measures[name][cells], other.measures[name][theirs]) for name in PERSON_COUNTS):
                        keys[later][cells] = keys[earlier][theirs]


def _margins(own: Cube, other: Cube) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cells of two cubes that lie on the same dimensions, all others being totals; those on fewer dimensions first."""
    same = [(axis, place) for axis, dimension in enumerate(own.dimensions) for place, each in enumerate(other.dimensions)
            if (dimension.name, dimension.codes, dimension.parents) == (each.name, each.codes, each.parents)]  # fmt: skip
    for number in range(len(same) + 1):
        for chosen in combinations(same, number):
            grids = []
            for cube, side in ((own, 0), (other, 1)):
                axes = [pair[side] for pair in chosen]
                grid = np.arange(cube.cells).reshape(cube.shape)
                kept = grid[tuple(slice(None) if axis in axes else 0 for axis in range(len(cube.shape)))]
                rank = [sorted(axes).index(axis) for axis in axes]
                grids.append(np.transpose(kept, rank).ravel())
            yield grids[0], grids[1]


def _check_codes(dimension: Dimension) -> None:
    if len(set(dimension.codes[1:])) != len(dimension) - 1:
        raise DataError(f"dimension {dimension.name}", "a code stands twice", "give each position a code of its own")


def _merged(cubes: Sequence[Cube], cells: Sequence[np.ndarray], size: int, measure: str) -> np.ndarray:
    """A measure by variable, -1 where no cube has it; two cubes must say the same of one cell."""
    merged = np.full(size, -1, np.int64)
    for cube, variables in zip(cubes, cells, strict=True):
        if measure not in cube.measures:
            continue
        values = cube.measures[measure]
        if (values < 0).any():
            raise DataError(f"cube {cube.table}", f"measure {measure} has a negative count", "rebuild the cube")
        earlier = merged[variables]
        if ((earlier >= 0) & (earlier != values)).any():
            raise DataError(f"cube {cube.table}", f"measure {measure} contradicts another table in a cell of both", "rebuild the cubes")
        merged[variables] = values
    return merged


def _other_measures(cubes: Sequence[Cube], cells: Sequence[np.ndarray], persons: np.ndarray) -> np.ndarray:
    """How far each variable may fall before a measure would fall below 0, or persons to 0 where another measure would not."""
    room = persons.copy()
    for cube, variables in zip(cubes, cells, strict=True):
        for larger, smaller in cube.at_least:
            if (cube.measures[larger] < cube.measures[smaller]).any():
                raise DataError(f"cube {cube.table}", f"measure {larger} falls below {smaller}", "rebuild the cube")
            if smaller == "persons":
                stays = (cube.measures[larger] > cube.measures["persons"]) & (cube.measures["persons"] > 0)
                room[variables[stays]] = np.minimum(room, persons - 1)[variables[stays]]
    for population in sorted({cube.population for cube in cubes}):  # what else is counted of two populations are two things
        pairs = [(cube, own) for cube, own in zip(cubes, cells, strict=True) if cube.population == population]
        for measure in sorted({name for cube, _ in pairs for name in cube.measures}):
            values = _merged([cube for cube, _ in pairs], [own for _, own in pairs], len(persons), measure)
            room = np.where(values >= 0, np.minimum(room, values), room)
    return room


def _reach(counts: Sequence[np.ndarray], primary: np.ndarray, room: np.ndarray, limits: Limits) -> tuple[Bounds, Bounds]:
    """How far each variable may move and still be what the rule makes of it: `narrow` and `wide` of `System`."""
    someone = limits.someone
    lowest = np.maximum(-room, np.minimum(0, someone - np.maximum.reduce(list(counts))))
    highest = np.full(len(room), UNBOUNDED, np.int64)
    lower, upper = lowest, highest
    for count in counts:
        small = (count >= 0) & (count < limits.least)
        bottom = np.where(small, np.minimum(count, someone), limits.least)
        lower = np.where(count >= 0, np.maximum(lower, bottom - count), lower)
        upper = np.where(small, np.minimum(upper, limits.least - 1 - count), upper)
    free = primary | (np.maximum.reduce(list(counts)) > 0) | limits.zeros  # any other cell of nobody stays shown
    return Bounds(lower, upper).where(free), Bounds(lowest, highest).where(free)


# ---- relations --------------------------------------------------------------------------------------------------------------


class _Relations:
    """Collects relations as flat arrays; `families`: pairs (child, parent) by line."""

    def __init__(self) -> None:
        self.blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        self.families: list[np.ndarray] = []

    def add(self, columns: np.ndarray, signs: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> None:
        """`columns`: (relations, width); `signs`: (width,); the bounds: (relations,)."""
        self.blocks.append((columns, np.broadcast_to(signs, columns.shape), lowest, highest))

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        rows, first = [np.empty(0, np.int64)], 0
        for columns, _, _, _ in self.blocks:
            rows.append(np.repeat(np.arange(first, first + len(columns)), columns.shape[1]))
            first += len(columns)

        def flat(part: int) -> np.ndarray:
            return np.concatenate([np.empty(0, np.int64), *(block[part].ravel() for block in self.blocks)])

        return np.concatenate(rows), flat(0), flat(1), flat(2), flat(3)


def _relate(cube: Cube, variables: np.ndarray, relations: _Relations) -> None:
    """Add what ties parents to children along each dimension of `cube`."""
    grid = variables.reshape(cube.shape)
    for axis, dimension in enumerate(cube.dimensions):
        for parent in range(len(dimension)):
            children = dimension.children(parent)
            if not children:
                continue
            family = np.take(grid, [*children, parent], axis=axis)
            columns = np.moveaxis(family, axis, -1).reshape(-1, len(children) + 1)
            relations.families.append(columns)
            _relate_line(cube, axis, parent, children, columns, relations)


def _relate_line(cube: Cube, axis: int, parent: int, children: list[int], columns: np.ndarray, relations: _Relations) -> None:
    signs = np.array([1] * len(children) + [-1], np.int64)
    slack_sum: np.ndarray | None = None
    slack_child = np.full((len(columns), len(children)), UNBOUNDED, np.int64)
    adds_up = False
    for name, values in cube.measures.items():
        line = np.moveaxis(np.take(values.reshape(cube.shape), [*children, parent], axis=axis), axis, -1).reshape(-1, len(children) + 1)
        over = line @ signs
        if cube.additive[name][axis]:
            adds_up = True
            if over.any():
                raise DataError(
                    f"cube {cube.table}", f"measure {name} does not add up along {cube.dimensions[axis].name}", "rebuild the cube"
                )
            continue
        room = line[:, -1:] - line[:, :-1]
        if (over < 0).any() or (room < 0).any():
            raise DataError(
                f"cube {cube.table}", f"measure {name} leaves its bounds along {cube.dimensions[axis].name}", "rebuild the cube"
            )
        slack_sum = over if slack_sum is None else np.minimum(slack_sum, over)
        slack_child = np.minimum(slack_child, room)
    if adds_up:
        zero = np.zeros(len(columns), np.int64)
        relations.add(columns, signs, zero, zero)
    elif slack_sum is not None:
        relations.add(columns, signs, -slack_sum, np.full(len(columns), UNBOUNDED, np.int64))
    if slack_sum is not None:
        pairs = np.stack([columns[:, :-1].ravel(), np.repeat(columns[:, -1], len(children))], 1)
        close = slack_child.ravel() < UNBOUNDED
        relations.add(pairs[close], np.array([1, -1], np.int64), np.full(close.sum(), -UNBOUNDED, np.int64), slack_child.ravel()[close])


def _same_person(counts: Sequence[np.ndarray], families: Sequence[np.ndarray]) -> np.ndarray:
    """Numbers shared by variables of one person that hold one another: parent and child of 1 count the same person."""
    pairs = [np.stack([family[:, :-1].ravel(), np.repeat(family[:, -1], family.shape[1] - 1)]) for family in families]
    child, parent = np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1)
    both = np.logical_or.reduce([(count[child] == 1) & (count[parent] == 1) for count in counts])
    child, parent = child[both], parent[both]
    alone = np.logical_or.reduce([count == 1 for count in counts])
    same = np.where(alone, np.arange(len(alone)), -1)
    while True:
        lowest = same.copy()
        np.minimum.at(lowest, child, same[parent])
        np.minimum.at(lowest, parent, same[child])
        if np.array_equal(lowest, same):
            return same
        same = lowest
