"""A new release and all earlier ones over the same people, as one system.

An **atom** is the group of people who stood in the same cells of every release, or in none of one. Every cell
that was ever released is a sum of atoms. Cells that hold the very same people are one variable, whatever
release they stand in; so the few who came between two nights are an atom like any other, and are protected
like those in a small cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sparse

from pipelines.cubes.cube import Cube, Dimension
from pipelines.cubes.policy import Policy
from pipelines.disclosure.memory.store import Release, Remembered
from pipelines.disclosure.standing import standing
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.disclosure.suppression.system import Before, System, assemble

_SEED = 7_151


@dataclass(frozen=True)
class Earlier:
    """A table released before, over the atoms. `places`: int32 (atoms, dimensions), -1 where an atom is not
    in it. `values`: int64 (cells,), true. `hidden`: bool (cells,)."""

    name: str
    dimensions: tuple[Dimension, ...]
    places: np.ndarray
    values: np.ndarray
    hidden: np.ndarray


@dataclass(frozen=True)
class Joint:
    """`system`: its cells are those of the new tables. `atoms`: int64 (atoms,), their variables; `of_person`:
    int64 (persons,), the atom of each who is in the new release. `places`: of the new tables, int32 (atoms,
    dimensions). `earlier`: what was released before."""

    system: System
    atoms: np.ndarray
    of_person: np.ndarray
    places: tuple[np.ndarray, ...]
    earlier: tuple[Earlier, ...]


@dataclass(frozen=True)
class Past:
    """What is remembered, and where the people of the new release stand. `persons`: int64 (n, 2), pseudonyms.
    `places`: for each new cube int32 (n, dimensions). `keep`: what was hidden stays hidden where a new cell
    holds the very same people."""

    persons: np.ndarray
    places: tuple[np.ndarray, ...]
    releases: tuple[Release, ...]
    keep: bool = True


class _Table(NamedTuple):
    dimensions: tuple[Dimension, ...]
    places: np.ndarray  # int32 (atoms, dimensions), -1 where an atom is not in it


def joint(cubes: Sequence[Cube], past: Past, policy: Policy, rules: Sequence[Sensitive]) -> Joint:
    """The system of `cubes` and of all that was released before."""
    remembered, new = [each for release in past.releases for each in release.tables], len(cubes)
    tables, count, of_person = _over_atoms(cubes, past)
    if new == 1 and (policy.zeros == "protected" or any(rule.zeros is not None for rule in rules)):
        tables, count = _with_empty(cubes[0], tables, count)
    above = [_above(each) for each in tables]
    values = [each @ count for each in above]
    named = _name(above, values, count, new, policy.minimum)
    unpublished = np.ones(len(named.people), bool)
    unpublished[np.concatenate(named.cells[:new])] = False
    before = _before(remembered, named, unpublished, policy.minimum, past.keep)
    old = [_cube(each, true) for each, true in zip(remembered, values[new:], strict=True)]
    sums = [*_of_atoms(tables, named), *named.gaps]
    system = assemble([*cubes, *old], named.cells, named.people, unpublished, sums, policy, rules, before)
    earlier = [
        Earlier(f"{number:04}-{each.name}", each.dimensions, table.places, true, each.hidden)
        for number, (each, table, true) in enumerate(
            zip(remembered, tables[new:], values[new:], strict=True), start=1
        )
    ]
    places = tuple(each.places for each in tables[:new])
    return Joint(
        replace(system, cells=tuple(named.cells[:new])), named.atoms, of_person, places, tuple(earlier)
    )


# ---- atoms -------------------------------------------------------------------------------------------------


def _over_atoms(cubes: Sequence[Cube], past: Past) -> tuple[list[_Table], np.ndarray, np.ndarray]:
    """The tables, new ones first; the persons of each atom, int64 (atoms,); and the atom of each person of
    the new release."""
    every = [past.persons, *(each.persons for each in past.releases)]
    distinct, number = np.unique(np.concatenate(every), axis=0, return_inverse=True)
    groups = np.split(number.ravel(), np.cumsum([len(each) for each in every])[:-1])
    whole = [
        _Table(cube.dimensions, _spread_out(len(distinct), own, groups[0]))
        for cube, own in zip(cubes, past.places, strict=True)
    ]
    for release, group in zip(past.releases, groups[1:], strict=True):
        whole += [
            _Table(each.dimensions, _spread_out(len(distinct), each.places, group)) for each in release.tables
        ]
    key = np.zeros(len(distinct), np.int64)
    for table in whole:
        key = np.unique(np.column_stack([key, _finest(table)]), axis=0, return_inverse=True)[1].ravel()
    _, first, atom_of = np.unique(key, return_index=True, return_inverse=True)
    count = np.bincount(atom_of.ravel(), minlength=len(first)).astype(np.int64)
    return [table._replace(places=table.places[first]) for table in whole], count, atom_of.ravel()[groups[0]]


def _spread_out(size: int, places: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Places of everybody, -1 of those who are not in a table: int32 (size, dimensions)."""
    whole = np.full((size, places.shape[1]), -1, np.int32)
    whole[group] = places
    return whole


