"""What a policy makes sensitive in a cube besides few persons: the same for a permit's cubes and for those of
`uttag protect`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.cubes.cube import Cube
from pipelines.cubes.policy import OneSex, Policy
from pipelines.disclosure.suppression.sensitive import Sensitive, all_in_one, few_outside, higher_minimum
from pipelines.disclosure.suppression.structural import Zeros, impossible
from pipelines.errors import DataError, SettingsError
from pipelines.study.one_sex import held


def declared(cubes: Sequence[Cube], policy: Policy, where: str) -> list[dict[str, list[str]]]:
    """The combinations that nobody has, by the codes that the cubes hold. Raises `SettingsError`, which
    begins with `where`, where the policy names a dimension or a code that no cube has."""
    codes: dict[str, set[str]] = {}
    for dimension in (dimension for cube in cubes for dimension in cube.dimensions):
        codes.setdefault(dimension.name, set()).update(dimension.codes[1:])
    for name in policy.named():
        if name not in codes:
            raise SettingsError(
                where, f"names {name}, which is no dimension", f"name one of {', '.join(sorted(codes))}"
            )
    zeros = [
        {
            name: chosen if isinstance(chosen, list) else _on_list(chosen, codes[name])
            for name, chosen in each.items()
        }
        for each in policy.structural_zeros
    ]
    asked = [(f"special: {name}", name, one.codes) for name, many in policy.special.items() for one in many]
    asked += [("structural_zeros", name, chosen) for each in zeros for name, chosen in each.items()]
    for rule, name, chosen in asked:
        if set(chosen) - codes[name]:
            raise SettingsError(
                f"{where}: {rule}", "names a code that the table does not hold", "mend it, or leave it out"
            )
    return zeros


def _on_list(name: OneSex, codes: set[str]) -> list[str]:
    return sorted(code for code in codes if held(name, code))


def sensitive(cube: Cube, policy: Policy, zeros: Zeros) -> Sensitive:
    """What the policy makes sensitive in one cube. Raises `DataError` where somebody stands in a cell that is
    declared impossible."""
    minimum = np.full(cube.cells, policy.minimum, np.int64)
    for name, specials in policy.special.items():
        for special in specials:
            minimum = np.maximum(minimum, higher_minimum(cube, name, special.codes, special.minimum))
    reasons, empty, never = dict[str, np.ndarray](), None, impossible(cube, zeros)
    if any(values[never].any() for values in cube.measures.values()):
        raise somebody(f"table {cube.table}")
    if policy.outside:
        reasons["few outside"] = few_outside(cube, policy.outside)
    if policy.all_in_one:
        reasons["all in one"], empty = all_in_one(cube, policy.all_in_one, never)
    return Sensitive(minimum, reasons, empty, never)


def somebody(where: str) -> DataError:
    """That somebody stands where nobody can be."""
    return DataError(
        where,
        "counts somebody where structural_zeros of the policy says that nobody can be",
        "mend the table, or leave the rule out: what happens is not impossible",
    )
