"""A protected cube as rows of plain values, the same text on the page and in every file.

A hidden cell is empty, with nothing beneath it: the rows are made anew from Python values, so no buffer,
dictionary, statistic or stored schema can hold what the table does not.
"""

from __future__ import annotations

from pipelines.cubes.cube import TOTAL, ProtectedCube
from pipelines.cubes.perturbation import PERTURBED
from pipelines.files.plain import harmless

Header = list[str]
Row = list[str | int | None]


def rows_of(cube: ProtectedCube) -> tuple[Header, list[Row]]:
    """Columns and rows: code and label of each dimension, each measure (None where hidden), and `status`:
    shown or hidden, or perturbed where every number was changed."""
    header: Header = [name for each in cube.dimensions for name in (each.name, f"{each.name}_label")]
    measures = {name: values.tolist() for name, values in cube.measures.items()}
    hidden = cube.hidden.tolist()
    shown = PERTURBED if cube.perturbed else "shown"
    rows: list[Row] = []
    for cell, places in enumerate(cube.coordinates().tolist()):
        texts: Row = []
        for dimension, place in zip(cube.dimensions, places, strict=True):
            texts += [dimension.codes[place] or TOTAL, dimension.labels[place]]
        numbers: Row = [None if hidden[cell] else values[cell] for values in measures.values()]
        rows.append([*texts, *numbers, "hidden" if hidden[cell] else shown])
    return [*header, *cube.measures, "status"], rows


def code_of(code: str) -> str:
    """A code as the files print it: the total has a name."""
    return harmless(code) or TOTAL