def _finest(table: _Table) -> np.ndarray:
    """The finest cell of each row, -1 of those that are in none: int64 (rows,)."""
    inside, flat = table.places[:, 0] >= 0, np.full(len(table.places), -1, np.int64)
    flat[inside] = np.ravel_multi_index(
        tuple(table.places[inside].T), tuple(len(each) for each in table.dimensions)
    )
    return flat


def _with_empty(cube: Cube, tables: list[_Table], count: np.ndarray) -> tuple[list[_Table], np.ndarray]:
    """The same, and an atom of nobody for each finest cell of the new table in which nobody stands: somebody
    could have come."""
    grids = np.meshgrid(*[np.array(each.leaves) for each in cube.dimensions], indexing="ij")
    leaves = np.stack([each.ravel() for each in grids], axis=1).astype(np.int32)
    empty = leaves[cube.measures["persons"][_finest(_Table(cube.dimensions, leaves))] == 0]
    more = [empty, *(np.full((len(empty), len(each.dimensions)), -1, np.int32) for each in tables[1:])]
    longer = [
        each._replace(places=np.concatenate([each.places, own]))
        for each, own in zip(tables, more, strict=True)
    ]
    return longer, np.concatenate([count, np.zeros(len(empty), np.int64)])


def _above(table: _Table) -> sparse.csr_matrix:
    """Which atoms each cell of a table adds up, int64 (cells, atoms)."""
    dimensions, places = table
    cells, atoms = standing(dimensions, places)
    size = int(np.prod([len(each) for each in dimensions]))
    return sparse.csr_matrix((np.ones(len(cells), np.int64), (cells, atoms)), (size, len(places)))


# ---- variables ---------------------------------------------------------------------------------------------


class _Named(NamedTuple):
    """`cells`: for each table int64 (cells,), their variables. `atoms`: int64 (atoms,), theirs. `gaps`: as
    sums. `people`: int64 (variables,)."""

    cells: list[np.ndarray]
    atoms: np.ndarray
    gaps: list[tuple[np.ndarray, int]]
    people: np.ndarray


