"""Which cells of the cubes of a permit are one variable, and what the cubes say of each variable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np

from pipelines.cubes.cube import PERSON_COUNTS, Cube, Dimension
from pipelines.errors import DataError


def variables_of(cubes: Sequence[Cube]) -> tuple[list[np.ndarray], int]:
    """The variable of each cell of each cube, int64 (cells,), and how many there are.

    Raises DataError where a code stands twice in a dimension.
    """
    if len(cubes) == 1:
        for dimension in cubes[0].dimensions:
            _check_codes(dimension)
        return [np.arange(cubes[0].cells)], cubes[0].cells
    names = sorted({dimension.name for cube in cubes for dimension in cube.dimensions})
    # In order of appearance: by their names, which are hashes, the same numbers would get another pattern.
    populations = list(dict.fromkeys(cube.population for cube in cubes))
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
    """Let cells of two populations be one where they count alike in a whole margin of both: by sex, say, all
    members and all at risk.

    Then they are most likely the same people, and one table could show what the other hides.
    """
    for later, own in enumerate(cubes):
        for earlier, other in enumerate(cubes[:later]):
            if own.population != other.population:
                for cells, theirs in _margins(own, other):
                    if all(
                        np.array_equal(own.measures[name][cells], other.measures[name][theirs])
                        for name in PERSON_COUNTS
                    ):
                        keys[later][cells] = keys[earlier][theirs]


def _margins(own: Cube, other: Cube) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cells of two cubes that lie on the same dimensions, all others being totals; those on fewer dimensions
    first."""
    same = [
        (axis, place)
        for axis, dimension in enumerate(own.dimensions)
        for place, each in enumerate(other.dimensions)
        if (dimension.name, dimension.codes, dimension.parents) == (each.name, each.codes, each.parents)
    ]
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
        raise DataError(
            f"dimension {dimension.name}", "a code stands twice", "give each position a code of its own"
        )


def merged(cubes: Sequence[Cube], cells: Sequence[np.ndarray], size: int, measure: str) -> np.ndarray:
    """A measure by variable, int64 (n,), -1 where no cube has it.

    `cells`: for each cube int64 (cells,), the variable of each cell. Raises DataError where a count is
    negative, or two cubes do not say the same of one variable.
    """
    merged = np.full(size, -1, np.int64)
    for cube, variables in zip(cubes, cells, strict=True):
        if measure not in cube.measures:
            continue
        values = cube.measures[measure]
        if (values < 0).any():
            raise DataError(
                f"cube {cube.table}", f"measure {measure} has a negative count", "rebuild the cube"
            )
        earlier = merged[variables]
        if ((earlier >= 0) & (earlier != values)).any():
            raise DataError(
                f"cube {cube.table}",
                f"measure {measure} contradicts another table in a cell of both",
                "rebuild the cubes",
            )
        merged[variables] = values
    return merged


def room_of(cubes: Sequence[Cube], cells: Sequence[np.ndarray], persons: np.ndarray) -> np.ndarray:
    """How far each variable may fall before a measure would fall below 0, or persons to 0 where another
    measure would not: int64 (n,).

    `cells`: for each cube int64 (cells,), the variable of each cell; `persons`: int64 (n,). Raises DataError
    where a measure falls below one that it is at least.
    """
    room = persons.copy()
    for cube, variables in zip(cubes, cells, strict=True):
        for larger, smaller in cube.at_least:
            if (cube.measures[larger] < cube.measures[smaller]).any():
                raise DataError(
                    f"cube {cube.table}", f"measure {larger} falls below {smaller}", "rebuild the cube"
                )
            if smaller == "persons":
                stays = (cube.measures[larger] > cube.measures["persons"]) & (cube.measures["persons"] > 0)
                room[variables[stays]] = np.minimum(room, persons - 1)[variables[stays]]
    # What else is counted of two populations are two things.
    for population in sorted({cube.population for cube in cubes}):
        pairs = [(cube, own) for cube, own in zip(cubes, cells, strict=True) if cube.population == population]
        for measure in sorted({name for cube, _ in pairs for name in cube.measures}):
            values = merged([cube for cube, _ in pairs], [own for _, own in pairs], len(persons), measure)
            room = np.where(values >= 0, np.minimum(room, values), room)
    return room
