"""Conditions on index events: counted events in windows, facts about the person, and groups of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kernels.ages import completed_years
from kernels.postings import row_starts
from kernels.windows import Between, Visits, count_correlated, list_correlated
from pipelines.cohort.columns import MISSING, Texts, Values
from pipelines.cohort.filters import ages, holds, kept, value_of
from pipelines.cohort.index_events import IndexEvents, observed
from pipelines.cohort.query import (
    ConceptSet,
    Correlated,
    Criterion,
    Demographic,
    Edge,
    Group,
    Occurrence,
    SetId,
    Shift,
    Window,
)
from pipelines.cohort.source import Events, Source

_FAR = 2**62  # beyond every day, and above MISSING when negated


class Evaluator:
    """Answers conditions for one source; a criterion that several rules share is found once."""

    def __init__(self, source: Source, sets: Mapping[SetId, ConceptSet]) -> None:
        self.source, self._sets = source, sets
        self._found: dict[Criterion, Events] = {}

    def concepts(self, set: SetId) -> np.ndarray:
        """int64 (n,), ascending: what a concept set holds; nothing where the definition has no such set."""
        return self.source.concepts(self._sets[set]) if set in self._sets else np.empty(0, np.int64)

    def events(self, criterion: Criterion) -> Events:
        """The criterion's events, by (person, start) unless they are put elsewhere in time."""
        if criterion not in self._found:
            self._found[criterion] = self._events(criterion)
        return self._found[criterion]

    def _events(self, criterion: Criterion) -> Events:
        source, sets = self.source, (criterion.concepts, criterion.source_concepts)
        found = source.events(
            criterion.domain, *(None if each is None else self.concepts(each) for each in sets)
        )
        if criterion.narrowed:
            found = found.take(
                np.flatnonzero(kept(criterion.narrowed, criterion.domain, found, source, self.concepts))
            )
        if criterion.nth:
            found = found.take(_nth(found.person, criterion.nth))
        if criterion.since:
            found = found.take(_since(found.person, criterion.since))
        found = _shifted(found, criterion.start, criterion.end)
        if criterion.filters:
            found = found.take(
                np.flatnonzero(kept(criterion.filters, criterion.domain, found, source, self.concepts))
            )
        found = _given(found, *criterion.period)
        if criterion.group is not None:
            found = self._fulfilling(found, criterion.group)
        return found

    def _fulfilling(self, events: Events, group: Group) -> Events:
        """Events in an observation period of which the group holds."""
        index, event = observed(events, self.source)
        index = index.keyed()
        good = self.holds(group, index)
        return events.take(np.unique(event[good]))

    def holds(self, group: Group, index: IndexEvents) -> np.ndarray:
        """bool (n,): of which index events the group holds."""
        if not len(group):
            return np.ones(len(index), bool)
        copies = _copies(index)
        passed = np.zeros(len(index), np.int64)
        for each in group.correlated:
            passed += self._correlated(each, index, copies)
        for demographic in group.demographics:
            passed += self._demographic(demographic, index)
        for inner in group.groups:
            passed += self.holds(inner, index)
        passed = passed * copies.count  # an event that two periods hold meets every condition twice
        match group.kind:
            case "all":
                return passed == len(group)
            case "any":
                return passed > 0
            case "at_least":
                return passed >= group.count if group.count == 0 else (passed >= group.count) & (passed > 0)
        return passed <= group.count

    def _correlated(self, asked: Correlated, index: IndexEvents, copies: _Copies) -> np.ndarray:
        events = self.events(asked.criterion)
        none = np.empty(0, np.int64)
        first, last = _bounds(asked.start, index, asked.any_period)
        windows = [(first, last, _point(asked.start, events))]
        if asked.end is not None:
            windows.append((*_bounds(asked.end, index, asked.any_period), _point(asked.end, events)))
        if not asked.any_period:
            windows.append((index.period_start, index.period_end, events.start))
        window, *more = (Between(*each) for each in _joined(windows))  # a start and an end: two at most
        second = more[0] if more else Between(none, none, none)
        visits = Visits(index.visit, events.visit) if asked.same_visit else Visits(none, none)
        offsets = row_starts(events.person, len(self.source.persons))
        in_order = window.point is events.start and events.in_order
        around = (index.person, offsets, window, second, visits, in_order)
        counts = count_correlated(*around)
        if asked.occurrence.distinct is not None:
            counts = self._distinct(asked, events, list_correlated(*around, int(counts.sum())), copies)
            return _passes(asked.occurrence, counts[copies.of], copies)
        return _passes(asked.occurrence, copies.summed(counts), copies)

    def _distinct(
        self, asked: Correlated, events: Events, pairs: tuple[np.ndarray, np.ndarray], copies: _Copies
    ) -> np.ndarray:
        """How many different known values the paired events have, by first copy of each index event: int64
        (index events,)."""
        left, right = pairs
        values = _coded(
            value_of(str(asked.occurrence.distinct), asked.criterion.domain, events.take(right), self.source)
        )
        left, values = copies.of[left][values >= 0], values[values >= 0]
        both = np.unique(np.stack([left, values]), axis=1) if len(left) else np.empty((2, 0), np.int64)
        return np.bincount(both[0], minlength=len(copies.of))

    def _demographic(self, asked: Demographic, index: IndexEvents) -> np.ndarray:
        keep = np.ones(len(index), bool)
        for each in asked.filters:
            if each.field in ("start_date", "end_date"):
                values: Values = index.start if each.field == "start_date" else index.end
            elif each.field == "completed_age":
                values = self._completed_age(index)
            elif each.field == "age_at_start":
                values = ages(index.start, self.source.birth_years(index.person))
            else:
                values = self.source.of_persons(each.field, index.person)
            keep &= holds(each, values, self.concepts)
        return keep

    def _completed_age(self, index: IndexEvents) -> np.ndarray:
        """int64 (n,): years completed; calendar years, as Circe counts them, where the year of birth alone is
        known."""
        birth = self.source.birth_days(index.person)
        known = birth != MISSING
        completed = completed_years(np.where(known, birth, 0), index.start)
        return np.where(known, completed, ages(index.start, self.source.birth_years(index.person)))


