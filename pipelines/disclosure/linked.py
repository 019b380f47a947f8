"""Several tables over the same inner cells as one system.

An **atom** is a group of people whom no table tells apart. Every published cell is a sum of atoms, so whoever
holds all tables holds sums of the same unknowns; cells that name the same people are one variable, whatever
tables they stand in. Atoms that no table shows are variables, too: nobody knows them, not even that they are
0, and hiding them loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.cubes.policy import Policy
from pipelines.disclosure.inner import Inner, Placed
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.disclosure.suppression.system import System, assemble


def joined(
    inner: Inner, placed: Sequence[Placed], policy: Policy, rules: Sequence[Sensitive] = ()
) -> tuple[System, np.ndarray, np.ndarray]:
    """The system, the variable of each atom (int64 (atoms,)), and the atom of each inner cell (int64 (inner
    cells,))."""
    columns = _independent(inner)
    atoms, first, atom_of = _atoms(inner, columns)
    keys = [_keys(inner, each) for each in placed]
    width = len(inner.names)
    own = np.zeros((len(atoms), width), np.int64)
    for place in columns:
        own[:, place] = 1 + list(inner.codes.values())[place][first]
    distinct, inverse = np.unique(np.concatenate([*keys, own]), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    ends = np.cumsum([len(each) for each in keys])
    cells = np.split(inverse[: ends[-1]], ends[:-1])
    variables = inverse[ends[-1] :]
    size = len(distinct)
    persons, unpublished = np.zeros(size, np.int64), np.ones(size, bool)
    persons[variables] = np.bincount(atom_of, inner.count, len(atoms)).astype(np.int64)
    sums = []
    for each, own_cells in zip(placed, cells, strict=True):
        persons[own_cells] = each.cube.measures["persons"]
        unpublished[own_cells] = False
        sums += _of_atoms(each, own_cells, variables, atom_of)
    system = assemble([each.cube for each in placed], cells, persons, unpublished, sums, policy, rules)
    return system, variables, atom_of


def _independent(inner: Inner) -> list[int]:
    """Places of the columns that the others do not settle: a county is settled by its municipality."""
    columns = list(inner.codes.values())
    kept = list(range(len(columns)))
    for place in range(len(columns)):
        for other in kept:
            if other == place:
                continue
            pairs = np.unique(
                columns[other].astype(np.int64) * (int(columns[place].max()) + 1) + columns[place]
            )
            if len(pairs) == len(np.unique(columns[other])):
                kept.remove(place)
                break
    return kept


def _atoms(inner: Inner, columns: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    stacked = np.stack([list(inner.codes.values())[place] for place in columns], axis=1)
    atoms, first, atom_of = np.unique(stacked, axis=0, return_index=True, return_inverse=True)
    return atoms, first, atom_of.ravel()


def _keys(inner: Inner, placed: Placed) -> np.ndarray:
    """What each cell of a cube asks for, int64 (cells, columns): 1 + the code of a column, 0 where it asks
    for nothing."""
    cube, columns = placed.cube, list(inner.names)
    key, coordinates = np.zeros((cube.cells, len(columns)), np.int64), cube.coordinates()
    for axis, dimension in enumerate(cube.dimensions):
        named = {
            column: {code: number for number, code in enumerate(inner.names[column])}
            for column in dimension.levels[1:]
        }
        for position, code in enumerate(dimension.codes[1:], start=1):
            column = dimension.levels[min(dimension.depth(position), len(dimension.levels) - 1)]
            if code not in named[column]:  # a code that stands for its only child, too, is one level up
                column = next(each for each in dimension.levels[1:] if code in named[each])
            key[coordinates[:, axis] == position, columns.index(column)] = 1 + named[column][code]
    return key


def _of_atoms(
    placed: Placed, cells: np.ndarray, variables: np.ndarray, atom_of: np.ndarray
) -> list[tuple[np.ndarray, int]]:
    """Each finest cell of a cube as the sum of its atoms, where it is not one itself: variables of the atoms,
    and of the cell."""
    flat = np.ravel_multi_index(tuple(placed.places.T), placed.cube.shape)
    order = np.argsort(flat, kind="stable")
    begins = np.flatnonzero(np.diff(flat[order], prepend=-1))
    found = []
    for rows in np.split(order, begins[1:]):
        parts, whole = np.unique(variables[atom_of[rows]]), int(cells[flat[rows[0]]])
        if len(parts) > 1 or parts[0] != whole:
            found.append((parts, whole))
    return found