def _name(
    above: Sequence[sparse.csr_matrix],
    values: Sequence[np.ndarray],
    count: np.ndarray,
    new: int,
    minimum: int,
) -> _Named:
    """A variable for each group of people. Each atom has two random marks, and groups whose marks have the
    same sums are taken to be one; cells of no atom stand each for itself."""
    mark = np.random.default_rng(_SEED).integers(-(2**62), 2**62, (len(count), 2))
    marks = [each @ mark for each in above]
    gaps = list(_gaps(above, values, count, new, minimum))
    of_gaps = np.array([marks[a][i] - marks[b][j] for a, i, b, j in gaps], np.int64).reshape(-1, 2)
    apart, parts = 0, []
    for each, own in zip(marks, above, strict=True):
        nobody = np.diff(own.indptr) == 0
        parts.append(np.column_stack([np.where(nobody, apart + np.cumsum(nobody), 0), each]))
        apart += int(nobody.sum())
    parts += [np.column_stack([np.zeros(len(each), np.int64), each]) for each in (mark, of_gaps)]
    _, variable = np.unique(np.concatenate(parts), axis=0, return_inverse=True)
    *cells, atoms, own_gaps = np.split(variable.ravel(), np.cumsum([len(each) for each in parts])[:-1])
    people = np.zeros(int(variable.max(initial=-1)) + 1, np.int64)
    for own, true in zip([*cells, atoms], [*values, count], strict=True):
        people[own] = true
    sums, known = [], set(np.concatenate([*cells, atoms]).tolist())
    for gap, (a, i, b, j) in zip(own_gaps.tolist(), gaps, strict=True):
        people[gap] = values[a][i] - values[b][j]
        if gap not in known:
            known.add(gap)
            sums.append((np.array([gap, cells[b][j]]), int(cells[a][i])))
    return _Named(cells, atoms, sums, people)


def _before(
    remembered: Sequence[Remembered], named: _Named, unpublished: np.ndarray, minimum: int, keep: bool
) -> Before:
    shown, hidden, needed = (np.zeros(len(named.people), bool) for _ in range(3))
    for own, each in zip(named.cells[len(named.cells) - len(remembered) :], remembered, strict=True):
        shown[own[~each.hidden]] = True
        hidden[own[each.hidden]] = True
        needed[own[each.sensitive]] = True
    needed |= unpublished & ~hidden & (named.people > 0) & (named.people < minimum)
    if keep:
        needed |= hidden & ~unpublished
    return Before(shown, hidden & ~shown, needed & ~shown)


def _gaps(
    above: Sequence[sparse.csr_matrix],
    values: Sequence[np.ndarray],
    count: np.ndarray,
    new: int,
    minimum: int,
) -> Iterator[tuple[int, int, int, int]]:
    """Pairs of cells of two tables, at least one of them new, of which one holds all of the other and 1 to
    `minimum` - 1 persons more.

    Yields table and cell of the larger, then of the smaller."""
    someone = count > 0
    kept = [each[:, someone].tocsr() for each in above]
    for table in range(new):
        own = kept[table]
        weighted = sparse.csr_matrix(
            (own.data * count[someone][own.indices], own.indices, own.indptr), own.shape
        )
        for other in range(table + 1, len(above)):
            both = sparse.coo_array(weighted @ kept[other].T)
            one, two = values[table][both.row], values[other][both.col]
            for larger, smaller, big, small in (
                (one, two, (table, both.row), (other, both.col)),
                (two, one, (other, both.col), (table, both.row)),
            ):
                few = (
                    (both.data == smaller)
                    & (larger > smaller)
                    & (larger - smaller < minimum)
                    & (larger >= minimum)
                )
                for i, j in zip(big[1][few].tolist(), small[1][few].tolist(), strict=True):
                    yield big[0], i, small[0], j


def _of_atoms(tables: Sequence[_Table], named: _Named) -> Iterator[tuple[np.ndarray, int]]:
    """Each finest cell of a table as the sum of its atoms, where it is not one itself: their variables, and
    that of the cell."""
    for own, table in zip(named.cells, tables, strict=True):
        flat = _finest(table)
        order = np.argsort(flat, kind="stable")
        order = order[flat[order] >= 0]
        for rows in np.split(order, np.flatnonzero(np.diff(flat[order])) + 1):
            if len(rows) and (len(rows) > 1 or named.atoms[rows[0]] != own[flat[rows[0]]]):
                yield np.sort(named.atoms[rows]), int(own[flat[rows[0]]])


def _cube(table: Remembered, values: np.ndarray) -> Cube:
    additive = {"persons": (True,) * len(table.dimensions)}
    return Cube(
        table=table.name,
        title=table.name,
        population="earlier",
        dimensions=table.dimensions,
        measures={"persons": values},
        additive=additive,
    )
