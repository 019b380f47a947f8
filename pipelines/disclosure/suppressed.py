"""Suppression as `uttag protect` publishes it: small cells hidden with those that protect them, and the moves
that prove it is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.disclosure import output
from pipelines.disclosure.certify import certify
from pipelines.disclosure.memory import recall
from pipelines.disclosure.problem import Problem
from pipelines.disclosure.report import write_report
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.protect import found
from pipelines.disclosure.suppression.search import Search
from pipelines.errors import DisclosureError

Say = Callable[[str], None]
MEMORY: Final = "one who also holds every earlier release over the same people that the memory knows"
KNOWS_WEIGHTS: Final = "one who knows the weights of single persons"


def suppress(problem: Problem, out: Path, say: Say) -> dict[str, Any]:
    """Protect, and write `<table>.csv` and `.parquet`, `proof.json`, `report.html` and the certificate;
    nothing unless all is certified.

    Where releases are remembered, this one is proved together with them, and is remembered before the first
    file is written.
    """
    if problem.specification.memory is None:
        return _write(problem, _searched(problem, say), out)
    with recall.recalled(problem.inner, problem.placed, problem.folder / problem.specification.memory) as (
        past,
        remember,
    ):
        known = replace(problem, past=past)
        try:
            search = _searched(known, say)
        except DisclosureError:
            if past is None:
                raise
            say("looked for another pattern beside what was released before")
            known = replace(problem, past=replace(past, keep=False))
            search = _held_or(known, say)
        hidden = _masks(known, search)
        remember(hidden, [known.system.primary[own] for own in known.system.cells])
        return _write(known, search, out)


def _searched(problem: Problem, say: Say) -> Search:
    system = problem.system
    say(f"{int(system.primary.sum()):,} of {int((~system.secret).sum()):,} cells are small")
    search = found(system, say, Attackers.of(problem.specification.policy))
    if not any(
        (~mask & (cube.measures["persons"] > 0)).any()
        for cube, mask in zip(problem.cubes, _masks(problem, search), strict=True)
    ):
        raise DisclosureError(
            "protect",
            "every cell with people in it would be hidden",
            "make the table coarser, or lower the minimum",
        )
    return search


def _held_or(problem: Problem, say: Say) -> Search:
    """What it found; or that the table is held, with the same words whatever the cause."""
    try:
        return _searched(problem, say)
    except DisclosureError:
        what = "is held: beside what was released before it could not be shown safely"
        raise DisclosureError(
            "this release",
            what,
            "the last release stands; try again when more has changed, or with coarser tables",
        ) from None


def _masks(problem: Problem, search: Search) -> list[np.ndarray]:
    return [search.hidden[own] for own in problem.system.cells]


def _write(problem: Problem, search: Search, out: Path) -> dict[str, Any]:
    system, hidden = problem.system, _masks(problem, search)
    output.begin(out)
    files = output.write_tables(
        out,
        [
            output.columns(placed.cube, placed.published(), mask)
            for placed, mask in zip(problem.placed, hidden, strict=True)
        ],
        problem.cubes,
    )
    certify(problem, search.moves, system.persons, out / output.CERTIFICATE)
    told = _counts(problem, search)
    write_report(
        out / "report.html", problem.cubes, hidden, [system.primary[own] for own in system.cells], told
    )
    output.write_proof(out, _proof(problem, hidden, files))
    return told


def _proof(problem: Problem, hidden: Sequence[np.ndarray], files: dict[str, str]) -> dict[str, Any]:
    """What may be said in public: nothing that tells small cells from the others that are hidden."""
    weighted = problem.inner.weighted
    return {
        "kind": "uttag protect",
        "method": "suppression",
        **({"weighted": {"decimals": weighted.decimals, "not withstood": KNOWS_WEIGHTS}} if weighted else {}),
        "policy": problem.public(),
        "withstands": _withstands(problem),
        "certified": "every hidden cell, by another table that agrees with all that is shown",
        "tables": [output.announced(cube, mask) for cube, mask in zip(problem.cubes, hidden, strict=True)],
        "files": files,
    }


def _withstands(problem: Problem) -> list[str]:
    return [
        *Attackers.of(problem.specification.policy).names(),
        *([MEMORY] if problem.specification.memory else []),
    ]


def _counts(problem: Problem, search: Search) -> dict[str, Any]:
    """Why cells are hidden, and what that loses: for the project zone alone."""
    system, told = problem.system, []
    for cube, own, rule in zip(problem.cubes, system.cells, problem.rules, strict=True):
        hidden, primary, persons = search.hidden[own], system.primary[own], system.persons[own]
        few = (persons < rule.minimum) & ((persons > 0) | (problem.specification.policy.zeros == "protected"))
        told.append(
            {
                "reasons": {
                    "few persons": int(few.sum()),
                    **{reason: int(mask.sum()) for reason, mask in rule.reasons.items()},
                },
                "table": cube.table,
                "cells": cube.cells,
                "hidden": int(hidden.sum()),
                "small": int(primary.sum()),
                "to_protect_small": int((hidden & ~primary).sum()),
                "nobody": int((persons == 0).sum()),
                "value_small": int(persons[primary].sum()),
                "value_to_protect": int(persons[hidden & ~primary].sum()),
                "value": int(persons.sum()),
            }
        )
    return {
        "tables": told,
        "moves": len(search.moves),
        "withstands": _withstands(problem),
        "remarks": [*problem.inner.notes, *_of_zeros(problem, search)],
    }


def _of_zeros(problem: Problem, search: Search) -> list[str]:
    """That cells of nobody are hidden, which who knows that nobody can be there sees through."""
    cells = sum(
        int((search.hidden[own] & (cube.measures["persons"] == 0)).sum())
        for cube, own in zip(problem.cubes, problem.system.cells, strict=True)
    )
    if not cells:
        return []
    return [
        f"{cells:,} cells of nobody are hidden: where everybody knows that nobody can be there, they protect "
        "nothing; say so under structural_zeros of the policy"
    ]
