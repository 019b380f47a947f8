"""Days that a supply covers: of a drug, or of anything that lasts from one day to another."""

from __future__ import annotations

import numpy as np

from kernels.eras import merge_eras
from pipelines.aggregation.matching import matching
from pipelines.files.frames import Frame, take
from pipelines.files.schemas import DAY_UNKNOWN
from pipelines.site.permit import Table


def covered(
    table: Table, events: Frame, person: np.ndarray, start: np.ndarray, until: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stretches of members' follow-up that a supply covers, from its first day to its last, and the days to
    the next one where they are at most the table's gap. Supplies that began before entry cover what lies
    after it.

    `events`: by person and start. `person`, `start`, `until`: int32 (members,), position in the shard,
    ascending, first day and the day after the last. Returns member int64, first day int32 and the day after
    the last int32 of each stretch, in order.
    """
    found = matching(events, table)
    found = take(found, np.flatnonzero(np.asarray(found["start"]) != DAY_UNKNOWN))
    first = np.asarray(found["start"], np.int64)
    last = np.maximum(np.asarray(found["end"], np.int64), first)
    who, first, last = merge_eras(np.asarray(found["person"], np.int32), first, last, table.gap + 1)
    member = np.searchsorted(person, who)
    ours = (
        (member < len(person)) & (person[np.minimum(member, len(person) - 1)] == who)
        if len(person)
        else (np.zeros(len(who), bool))
    )
    member, first, last = member[ours], first[ours], last[ours]
    first, beyond = np.maximum(first, start[member]), np.minimum(last + 1, until[member])
    some = first < beyond
    return member[some].astype(np.int64), first[some].astype(np.int32), beyond[some].astype(np.int32)
