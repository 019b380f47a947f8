"""Which method for this table? Each is tried, nothing is written, and what each loses stands side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from pipelines.disclosure.altered import Say
from pipelines.disclosure.atoms import Atoms, atoms
from pipelines.disclosure.cell_key.entropy import made
from pipelines.disclosure.cell_key.method import table_of
from pipelines.disclosure.methods import (
    BaseRounding,
    CellKey,
    ControlledRounding,
    Method,
    Midpoint,
    Noise,
    Purpose,
    SmallCountRounding,
    Suppression,
)
from pipelines.disclosure.noise.mechanism import library
from pipelines.disclosure.perturbed import altered, check
from pipelines.disclosure.problem import Problem
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.protect import found
from pipelines.errors import SettingsError, UttagError

_MOST_CELLS: Final = 20_000  # of which suppression is tried without being asked for
# Of the cells, hidden, is more than a table can bear.
_MUCH: Final = {"publication": 0.15, "research": 0.25, "open_data": 0.10}
_EPSILON: Final = 1.0
Shares = tuple[float, float, float, float]  # cells hidden, persons hidden, mean error, largest error


@dataclass(frozen=True)
class Loss:
    """What a method loses: shares of cells and of persons in cells (0 to 1), and errors of what is shown, in
    persons. `why_not`: why it cannot be taken."""

    method: str
    additive: bool
    consistent: bool
    hidden: float = 0.0
    persons_hidden: float = 0.0
    mean_error: float = 0.0
    largest_error: float = 0.0
    seconds: float = 0.0
    why_not: str = ""


def suggest(problem: Problem, say: Say) -> dict[str, Any]:
    """`cells`, `small` share of those with people, `methods`: a `Loss` each, `recommended` and `because`.

    Raises SettingsError where sums are to be protected.
    """
    if problem.inner.amounts is not None:
        raise SettingsError(
            "specification: magnitude", "sums are protected by suppression alone", "leave --suggest out"
        )
    together = atoms(problem)
    truth, small = together.sums(together.count), np.concatenate(problem.small())
    methods = _methods(problem)
    losses = []
    for method in methods:
        say(f"trying {method.kind.replace('_', ' ')}")
        losses.append(_tried(problem, together, truth, method))
    share = float(small[truth > 0].mean()) if (truth > 0).any() else 0.0
    recommended, because = _recommended(
        {each.method: each for each in losses}, share, problem.specification.purpose
    )
    return {
        "cells": len(truth),
        "small": share,
        "purpose": problem.specification.purpose,
        "methods": [asdict(each) for each in losses],
        "recommended": recommended,
        "because": because,
    }


def _methods(problem: Problem) -> list[Method]:
    """Every method with what it takes where nothing is said, but the one that the specification names as it
    is named there."""
    minimum, named = problem.specification.policy.minimum, problem.specification.method
    every: list[Method] = [
        Suppression(),
        SmallCountRounding(),
        ControlledRounding(),
        BaseRounding(redact=max(7, minimum - 1)),
        Midpoint(base=max(6, minimum - 1)),
        CellKey(record_keys=""),
        Noise(epsilon=_EPSILON, budget=_EPSILON, ledger=problem.folder),
    ]
    return [named if each.kind == named.kind else each for each in every]


def _tried(problem: Problem, together: Atoms, truth: np.ndarray, method: Method) -> Loss:
    begin = time.perf_counter()
    ways: dict[type, Callable[[], Shares]] = {
        Suppression: lambda: _of_suppression(problem),
        CellKey: lambda: _of_cell_key(problem, truth, method),
        Noise: lambda: _of_noise(problem, together, method),
    }
    try:
        if not isinstance(method, Suppression):
            check(problem, method)
        loss = ways.get(type(method), lambda: _of_rounding(problem, truth, method))()
    except UttagError as fault:
        return Loss(
            method.kind,
            method.additive,
            method.consistent,
            why_not=fault.what,
            seconds=time.perf_counter() - begin,
        )
    return replace(
        Loss(method.kind, method.additive, method.consistent, *loss), seconds=time.perf_counter() - begin
    )


def _of_suppression(problem: Problem) -> Shares:
    system = problem.system
    if system.size > _MOST_CELLS:
        raise UttagError(
            "suggest", f"not tried: more than {_MOST_CELLS:,} cells take minutes", "name it as the method"
        )
    search = found(system, lambda _text: None, Attackers.of(problem.specification.policy))
    hidden = np.concatenate([search.hidden[own] for own in system.cells])
    persons = np.concatenate([cube.measures["persons"] for cube in problem.cubes])
    return float(hidden.mean()), float(persons[hidden].sum() / max(1, persons.sum())), 0.0, 0.0


def _of_rounding(problem: Problem, truth: np.ndarray, method: Method) -> Shares:
    _, result = altered(problem, method, lambda _text: None)
    error = np.abs(result.values - truth)[~result.hidden]
    gone = float(truth[result.hidden].sum() / max(1, truth.sum()))
    return (
        float(result.hidden.mean()),
        gone,
        float(error.mean()) if len(error) else 0.0,
        float(error.max(initial=0)),
    )


def _of_cell_key(problem: Problem, truth: np.ndarray, method: Method) -> Shares:
    """What is to be expected of the table of transitions, whatever the keys."""
    if not isinstance(method, CellKey) or problem.specification.count is not None:
        raise UttagError("suggest", "needs the persons themselves, one a row", "name such a table")
    table = table_of(problem, method) if method.record_keys or method.key_file else made(5, 3.0, 2)
    expected = np.array([sum(p * abs(v) for v, p in zip(*row, strict=True)) for row in table.rows])
    return 0.0, 0.0, float(expected[np.minimum(truth, len(expected) - 1)].mean()), float(table.most)


def _of_noise(problem: Problem, together: Atoms, method: Method) -> Shares:
    """What is to be expected of discrete Laplace noise: the spread of a sum grows as the root of how many
    counts are in it."""
    if not isinstance(method, Noise) or len(problem.placed) > 1:
        raise UttagError("suggest", "is of one table alone", "name dimensions in place of tables")
    library()
    spread = np.sqrt(2 * together.sums(np.ones(len(together.count), np.int64))) * method.rows / method.epsilon
    return 0.0, 0.0, float((np.sqrt(2 / np.pi) * spread).mean()), float(3 * spread.max())


def _recommended(losses: dict[str, Loss], small: float, purpose: Purpose) -> tuple[str, str]:
    """The name of a method, and one sentence why."""
    can = {name for name, loss in losses.items() if not loss.why_not}
    hiding, rounding = losses["suppression"], losses["small_count_rounding"]
    if purpose == "open_data" and "cell_key" in can:
        return "cell_key", (
            "open data are combined with whatever comes after them, and only with keys do the same people "
            "give the same number in every "
            "table and every night, so that neither differences nor repeats tell more"
        )
    if "suppression" in can and (hiding.hidden <= _MUCH[purpose] or "small_count_rounding" not in can):
        return "suppression", (
            f"hiding {hiding.hidden:.0%} of the cells is enough, and all that is shown is true"
            if hiding.hidden <= _MUCH[purpose]
            else f"only hiding keeps all that the policy asks for, though {hiding.hidden:.0%} of the cells go"
        )
    if "small_count_rounding" in can:
        gone = (
            f"suppression would hide {hiding.hidden:.0%} of the cells"
            if "suppression" in can
            else "suppression was not to be had"
        )
        return "small_count_rounding", (
            f"{small:.0%} of the cells with people are small and {gone}; rounding hides none, keeps sums, "
            "and is off by "
            f"{rounding.mean_error:.1f} in the mean and {rounding.largest_error:.0f} at most"
        )
    if left := sorted(can):
        return left[0], "no other method keeps what the policy asks for"
    return "none", "no method keeps what the policy asks for; make the table coarser"
