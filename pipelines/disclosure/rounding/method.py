"""The four kinds of rounding, each checked against what an attacker makes of it before anything is handed
back."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse

from pipelines.disclosure.altered import Altered, Say
from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.methods import BaseRounding, ControlledRounding, Midpoint, SmallCountRounding
from pipelines.disclosure.policies import TablePolicy
from pipelines.disclosure.rounding.attack import Attack
from pipelines.disclosure.rounding.controlled import controlled
from pipelines.disclosure.rounding.nearest import Nearest, to_base, to_midpoint
from pipelines.disclosure.rounding.small_count import small_count
from pipelines.errors import DisclosureError, SettingsError

Rounded = SmallCountRounding | ControlledRounding | BaseRounding | Midpoint


def rounded(atoms: Atoms, method: Rounded, policy: TablePolicy, say: Say) -> Altered:
    """Every cell of all tables as it is to be shown. Raises `SettingsError` where the base is too small for
    the policy, `DisclosureError` where a small cell could be worked out, whatever else is hidden."""
    if isinstance(method, SmallCountRounding):
        return _small_counts(atoms, _base(method.base, policy.minimum))
    if isinstance(method, ControlledRounding):
        return _controlled(atoms, _base(method.base, policy.minimum), policy, say)
    return _nearest(atoms, method, policy, say)


def _base(asked: int | None, minimum: int) -> int:
    if asked is not None and asked < minimum:
        raise SettingsError(
            "specification: method: base",
            "is less than the policy's minimum, so that small counts would show",
            f"let it be {minimum} or more",
        )
    return asked or minimum


def _small_counts(atoms: Atoms, base: int) -> Altered:
    counts = small_count(atoms, base).counts()
    return Altered(atoms.sums(counts), np.zeros(atoms.size, bool), {"base": base}, {"rounded": counts})


def _controlled(atoms: Atoms, base: int, policy: TablePolicy, say: Say) -> Altered:
    rounding = controlled(atoms, base)
    counts, truth = rounding.counts(), atoms.sums(atoms.count)
    values = atoms.sums(counts)
    furthest = max(base - 1, int(np.abs(rounding.moved).max(initial=0)))
    say(
        f"every cell is within {furthest} of what it was"
        + ("" if furthest < base else ": no table was found in which all are nearer")
    )
    attack = Attack(atoms, np.maximum(values - furthest, 0), values + furthest)
    _check(attack, _small(truth, policy), policy)
    return Altered(
        values,
        np.zeros(atoms.size, bool),
        {"base": base, "furthest": furthest},
        {"rounded": counts},
        moves=attack.moves,
    )


def _nearest(atoms: Atoms, method: BaseRounding | Midpoint, policy: TablePolicy, say: Say) -> Altered:
    least = method.redact if isinstance(method, BaseRounding) else method.base
    if least < policy.minimum - 1:
        name = "redact" if isinstance(method, BaseRounding) else "base"
        raise SettingsError(
            f"specification: method: {name}",
            "is less than the policy's minimum less 1",
            f"let it be {policy.minimum - 1} or more",
        )
    truth, zeros_shown = atoms.sums(atoms.count), policy.zeros == "open"
    made = _of_each(truth, method, zeros_shown)
    try:
        hidden, moves = _hide_what_tells(atoms, made, truth, policy)
    except DisclosureError:
        if not zeros_shown:
            raise
        say("zeros are hidden, too: with them small cells could be worked out, whatever else is hidden")
        made, zeros_shown = _of_each(truth, method, False), False
        hidden, moves = _hide_what_tells(atoms, made, truth, policy)
    if more := int((hidden & ~made.hidden).sum()):
        say(f"{more:,} more cells are hidden: with them small ones could be worked out")
    notes = [f"{more:,} cells are hidden only because small ones could be worked out with them"]
    zeros = {"zeros": "shown" if zeros_shown else "hidden"}
    return Altered(
        np.where(hidden, 0, made.values), hidden, {**method.parameters(), **zeros}, notes=notes, moves=moves
    )


def _of_each(truth: np.ndarray, method: BaseRounding | Midpoint, zeros_shown: bool) -> Nearest:
    if isinstance(method, BaseRounding):
        return to_base(truth, method.base, method.redact, zeros_shown)
    return to_midpoint(truth, method.base, zeros_shown)


def _small(truth: np.ndarray, policy: TablePolicy) -> np.ndarray:
    return (truth > 0) & (truth < policy.minimum)


def _hide_what_tells(
    atoms: Atoms, made: Nearest, truth: np.ndarray, policy: TablePolicy
) -> tuple[np.ndarray, sparse.csc_matrix]:
    """Which cells are hidden in the end, and moves of the small ones. Of those whose numbers together tell a
    small cell, that of fewest people goes."""
    attack, hidden, small = Attack(atoms, made.low, made.high), made.hidden.copy(), _small(truth, policy)
    while found := attack.pinned(small):
        for each in found:
            telling = each.by[~hidden[each.by]]
            if not len(telling):
                raise _told(len(found))
            chosen = int(telling[np.argmin(truth[telling])])
            hidden[chosen] = True
            attack.widen(chosen)
    if policy.interval == "whole":
        _check(attack, small, policy)
    return hidden, attack.moves


def _check(attack: Attack, small: np.ndarray, policy: TablePolicy) -> None:
    if found := attack.pinned(small):
        raise _told(len(found))
    if policy.interval == "whole":
        ends = [attack.between(int(cell))[:2] for cell in np.flatnonzero(small)]
        if narrow := sum(least > 1 or most < policy.minimum - 1 for least, most in ends):
            raise DisclosureError(
                "protect",
                f"{narrow:,} small cells would not keep all values below the minimum",
                "say interval: point, or coarsen the table",
            )


def _told(number: int) -> DisclosureError:
    return DisclosureError(
        "protect",
        f"{number:,} small cells could be worked out from rounded ones",
        "take a larger base, another method, or a coarser table",
    )
