"""What a definition brings itself, beside the events of a source: days of the calendar, and stays in other
cohorts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from kernels.ages import birthdays
from pipelines.cohort.columns import MISSING, Values
from pipelines.cohort.query import INDEX_DAY, STAY, Calendar, ConceptSet
from pipelines.cohort.results import Results
from pipelines.cohort.source import Events, Periods, Source
from pipelines.files.frames import Frame

LABEL: Final = "COHORT/{}/"  # how a list of codes names the stays of another cohort


def given(source: Source, calendar: Calendar | None, others: Mapping[str, Results]) -> Source:
    """The source, with what the definition brings. `others`: what the other cohorts found in it, by name."""
    return Given(source, calendar, others) if calendar is not None or others else source


def numbers(others: Mapping[str, object]) -> dict[str, int]:
    """The concept that the stays of each cohort have, by the label that names it: below every other."""
    names = sorted(others)
    return {LABEL.format(name): place - len(names) for place, name in enumerate(names)}


def stays(others: Mapping[str, Results]) -> Frame:
    """Stays in the other cohorts as a table that `sql` asks: ascending by cohort, person and day."""
    concept, names = numbers(others), sorted(others)
    columns = {
        name: np.concatenate([np.empty(0, np.int64), *(getattr(others[each], name) for each in names)])
        for name in ("person", "start", "end")
    }
    return {
        "row": np.arange(len(columns["person"])),
        "person_id": columns["person"],
        "concept": np.repeat(
            [concept[LABEL.format(each)] for each in names], [len(others[each].person) for each in names]
        ).astype(np.int64),
        "start": columns["start"].astype("M8[D]"),
        "end": columns["end"].astype("M8[D]"),
    }


class Given:
    """A source with days of the calendar as events of domain `INDEX_DAY`, and stays as those of `STAY`."""

    def __init__(self, source: Source, calendar: Calendar | None, others: Mapping[str, Results]) -> None:
        self._source, self._calendar, self._others = source, calendar or Calendar(), others
        self._numbers = numbers(others)

    @property
    def persons(self) -> np.ndarray:
        """See `Source`."""
        return self._source.persons

    @property
    def periods(self) -> Periods:
        """See `Source`."""
        return self._source.periods

    def concepts(self, asked: ConceptSet) -> np.ndarray:
        """See `Source`."""
        own = [number for label, number in self._numbers.items() if label in asked.prefixes]
        return np.array(own, np.int64) if own else self._source.concepts(asked)

    def events(self, domain: str, concepts: np.ndarray | None, source_concepts: np.ndarray | None) -> Events:
        """See `Source`."""
        if domain == INDEX_DAY:
            person, day = index_days(self._calendar, self.periods, self._of_age())
            return _events(person, day, day)
        if domain != STAY:
            return self._source.events(domain, concepts, source_concepts)
        asked = [
            self._others[name]
            for name, number in zip(sorted(self._others), self._numbers.values(), strict=True)
            if concepts is None or number in concepts
        ]
        person, start, end = (
            np.concatenate([np.empty(0, np.int64), *(getattr(each, name) for each in asked)])
            for name in ("person", "start", "end")
        )
        order = np.lexsort((end, start, person))
        return _events(np.searchsorted(self.persons, person[order]), start[order], end[order])

    def _of_age(self) -> np.ndarray:
        """int64 (persons,): the day on which each is of the calendar's age, as ages are counted: by the year
        of birth where that alone is known, `MISSING` where it is not either."""
        everybody = np.arange(len(self.persons), dtype=np.int32)
        born, year = self._source.birth_days(everybody), self._source.birth_years(everybody)
        by_day = birthdays(np.where(born == MISSING, 0, born), self._calendar.age)
        years = np.where(year == MISSING, 0, year + self._calendar.age - 1970)
        by_year = years.astype("M8[Y]").astype("M8[D]").astype(np.int64)
        return np.where(born != MISSING, by_day, np.where(year != MISSING, by_year, MISSING))

    def values(self, domain: str, field: str, events: Events) -> Values:
        """See `Source`."""
        return self._source.values(domain, field, events)

    def birth_years(self, person: np.ndarray) -> np.ndarray:
        """See `Source`."""
        return self._source.birth_years(person)

    def birth_days(self, person: np.ndarray) -> np.ndarray:
        """See `Source`."""
        return self._source.birth_days(person)

    def of_persons(self, field: str, person: np.ndarray) -> Values:
        """See `Source`."""
        return self._source.of_persons(field, person)


def _events(person: np.ndarray, start: np.ndarray, end: np.ndarray) -> Events:
    n = len(person)
    known = {"end": end.astype(np.int64), "visit": np.full(n, MISSING), "id": np.arange(n)}
    return Events(np.arange(n), person.astype(np.int32), start.astype(np.int64), _unread, known)


def _unread(name: str, _rows: np.ndarray) -> np.ndarray:
    raise TypeError(f"{name} of what a definition brings is read from nowhere")


def index_days(calendar: Calendar, periods: Periods, of_age: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The calendar's days on which each person is observed: person, int32 (n,), and day, int64 (n,), both
    ascending.

    `of_age`: int64 (persons,), the day on which each is of the calendar's age, `MISSING` if unknown.
    """
    person = np.repeat(np.arange(len(periods.offsets) - 1), np.diff(periods.offsets)).astype(np.int32)
    start, end = periods.start, periods.end
    if calendar.days:
        days = np.array(calendar.days, np.int64)
        first = np.searchsorted(days, start)
        count = np.maximum(np.searchsorted(days, end, "right") - first, 0)
        return _distinct(np.repeat(person, count), days[_ranges(first, count)])
    begin = np.maximum(start + calendar.prior, calendar.first)
    if calendar.age:
        begin = np.maximum(begin, of_age[person])  # `MISSING` is below every day
    end = np.minimum(end, calendar.last)
    count = (begin <= end).astype(np.int64)
    if calendar.every:
        count = np.maximum((end - begin) // calendar.every + 1, 0)
    day = np.repeat(begin, count) + _ranges(np.zeros_like(count), count) * max(calendar.every, 1)
    return _distinct(np.repeat(person, count), day)


def _distinct(person: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each day of a person once: observation periods of a CDM may overlap."""
    order = np.lexsort((day, person))
    person, day = person[order], day[order]
    new = np.append(True, (person[1:] != person[:-1]) | (day[1:] != day[:-1]))[: len(person)]
    return person[new], day[new]


def _ranges(first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """int64: `count` whole numbers from `first` on, of each, one after the other."""
    begins = np.cumsum(count) - count
    return np.arange(count.sum()) - np.repeat(begins, count) + np.repeat(first, count)
