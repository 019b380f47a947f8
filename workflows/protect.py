"""`uttag protect`, step by step: what the command line asks of the disclosure engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.disclosure import alone
from pipelines.disclosure.specification import Specification
from pipelines.disclosure.suggest import suggest
from pipelines.errors import SettingsError

Say = Callable[[str], None]


def run(path: Path, out: Path | None, dry_run: bool, say: Say) -> dict[str, Any]:
    """Protect the table that the specification names; how many cells are small, and how many are hidden for
    what.

    Raises SettingsError where it is not said where to write.
    """
    specification = Specification.load(path)
    if out is None and not dry_run:
        raise SettingsError("protect", "does not say where to write", "add --out, or --dry-run")
    problem = alone.prepare(path, specification)
    if dry_run or out is None:
        return alone.counted(problem)
    return alone.protect_into(problem, out, say)


def suggested(path: Path, say: Say) -> dict[str, Any]:
    """What each method would lose on the table that the specification names, and which one to take. Nothing
    is written."""
    return suggest(alone.prepare(path, Specification.load(path)), say)


def said_of_methods(told: dict[str, Any]) -> str:
    """The methods side by side."""
    head = (
        "method",
        "cells hidden",
        "persons hidden",
        "mean error",
        "largest",
        "adds up",
        "same cell, same value",
        "seconds",
    )
    rows = [
        (
            each["method"],
            each["why_not"] or f"{each['hidden']:.1%}",
            *(
                []
                if each["why_not"]
                else [
                    f"{each['persons_hidden']:.1%}",
                    f"{each['mean_error']:.2f}",
                    f"{each['largest_error']:.0f}",
                    "yes" if each["additive"] else "no",
                    "yes" if each["consistent"] else "no",
                    f"{each['seconds']:.1f}",
                ]
            ),
        )
        for each in told["methods"]
    ]
    widths = [
        max(len(row[place]) for row in [head, *rows] if len(row) == len(head)) for place in range(len(head))
    ]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False)).rstrip()
        for row in [head, *rows]
    ]
    about = (
        f"{told['cells']:,} cells, {told['small']:.1%} of those with people small; for "
        f"{told['purpose'].replace('_', ' ')}"
    )
    return "\n".join([about, "", *lines, "", f"take {told['recommended']}: {told['because']}"])


def said(told: dict[str, Any], out: Path | None) -> str:
    """The outcome, one line for each table."""
    lines = []
    for each in told["tables"]:
        small = f"{each['table']}: {each['cells']:,} cells, {each['small']:,} small"
        if "margins" in each:
            error = each["margins"]
            small += (
                f", {each['hidden']:,} hidden; margins are off by {error['mean']:.2f} in the mean and "
                f"{error['most']:,} at most"
            )
        elif "hidden" in each:
            small += (
                f", {each['hidden']:,} hidden with those that protect them "
                f"({each['value_to_protect']:,} persons in these)"
            )
        lines.append(small)
    lines += [f"note: {remark}" for remark in told.get("remarks", [])]
    if "moves" in told and out is not None:
        lines.append(f"checked against {told['moves']:,} other tables; uttag verify {out}")
    return "\n".join(lines)
