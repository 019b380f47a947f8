"""The engine alone, on anybody's table: inner cells in; protected tables, a proof and a certificate out, by whatever method is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.disclosure import case as cases
from pipelines.disclosure import output
from pipelines.disclosure.case import Case, prepare
from pipelines.disclosure.methods import Suppression
from pipelines.disclosure.perturbed import perturb
from pipelines.disclosure.summed import counted_sums, suppress_sums
from pipelines.disclosure.suppressed import suppress

__all__ = ["Case", "counted", "prepare", "protect_into"]

Say = Callable[[str], None]


def counted(case: Case) -> dict[str, Any]:
    """How many cells, and how many of them are small or give a contribution away."""
    return cases.counted(case) if case.inner.amounts is None else counted_sums(case, case.inner.amounts)


def protect_into(case: Case, out: Path, say: Say) -> dict[str, Any]:
    """Protect, and write `<table>.csv` and `.parquet`, `proof.json`, `report.html` and the certificate; nothing unless all is certified."""
    output.usable(out)
    if not isinstance(case.specification.method, Suppression):
        return perturb(case, out, say)
    return (suppress if case.inner.amounts is None else suppress_sums)(case, out, say)
