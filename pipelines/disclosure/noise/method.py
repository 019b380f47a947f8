"""Noise on a table. Inner counts get it, those of nobody, too; margins are sums of these, so that the table adds up and epsilon is spent
once. A count that falls below 0 stays there: cut at 0, sums would become too large."""

from __future__ import annotations

import numpy as np

from pipelines.disclosure.altered import Altered, Say
from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.case import Case
from pipelines.disclosure.methods import Noise
from pipelines.disclosure.noise import ledger, mechanism
from pipelines.errors import SettingsError
from pipelines.files.digests import digest


def perturbed(case: Case, atoms: Atoms, method: Noise, say: Say) -> Altered:
    """Every cell as it is to be shown, after what it costs was entered in the ledger."""
    if len(case.placed) > 1:
        raise SettingsError(
            "specification: tables",
            "noise is of one table, whose every inner cell gets it",
            "name dimensions, and take coarser tables from it",
        )
    mechanism.library()
    spent = ledger.spend(
        case.folder / method.ledger,
        method.budget,
        method.epsilon,
        method.delta or 0.0,
        digest(case.specification.public(), *case.specification.layouts()),
    )
    values, scale = mechanism.noisy(atoms.count, method.rows, method.epsilon, method.delta)
    say(f"{spent.epsilon:g} of a budget of {method.budget:g} is spent")
    parameters = {**method.parameters(), "scale": scale, "spent": spent.epsilon}
    return Altered(atoms.sums(values), np.zeros(atoms.size, bool), parameters, {"noisy": values})
