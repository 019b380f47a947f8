"""Cases and controls of one permit: both their numbers are shown, and tell of no few cases.

How many controls there are is tied to how many cases: the ratio is public, and nearly every case has all its
controls. So neither total may be hidden, since the other would tell it; then nothing else ties the two, for
no row of controls follows from how they are chosen (docs/decisions/cases-and-controls.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.cubes.cube import CONTROLS_OF, RATIO, Cube, places_of_few
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.system import System
from pipelines.errors import DisclosureError


def showing_both(system: System, cubes: Sequence[Cube], policy: Policy) -> System:
    """The same system where the totals of cases and of their controls may not be hidden. Raises
    `DisclosureError` where there are too few of either, or where their numbers tell of few cases.

    `cubes`: those of the system, in its order.
    """
    totals = {cube.table: own[0] for cube, own in zip(cubes, system.cells, strict=True)}
    persons = {cube.table: int(cube.measures["persons"][0]) for cube in cubes}
    shown = np.zeros(system.size, bool)
    for cube in cubes:
        if CONTROLS_OF not in cube.notes:
            continue
        of, ratio = cube.notes[CONTROLS_OF], int(cube.notes[RATIO])
        few, controls = places_of_few(ratio, policy.minimum), persons[cube.table]
        empty = ratio * persons[of] - controls
        if controls <= few or (empty != 0 and empty <= few):
            what = "has controls of too few cases, or so many that few cases can lack one"
            raise DisclosureError(f"table {cube.table}", what, "leave controls out, or take a smaller ratio")
        shown[[totals[of], totals[cube.table]]] = True
    if (shown & system.primary).any():
        what = "a rule of the policy hides the number of cases or of controls, of which one tells the other"
        raise DisclosureError("disclosure", what, "leave controls out, or the rule")
    return system.showing(shown) if shown.any() else system
