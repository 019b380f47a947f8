"""One shard's members and events counted into one table's cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from kernels.ages import year_month_day
from kernels.cells import add_distinct, add_up, count_distinct, two_largest
from kernels.lexis import Ages, Bands, Homes, after_washout, cut_follow_up
from kernels.postings import row_starts
from pipelines.aggregation import (
    clustering,
    expected,
    exposure,
    intervals,
    prevalence,
    survival,
    transitions,
    values,
)
from pipelines.aggregation.dimensions import Occurrences, People
from pipelines.aggregation.layout import Layout
from pipelines.aggregation.matching import matching, new
from pipelines.aggregation.periods import cut_at_quarters
from pipelines.cubes.standing import Standing, stood
from pipelines.files.frames import Category, Frame, take, until_of
from pipelines.files.schemas import DAY_OPEN, DAY_UNKNOWN, SETTING
from pipelines.site.permit import Table
from pipelines.study.lifetable import Lifetable

_COLUMNS = (
    "person",
    "start",
    "end",
    "concept",
    "kind",
    "position",
    "setting",
    "source",
    "encounter",
    "care_unit",
    "value",
    "unit",
)


class ShardReader(Protocol):
    """Reads columns of one shard's files."""

    def read(self, name: str, columns: Iterable[str] | None = None) -> Frame:
        """`name`: persons, residences or events."""
        ...


