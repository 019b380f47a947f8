"""The rules of a policy on one table: which cells they make sensitive, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipelines.disclosure.inner import Contributing, Inner, Placed
from pipelines.disclosure.policies import Contributors, Owners, TablePolicy
from pipelines.disclosure.suppression.of_policy import declared, sensitive, somebody
from pipelines.disclosure.suppression.sensitive import Sensitive, few_contributors, strictest
from pipelines.disclosure.suppression.structural import below
from pipelines.errors import SettingsError

REASONS = {
    "few persons": "fewer persons than the minimum stand behind it",
    "few outside": "so few of its parent are not in it that where the others are is known",
    "all in one": "it holds everybody of its parent, so of all of them it is known",
    "few units": "too few units contribute",
    "few owners": "too few owners have a part in it",
}


def rules(inner: Inner, placed: Sequence[Placed], policy: TablePolicy) -> list[Sensitive]:
    """What the policy says of each table besides its one minimum. Raises `SettingsError` where it names what
    no table has, `DataError` where somebody stands in a cell that is declared impossible."""
    zeros = structural_zeros(placed, policy)
    if policy.owners and (
        unknown := set(policy.owners.persons) - set(inner.contributors[policy.owners.column].names)
    ):
        raise SettingsError(
            "specification: policy: owners",
            f"{len(unknown):,} of the owners named have no row",
            "mend their names, or leave them out",
        )
    if inner.count[nobody(placed, zeros)].any():
        raise somebody(str(inner.path))
    return [_of_table(inner, each, policy, zeros) for each in placed]


def structural_zeros(placed: Sequence[Placed], policy: TablePolicy) -> list[dict[str, list[str]]]:
    """The combinations that nobody has, by the codes that the tables hold. Raises as `declared` does."""
    return declared([each.cube for each in placed], policy, "specification: policy")


def nobody(placed: Sequence[Placed], zeros: Sequence[dict[str, list[str]]]) -> np.ndarray:
    """Inner cells that the tables together place where nobody can be, bool (inner cells,)."""
    found = np.zeros(len(placed[0].places), bool)
    for combination in zeros:
        here = np.ones(len(found), bool)
        for name, codes in combination.items():
            at = [
                below(dimension, codes)[each.places[:, axis]]
                for each in placed
                for axis, dimension in enumerate(each.cube.dimensions)
                if dimension.name == name
            ]
            here &= np.logical_or.reduce([np.zeros(len(found), bool), *at])
        found |= here
    return found


def _of_table(
    inner: Inner, placed: Placed, policy: TablePolicy, zeros: Sequence[dict[str, list[str]]]
) -> Sensitive:
    found = sensitive(placed.cube, policy, zeros)
    minimum, reasons = found.minimum, dict(found.reasons)
    if policy.owners:
        minimum = np.maximum(
            minimum, _of_owners(placed, inner.contributors[policy.owners.column], policy.owners)
        )
    for reason, rule in (("few units", policy.units), ("few owners", policy.owners)):
        if rule:
            reasons[reason] = _few(placed, inner.contributors[rule.column], rule)
    return replace(found, minimum=minimum, reasons=reasons)


def _few(placed: Placed, behind: Contributing, rule: Contributors) -> np.ndarray:
    return few_contributors(placed.cube, placed.places[behind.cell], behind.who, rule.minimum)


def _of_owners(placed: Placed, behind: Contributing, rule: Owners) -> np.ndarray:
    minimum = {behind.names.index(name): least for name, least in rule.persons.items()}
    return strictest(placed.cube, placed.places[behind.cell], behind.who, minimum)
