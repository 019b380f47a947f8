"""The audit before the gate: each hidden cell has a move, and each move leads to tables that no attacker can
exclude.

A move is an integer change of some hidden cells, the same in every measure. Whole-number arithmetic alone is
used here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipelines.verifier.rules import breaks_a_rule, impossible, knows, minima
from pipelines.verifier.tables import PEOPLE, Claim, PublishedTable, by_number, number_cells

# Move, table, cell, change: int64 (entries,) each.
Moves = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
_AT_ONCE = 64


def audit(tables: Sequence[PublishedTable], moves: Moves, policy: dict[str, Any]) -> list[Claim]:
    """Check the pattern and its certificate against the true numbers. `tables`: with nothing blanked,
    `hidden` as it would be published. `policy`: of the permit, its structural zeros by the codes of the
    tables."""
    numbers, size = number_cells(tables)
    people = [by_number(tables, numbers, size, measure) for measure in PEOPLE]
    crowd, zeros_shown = np.maximum.reduce(people), policy["zeros"] == "open"
    hidden, sensitive, never = (np.zeros(size, bool) for _ in range(3))
    least = np.zeros(size, np.int64)
    for table, own in zip(tables, numbers, strict=True):
        hidden[own] |= table.hidden
        never[own] |= impossible(table, policy)
        sensitive[own] |= breaks_a_rule(table, table.measures[PEOPLE[-1]], policy)
        np.maximum.at(least, own, minima(table, policy))
    small = np.logical_or.reduce(
        [(count >= (1 if zeros_shown else 0)) & (count < least) & ~never for count in people]
    )
    sensitive |= small
    moved = _moved(moves, numbers, size)
    claims = [
        Claim("every cell that a rule makes sensitive is hidden", not (sensitive & ~hidden).any()),
        Claim(
            "a cell has one status in all tables",
            all((hidden[own] == t.hidden).all() for t, own in zip(tables, numbers, strict=True)),
        ),
        Claim(
            "cells of nobody are shown",
            not (hidden & ~small & (crowd == 0)).any() or not zeros_shown or bool(policy.get("all_in_one")),
        ),
        Claim("where nobody can be, nobody is, and it is shown", not (never & (hidden | (crowd > 0))).any()),
        Claim(
            "every move keeps every relation, and changes hidden cells alone",
            _moves_hold(tables, numbers, moves, policy),
        ),
        Claim("every hidden cell has a move", bool((moved.any(axis=0) >= hidden).all())),
        Claim(
            "every sensitive cell stays as wide as the policy says",
            _wide(moves, numbers, crowd, (sensitive, least), policy),
        ),
    ]
    if policy.get("singletons", True):
        claims.append(
            Claim(
                "nobody who is alone in a cell can work out another sensitive cell",
                singletons_kept_out(tables, numbers, people, sensitive, moved),
            )
        )
    return claims


def _wide(
    moves: Moves,
    numbers: Sequence[np.ndarray],
    people: np.ndarray,
    cells: tuple[np.ndarray, np.ndarray],
    policy: dict[str, Any],
) -> bool:
    """Can each sensitive cell have as many values as the policy asks for, or each small one every value that
    is small? `cells`: bool (n,), the sensitive ones, and int64 (n,), the fewest persons that each may
    show."""
    interval, (sensitive, least) = policy.get("interval", "point"), cells
    if interval == "point":
        return True
    _, table, cell, change = moves
    ends = [(int(numbers[t][c]), int(d)) for t, c, d in zip(table, cell, change, strict=True)]
    values: dict[int, set[int]] = {}
    for place, by in {*ends, *((int(place), 0) for place in np.flatnonzero(sensitive))}:
        values.setdefault(place, set()).add(int(people[place]) + by)
    if isinstance(interval, dict):
        return all(
            len(values[place]) >= int(interval["values"]) for place in np.flatnonzero(sensitive).tolist()
        )
    small = np.flatnonzero(sensitive & (people > 0) & (people < least)).tolist()
    return all(set(range(1, int(least[place]))) <= values[place] for place in small)


def _moved(moves: Moves, numbers: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Which cell numbers each move changes, bool (moves, size)."""
    move, table, cell, change = moves
    moved = np.zeros((int(move.max(initial=-1)) + 1, size), bool)
    for position, own in enumerate(numbers):
        here = (table == position) & (change != 0)
        moved[move[here], own[cell[here]]] = True
    return moved


