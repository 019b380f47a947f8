"""`uttag protect`, step by step: what the command line asks of the disclosure engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.disclosure import alone
from pipelines.disclosure.specification import Specification
from pipelines.errors import SettingsError

Say = Callable[[str], None]


def run(path: Path, out: Path | None, dry_run: bool, say: Say) -> dict[str, Any]:
    """Protect the table that the specification names; how many cells are small, and how many are hidden for what."""
    specification = Specification.load(path)
    if out is None and not dry_run:
        raise SettingsError("protect", "does not say where to write", "add --out, or --dry-run")
    case = alone.prepare(path, specification)
    if dry_run or out is None:
        return alone.counted(case)
    return alone.protect_into(case, out, say)


def said(told: dict[str, Any], out: Path | None) -> str:
    """The outcome, one line for each table."""
    lines = []
    for each in told["tables"]:
        small = f"{each['table']}: {each['cells']:,} cells, {each['small']:,} small"
        if "margins" in each:
            error = each["margins"]
            small += f", {each['hidden']:,} hidden; margins are off by {error['mean']:.2f} in the mean and {error['most']:,} at most"
        elif "hidden" in each:
            small += f", {each['hidden']:,} hidden with those that protect them ({each['value_to_protect']:,} persons in these)"
        lines.append(small)
    if "moves" in told and out is not None:
        lines.append(f"checked against {told['moves']:,} other tables; uttag verify {out}")
    return "\n".join(lines)
