"""What methods that give cells other numbers have in common: what they refuse, what they write, and what they
lose."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.disclosure import output
from pipelines.disclosure.altered import Altered, Say
from pipelines.disclosure.atoms import Atoms, atoms
from pipelines.disclosure.cell_key import method as cell_key
from pipelines.disclosure.loss import lost
from pipelines.disclosure.methods import CellKey, Method, Noise, Suppression
from pipelines.disclosure.noise import method as noise
from pipelines.disclosure.perturbed_report import write_report
from pipelines.disclosure.problem import Problem
from pipelines.disclosure.rounding.method import rounded
from pipelines.errors import DisclosureError, SettingsError
from pipelines.files.plain import harmless

_OF_SUPPRESSION: Final = ("outside", "all_in_one", "special", "units", "owners", "structural_zeros")


def perturb(problem: Problem, out: Path, say: Say) -> dict[str, Any]:
    """Give every cell another number by the method that the specification names, and write tables, proof,
    report and certificate.

    Raises DisclosureError where no cell with people in it would be shown, SettingsError where the method
    cannot keep what the policy asks for.
    """
    method = problem.specification.method
    together, made = altered(problem, method, say)
    if not ((made.values > 0) & ~made.hidden).any():
        raise DisclosureError(
            "protect",
            "no cell with people in it would be shown",
            "make the table coarser, or lower the minimum or the base",
        )
    output.begin(out)
    parts = list(zip(problem.cubes, together.split(made.values), together.split(made.hidden), strict=True))
    files = output.write_tables(
        out,
        [output.columns(cube, values.tolist(), hidden, method.status) for cube, values, hidden in parts],
        problem.cubes,
    )
    _certify(problem, together, made, out / output.CERTIFICATE)
    told = {
        "method": method.kind,
        "tables": lost(problem, together, made),
        "notes": made.notes,
        "remarks": list(problem.inner.notes),
    }
    write_report(out / "report.html", problem, together, made, told)
    proof = {
        "kind": "uttag protect",
        "method": method.kind,
        "parameters": made.parameters,
        "policy": problem.public(),
        "additive": method.additive,
        "status": method.status,
        "tables": [output.announced(cube, hidden) for cube, _, hidden in parts],
        "files": files,
    }
    output.write_proof(out, proof)
    return told


def altered(problem: Problem, method: Method, say: Say) -> tuple[Atoms, Altered]:
    """The other numbers, and nothing written.

    Raises `SettingsError` where the method cannot keep what the policy asks for, TypeError where it is
    suppression.
    """
    check(problem, method)
    if method.counts_rows and problem.specification.count is not None:
        raise SettingsError(
            "specification: count",
            f"{method.kind} needs the persons themselves, one a row",
            "leave count out, and name such a table",
        )
    together = atoms(problem)
    if isinstance(method, CellKey):
        return together, cell_key.perturbed(problem, together, method, say)
    if isinstance(method, Noise):
        return together, noise.perturbed(problem, together, method, say)
    if isinstance(method, Suppression):
        raise TypeError("suppression alters nothing")
    return together, rounded(together, method, problem.specification.policy, say)


def check(problem: Problem, method: Method) -> None:
    """A rule on anything but how many persons stand in a cell is kept by suppression alone. Raises
    `SettingsError`."""
    if problem.specification.memory:
        raise SettingsError(
            "specification: memory",
            "proves suppressed tables alone",
            "take method: suppression, or leave memory out",
        )
    if asked := [name for name in _OF_SUPPRESSION if getattr(problem.specification.policy, name)]:
        raise SettingsError(
            f"specification: policy: {asked[0]}",
            f"{method.kind} does not keep it",
            "take method: suppression, or leave the rule out",
        )


def _certify(problem: Problem, together: Atoms, made: Altered, folder: Path) -> None:
    """True counts of the atoms that anybody is in or that become some, with their place in each table and
    what the method made of them; and moves, which show that small cells could be others."""
    some = np.logical_or.reduce([together.count > 0, *(values != 0 for values in made.inner.values())])
    frames = dict(made.frames)
    if made.moves is not None:
        some |= np.diff(made.moves.tocsr().indptr) > 0
        entries, row_of = made.moves.tocoo(), np.cumsum(some) - 1
        frames["moves"] = {
            "move": entries.col.astype(np.int32),
            "inner": row_of[entries.row].astype(np.int32),
            "change": entries.data,
        }
    inner: dict[str, object] = {
        "count": together.count[some],
        **{name: values[some] for name, values in made.inner.items()},
    }
    for cube, places in zip(problem.cubes, together.places, strict=True):
        for axis, dimension in enumerate(cube.dimensions):
            inner[f"{cube.table}/{harmless(dimension.name)}"] = places[some, axis].astype(np.int32)
    output.write_secret({"inner": inner, **frames}, folder)
