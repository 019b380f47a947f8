"""What a bundle says in words: the method note, the notes of each table, the data dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.cubes import ProtectedCube
from pipelines.figures import Figures
from pipelines.policy import Policy
from pipelines.release.formats import Header, Row


def notes_of(cube: ProtectedCube, policy: Policy) -> list[str]:
    """What each measure counts, and what the marks mean."""
    measures = [f"{name}: {cube.notes[name]}" for name in cube.measures if name in cube.notes]
    partial = [
        f"{name} does not add up over {dimension.title.lower()}: a person may stand in several of its groups and is counted once in each total"
        for axis, dimension in enumerate(cube.dimensions)
        for name in cube.measures
        if not cube.additive[name][axis]
    ]
    return [*measures, *partial, _marks(policy)]


def _marks(policy: Policy) -> str:
    zero = "0 means that there is nobody" if policy.zeros == "open" else "a cell of nobody is hidden, too"
    return (
        f'status "hidden": fewer than {policy.minimum} people stand behind the cell, or it could be used to work out such a cell; the two are '
        f"marked alike on purpose; {zero}"
    )


def method_note(
    title: str, holder: str, purpose: str, definition: Sequence[str], policy: Policy, cubes: Sequence[ProtectedCube], proof: dict[str, Any]
) -> str:
    """The method note, in Markdown."""
    tables = [f"- **{cube.title}** (`tables/{cube.table}`): {cube.cells:,} cells, {int(cube.hidden.sum()):,} hidden" for cube in cubes]
    attackers = [f"{place}. {text}" for place, text in enumerate(proof["withstands"], start=1)]
    zeros = "shown as 0" if policy.zeros == "open" else "treated as small"
    lines = [
        f"# {title}", "", f"Released to {holder}. Purpose: {purpose}.", "",
        "## Tables", "", *tables, "",
        *(["## Who is counted", "", *[f"- {line}" for line in definition], ""] if definition else []),
        "## How people are protected", "",
        f"A cell behind which stand 1 to {policy.minimum - 1} people is hidden; a cell of nobody is {zeros}. Other cells are hidden where they "
        "would give a hidden one away. All tables are protected together, because what two tables share is one number. The two kinds of hidden "
        "cell are marked alike. A hidden cell is hidden in every measure, and so is every rate, share and plotted value that touches it.", "",
        "For every hidden cell, and in every measure, there is another set of tables that agrees with everything shown here. That was proven "
        "cell by cell in whole-number arithmetic before the release, and stands against:", "", *attackers, "",
        "Not covered: other releases about the same people, and what an attacker knows of people from elsewhere.", "",
        "## How to check this bundle", "",
        "`uttag verify .` checks, offline, the signature, every file, the sums, the rule and, with nothing but these files, that no hidden cell "
        "can be worked out. Compare `release.pub` with the key that the centre has published.", "",
        "## Figures", "",
        "Rates are events per 100,000 person-years (365.25 days) with exact Poisson limits (Garwood 1936). They are computed from the shown "
        "cells alone.", "",
    ]  # fmt: skip
    return "\n".join(lines)


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
            [f"figures/{cube.table}", name, "text" if name == "why_empty" else "decimal", said] for name, said in each.meanings.items()
        ]
    return ["file", "column", "type", "meaning"], rows
