"""What a bundle says in words: the notes of each table and the data dictionary."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Figures
from pipelines.cubes.policy import Policy
from pipelines.release.rows import Header, Row


def notes_of(cube: ProtectedCube, policy: Policy) -> list[str]:
    """What each measure counts, and what the marks mean."""
    measures = [f"{name}: {cube.notes[name]}" for name in cube.measures if name in cube.notes]
    partial = [
        f"{name} does not add up over {dimension.title.lower()}: whoever stands in several of its groups "
        "counts once in their total"
        for axis, dimension in enumerate(cube.dimensions)
        for name in cube.measures
        if not cube.additive[name][axis]
    ]
    return [*measures, *partial, _marks(policy)]


def _marks(policy: Policy) -> str:
    zero = "0 means that there is nobody" if policy.zeros == "open" else "a cell of nobody is hidden, too"
    rule = ", a rule of the policy makes it sensitive" if policy.named() or policy.outside else ""
    few = (
        f"fewer than {policy.minimum} people stand behind the cell{rule}, or it could be used to work out "
        "such a cell"
    )
    return f'status "hidden": {few}; the two are marked alike on purpose; {zero}'


def data_dictionary(cubes: Sequence[ProtectedCube], figures: Sequence[Figures]) -> tuple[Header, list[Row]]:
    """One row for each column of each file."""
    rows: list[Row] = []
    for cube, each in zip(cubes, figures, strict=True):
        file = f"tables/{cube.table}"
        for dimension in cube.dimensions:
            rows.append([file, dimension.name, "text", f"{dimension.title}: code, Total for all"])
            rows.append([file, f"{dimension.name}_label", "text", f"{dimension.title}: in words"])
        for name in cube.measures:
            rows.append([file, name, "integer", cube.notes.get(name, name)])
        rows.append([file, "status", "text", "shown, or hidden to protect people"])
        rows += [
            [f"figures/{cube.table}", name, "text" if name == "why_empty" else "decimal", said]
            for name, said in each.meanings.items()
        ]
    return ["file", "column", "type", "meaning"], rows
