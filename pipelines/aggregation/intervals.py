"""Times from one event to another, as a grid of which waiting times and shares of readmission are made after
protection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.eras import merge_eras
from kernels.exits import NEVER, exit_bands
from pipelines.aggregation.matching import matching
from pipelines.aggregation.survival import grid_of
from pipelines.cubes.cube import Dimension
from pipelines.files.frames import Frame, take
from pipelines.files.schemas import DAY_UNKNOWN
from pipelines.site.permit import Table
from pipelines.study.event_filter import EventFilter
from pipelines.study.event_filter import words as events_words
from pipelines.study.intervals import Mark

_DAYS = 2**33  # more than there are day numbers
_LONG_AGO = -(2**31)


def grid(table: Table) -> tuple[Dimension, Dimension]:
    """Bands of days since the clock began, and outcomes, as of a survival table."""
    return grid_of(table, "Days waited", words(table))


def words(table: Table) -> str:
    """What is waited for, and since when, in words."""
    since = table.since.sentence() if table.since else ""
    against = ""
    if table.competing:
        named = table.competing if isinstance(table.competing, str) else ", ".join(table.competing)
        against = f", in competition with {named}"
    return f"first of {events_words(table)} after it, {since}{against}"


@dataclass(frozen=True)
class Times:
    """Clocks of members, by person and day. `person`: int32 (n,), position in the shard; `day`: int32 (n,),
    on which each begins; `places`: int32 (n,) twice, positions in `grid`."""

    person: np.ndarray
    day: np.ndarray
    places: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Spans:
    """Events or joined stays, by person and start. `person`, `start`, `end`: int64 (n,)."""

    person: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @staticmethod
    def of(events: Frame, asked: EventFilter, join: int | None) -> _Spans:
        found = matching(events, asked)
        found = take(found, np.flatnonzero(np.asarray(found["start"]) != DAY_UNKNOWN))
        person, start = np.asarray(found["person"]), np.asarray(found["start"], np.int64)
        end = np.maximum(np.asarray(found["end"], np.int64), start)
        if join is not None:
            person, start, end = merge_eras(person.astype(np.int32), start, end, join)
        return _Spans(person.astype(np.int64), start, end)


def times(
    table: Table, mark: Mark, events: Frame, begin: np.ndarray, until: np.ndarray, death: np.ndarray
) -> Times:
    """The times that a table asks for, of clocks that begin within the follow-up of a member.

    `events`: of the permit's sources, by person and start, from before entry on. `begin`, `until`, `death`:
    int32 (persons,), index day, the day after the last and day of death of each person of the shard,
    `DAY_UNKNOWN` where there is none. A time ends with the first event asked for that begins on the clock's
    day or later, and is not the one that the clock began with; of one day, with one that stands after it.
    """
    since = _Spans.of(events, mark, mark.join)
    to = since if mark.asked == table.asked else _Spans.of(events, table, None)
    day = since.start if mark.clock == "start" else since.end
    within = (begin[since.person] != DAY_UNKNOWN) & (day >= begin[since.person]) & (day < until[since.person])
    rows = np.flatnonzero(within)
    if mark.first:
        rows = rows[np.diff(since.person[rows], prepend=-1) != 0]
    person, day = since.person[rows], day[rows]
    found = np.searchsorted(_key(to.person, to.start), _key(person, day), "left")
    if to is since:
        found = np.maximum(found, rows + 1)
    stop = until[person]
    event = _first(to.person, to.start, found, person, stop)
    competing = np.full(len(person), NEVER, np.int32)
    if table.competing == "death":
        died = death[person]
        ours = (died != DAY_UNKNOWN) & (died >= day) & (died < stop)
        competing = np.where(ours, died, NEVER).astype(np.int32)
    elif table.competing:
        rival = _Spans.of(events, EventFilter(codes=table.competing), None)
        place = np.searchsorted(_key(rival.person, rival.start), _key(person, day), "left")
        competing = _first(rival.person, rival.start, place, person, stop)
    order = np.lexsort((rows, day, person))
    person, day, stop, event, competing = (each[order] for each in (person, day, stop, event, competing))
    step = table.step or 1
    band, outcome = exit_bands(
        day.astype(np.int32), stop.astype(np.int32), event, competing, step, (table.until or 1) // step
    )
    last = 2 if table.competing else 1
    places = band + 1, np.minimum(outcome, last).astype(np.int32) + 1
    return Times(person.astype(np.int32), day.astype(np.int32), places)


def _key(person: np.ndarray, day: np.ndarray) -> np.ndarray:
    return person * _DAYS + day - _LONG_AGO


def _first(
    of: np.ndarray, start: np.ndarray, place: np.ndarray, person: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """The day of the event at each place, int32 (n,): `NEVER` if it is of another person or after the end of
    follow-up."""
    there = np.minimum(place, max(len(of) - 1, 0))
    if not len(of):
        return np.full(len(place), NEVER, np.int32)
    ours = (place < len(of)) & (of[there] == person) & (start[there] < stop)
    return np.where(ours, start[there], NEVER).astype(np.int32)
