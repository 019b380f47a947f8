"""Who is followed on some days, and who of them has had an event by then: point prevalence."""

from __future__ import annotations

import numpy as np

from pipelines.cubes.cube import TOTAL, Dimension
from pipelines.errors import SettingsError
from pipelines.files.frames import Frame
from pipelines.files.schemas import DAY_UNKNOWN
from pipelines.site.permit import Table
from pipelines.study.days import Study, day_number

_DAYS = 2**33  # more than there are day numbers


def grid(table: Table) -> tuple[Dimension]:
    """The days."""
    days = [day.isoformat() for day in table.days]
    return (
        Dimension(
            name="day",
            title="Day",
            codes=("", *days),
            labels=(TOTAL, *days),
            parents=(-1, *[0] * len(days)),
            levels=(TOTAL, "day"),
            role="day",
        ),
    )


def check(table: Table, study: Study) -> None:
    """Raises `SettingsError` for a day outside of the study: nobody is followed then."""
    if table.days and not study.first <= table.days[0] <= table.days[-1] <= study.last:
        raise SettingsError(
            f"table {table.table}: days",
            "has a day outside of the study",
            f"choose from {study.first} to {study.last}",
        )


def followed(table: Table, members: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of a member and one of the days on which it is followed: position of the member int64 (n,),
    ascending, day int32 (n,), and position in `grid` int32 (n,)."""
    days = np.array([day_number(day) for day in table.days], np.int32)
    start, end = (np.asarray(members[name])[:, None] for name in ("start", "end"))
    member, place = np.nonzero((start <= days) & (days <= end))
    return member, days[place], (place + 1).astype(np.int32)


def having(table: Table, person: np.ndarray, day: np.ndarray, events: Frame) -> np.ndarray:
    """Has the person had one of `events` (by person and start) by the day, and not too long ago? bool (n,).
    `person`: integers (n,), positions in the shard; `day`: int32 (n,), days since 1970-01-01."""
    of, when = np.asarray(events["person"], np.int64), np.asarray(events["start"], np.int64)
    last = np.searchsorted(of * _DAYS + when, person.astype(np.int64) * _DAYS + day, "right") - 1
    if not len(of):
        return np.zeros(len(person), bool)
    there = (last >= 0) & (of[last] == person) & (when[last] != DAY_UNKNOWN)
    return there & (day - when[last] < table.lookback) if table.lookback else there