@dataclass(frozen=True)
class _Copies:
    """Copies of one event. `of`: int64 (n,), the first copy of each; `count`: int64 (n,), how many there
    are."""

    of: np.ndarray
    count: np.ndarray
    single: bool

    def summed(self, counts: np.ndarray) -> np.ndarray:
        """Counts of all copies together."""
        return (
            counts
            if self.single
            else np.bincount(self.of, weights=counts, minlength=len(counts)).astype(np.int64)[self.of]
        )


def _copies(index: IndexEvents) -> _Copies:
    if (index.key[1:] > index.key[:-1]).all():
        return _Copies(np.arange(len(index)), np.ones(len(index), np.int64), single=True)
    keys, first, of, count = np.unique(index.key, return_index=True, return_inverse=True, return_counts=True)
    return _Copies(first[of], count[of], len(keys) == len(index))


def _passes(occurrence: Occurrence, counts: np.ndarray, copies: _Copies) -> np.ndarray:
    if occurrence.allows_none():  # such a count is over copies joined to each other
        counts = counts * copies.count if occurrence.distinct is None else counts
    match occurrence.kind:
        case "exactly":
            return counts == occurrence.count
        case "at_most":
            return counts <= occurrence.count
    return counts >= occurrence.count


def _joined(
    windows: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Windows on the same day of the event as one."""
    joined: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for first, last, point in windows:
        for place, (a, b, other) in enumerate(joined):
            if other is point:
                joined[place] = (np.maximum(a, first), np.minimum(b, last), point)
                break
        else:
            joined.append((first, last, point))
    return joined


def _point(window: Window, events: Events) -> np.ndarray:
    return events.start if window.event == "start" else events.end


def _bounds(window: Window, index: IndexEvents, any_period: bool) -> tuple[np.ndarray, np.ndarray]:
    of = index.start if window.index == "start" else index.end
    return _edge(window.first, of, index, any_period, _FAR), _edge(window.last, of, index, any_period, -_FAR)


def _edge(edge: Edge, of: np.ndarray, index: IndexEvents, any_period: bool, never: int) -> np.ndarray:
    """int64 (n,): the day of an edge; `never`, which nothing reaches, where the index's day is unknown."""
    if edge.days is not None:
        return np.where(of == MISSING, never, of + edge.days)
    if any_period:
        return np.full(len(of), -never)
    return index.period_start if edge.sign < 0 else index.period_end


def _nth(person: np.ndarray, nth: int) -> np.ndarray:
    """int64: positions of the nth row of each person, or, if negative, of the nth from the last. `person`:
    ascending."""
    begins = np.flatnonzero(np.append(True, person[1:] != person[:-1])[: len(person)])
    ends = np.append(begins[1:], len(person))[: len(begins)]
    places = begins + nth - 1 if nth > 0 else ends + nth
    return places[(places >= begins) & (places < ends)]


def _since(person: np.ndarray, nth: int) -> np.ndarray:
    """bool (n,): the nth row of each person and all later ones. `person`: ascending."""
    begins = np.flatnonzero(np.append(True, person[1:] != person[:-1])[: len(person)])
    counts = np.diff(np.append(begins, len(person)))
    return np.arange(len(person)) - np.repeat(begins, counts) >= nth - 1


def _shifted(events: Events, start: Shift | None, end: Shift | None) -> Events:
    if start is None and end is None:
        return events

    def moved(shift: Shift) -> np.ndarray:
        day = (events.start if shift.of == "start" else events.end).astype(np.int64)
        return np.where(day == MISSING, MISSING, day + shift.days)

    day = events.start if start is None else moved(start)
    placed = events.placed(day, end=events.end if end is None else moved(end), order=day)
    return placed.take(np.flatnonzero((placed.start != MISSING) & (placed.end >= placed.start)))


def _given(events: Events, start: int | None, end: int | None) -> Events:
    """Events that hold the given days, with these in place of their own."""
    if start is None and end is None:
        return events
    for day in (start, end):
        if day is not None:
            events = events.take(np.flatnonzero((events.start <= day) & (events.end >= day)))
    first = events.start if start is None else np.full(len(events), start, np.int64)
    last = events.end if end is None else np.full(len(events), end, np.int64)
    return events.placed(first, end=last, order=events.order)


def _coded(values: Values) -> np.ndarray:
    """int64: equal values have equal codes, -1 for unknown."""
    if isinstance(values, Texts):
        return values.codes.astype(np.int64)
    known = ~np.isnan(values) if values.dtype.kind == "f" else values != MISSING
    codes = np.full(len(values), -1, np.int64)
    codes[known] = np.unique(values[known], return_inverse=True)[1]
    return codes
