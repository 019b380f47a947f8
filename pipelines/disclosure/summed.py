"""Sums of a magnitude as `uttag protect` publishes them: sums that give a contribution away hidden, with
those that protect them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.disclosure import output
from pipelines.disclosure.certify import certify
from pipelines.disclosure.magnitude.contributions import Contributions, Largest, largest
from pipelines.disclosure.magnitude.search import Sums, SumSearch
from pipelines.disclosure.magnitude.sensitivity import dominance, p_percent, p_percent_for_the_first
from pipelines.disclosure.problem import Problem
from pipelines.disclosure.report import write_report
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.protect import fixed_by_sums
from pipelines.errors import DisclosureError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sensitive:
    """Of one table: `of`: the largest contributions. `need`: int64 (cells,), how far each sum must be able to
    lie above and below, and `less`, how far for the largest contributor. `reasons`: bool (cells,) by name,
    why."""

    of: Largest
    need: np.ndarray
    less: np.ndarray
    reasons: dict[str, np.ndarray]


def sensitive(problem: Problem, given: Contributions) -> list[Sensitive]:
    """What the policy makes sensitive in each table."""
    (dominant, percent), found = problem.specification.policy.of_sums(), []
    for placed, rule in zip(problem.placed, problem.rules, strict=True):
        of = largest(placed.cube, placed.places, given, max(2, dominant.n if dominant else 0))
        needs = {"one contributor could estimate another": p_percent(of, percent)} if percent else {}
        if dominant:
            needs["a few dominate"] = dominance(of, dominant.n, dominant.k)
        reasons = {reason: each > 0 for reason, each in needs.items()}
        reasons["few contributors"] = (of.number > 0) & (of.number < rule.minimum)
        reasons |= {reason: mask & (of.number > 0) for reason, mask in rule.reasons.items()}
        unsafe = np.logical_or.reduce(list(reasons.values()))
        need = np.maximum.reduce([np.where(unsafe, 1, 0), *needs.values()])
        need = np.where(of.total > 0, np.minimum(need, of.total), 0)
        others = (
            np.where(need > 0, p_percent_for_the_first(of, percent), 0)
            if percent
            else np.zeros(len(need), np.int64)
        )
        found.append(
            Sensitive(of, need, np.minimum(np.minimum(others, need), of.total - of.top[:, 0]), reasons)
        )
    return found


def suppress_sums(problem: Problem, out: Path, say: Say) -> dict[str, Any]:
    """Protect, and write what `suppress` writes, with sums in place of counts; nothing unless all is
    certified.

    Raises DisclosureError where there is no magnitude, or every sum would be hidden.
    """
    given, system, policy = problem.inner.amounts, problem.system, problem.specification.policy
    if given is None:
        raise DisclosureError("protect", "has no magnitude", "name its column")
    found = sensitive(problem, given)
    sums = _sums(problem, given, found)
    say(f"{int((sums.need > 0).sum()):,} of {int((~system.secret).sum()):,} sums are sensitive")
    search = SumSearch(system, sums, policy.attacker != "sums", policy.singletons)
    search.cover(say)
    _audit(search)
    hidden = [search.hidden[own] for own in system.cells]
    if not any((~gone & (each.of.total > 0)).any() for each, gone in zip(found, hidden, strict=True)):
        raise DisclosureError(
            "protect", "every sum would be hidden", "make the table coarser, or lower what is asked for"
        )
    output.begin(out)
    made = [
        output.columns(cube, given.published(each.of.total), gone)
        for cube, each, gone in zip(problem.cubes, found, hidden, strict=True)
    ]
    files = output.write_tables(out, made, problem.cubes)
    atoms = problem.tied.of_inner[given.cell] if problem.tied.of_inner is not None else given.cell
    certify(
        problem,
        search.moves,
        sums.amount,
        out / output.CERTIFICATE,
        {"contributions": {"inner": atoms, "who": given.who, "amount": given.amount}},
    )
    told = _told(problem, search, found, hidden)
    cubes = [
        replace(cube, measures={"persons": each.of.total})
        for cube, each in zip(problem.cubes, found, strict=True)
    ]
    write_report(
        out / "report.html", cubes, hidden, [each.need > 0 for each in found], told, "units of the sum"
    )
    (out / "report.html").chmod(0o600)
    output.write_proof(out, _proof(problem, hidden, files, given.decimals))
    return told


def counted_sums(problem: Problem, given: Contributions) -> dict[str, Any]:
    """How many sums, and how many of them are sensitive."""
    return {
        "tables": [
            {
                "table": cube.table,
                "cells": cube.cells,
                "small": int((each.need > 0).sum()),
                "nobody": int((each.of.total == 0).sum()),
            }
            for cube, each in zip(problem.cubes, sensitive(problem, given), strict=True)
        ],
    }


def _sums(problem: Problem, given: Contributions, found: Sequence[Sensitive]) -> Sums:
    system, tied = problem.system, problem.tied
    amount, need, less = (np.zeros(system.size, np.int64) for _ in range(3))
    first, sole = np.full(system.size, -1, np.int64), np.full(system.size, -1, np.int64)
    if tied.of_inner is not None:
        np.add.at(amount, tied.atoms[tied.of_inner[given.cell]], given.amount)
    for own, each in zip(system.cells, found, strict=True):
        amount[own], first[own], sole[own] = each.of.total, each.of.first, each.of.sole
        np.maximum.at(need, own, each.need)
        np.maximum.at(less, own, each.less)
    return Sums(amount, need, first, less, sole)


def _audit(search: SumSearch) -> None:
    """Every move keeps every relation, none makes a sum negative, each sensitive sum has both ways, and no
    sum shown fixes a hidden one."""
    system, amount = search.system, search.sums.amount
    up, down = np.zeros(system.size, np.int64), np.zeros(system.size, np.int64)
    for move in search.moves:
        change = np.zeros(system.size, np.int64)
        change[move.variables] = move.changes
        up, down = np.maximum(up, change), np.minimum(down, change)
        if (system.matrix @ change).any() or (search.bounded and (amount + change < 0).any()):
            raise _broken()
    enough = (up >= search.sums.need) & (-down >= search.sums.need)
    hidden = (up > 0) | (down < 0)
    if (
        not enough.all()
        or (hidden != search.hidden)[~system.secret].any()
        or fixed_by_sums(system, search.hidden).any()
    ):
        raise _broken()


def _broken() -> DisclosureError:
    return DisclosureError(
        "disclosure",
        "the audit found a hidden sum that can be worked out",
        "report this; nothing has been released",
    )


def _proof(
    problem: Problem, hidden: Sequence[np.ndarray], files: dict[str, str], decimals: int
) -> dict[str, Any]:
    specification = problem.specification
    dominant, percent = specification.policy.of_sums()
    asked = {"dominance": dominant.model_dump() if dominant else None, "p_percent": percent}
    return {
        "kind": "uttag protect",
        "method": "suppression of sums",
        "policy": problem.public() | asked,
        "decimals": decimals,
        "withstands": Attackers.of(specification.policy).names(),
        "certified": "every hidden sum, by other tables that agree with all that is shown, above it and "
        "below",
        "tables": [output.announced(cube, mask) for cube, mask in zip(problem.cubes, hidden, strict=True)],
        "files": files,
    }


def _told(
    problem: Problem, search: SumSearch, found: Sequence[Sensitive], hidden: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Why sums are hidden, and what that loses, in the finest unit: for the project zone alone."""
    tables = []
    for cube, each, gone in zip(problem.cubes, found, hidden, strict=True):
        small, total = each.need > 0, each.of.total
        tables.append(
            {
                "table": cube.table,
                "cells": cube.cells,
                "hidden": int(gone.sum()),
                "small": int(small.sum()),
                "to_protect_small": int((gone & ~small).sum()),
                "nobody": int((total == 0).sum()),
                "value_small": int(total[small].sum()),
                "value_to_protect": int(total[gone & ~small].sum()),
                "value": int(total.sum()),
                "reasons": {reason: int(mask.sum()) for reason, mask in each.reasons.items()},
            }
        )
    return {
        "tables": tables,
        "moves": len(search.moves),
        "withstands": Attackers.of(problem.specification.policy).names(),
        "remarks": list(problem.inner.notes),
    }
