"""The cell-key method on all tables of a problem (Fraser and Wooton 2005). Margins are perturbed for
themselves, so tables do not add up."""

from __future__ import annotations

import numpy as np

from kernels.cell_key import MODULUS, add_keys, look_up
from pipelines.disclosure.altered import Altered, Say
from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.cell_key import entropy, keys, transitions
from pipelines.disclosure.cell_key.transitions import Transitions
from pipelines.disclosure.methods import CellKey, Made
from pipelines.disclosure.problem import Problem
from pipelines.errors import SettingsError


def perturbed(problem: Problem, atoms: Atoms, method: CellKey, say: Say) -> Altered:
    """Every cell of all tables as it is to be shown.

    Raises SettingsError where the policy protects zeros and by the ptable no count becomes 0.
    """
    table = table_of(problem, method)
    if problem.specification.policy.zeros == "protected" and not any(
        -n in row[0] for n, row in enumerate(table.rows) if n
    ):
        raise SettingsError(
            "specification: policy: zeros",
            "no count becomes 0 by this ptable, so that a 0 is one",
            "take another ptable",
        )
    cell, record = keys.of_inner(problem, method)
    of_atom = _added(record, atoms.of_inner[cell], len(atoms.count))
    of_cell = add_keys(of_atom, atoms.starts, atoms.cells, atoms.size)
    truth = atoms.sums(atoms.count)
    values = look_up(truth, of_cell, *table.arrays())
    say(
        f"counts change by at most {table.most}"
        + (f", and none from 1 to {table.hidden} is shown" if table.hidden else "")
    )
    parameters = {"most": table.most, "hidden": table.hidden, "modulus": MODULUS}
    return Altered(
        values, np.zeros(atoms.size, bool), parameters, {"key": of_atom}, {"ptable": table.frame()}
    )


def table_of(problem: Problem, method: CellKey) -> Transitions:
    """The table of transitions that the method names, or the one that it describes."""
    if isinstance(method.ptable, Made):
        return entropy.made(
            method.ptable.most, method.ptable.variance, method.ptable.hidden, method.ptable.stay
        )
    return transitions.read(problem.folder / method.ptable)


def _added(record: np.ndarray, atom: np.ndarray, size: int) -> np.ndarray:
    return add_keys(record, np.arange(len(record) + 1), atom, size)
