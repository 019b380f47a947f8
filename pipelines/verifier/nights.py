"""Two versions of one release, as whoever keeps both sees them: does what changed between them tell of few
people?

Nothing but what is published, or would be, is looked at, so that holding a version back tells no more than
that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.verifier.bundle import controls_of, is_changed, tables_of
from pipelines.verifier.cases import lack_by_few
from pipelines.verifier.tables import PEOPLE, Axis, PublishedTable

_COUNTED = (*PEOPLE, "events", "admissions")  # measures of which few more or less are few people


def tells_of_few(new: Path, old: Path, minimum: int, together: bool = False) -> bool:
    """Of two bundles of one case. Where every number of either was changed, what moves tells of nobody for
    certain, and none is held. `together`: have both been proved together? Then only that is looked at that
    no sum ties. Raises in one way or another where a bundle cannot be read."""
    if any(is_changed(folder) for folder in (new, old)):
        return False
    if lack_by_few(controls_of(new), controls_of(old), minimum):
        return True
    if together:
        return False
    earlier = {table.name: table for table in tables_of(old)}
    return any(
        differ_by_few(table, earlier[table.name], minimum)
        for table in tables_of(new)
        if table.name in earlier
    )


def differ_by_few(new: PublishedTable, old: PublishedTable, minimum: int) -> bool:
    """Does a count that both versions show differ by 1 to `minimum` - 1, or does one version give away what
    the other hides?

    One gives away what the other hides where nothing has changed along a sum: then the number that is shown
    once is still true.
    """
    if [axis.name for axis in new.axes] != [axis.name for axis in old.axes]:
        return False
    where = _places(new.axes, old.axes)
    known, gone = where >= 0, np.where(where >= 0, old.hidden[where], True)
    both = known & ~new.hidden & ~gone
    change = {
        name: new.measures[name] - old.measures[name][where] for name in new.measures if name in old.measures
    }
    few = [
        (np.abs(change[name][both]) > 0) & (np.abs(change[name][both]) < minimum)
        for name in _COUNTED
        if name in change
    ]
    if any(each.any() for each in few):
        return True
    unchanged = known & ~(
        both
        & np.logical_or.reduce(
            [np.zeros(len(both), bool), *(change[name] != 0 for name in PEOPLE if name in change)]
        )
    )
    someone = both & np.logical_or.reduce(
        [np.zeros(len(both), bool), *(new.measures[name] > 0 for name in PEOPLE if name in change)]
    )
    turned = known & (new.hidden != gone)
    for axis, family in new.families():
        if all(new.additive[name][axis] for name in PEOPLE if name in new.additive):
            still = unchanged[family].all(axis=1) & someone[family].any(axis=1)
            if turned[family[still]].any():
                return True
    return False


def _places(new: Sequence[Axis], old: Sequence[Axis]) -> np.ndarray:
    """The cell of the old table for each of the new one, -1 where there is none: int64 (cells,)."""
    grid = np.indices([len(axis.codes) for axis in new]).reshape(len(new), -1)
    where, found = np.zeros(grid.shape[1], np.int64), np.ones(grid.shape[1], bool)
    for number, (ours, theirs) in enumerate(zip(new, old, strict=True)):
        place = np.array([theirs.codes.index(code) if code in theirs.codes else -1 for code in ours.codes])
        found &= place[grid[number]] >= 0
        where = where * len(theirs.codes) + np.maximum(place, 0)[grid[number]]
    return np.where(found, where, -1)
