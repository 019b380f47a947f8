"""The ledger of a privacy budget: what was spent, by which release, and no more than there is.

A line of JSON for each: the first says the budget, the others what was spent. What is spent is written before
any noise is drawn, so that a run that is broken off has spent it, too. Epsilons and deltas add up (basic
composition).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.errors import DataError, DisclosureError, SettingsError
from pipelines.files import documents
from pipelines.files.atomic import exclusive

_EXACT: Final = 1e-9


@dataclass(frozen=True)
class Spent:
    """`epsilon`, `delta`: together, this release included. `left`: of epsilon."""

    epsilon: float
    delta: float
    left: float


def spend(path: Path, budget: float, epsilon: float, delta: float, what: str) -> Spent:
    """Enter a release. Raises `DisclosureError` where the budget does not hold it, `SettingsError` where the
    ledger has another budget."""
    with exclusive(path) as file:
        file.seek(0)
        lines = _lines(path, file.read().decode("utf-8", "replace"))
        if lines and abs(lines[0]["budget"] - budget) > _EXACT:
            raise SettingsError(
                "specification: method: budget",
                f"is not that of the ledger {path.name}",
                "say the budget that it has, or name another ledger",
            )
        before = sum(each["epsilon"] for each in lines[1:])
        if before + epsilon > budget + _EXACT:
            raise DisclosureError(
                path,
                f"has {max(0.0, budget - before):g} of its budget of {budget:g} left, and {epsilon:g} is "
                "asked for",
                "ask for less, or let those who own the data grant another budget",
            )
        if not lines:
            file.write(documents.canonical_json({"budget": budget}) + b"\n")
        entry = {"release": what, "epsilon": epsilon, "delta": delta}
        file.write(documents.canonical_json(entry) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return Spent(
        before + epsilon, sum(each["delta"] for each in lines[1:]) + delta, budget - before - epsilon
    )


def _lines(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        lines = [json.loads(line) for line in text.splitlines()]
        numbers = [
            line["budget"] if not place else line["epsilon"] + line["delta"]
            for place, line in enumerate(lines)
        ]
        whole = all(isinstance(number, int | float) and number >= 0 for number in numbers) and text.endswith(
            "\n" if text else ""
        )
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise DataError(
            path,
            "is no ledger of a budget, or was broken off",
            "mend it from a copy; until then nothing can be spent",
        )
    return lines