def _moves_hold(
    tables: Sequence[PublishedTable], numbers: Sequence[np.ndarray], moves: Moves, policy: dict[str, Any]
) -> bool:
    move, table, cell, change = moves
    size = 1 + max(int(own.max(initial=-1)) for own in numbers)
    for first in range(0, int(move.max(initial=-1)) + 1, _AT_ONCE):
        chosen = (move >= first) & (move < first + _AT_ONCE)
        united = np.zeros((_AT_ONCE, size), np.int64)
        for position, own in enumerate(numbers):
            here = chosen & (table == position)
            united[move[here] - first, own[cell[here]]] = change[here]
        for position, (each, own) in enumerate(zip(tables, numbers, strict=True)):
            here = chosen & (table == position)
            changes = np.zeros((_AT_ONCE, len(own)), np.int64)
            changes[move[here] - first, cell[here]] = change[here]
            agree = np.array_equal(changes, united[:, own])
            if not agree or changes[:, ~each.hidden].any() or not _is_possible(each, changes, policy):
                return False
    return True


def _is_possible(table: PublishedTable, changes: np.ndarray, policy: dict[str, Any]) -> bool:
    """Could the table be true as `changes` (moves, cells) make it, for whom the policy names?"""
    new = {name: values + changes for name, values in table.measures.items()}
    crowd = np.maximum.reduce([table.measures[name] for name in PEOPLE if name in new])
    people = np.maximum.reduce([new[name] for name in PEOPLE if name in new])
    if knows(policy, "nonnegative") and any((values < 0).any() for values in new.values()):
        return False
    someone = table.hidden & (crowd > 0) if policy["zeros"] == "open" else np.zeros(len(crowd), bool)
    if knows(policy, "rule") and (people[:, someone] < 1).any():
        return False
    least = minima(table, policy)
    narrow = np.where(crowd < least, people < least, people >= least)
    if knows(policy, "marks") and not narrow[changes != 0].all():
        return False
    for larger, smaller in table.at_least:
        if (new[larger] < new[smaller]).any():
            return False
        law = not ((table.measures[smaller] == 0) & (table.measures[larger] > 0)).any()
        if smaller == "persons" and law and ((new[smaller] == 0) & (new[larger] > 0)).any():
            return False
    return all(_adds_up(table, axis, family, new) for axis, family in table.families())


def _adds_up(table: PublishedTable, axis: int, family: np.ndarray, new: dict[str, np.ndarray]) -> bool:
    for name, values in new.items():
        children, parent = values[:, family[:, :-1]], values[:, family[:, -1]]
        total = children.sum(axis=-1)
        if table.additive[name][axis]:
            if (total != parent).any():
                return False
        elif (total < parent).any() or (children > parent[..., None]).any():
            return False
    return True


def singletons_kept_out(
    tables: Sequence[PublishedTable],
    numbers: Sequence[np.ndarray],
    people: Sequence[np.ndarray],
    small: np.ndarray,
    moved: np.ndarray,
) -> bool:
    """Whoever is alone in a cell knows it. For every other small cell there is a move that leaves all of
    theirs as they are.

    `numbers`: for each table int64 (cells,), the number of each cell; `people`: int64 (n,) each, the counts
    of people by number; `small`: bool (n,); `moved`: bool (moves, n), what each move changes.
    """
    person = alone(tables, numbers, people)
    persons = np.unique(person[person >= 0])
    disturbed = (
        np.stack([moved[:, person == each].any(axis=1) for each in persons], axis=1)
        if len(persons)
        else np.empty((len(moved), 0), bool)
    )
    someone = small & (np.maximum.reduce(list(people)) > 0)
    for cell in np.flatnonzero(someone):
        always = disturbed[moved[:, cell]].all(axis=0)
        if (always & (persons != person[cell])).any():
            return False
    return True


def alone(
    tables: Sequence[PublishedTable], numbers: Sequence[np.ndarray], people: Sequence[np.ndarray]
) -> np.ndarray:
    """int64 (n,): a number for each person known to be alone, in each cell where that is so; -1 elsewhere.
    Child and parent of 1 are one person.

    `numbers`: for each table int64 (cells,), the number of each cell; `people`: int64 (n,) each, the counts
    of people by number.
    """
    alone = np.logical_or.reduce([count == 1 for count in people])
    person = np.where(alone, np.arange(len(alone)), -1)
    pairs = list(_nested(tables, numbers, people))
    changed = True
    while changed:
        changed = False
        for child, parent in pairs:
            least = min(person[child], person[parent])
            changed |= bool(person[child] != least or person[parent] != least)
            person[child] = person[parent] = least
    return person


def _nested(
    tables: Sequence[PublishedTable], numbers: Sequence[np.ndarray], people: Sequence[np.ndarray]
) -> Iterator[tuple[int, int]]:
    for table, own in zip(tables, numbers, strict=True):
        for _, family in table.families():
            children, parent = own[family[:, :-1]], own[family[:, -1:]]
            both = np.logical_or.reduce([(count[children] == 1) & (count[parent] == 1) for count in people])
            for line, place in np.argwhere(both):
                yield int(children[line, place]), int(parent[line, 0])
