"""Noise on a table. Inner counts get it, those of nobody, too; margins are sums of these, so that the table
adds up and epsilon is spent once. A count that falls below 0 stays there: cut at 0, sums would become too
large."""

from __future__ import annotations

import numpy as np

from pipelines.disclosure.altered import Altered, Say
from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.methods import Noise
from pipelines.disclosure.noise import ledger, mechanism
from pipelines.disclosure.problem import Problem
from pipelines.errors import SettingsError
from pipelines.files.digests import digest, file_digest


def perturbed(problem: Problem, atoms: Atoms, method: Noise, say: Say) -> Altered:
    """Every cell as it is to be shown, after what it costs was entered in the ledger.

    Raises SettingsError where there are several tables.
    """
    if len(problem.placed) > 1:
        raise SettingsError(
            "specification: tables",
            "noise is of one table, whose every inner cell gets it",
            "name dimensions, and take coarser tables from it",
        )
    mechanism.library()
    spent = ledger.spend(
        problem.folder / method.ledger,
        method.budget,
        method.epsilon,
        method.delta or 0.0,
        _named(problem),
    )
    values, scale = mechanism.noisy(atoms.count, method.rows, method.epsilon, method.delta)
    say(f"{spent.epsilon:g} of a budget of {method.budget:g} is spent")
    parameters = {**method.parameters(), "scale": scale, "spent": spent.epsilon}
    return Altered(atoms.sums(values), np.zeros(atoms.size, bool), parameters, {"noisy": values})


def _named(problem: Problem) -> str:
    """Name of a release: which table, by its content, and what is made of it."""
    asked = problem.specification
    layouts = {name: layout.model_dump(mode="json") for name, layout in asked.layouts().items()}
    return digest(file_digest(problem.inner.path), asked.public(), layouts)
