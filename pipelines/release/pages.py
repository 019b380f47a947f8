"""What people read: the bundle's own page, its method note, and the page of all that is finished. No outside asset, any width."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from pipelines.cubes import ProtectedCube
from pipelines.figures import Figures
from pipelines.permit import Permit
from pipelines.release.tables import Rows

HIDDEN_MEANS = (
    "shown, or hidden: a hidden cell has few persons behind it, or would let one be worked out that has; which of the two is not told, "
    "and a hidden cell may hold any number that the rest allows"
)

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)  # fmt: skip


def bundle_page(
    permit: Permit, cohort_title: str, cubes: Sequence[ProtectedCube], figures: Sequence[Figures], rows: Sequence[Rows], proof: dict[str, Any]
) -> str:
    """`index.html` of a bundle: each table with its plot, to look at and to download."""
    tables = [
        {
            "name": cube.table, "title": cube.title, "cells": f"{cube.cells:,}", "hidden": f"{int(cube.hidden.sum()):,}",
            "alt": each.plot.alt, "plot_title": each.plot.title, "notes": {**cube.notes, **each.meanings}, **_printed(cube, row),
        }
        for cube, each, row in zip(cubes, figures, rows, strict=True)
    ]  # fmt: skip
    return _templates.get_template("bundle.html.j2").render(permit=permit, cohort=cohort_title, tables=tables, proof=proof, hidden_means=HIDDEN_MEANS)


def _printed(cube: ProtectedCube, rows: Rows) -> dict[str, Any]:
    """The table for the eye: codes and the status column are left to the files; rows of nobody as well."""
    skipped = {f"{dimension.name}_code" for dimension in cube.dimensions} | {"status", "why_empty"}
    kept = [place for place, name in enumerate(rows.header) if name not in skipped]
    titles = {dimension.name: dimension.title for dimension in cube.dimensions}
    somebody = (cube.measures["persons"] > 0) | cube.hidden
    body = []
    for row, wanted, secret in zip(rows.values, somebody.tolist(), cube.hidden.tolist(), strict=True):
        if wanted:
            body.append({"hidden": secret, "cells": [_cell(row[place], secret, rows.kinds[place] is int) for place in kept]})
    header = [{"text": titles.get(rows.header[place], rows.header[place].replace("_", " ")), "n": place >= 2 * len(titles)} for place in kept]
    return {"header": header, "body": body, "empty": f"{int((~somebody).sum()):,}"}


def _cell(value: str | int | None, secret: bool, number: bool) -> dict[str, Any]:
    if value is None:
        return {"text": "hidden" if secret and number else "", "n": True}
    return {"text": f"{value:,}" if isinstance(value, int) else value, "n": isinstance(value, int) or _looks_numeric(value)}


def _looks_numeric(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def method_note(permit: Permit, cohort_title: str, proof: dict[str, Any]) -> str:
    """`method.md`: what was counted, how it was protected, and what that does not promise."""
    return _templates.get_template("method.md.j2").render(permit=permit, cohort=cohort_title, proof=proof, hidden_means=HIDDEN_MEANS)


def catalogue_page(cases: list[dict[str, Any]]) -> str:
    """`release/index.html`: all that is finished. `cases`: name, title, holder, href and tables of each, by name."""
    return _templates.get_template("catalogue.html.j2").render(cases=cases)