@dataclass(frozen=True)
class Counter:
    """A shard, its members (schema MEMBERS) and the sources that the permit names. `lifetables`: those that
    its tables name, by their hash. `standing`: who stands in which cells of the table counted last, by the
    name of the measure that counts them: `persons`, and `at_risk` where it is followed."""

    shard: ShardReader
    members: Frame
    sources: tuple[str, ...]
    lifetables: Mapping[str, Lifetable] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)

    @cached_property
    def people(self) -> People:
        return People(
            self.shard.read("persons"),
            self.shard.read("residences"),
            lambda: self._contacts,
            lambda: self._begin,
            lambda: self._allowed,
        )

    @cached_property
    def _begin(self) -> np.ndarray:
        """Index day of each person of the shard, int32, `DAY_UNKNOWN` if no member."""
        begin = np.full(len(self.people.persons["person"]), DAY_UNKNOWN, np.int32)
        begin[self._member] = np.asarray(self.members["start"])
        return begin

    @cached_property
    def _until(self) -> np.ndarray:
        """The day after the last of each member, by person of the shard, int32 (persons,), `DAY_UNKNOWN` if
        no member."""
        until = np.full(len(self.people.persons["person"]), DAY_UNKNOWN, np.int32)
        until[self._member] = until_of(self.members)
        return until

    @cached_property
    def _contacts(self) -> Frame:
        """Events of members on their index day."""
        begin = self._begin
        day = np.asarray(self._allowed["start"])
        return take(
            self._allowed,
            np.flatnonzero((day == begin[np.asarray(self._allowed["person"])]) & (day != DAY_UNKNOWN)),
        )

    @cached_property
    def _member(self) -> np.ndarray:
        """Position of each member in the shard."""
        return np.searchsorted(
            np.asarray(self.people.persons["person"]), np.asarray(self.members["person"])
        ).astype(np.int32)

    @cached_property
    def _allowed(self) -> Frame:
        """Events of the permit's sources."""
        events = self.shard.read("events", _COLUMNS)
        source = events["source"]
        if not isinstance(source, Category):
            return events
        return take(
            events,
            np.flatnonzero(
                np.isin(
                    source.places, [place for place, name in enumerate(source.labels) if name in self.sources]
                )
            ),
        )

    @cached_property
    def _stays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Encounters that are inpatient stays, int64 ascending, the day that each begins and the day that it
        ends on, int64: a diagnosis often does not say so itself, but the visit that it was made at does. An
        end that is not known is the day it began."""
        events = self._allowed
        inpatient = np.flatnonzero(
            (np.asarray(events["setting"]) == SETTING["inpatient"]) & (np.asarray(events["encounter"]) != 0)
        )
        encounter, place = np.unique(np.asarray(events["encounter"])[inpatient], return_inverse=True)
        start, end = (np.asarray(events[name], np.int64)[inpatient] for name in ("start", "end"))
        first, last = (
            np.full(len(encounter), DAY_OPEN, np.int64),
            np.full(len(encounter), DAY_UNKNOWN, np.int64),
        )
        np.minimum.at(first, place, start)
        np.maximum.at(last, place, np.maximum(start, end))
        return encounter, first, last

    @cached_property
    def _events(self) -> Frame:
        """Events in the follow-up of a member."""
        return self._followed(self._allowed)

    def _followed(self, events: Frame) -> Frame:
        """Those of some events that lie in the follow-up of a member."""
        person, day = np.asarray(events["person"]), np.asarray(events["start"])
        return take(events, np.flatnonzero((day >= self._begin[person]) & (day < self._until[person])))

    def count(self, layout: Layout) -> dict[str, np.ndarray]:
        """Each measure of the layout, those of follow-up and the largest contributions included: int64
        (cells,)."""
        if layout.table.count == "members":
            rows = Occurrences(self._member, np.asarray(self.members["start"]))
            return {"persons": self._persons(layout, rows.person, layout.positions(self.people, rows))}
        if layout.table.count == "survival":
            return self._times(layout)
        if layout.table.count == "transitions":
            return self._transitions(layout)
        if layout.table.count == "values":
            return self._values(layout)
        if layout.table.count == "prevalence":
            return self._prevalence(layout)
        if layout.table.count == "intervals":
            return self._intervals(layout)
        if layout.table.count == "exposure":
            return self._exposure(layout)
        events = self._wanted(layout.table)
        counts = self._count_events(layout, events)
        if layout.time_measures:
            counts |= self._days_at_risk(layout, events)
        wanted = (*layout.measures, *layout.time_measures, *layout.products)
        return {name: counts[name] for name in wanted}

    def _persons(
        self,
        layout: Layout,
        person: np.ndarray,
        positions: np.ndarray,
        amount: np.ndarray | None = None,
        name: str = "persons",
    ) -> np.ndarray:
        """How many persons have a row in each cell, int64 (cells,), and who, as is kept. `person`: int32
        (n,), by person of the shard, ascending; `positions`: int32 (n, dimensions); `amount`: int64 (n,),
        what each row adds, 1 where absent."""
        ids = np.asarray(self.people.persons["person"])[person]
        self.standing[name] = stood(ids, positions, amount, layout.dimensions)
        return count_distinct(person.astype(np.int64), positions, *layout.spread, layout.cells)

    def _wanted(self, table: Table) -> Frame:
        """The events that the table counts."""
        if table.washout:
            events = matching(self._allowed, table)
            return self._followed(take(events, np.flatnonzero(new(events, table.washout))))
        events = matching(self._events, table)
        if not table.first:
            return events
        return take(events, np.flatnonzero(np.diff(np.asarray(events["person"]), prepend=-1) != 0))

    def _times(self, layout: Layout) -> dict[str, np.ndarray]:
        """Members by the time to the event and what it was, classified on their index day; and how likely a
        population would make them to die."""
        rows, net = Occurrences(self._member, np.asarray(self.members["start"])), layout.table.net
        before = survival.places(layout.table, self.members, self._member, self.people.persons, self._allowed)
        positions = layout.positions(self.people, rows, *before)
        counts = {"persons": self._persons(layout, rows.person, positions)}
        if net is None:
            return counts
        start, table = np.asarray(self.members["start"], np.int32), self.lifetables[net.sha256]
        return counts | expected.sums(layout, self.people, self._member, start, positions, table)

    def _transitions(self, layout: Layout) -> dict[str, np.ndarray]:
        """Changes from one state to the next, classified on the day of the next."""
        person, day, before = transitions.changes(layout.table, self._wanted(layout.table))
        positions = layout.positions(self.people, Occurrences(person, day), *before)
        counts = {
            "persons": self._persons(layout, person, positions),
            "transitions": add_up(positions, np.ones(len(person), np.int64), *layout.spread, layout.cells),
        }
        return {name: counts[name] for name in layout.measures}

    def _prevalence(self, layout: Layout) -> dict[str, np.ndarray]:
        """Members who are followed on each day, and those who have had such an event, classified on that
        day."""
        member, day, place = prevalence.followed(layout.table, self.members)
        events = matching(self._allowed, layout.table)
        person = self._member[member]
        positions = layout.positions(self.people, Occurrences(person, day), place)
        some = np.flatnonzero(prevalence.having(layout.table, person, day, events))
        return {
            "persons": self._persons(layout, person[some], positions[some]),
            "at_risk": self._persons(layout, person, positions, name="at_risk"),
        }

    def _values(self, layout: Layout) -> dict[str, np.ndarray]:
        """Measured values: how many, and their sums or classes."""
        events = matching(self._events, layout.table)
        found = values.of_events(layout.table, events)
        positions = layout.positions(self.people, _rows(found.events), *found.before)
        counts = {
            name: add_up(positions, each, *layout.spread, layout.cells)
            for name, each in found.amounts(layout.measures).items()
        }
        person = np.asarray(found.events["person"], np.int64)
        counts["persons"] = self._persons(layout, person, positions, found.rounded)
        if layout.ranked:
            largest = two_largest(person, positions, found.rounded, *layout.spread, layout.cells)
            counts |= {name: largest[:, place].copy() for place, name in enumerate(layout.ranked)}
        return {name: counts[name] for name in (*layout.measures, *layout.ranked)}

    def _count_events(self, layout: Layout, events: Frame) -> dict[str, np.ndarray]:
        rows = _rows(events)
        positions = layout.positions(self.people, rows)
        counts = {
            "events": add_up(positions, np.ones(len(rows.person), np.int64), *layout.spread, layout.cells),
            "persons": self._persons(layout, rows.person, positions),
        }
        if {"admissions", "bed_days"} & set(layout.measures):
            encounter = np.asarray(events["encounter"])
            counts |= self._admissions(
                layout, take(events, np.flatnonzero(np.isin(encounter, self._stays[0])))
            )
        return counts

    def _admissions(self, layout: Layout, events: Frame) -> dict[str, np.ndarray]:
        """Distinct stays and their days. A stay belongs to the day of its first event, so that it has one
        age, year and home."""
        person, encounter, day = (np.asarray(events[name]) for name in ("person", "encounter", "start"))
        order = np.lexsort((day, encounter, person))
        events, person, encounter = take(events, order), person[order], encounter[order]
        new = np.append(True, (np.diff(person) != 0) | (np.diff(encounter) != 0))[: len(order)]
        stay = np.cumsum(new) - 1
        rows = _rows({**events, "start": day[order][np.flatnonzero(new)][stay] if len(stay) else day})
        positions = layout.positions(self.people, rows)
        amounts = {"admissions": np.ones(len(stay), np.int64), "bed_days": self._bed_days(person, encounter)}
        return {
            name: add_distinct(stay, amount, positions, *layout.spread, layout.cells)
            for name, amount in amounts.items()
        }

    def _bed_days(self, person: np.ndarray, encounter: np.ndarray) -> np.ndarray:
        """Days of some members' stays from admission to discharge, within follow-up: int64 (n,), at least
        1."""
        known, first, last = self._stays
        place = np.searchsorted(known, encounter)
        begin, until = self._begin[person].astype(np.int64), self._until[person].astype(np.int64)
        return np.maximum(1, np.minimum(last[place], until) - np.maximum(first[place], begin))

    def _intervals(self, layout: Layout) -> dict[str, np.ndarray]:
        """Times from one event to another, classified on the day on which the clock begins."""
        table, death = layout.table, np.asarray(self.people.persons["death_day"])
        if table.since is None:
            raise ValueError("a table of intervals says since")
        found = intervals.times(table, table.since, self._allowed, self._begin, self._until, death)
        positions = layout.positions(self.people, Occurrences(found.person, found.day), *found.places)
        return {
            "persons": self._persons(layout, found.person, positions),
            "intervals": add_up(positions, np.ones(len(positions), np.int64), *layout.spread, layout.cells),
        }

    def _exposure(self, layout: Layout) -> dict[str, np.ndarray]:
        """Days of follow-up that a supply covers, and all of them, each in the age, year and home of its
        day."""
        start, until = np.asarray(self.members["start"], np.int32), until_of(self.members)
        supplied = exposure.covered(layout.table, self._allowed, self._member, start, until)
        covered = self._pieces(layout, *supplied, name="persons")
        return {
            "persons": covered["at_risk"],
            "days_covered": covered["person_days"],
            **self._pieces(layout, np.arange(len(start)), start, until),
        }

    def _days_at_risk(self, layout: Layout, events: Frame) -> dict[str, np.ndarray]:
        """Days of follow-up, each in the age, year and home of its day, and the persons who have one.
        `events`: those that are counted."""
        start, until = np.asarray(self.members["start"], np.int32), until_of(self.members)
        member, table = np.arange(len(start)), layout.table
        if table.washout:
            member, start, until = self._after_washout(table)
        elif table.first:
            until = self._until_first(table, until)
        return self._pieces(layout, member, start, until, events)

    def _until_first(self, table: Table, until: np.ndarray) -> np.ndarray:
        """The day after the first event of each member's follow-up, or after the follow-up of who has none:
        int32 (members,)."""
        events = self._wanted(table)
        ends = self._until.copy()
        ends[np.asarray(events["person"])] = np.asarray(events["start"], np.int32) + 1
        return np.minimum(ends[self._member], until)

    def _pieces(
        self,
        layout: Layout,
        member: np.ndarray,
        start: np.ndarray,
        until: np.ndarray,
        events: Frame | None = None,
        name: str = "at_risk",
    ) -> dict[str, np.ndarray]:
        """Days of stretches of some members' follow-up, each in the age, year and home of its day, and the
        persons who have one; and how `events`, those that are counted, lie on these persons. `member`: int64
        (n,), ascending; `start`, `until`: int32 (n,)."""
        names, table = layout.table.dimensions, layout.table
        if "quarter" in names:
            row, start, until = cut_at_quarters(start, until)
            member = member[row]
        width = table.age_width if "age_group" in names else 0
        birth = year_month_day(np.asarray(self.people.persons["birth_day"])[self._member])[member]
        top = table.age_top - table.age_top % table.age_width
        by_year, breaks = "year" in names, np.array(table.follow_up if "follow_up" in names else (), np.int64)
        entry = np.asarray(self.members["start"], np.int32)[member]
        row, first, days, band, year = cut_follow_up(
            start,
            until,
            by_year,
            Ages(birth, width, top),
            self._homes(member, "municipality" in names),
            Bands(entry, breaks),
        )
        rows = Occurrences(
            self._member[member[row]], first, band=band if width else None, year=year if by_year else None
        )
        positions = layout.positions(self.people, rows)
        counts = {
            "person_days": add_up(positions, days, *layout.spread, layout.cells),
            "at_risk": self._persons(layout, rows.person, positions, name=name),
        }
        if layout.products and events is not None:
            such = _rows(events)
            ones = np.ones(len(such.person), np.int64)
            counted = clustering.Rows(such.person, layout.positions(self.people, such), ones)
            counts |= clustering.products(layout, counted, clustering.Rows(rows.person, positions, days))
        return counts

    def _after_washout(self, table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Stretches of follow-up at risk: the member, the first day and the day after the last."""
        events = matching(self._allowed, table)
        starts = row_starts(np.asarray(events["person"]), len(self.people.persons["person"]))
        offsets, row = _gathered(starts, self._member)
        start, until = np.asarray(self.members["start"], np.int32), until_of(self.members)
        return after_washout(
            start, until, offsets, np.asarray(events["start"], np.int32)[row], table.washout or 0
        )

    def _homes(self, member: np.ndarray, wanted: bool) -> Homes:
        """Residences of some members, one after the other."""
        none = np.empty(0, np.int32)
        if not wanted:
            return Homes(np.zeros(len(member) + 1, np.int64), none, none)
        homes = self.people.residences
        starts = row_starts(np.asarray(homes["person"]), len(self.people.persons["person"]))
        offsets, row = _gathered(starts, self._member[member])
        return Homes(offsets, np.asarray(homes["start"])[row], np.asarray(homes["end"])[row])


def _gathered(starts: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of some persons, one after the other: int64 (persons + 1,), where each begins, and the rows.
    `starts`: as `row_starts` says."""
    count = starts[person + 1] - starts[person]
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return offsets, np.repeat(starts[person] - offsets[:-1], count) + np.arange(offsets[-1])


def _rows(events: Frame) -> Occurrences:
    concept = events["concept"]
    return Occurrences(
        np.asarray(events["person"]),
        np.asarray(events["start"]),
        concept if isinstance(concept, Category) else None,
    )
