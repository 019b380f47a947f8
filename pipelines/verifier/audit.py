"""The audit before the gate: each hidden cell has a move, and each move leads to tables that no attacker can
exclude.

A move is an integer change of some hidden cells, the same in every measure. Whole-number arithmetic alone is
used here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.verifier.tables import PEOPLE, Claim, PublishedTable, by_number, number_cells

# Move, table, cell, change: int64 (entries,) each.
Moves = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
_AT_ONCE = 64


def audit(tables: Sequence[PublishedTable], moves: Moves, minimum: int, zeros_shown: bool) -> list[Claim]:
    """Check the pattern and its certificate against the true numbers. `tables`: with nothing blanked,
    `hidden` as it would be published."""
    numbers, size = number_cells(tables)
    people = [by_number(tables, numbers, size, measure) for measure in PEOPLE]
    hidden = np.zeros(size, bool)
    for table, own in zip(tables, numbers, strict=True):
        hidden[own] |= table.hidden
    small = np.logical_or.reduce(
        [(count >= (1 if zeros_shown else 0)) & (count < minimum) for count in people]
    )
    moved = _moved(moves, numbers, size)
    return [
        Claim("every small cell is hidden", not (small & ~hidden).any()),
        Claim(
            "a cell has one status in all tables",
            all((hidden[own] == t.hidden).all() for t, own in zip(tables, numbers, strict=True)),
        ),
        Claim(
            "cells of nobody are shown",
            not (hidden & ~small & (np.maximum.reduce(people) == 0)).any() or not zeros_shown,
        ),
        Claim(
            "every move keeps every relation, and changes hidden cells alone",
            _moves_hold(tables, numbers, moves, zeros_shown),
        ),
        Claim("every hidden cell has a move", bool((moved.any(axis=0) >= hidden).all())),
        Claim(
            "nobody who is alone in a cell can work out another small cell",
            singletons_kept_out(tables, numbers, people, small, moved),
        ),
    ]


def _moved(moves: Moves, numbers: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Which cell numbers each move changes, bool (moves, size)."""
    move, table, cell, change = moves
    moved = np.zeros((int(move.max(initial=-1)) + 1, size), bool)
    for position, own in enumerate(numbers):
        here = (table == position) & (change != 0)
        moved[move[here], own[cell[here]]] = True
    return moved


def _moves_hold(
    tables: Sequence[PublishedTable], numbers: Sequence[np.ndarray], moves: Moves, zeros_shown: bool
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
            if not agree or changes[:, ~each.hidden].any() or not _is_possible(each, changes, zeros_shown):
                return False
    return True


def _is_possible(table: PublishedTable, changes: np.ndarray, zeros_shown: bool) -> bool:
    """Could the table be true as `changes` (moves, cells) make it?"""
    new = {name: values + changes for name, values in table.measures.items()}
    if any((values < 0).any() for values in new.values()):
        return False
    people = np.maximum.reduce([new[name] for name in PEOPLE if name in new])
    if zeros_shown and (people[:, table.hidden] < 1).any():
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
