"""What a definition brings itself, beside the events of a shard: days of the calendar, and stays in other
cohorts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from kernels.ages import birthdays
from pipelines.cohort.columns import MISSING
from pipelines.cohort.query import INDEX_DAY, STAY, Calendar, ConceptSet
from pipelines.cohort.results import Results
from pipelines.cohort.shard_source import ShardSource
from pipelines.cohort.source import Events, Periods

LABEL: Final = "COHORT/{}/"  # how a list of codes names the stays of another cohort


class Given(ShardSource):
    """A shard with days of the calendar as events of domain `INDEX_DAY`, and stays as those of `STAY`, whose
    concepts follow those of the shard, by name."""

    def __init__(self, source: ShardSource, calendar: Calendar | None, others: Mapping[str, Results]) -> None:
        """`others`: what the other cohorts found in this shard, by name."""
        super().__init__(source.shard, source.sources)
        self.calendar = calendar
        self.others = {LABEL.format(name): others[name] for name in sorted(others)}

    def concepts(self, asked: ConceptSet) -> np.ndarray:
        """See `Source`."""
        begin = len(self.labels)
        own = [begin + place for place, label in enumerate(self.others) if label in asked.prefixes]
        return np.concatenate([super().concepts(asked), np.array(own, np.int64)])

    def events(self, domain: str, concepts: np.ndarray | None, source_concepts: np.ndarray | None) -> Events:
        """See `Source`."""
        if domain == INDEX_DAY:
            person, day = index_days(self.calendar or Calendar(), self.periods, self._birth)
            return _events(person, day, day)
        if domain != STAY:
            return super().events(domain, concepts, source_concepts)
        begin = len(self.labels)
        asked = [
            each
            for place, each in enumerate(self.others.values())
            if concepts is None or begin + place in concepts
        ]
        person, start, end = (
            np.concatenate([np.empty(0, np.int64), *(getattr(each, name) for each in asked)])
            for name in ("person", "start", "end")
        )
        order = np.lexsort((end, start, person))
        place = np.searchsorted(self.persons, person[order])
        return _events(place, start[order], end[order])

    @property
    def _birth(self) -> np.ndarray:
        return self.birth_days(np.arange(len(self.persons)))


def _events(person: np.ndarray, start: np.ndarray, end: np.ndarray) -> Events:
    n = len(person)
    known = {"end": end.astype(np.int64), "visit": np.full(n, MISSING), "id": np.arange(n)}
    return Events(np.arange(n), person.astype(np.int32), start.astype(np.int64), _unread, known)


def _unread(name: str, _rows: np.ndarray) -> np.ndarray:
    raise TypeError(f"{name} of what a definition brings is read from nowhere")


def index_days(calendar: Calendar, periods: Periods, birth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The calendar's days on which each person is observed: person, int32 (n,), and day, int64 (n,), both
    ascending.

    `birth`: int64 (persons,), days, `MISSING` if unknown.
    """
    person = np.repeat(np.arange(len(periods.offsets) - 1), np.diff(periods.offsets)).astype(np.int32)
    start, end = periods.start, periods.end
    if calendar.days:
        days = np.array(calendar.days, np.int64)
        first = np.searchsorted(days, start)
        count = np.maximum(np.searchsorted(days, end, "right") - first, 0)
        return np.repeat(person, count), days[_ranges(first, count)]
    begin = np.maximum(start + calendar.prior, calendar.first)
    if calendar.age:
        known = birth != MISSING
        of_age = birthdays(np.where(known, birth, 0), calendar.age)
        begin = np.where(known[person], np.maximum(begin, of_age[person]), begin)
    end = np.minimum(end, calendar.last)
    count = (begin <= end).astype(np.int64)
    if calendar.every:
        count = np.maximum((end - begin) // calendar.every + 1, 0)
    day = np.repeat(begin, count) + _ranges(np.zeros_like(count), count) * max(calendar.every, 1)
    return np.repeat(person, count), day


def _ranges(first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """int64: `count` whole numbers from `first` on, of each, one after the other."""
    begins = np.cumsum(count) - count
    return np.arange(count.sum()) - np.repeat(begins, count) + np.repeat(first, count)
