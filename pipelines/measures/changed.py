"""Figures of numbers that were changed: where they are shares of a whole, the whole is the sum of its parts,
so that none exceeds it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.measures.parts import with_role


def consistent(cube: ProtectedCube) -> ProtectedCube:
    """The cube as figures take it: of numbers that were changed, each for itself, those of all states and of
    all bands and outcomes are added up anew. Any other cube as it is."""
    if cube.perturbed is None:
        return cube
    state, outcome = with_role(cube, "state"), with_role(cube, "outcome")
    axes: list[int] = []
    if state is not None:
        axes = [state + 1]
    elif outcome is not None:
        axes = [axis for axis in (with_role(cube, "follow_up"), outcome) if axis is not None]
    measures = dict(cube.measures)
    for axis in axes:
        measures = {name: _added_up(cube, values, axis) for name, values in measures.items()}
    return replace(cube, measures=measures)


def _added_up(cube: ProtectedCube, values: np.ndarray, axis: int) -> np.ndarray:
    """Each parent along the axis as the sum of its children: int64 (cells,)."""
    grid = np.moveaxis(values.reshape(cube.shape), axis, 0).copy()
    dimension = cube.dimensions[axis]
    for place in reversed(range(len(dimension))):  # children stand behind their parents
        if children := dimension.children(place):
            grid[place] = grid[children].sum(axis=0)
    return np.moveaxis(grid, 0, axis).reshape(-1)
