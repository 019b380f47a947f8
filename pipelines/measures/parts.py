"""Parts of a protected cube: its measures as grids with gaps where cells are hidden, and its cells line by
line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np

from pipelines.cubes.cube import Dimension, ProtectedCube
from pipelines.cubes.standard_axes import StandardAxes


def with_role(cube: ProtectedCube, role: str) -> int | None:
    """The axis with that role, if there is one."""
    return next((axis for axis, each in enumerate(cube.dimensions) if each.role == role), None)


def shown(cube: ProtectedCube, measure: str) -> np.ndarray:
    """float64 (sizes of the dimensions,), the cube's shape: a measure, NaN where hidden."""
    return np.where(cube.hidden, np.nan, cube.measures[measure]).reshape(cube.shape)


def strata(cube: ProtectedCube, *axes: int) -> Iterator[tuple[int | slice, ...]]:
    """An index for each place of all axes but those given, of which it takes everything; totals first."""
    ranges = [[slice(None)] if axis in axes else range(size) for axis, size in enumerate(cube.shape)]
    yield from product(*ranges)


def at_totals(index: tuple[int | slice, ...]) -> tuple[int, ...]:
    """The index with the total in place of all that it takes."""
    return tuple(0 if isinstance(place, slice) else place for place in index)


def name_of(dimensions: tuple[Dimension, ...], index: tuple[int | slice, ...]) -> str:
    """The stratum in words: its labels but for totals; "All" where all are totals."""
    labels = [
        each.labels[place]
        for each, place in zip(dimensions, index, strict=True)
        if isinstance(place, int) and place
    ]
    return ", ".join(labels) or "All"


def one_at_a_time(cube: ProtectedCube, *axes: int) -> Iterator[tuple[int | slice, ...]]:
    """Of `strata`, the one of totals alone and those with one place of the first level where somebody is, or
    is hidden."""
    persons, hidden = cube.measures["persons"].reshape(cube.shape), cube.hidden.reshape(cube.shape)
    for index in strata(cube, *axes):
        places = [(axis, place) for axis, place in enumerate(index) if isinstance(place, int) and place]
        first = all(cube.dimensions[axis].parents[place] == 0 for axis, place in places)
        if len(places) <= 1 and first and (not places or persons[index].any() or hidden[index].any()):
            yield index


def joined(reasons: Iterable[str]) -> str:
    """Reasons one after the other, each once."""
    return "; ".join(dict.fromkeys(part for text in reasons for part in text.split("; ") if part))


def elsewhere(figures: str, standard: StandardAxes) -> str:
    """Why `figures` that stand in the rows of all that is standardised over stand in no other: said of sexes
    alone, since of ages it is said where every blank has its reason."""
    return f"{figures} stand in the rows of all ages and both sexes" if len(standard.axes) > 1 else ""
