"""What methods that give cells other numbers have in common: what they refuse, what they write, and what they lose."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.disclosure import output
from pipelines.disclosure.altered import Altered, Say
from pipelines.disclosure.atoms import Atoms, atoms
from pipelines.disclosure.case import Case
from pipelines.disclosure.cell_key import method as cell_key
from pipelines.disclosure.loss import lost
from pipelines.disclosure.methods import CellKey, Method, Noise, Suppression
from pipelines.disclosure.noise import method as noise
from pipelines.disclosure.perturbed_report import write_report
from pipelines.disclosure.rounding.method import rounded
from pipelines.errors import DisclosureError, SettingsError
from pipelines.files import documents

_OF_SUPPRESSION: Final = ("outside", "all_in_one", "special", "units", "owners")


def perturb(case: Case, out: Path, say: Say) -> dict[str, Any]:
    """Give every cell another number by the method that the specification names, and write tables, proof, report and certificate."""
    method = case.specification.method
    together, made = altered(case, method, say)
    if not ((made.values > 0) & ~made.hidden).any():
        raise DisclosureError(
            "protect", "no cell with people in it would be shown", "make the table coarser, or lower the minimum or the base"
        )
    output.begin(out)
    parts = list(zip(case.cubes, together.split(made.values), together.split(made.hidden), strict=True))
    files = output.write_tables(
        out, [output.columns(cube, values.tolist(), hidden, method.status) for cube, values, hidden in parts], case.cubes
    )
    _certify(case, together, made, out / output.CERTIFICATE)
    told = {"method": method.kind, "tables": lost(case, together, made), "notes": made.notes}
    write_report(out / "report.html", case, together, made, told)
    proof = {
        "kind": "uttag protect", "method": method.kind, "parameters": made.parameters, "policy": case.specification.public(),
        "additive": method.additive, "status": method.status,
        "tables": [output.announced(cube, hidden) for cube, _, hidden in parts], "files": files,
    }  # fmt: skip
    documents.write_json(proof, out / "proof.json")
    return told


def altered(case: Case, method: Method, say: Say) -> tuple[Atoms, Altered]:
    """The other numbers, and nothing written. Raises `SettingsError` where the method cannot keep what the policy asks for."""
    check(case, method)
    if method.counts_rows and case.specification.count is not None:
        raise SettingsError(
            "specification: count", f"{method.kind} needs the persons themselves, one a row", "leave count out, and name such a table"
        )
    together = atoms(case)
    if isinstance(method, CellKey):
        return together, cell_key.perturbed(case, together, method, say)
    if isinstance(method, Noise):
        return together, noise.perturbed(case, together, method, say)
    if isinstance(method, Suppression):
        raise TypeError("suppression alters nothing")
    return together, rounded(together, method, case.specification.policy, say)


def check(case: Case, method: Method) -> None:
    """A rule on anything but how many persons stand in a cell is kept by suppression alone. Raises `SettingsError`."""
    if case.specification.memory:
        raise SettingsError("specification: memory", "proves suppressed tables alone", "take method: suppression, or leave memory out")
    if asked := [name for name in _OF_SUPPRESSION if getattr(case.specification.policy, name)]:
        raise SettingsError(
            f"specification: policy: {asked[0]}", f"{method.kind} does not keep it", "take method: suppression, or leave the rule out"
        )


def _certify(case: Case, together: Atoms, made: Altered, folder: Path) -> None:
    """True counts of the atoms that anybody is in or that become some, with their place in each table and what the method made of them;
    and moves, which show that small cells could be others."""
    some = np.logical_or.reduce([together.count > 0, *(values != 0 for values in made.inner.values())])
    frames = dict(made.frames)
    if made.moves is not None:
        some |= np.diff(made.moves.tocsr().indptr) > 0
        entries, row_of = made.moves.tocoo(), np.cumsum(some) - 1
        frames["moves"] = {"move": entries.col.astype(np.int32), "inner": row_of[entries.row].astype(np.int32), "change": entries.data}
    inner: dict[str, object] = {"count": together.count[some], **{name: values[some] for name, values in made.inner.items()}}
    for cube, places in zip(case.cubes, together.places, strict=True):
        for axis, dimension in enumerate(cube.dimensions):
            inner[f"{cube.table}/{dimension.name}"] = places[some, axis].astype(np.int32)
    output.write_secret({"inner": inner, **frames}, folder)
