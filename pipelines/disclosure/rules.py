"""The rules of a policy on one table: which cells they make sensitive, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.disclosure.inner import Contributing, Inner, Placed
from pipelines.disclosure.policies import Contributors, Owners, TablePolicy
from pipelines.disclosure.suppression.sensitive import (
    Sensitive,
    all_in_one,
    few_contributors,
    few_outside,
    higher_minimum,
    strictest,
)
from pipelines.disclosure.suppression.structural import below, impossible
from pipelines.errors import DataError, SettingsError
from pipelines.study.one_sex import OneSex, held

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
    dimensions: dict[str, set[str]] = {}
    for dimension in (dimension for each in placed for dimension in each.cube.dimensions):
        dimensions.setdefault(dimension.name, set()).update(dimension.codes[1:])
    declared = [name for each in policy.structural_zeros for name in each]
    for name in [*policy.all_in_one, *policy.special, *declared]:
        if name not in dimensions:
            raise SettingsError(
                "specification: policy",
                f"names {name}, which is no dimension",
                f"name one of {', '.join(dimensions)}",
            )
    for name, specials in policy.special.items():
        if any(set(special.codes) - dimensions[name] for special in specials):
            raise SettingsError(
                f"specification: policy: special: {name}",
                "names a code that the table does not hold",
                "mend it, or leave it out",
            )
    if policy.owners and (
        unknown := set(policy.owners.persons) - set(inner.contributors[policy.owners.column].names)
    ):
        raise SettingsError(
            "specification: policy: owners",
            f"{len(unknown):,} of the owners named have no row",
            "mend their names, or leave them out",
        )
    zeros = structural_zeros(placed, policy)
    if any(set(codes) - dimensions[name] for each in zeros for name, codes in each.items()):
        raise SettingsError(
            "specification: policy: structural_zeros",
            "names a code that the table does not hold",
            "mend it, or leave it out",
        )
    if inner.count[nobody(placed, zeros)].any():
        raise DataError(
            inner.path,
            "counts somebody where structural_zeros of the policy says that nobody can be",
            "mend the table, or leave the rule out: what happens is not impossible",
        )
    return [_of_table(inner, each, policy, zeros) for each in placed]


def structural_zeros(placed: Sequence[Placed], policy: TablePolicy) -> list[dict[str, list[str]]]:
    """The combinations that nobody has, by the codes that the tables hold."""
    found = []
    for combination in policy.structural_zeros:
        found.append(
            {
                name: codes if isinstance(codes, list) else _listed(placed, name, codes)
                for name, codes in combination.items()
            }
        )
    return found


def _listed(placed: Sequence[Placed], name: str, codes: OneSex) -> list[str]:
    return sorted(
        {
            code
            for each in placed
            for dimension in each.cube.dimensions
            for code in dimension.codes[1:]
            if dimension.name == name and held(codes, code)
        }
    )


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
    inner: Inner, placed: Placed, policy: TablePolicy, declared: Sequence[dict[str, list[str]]]
) -> Sensitive:
    cube, reasons = placed.cube, dict[str, np.ndarray]()
    minimum = np.full(cube.cells, policy.minimum, np.int64)
    for name, specials in policy.special.items():
        for special in specials:
            minimum = np.maximum(minimum, higher_minimum(cube, name, special.codes, special.minimum))
    if policy.owners:
        minimum = np.maximum(
            minimum, _of_owners(placed, inner.contributors[policy.owners.column], policy.owners)
        )
    zeros, never = None, impossible(cube, declared)
    if policy.outside:
        reasons["few outside"] = few_outside(cube, policy.outside)
    if policy.all_in_one:
        reasons["all in one"], zeros = all_in_one(cube, policy.all_in_one, never)
    for reason, rule in (("few units", policy.units), ("few owners", policy.owners)):
        if rule:
            reasons[reason] = _few(placed, inner.contributors[rule.column], rule)
    return Sensitive(minimum, reasons, zeros, never)


def _few(placed: Placed, behind: Contributing, rule: Contributors) -> np.ndarray:
    return few_contributors(placed.cube, placed.places[behind.cell], behind.who, rule.minimum)


def _of_owners(placed: Placed, behind: Contributing, rule: Owners) -> np.ndarray:
    minimum = {behind.names.index(name): least for name, least in rule.persons.items()}
    return strictest(placed.cube, placed.places[behind.cell], behind.who, minimum)
