"""The engine alone, on anybody's table: inner cells in; protected tables, a proof and a certificate out, by
whatever method is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.disclosure import output
from pipelines.disclosure import problem as problems
from pipelines.disclosure.methods import Suppression
from pipelines.disclosure.perturbed import perturb
from pipelines.disclosure.problem import Problem, prepare
from pipelines.disclosure.summed import counted_sums, suppress_sums
from pipelines.disclosure.suppressed import suppress

__all__ = ["Problem", "counted", "prepare", "protect_into"]

Say = Callable[[str], None]


def counted(problem: Problem) -> dict[str, Any]:
    """How many cells, and how many of them are small or give a contribution away."""
    return (
        problems.counted(problem)
        if problem.inner.amounts is None
        else counted_sums(problem, problem.inner.amounts)
    )


def protect_into(problem: Problem, out: Path, say: Say) -> dict[str, Any]:
    """Protect, and write `<table>.csv` and `.parquet`, `proof.json`, `report.html` and the certificate;
    nothing unless all is certified."""
    output.usable(out)
    if not isinstance(problem.specification.method, Suppression):
        return perturb(problem, out, say)
    return (suppress if problem.inner.amounts is None else suppress_sums)(problem, out, say)
