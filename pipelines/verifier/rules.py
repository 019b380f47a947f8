"""The rules of a policy, as anybody can check them: how few a cell may show, what is impossible, and what
tells of others around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.verifier.published import places
from pipelines.verifier.tables import Axis, PublishedTable

ORDER = ("sums", "nonnegative", "rule", "marks")  # whom a policy may name, each knowing more


def knows(policy: dict[str, Any], at_least: str) -> bool:
    """Does the attacker that the policy names know what `at_least` knows?"""
    return ORDER.index(policy.get("attacker", "rule")) >= ORDER.index(at_least)


def minima(table: PublishedTable, policy: dict[str, Any]) -> np.ndarray:
    """Fewest persons that each cell may show by what anybody can read, int64 (cells,)."""
    least, grid = np.full(len(table.hidden), int(policy["minimum"]), np.int64), places(table.axes)
    for name, specials in policy.get("special", {}).items():
        for number, axis in enumerate(table.axes):
            for special in specials if axis.name == name else ():
                chosen = at_or_below(axis, special["codes"])
                least = np.where(chosen[grid[:, number]], np.maximum(least, int(special["minimum"])), least)
    return least


def impossible(table: PublishedTable, policy: dict[str, Any]) -> np.ndarray:
    """Cells in which nobody can stand, as the policy says in public: those that it names, and those whose
    parts all are; bool (cells,)."""
    found, names = np.zeros(len(table.hidden), bool), [axis.name for axis in table.axes]
    grid = places(table.axes)
    for combination in policy.get("structural_zeros", ()):
        if set(combination) <= set(names):
            here = np.ones(len(found), bool)
            for name, codes in combination.items():
                number = names.index(name)
                here &= at_or_below(table.axes[number], codes)[grid[:, number]]
            found |= here
    changed = True
    while changed:
        before = int(found.sum())
        for _, family in table.families():
            found[family[found[family[:, :-1]].all(axis=1), -1]] = True
        changed = int(found.sum()) > before
    return found


def at_or_below(axis: Axis, codes: Sequence[str]) -> np.ndarray:
    """Positions of an axis that stand at one of `codes` or below it, bool (positions,)."""
    chosen = np.zeros(len(axis.codes), bool)
    for place, code in enumerate(axis.codes[1:], start=1):
        chosen[place] = code in codes or chosen[axis.parents[place]]
    return chosen


def as_known(table: PublishedTable, never: np.ndarray) -> PublishedTable:
    """The table as whoever knows it sees where nobody can be: `never`, bool (cells,)."""
    return replace(table, hidden=table.hidden & ~never)


def breaks_a_rule(table: PublishedTable, true: np.ndarray, policy: dict[str, Any]) -> np.ndarray:
    """Cells that break a rule on what is around them, bool (cells,). `true`: int64 (cells,), persons."""
    unsafe = np.zeros(len(table.hidden), bool)
    outside, could = policy.get("outside", 0), ~impossible(table, policy)
    for axis, family in table.families():
        children, parent = true[family[:, :-1]], true[family[:, -1:]]
        unsafe[family[:, :-1][(parent - children > 0) & (parent - children < outside)]] = True
        if table.axes[axis].name in policy.get("all_in_one", ()):
            several = could[family[:, :-1]].sum(axis=1, keepdims=True) > 1
            unsafe[family[:, :-1][(children == parent) & (parent > 0) & several]] = True
    return unsafe
