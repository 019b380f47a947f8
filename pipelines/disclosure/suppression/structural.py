"""Structural zeros: cells in which nobody can stand, as everybody knows. They are shown and shield nothing.

Whoever attacks a table takes them for known. So a hidden one protects no cell beside it, and none of the
other tables that must stay possible may have anybody there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pipelines.cubes.cube import Dimension, Grid
from pipelines.disclosure.suppression.sensitive import children_of

Zeros = Sequence[Mapping[str, Collection[str]]]  # each the codes of dimensions that nobody has together


def below(dimension: Dimension, codes: Collection[str]) -> np.ndarray:
    """Positions that stand at one of `codes` or below it, bool (positions,)."""
    chosen = np.zeros(len(dimension), bool)
    for place, code in enumerate(dimension.codes[1:], start=1):
        chosen[place] = code in codes or chosen[dimension.parents[place]]
    return chosen


def impossible(cube: Grid, zeros: Zeros) -> np.ndarray:
    """Cells in which nobody can stand, bool (cells,): those that `zeros` name, and those whose parts all
    are."""
    found = np.zeros(cube.shape, bool)
    names = [dimension.name for dimension in cube.dimensions]
    for combination in zeros:
        if not set(combination) <= set(names):
            continue
        here = np.ones(cube.shape, bool)
        for name, codes in combination.items():
            axis = names.index(name)
            flags = below(cube.dimensions[axis], codes)
            here &= flags.reshape([-1 if each == axis else 1 for each in range(len(names))])
        found |= here
    for axis, dimension in enumerate(cube.dimensions):
        for parent, children in reversed(children_of(dimension).items()):
            place: list[slice | int] = [slice(None)] * len(names)
            place[axis] = parent
            found[tuple(place)] |= np.take(found, children, axis=axis).all(axis=axis)
    return found.ravel()
