"""What a bundle says in words: the notes of each table and the data dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Figures
from pipelines.cubes.perturbation import PERTURBED, Perturbation, based_on
from pipelines.cubes.policy import Policy
from pipelines.release.rows import Header, Row

_STATUS: Final = "shown, or hidden to protect people"


def notes_of(cube: ProtectedCube, policy: Policy) -> list[str]:
    """What each measure counts, and what the marks mean."""
    measures = [f"{name}: {cube.notes[name]}" for name in cube.measures if name in cube.notes]
    if cube.perturbed:
        return [*measures, *changed(cube, cube.perturbed)]
    partial = [
        f"{name} does not add up over {dimension.title.lower()}: whoever stands in several of its groups "
        "counts once in their total"
        for axis, dimension in enumerate(cube.dimensions)
        for name in cube.measures
        if not cube.additive[name][axis]
    ]
    return [*measures, *partial, _marks(policy)]


def changed(cube: ProtectedCube, by: Perturbation) -> list[str]:
    """What a reader has to know of numbers that were changed."""
    told = [
        f'status "{PERTURBED}": every number was changed a little to protect people, each number of people '
        f"by at most {by.most} either way and by {by.variance**0.5:.1f} typically (standard deviation; "
        f"{by.variance_of_few**0.5:.1f} at most, of small numbers), 0 in the mean; none is hidden",
        "numbers of the same people are changed alike in every table, permit and version; where one person "
        "comes or goes, a number may move by several, up or down, or stay",
        f"no number of people from 1 to {by.hidden} is shown: 0 means nobody or few, and {by.hidden + 1} may "
        "stand for fewer",
        "totals need not add up: each is changed for itself, so take the total that stands here, and not the "
        "sum of its parts",
    ]
    counts = [name for name in cube.measures if name != "persons" and based_on(name) is None]
    if counts:
        told.append(
            f"{', '.join(counts)}: changed likewise; of those that are never fewer than the persons, what "
            "they exceed them by"
        )
    scaled = [name for name in cube.measures if based_on(name)]
    if scaled:
        told.append(
            f"{', '.join(scaled)}: scaled as their count was changed, so that averages hold and sums are as "
            "uncertain as the count"
        )
    return told


def protection(cube: ProtectedCube) -> str:
    """In one sentence: how many cells, and what was done to them."""
    if cube.perturbed:
        return f"{cube.cells:,} cells, every number changed a little to protect people, none hidden."
    return f"{cube.cells:,} cells, {int(cube.hidden.sum()):,} of them hidden to protect people."


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
        status = "every number was changed to protect people" if cube.perturbed else _STATUS
        rows.append([file, "status", "text", status])
        rows += [
            [f"figures/{cube.table}", name, "text" if name == "why_empty" else "decimal", said]
            for name, said in each.meanings.items()
        ]
    return ["file", "column", "type", "meaning"], rows
