"""Protecting the cubes of one permit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components

from kernels.elimination import determined
from pipelines.cubes.cube import Cube, ProtectedCube
from pipelines.cubes.design_effects import hidden_times, told
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.cases import showing_both
from pipelines.disclosure.suppression.intervals import Widening
from pipelines.disclosure.suppression.moves import Move
from pipelines.disclosure.suppression.of_policy import declared, sensitive
from pipelines.disclosure.suppression.prices import GRAND
from pipelines.disclosure.suppression.search import Search
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.disclosure.suppression.singles import Guard
from pipelines.disclosure.suppression.system import System, build
from pipelines.errors import DisclosureError
from pipelines.files.frames import Frame
from pipelines.files.schemas import Schema

# A move as it is kept for the gate: `change` is added to each measure of `cell` of the table at position
# `table`, by name.
CERTIFICATE: Final[Schema] = {"move": "int32", "table": "int32", "cell": "int32", "change": "int32"}

DEFAULT: Final = Attackers()
_ATTEMPTS, _OTHERS = 8, 2  # orders that are tried, and where a grand total has to stand
_BESIDE = 1  # beside earlier releases: where one order finds no pattern, others rarely do
# entries of the largest block that is eliminated exactly, too; beyond it the moves alone are the proof
_BLOCK = 2_000_000


@dataclass(frozen=True)
class Protection:
    """`cubes`: by table name. `proof`: public. Of the project zone alone: `certificate`, the moves, `counts`,
    cells hidden and why, and `sensitive`, bool (cells,) for each cube, hidden for what is in them."""

    cubes: tuple[ProtectedCube, ...]
    proof: dict[str, Any]
    sensitive: tuple[np.ndarray, ...]
    certificate: Frame
    counts: list[dict[str, Any]]


def protect(
    cubes: Sequence[Cube],
    policy: Policy,
    progress: Callable[[str], None] | None = None,
    attackers: Attackers | None = None,
    beside: Callable[[Sequence[Sensitive]], System] | None = None,
) -> Protection:
    """Hide the small cells of `cubes` and those that would give them away. Raises `DisclosureError` unless
    every hidden cell is certified, `SettingsError` where the policy names what no cube has, `DataError` where
    somebody stands in a cell that it declares impossible. `attackers`: those of the policy where None.
    `beside`: makes the system, of what the policy makes sensitive in each cube by order of their names, where
    earlier releases are part of it.

    The cubes are one system: what two tables share gets one status. Every hidden cell has a move that changes
    it in every measure, so the tables with and without that move look the same to all `attackers`.
    """
    say = progress or (lambda _text: None)
    cubes = sorted(cubes, key=lambda cube: cube.table)
    zeros, attackers = declared(cubes, policy, "permit: policy"), attackers or Attackers.of(policy)
    rules = [sensitive(cube, policy, zeros) for cube in cubes]
    system = beside(rules) if beside else build(cubes, policy, rules)
    system = showing_both(system, cubes, policy)
    open_ones = ~system.secret
    say(f"{int((system.primary & open_ones).sum()):,} of {int(open_ones.sum()):,} cells are small")
    search = found(system, say, attackers, _BESIDE if beside else _ATTEMPTS)
    say(f"{int((search.hidden & open_ones).sum()):,} cells are hidden and certified")
    hidden = [search.hidden[variables] for variables in system.cells]
    return Protection(
        cubes=tuple(
            _protected(cube, mask, gone)
            for cube, mask, gone in zip(cubes, hidden, hidden_times(cubes, hidden), strict=True)
        ),
        proof=_proof(cubes, hidden, policy, attackers) | ({"structural_zeros": zeros} if zeros else {}),
        sensitive=tuple(system.needed[own] for own in system.cells),
        certificate=_certificate(search.moves, system),
        counts=[
            _counts(cube, mask, system.primary[own])
            for cube, mask, own in zip(cubes, hidden, system.cells, strict=True)
        ],
    )


def found(
    system: System,
    say: Callable[[str], None],
    attackers: Attackers = DEFAULT,
    attempts: int = _ATTEMPTS,
) -> Search:
    """A search that certifies every hidden cell, audited. Where it hides a grand total, the better one of
    that and of another that may not, by the prices of `System.loss`.

    Raises DisclosureError where none is found.
    """
    search = _first(system, say, attackers, attempts)
    grand = ~system.primary & (system.dear == GRAND)
    if not (search.hidden & grand).any():
        return search
    say("a grand total is hidden: another pattern is looked for")
    try:
        other = _first(system.showing(grand), say, attackers, _OTHERS)
    except DisclosureError:
        return search
    return min((other, search), key=lambda each: int(system.loss[each.hidden & ~system.secret].sum()))


def _first(system: System, say: Callable[[str], None], attackers: Attackers, attempts: int) -> Search:
    """The first search that certifies every hidden cell, audited. The order in which cells are sought is
    drawn, and some end in a dead end."""
    for attempt in range(attempts):
        search = Search(system, attempt, attackers)
        try:
            search.cover()
            search.prune()
            say(f"{int((search.hidden & ~system.secret).sum()):,} cells hidden, {len(search.moves):,} moves")
            if attackers.singletons:
                Guard(search).run()
            if attackers.interval != "point" and system.least is not None:
                Widening(search, system.least, getattr(attackers.interval, "values", 0)).run()
        except DisclosureError as fault:
            say(f"attempt {attempt + 1} of {attempts}: {fault.what}")
            last = fault
        else:
            _audit(system, search)
            return search
    if attackers.knows == "marks":
        raise DisclosureError(
            "disclosure",
            "no tables were found that withstand one who knows which hidden cells are small: often there are "
            f"none ({last.what})",
            "take attacker: rule, coarsen the tables, or change minimum",
        )
    raise last


def _audit(system: System, search: Search) -> None:
    """Every move keeps every relation and bound, one changes each hidden cell, and no sum fixes any. The
    verifier repeats this from the numbers alone before anything is released."""
    changes = _matrix(search.moves, system)
    sums = (system.matrix @ changes).tocoo()
    within = (sums.data >= system.lowest[sums.row]).all() and (sums.data <= system.highest[sums.row]).all()
    cells = changes.tocoo()
    within = (
        within
        and (cells.data >= search.reach.lower[cells.row]).all()
        and (cells.data <= search.reach.upper[cells.row]).all()
    )
    moved = np.diff(changes.tocsr().indptr) > 0
    hidden = search.hidden & ~system.secret
    if (
        not within
        or not np.array_equal(moved & ~system.secret, hidden)
        or fixed_by_sums(system, search.hidden).any()
    ):
        raise DisclosureError(
            "disclosure",
            "the audit found a hidden cell that can be worked out",
            "report this; nothing has been released",
        )


def _matrix(moves: Sequence[Move], system: System) -> sparse.csc_matrix:
    """The moves as columns, int64 (n, moves)."""
    begin = np.cumsum([0, *(len(move.variables) for move in moves)])
    cells = np.concatenate([np.empty(0, np.int64), *(move.variables for move in moves)])
    changes = np.concatenate([np.empty(0, np.int64), *(move.changes for move in moves)])
    return sparse.csc_matrix((changes, cells, begin), (system.size, len(moves)))


def fixed_by_sums(system: System, hidden: np.ndarray) -> np.ndarray:
    """bool (hidden,): hidden variables that the sums determine, exactly. Groups that no relation ties
    together are taken one by one.

    `hidden`: bool (n,).
    """
    sums = (system.lowest == 0) & (system.highest == 0)
    matrix = system.matrix.tocsr()[sums][:, np.flatnonzero(hidden)].tocsr()
    matrix = matrix[np.diff(matrix.indptr) > 0]
    tied = abs(matrix)
    count, group = connected_components(tied.T @ tied, directed=False)
    of_row = group[matrix.indices[matrix.indptr[:-1]]]
    fixed = np.zeros(matrix.shape[1], bool)
    for each in range(count):
        members, rows = np.flatnonzero(group == each), np.flatnonzero(of_row == each)
        if 0 < len(rows) * len(members) <= _BLOCK:
            fixed[members] = determined(matrix[rows][:, members].toarray())
    return fixed


def _protected(cube: Cube, hidden: np.ndarray, hidden_time: np.ndarray) -> ProtectedCube:
    shown = {name: np.where(hidden, 0, values) for name, values in cube.measures.items()}
    return ProtectedCube(
        table=cube.table,
        title=cube.title,
        population=cube.population,
        dimensions=cube.dimensions,
        measures=shown,
        hidden=hidden,
        additive=cube.additive,
        at_least=cube.at_least,
        notes=dict(cube.notes),
        design_effects=told(cube, hidden, hidden_time),
    )


def _certificate(moves: Sequence[Move], system: System) -> Frame:
    """Every move, cell by cell of every table."""
    columns: list[np.ndarray] = []
    width = max((len(cells) for cells in system.cells), default=0)
    change = np.zeros(system.size, np.int64)
    for number, move in enumerate(moves):
        change[move.variables] = move.changes
        for table, variables in enumerate(system.cells):
            cells = np.flatnonzero(change[variables])
            columns.append(
                np.stack(
                    [np.full(len(cells), number), np.full(len(cells), table), cells, change[variables][cells]]
                )
            )
        change[move.variables] = 0
    stacked = (
        np.concatenate([np.empty((4, 0), np.int64), *columns], axis=1)
        if width
        else np.empty((4, 0), np.int64)
    )
    return {name: values.astype(np.int32) for name, values in zip(CERTIFICATE, stacked, strict=True)}


def _proof(
    cubes: Sequence[Cube], hidden: Sequence[np.ndarray], policy: Policy, attackers: Attackers
) -> dict[str, Any]:
    """What may be said in public: nothing that tells small cells from the others that are hidden."""
    return {
        "policy": policy.model_dump(mode="json"),
        "withstands": attackers.names(),
        "certified": "every hidden cell, in every measure, by another set of tables that agrees with all "
        "that is shown",
        "tables": [
            {"table": cube.table, "cells": cube.cells, "hidden": int(mask.sum())}
            for cube, mask in zip(cubes, hidden, strict=True)
        ],
    }


def _counts(cube: Cube, hidden: np.ndarray, primary: np.ndarray) -> dict[str, Any]:
    """Why cells are hidden: for the project zone alone."""
    return {
        "table": cube.table,
        "cells": cube.cells,
        "hidden": int(hidden.sum()),
        "small": int(primary.sum()),
        "to_protect_small": int((hidden & ~primary).sum()),
        "nobody": int((cube.measures["persons"] == 0).sum()),
    }
