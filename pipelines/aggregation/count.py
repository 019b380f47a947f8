"""One shard's members and events counted into one table's cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from kernels.ages import year_month_day
from kernels.cells import add_up, count_distinct, spread
from kernels.lexis import cut_follow_up
from kernels.postings import row_starts
from pipelines.aggregation import survival
from pipelines.aggregation.dimensions import Classification, People, Rows, classification
from pipelines.aggregation.periods import months, weeks
from pipelines.cubes import Dimension
from pipelines.definition import Study
from pipelines.errors import SettingsError
from pipelines.permit import Table
from pipelines.schemas import DAY_UNKNOWN, KINDS, SETTING
from pipelines.storage import Category, Frame, take

EVENT_MEASURES = ("persons", "events", "admissions")
TIME_MEASURES = ("at_risk", "person_days")
_COLUMNS = ("person", "start", "concept", "kind", "setting", "source", "encounter", "care_unit")


class Shard(Protocol):
    """Reads columns of one shard's files."""

    def read(self, name: str, columns: Iterable[str] | None = None) -> Frame:
        """`name`: persons, residences or events."""
        ...


@dataclass(frozen=True)
class Layout:
    """A table's classifications and what their margins add up to. `grid`: of survival, the dimensions that stand before them."""

    table: Table
    classifications: tuple[Classification, ...]
    grid: tuple[Dimension, ...] = ()

    @staticmethod
    def of(table: Table, study: Study) -> Layout:
        """Raises `SettingsError` for a dimension or measure that does not go with what the table counts."""
        classifications = [classification(name, table, study) for name in table.dimensions]
        if table.count in ("weekly", "monthly"):
            classifications = [weeks(study) if table.count == "weekly" else months(study), *classifications]
        layout = Layout(table, tuple(classifications), survival.grid(table) if table.count == "survival" else ())
        allowed = (*EVENT_MEASURES, "person_days") if table.counts_events else ("persons",)
        where = f"table {table.table}: measures"
        if unknown := [name for name in table.measures if name not in allowed]:
            raise SettingsError(where, f"{unknown[0]} cannot be counted by {table.count}", f"choose from {', '.join(allowed)}")
        if "person_days" in table.measures and (whole := [each for each in layout.classifications if not (each.at_risk and each.per_day)]):
            name = whole[0].dimension.name
            raise SettingsError(where, f"days at risk are not counted by {name}", f"leave out person_days, or count without {name}")
        if table.kind is not None and table.kind not in KINDS:
            raise SettingsError(f"table {table.table}: kind", "is not a kind of event", f"choose from {', '.join(KINDS)}")
        return layout

    @property
    def measures(self) -> tuple[str, ...]:
        """What is counted of events: what is asked for, and the persons behind it, by whom the small cells are known."""
        return tuple(name for name in EVENT_MEASURES if name in self.table.measures or name == "persons")

    @property
    def time_measures(self) -> tuple[str, ...]:
        """What is counted of follow-up, where days at risk are asked for."""
        return TIME_MEASURES if "person_days" in self.table.measures else ()

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Of the cube, in order."""
        return (*self.grid, *(each.dimension for each in self.classifications))

    @cached_property
    def spread(self) -> tuple[np.ndarray, np.ndarray]:
        return spread([each.parents for each in self.dimensions])

    @property
    def cells(self) -> int:
        return int(np.prod([len(each) for each in self.dimensions]))

    def positions(self, people: People, rows: Rows, *before: np.ndarray) -> np.ndarray:
        """int32 (n, dimensions): where each row falls. `before`: int32 (n,), its positions in each dimension of `grid`."""
        located = [*before, *(each.locate(people, rows) for each in self.classifications)]
        return np.ascontiguousarray(np.stack(located, axis=1), np.int32)


@dataclass(frozen=True)
class Counter:
    """A shard, its members (schema MEMBERS) and the sources that the permit names."""

    shard: Shard
    members: Frame
    sources: tuple[str, ...]

    @cached_property
    def people(self) -> People:
        return People(self.shard.read("persons"), self.shard.read("residences"), lambda: self._contacts)

    @cached_property
    def _contacts(self) -> Frame:
        """Events of members on their index day."""
        begin = np.full(len(self.people.persons["person"]), DAY_UNKNOWN, np.int32)
        begin[self._member] = np.asarray(self.members["start"])
        day = np.asarray(self._allowed["start"])
        return take(self._allowed, np.flatnonzero((day == begin[np.asarray(self._allowed["person"])]) & (day != DAY_UNKNOWN)))

    @cached_property
    def _member(self) -> np.ndarray:
        """Position of each member in the shard."""
        return np.searchsorted(np.asarray(self.people.persons["person"]), np.asarray(self.members["person"])).astype(np.int32)

    @cached_property
    def _allowed(self) -> Frame:
        """Events of the permit's sources."""
        events = self.shard.read("events", _COLUMNS)
        source = events["source"]
        if not isinstance(source, Category):
            return events
        return take(
            events, np.flatnonzero(np.isin(source.index, [place for place, name in enumerate(source.labels) if name in self.sources]))
        )

    @cached_property
    def _stays(self) -> np.ndarray:
        """Encounters that are inpatient stays: a diagnosis often does not say so itself, but the visit that it was made at does."""
        inpatient = np.asarray(self._allowed["setting"]) == SETTING["inpatient"]
        return np.unique(np.asarray(self._allowed["encounter"])[inpatient])

    @cached_property
    def _events(self) -> Frame:
        """Events in the follow-up of a member."""
        events = self._allowed
        begin, end = (np.full(len(self.people.persons["person"]), DAY_UNKNOWN, np.int32) for _ in range(2))
        begin[self._member], end[self._member] = np.asarray(self.members["start"]), np.asarray(self.members["end"])
        person, day = np.asarray(events["person"]), np.asarray(events["start"])
        return take(events, np.flatnonzero((day >= begin[person]) & (day < end[person])))

    def count(self, layout: Layout) -> dict[str, np.ndarray]:
        """Each measure of the layout, those of follow-up included: int64 (cells,)."""
        if layout.table.count == "members":
            rows = Rows(self._member, np.asarray(self.members["start"]))
            return {"persons": self._sum(layout, rows, np.ones(len(rows.person), np.int64))}
        if layout.table.count == "survival":
            return {"persons": self._times(layout)}
        counts = self._count_events(layout, self._wanted(layout.table))
        if layout.time_measures:
            counts |= self._days_at_risk(layout)
        return {name: counts[name] for name in (*layout.measures, *layout.time_measures)}

    def _wanted(self, table: Table) -> Frame:
        """The events that the table counts."""
        events = survival.matching(self._events, table.codes, table.kind)
        if not table.first:
            return events
        return take(events, np.flatnonzero(np.diff(np.asarray(events["person"]), prepend=-1) != 0))

    def _times(self, layout: Layout) -> np.ndarray:
        """Members by the time to the event and what it was, classified on their index day."""
        rows = Rows(self._member, np.asarray(self.members["start"]))
        before = survival.places(layout.table, self.members, self._member, self.people.persons, self._allowed)
        positions = layout.positions(self.people, rows, *before)
        return add_up(positions, np.ones(len(rows.person), np.int64), *layout.spread, layout.cells)

    def _sum(self, layout: Layout, rows: Rows, amount: np.ndarray) -> np.ndarray:
        return add_up(layout.positions(self.people, rows), amount, *layout.spread, layout.cells)

    def _distinct(self, layout: Layout, rows: Rows, group: np.ndarray) -> np.ndarray:
        return count_distinct(group.astype(np.int64), layout.positions(self.people, rows), *layout.spread, layout.cells)

    def _count_events(self, layout: Layout, events: Frame) -> dict[str, np.ndarray]:
        rows = _rows(events)
        counts = {
            "events": self._sum(layout, rows, np.ones(len(rows.person), np.int64)),
            "persons": self._distinct(layout, rows, rows.person),
        }
        if "admissions" in layout.measures:
            encounter = np.asarray(events["encounter"])
            counts["admissions"] = self._admissions(
                layout, take(events, np.flatnonzero((encounter != 0) & np.isin(encounter, self._stays)))
            )
        return counts

    def _admissions(self, layout: Layout, events: Frame) -> np.ndarray:
        """Distinct stays. A stay belongs to the day of its first event, so that it has one age, year and home."""
        person, encounter, day = (np.asarray(events[name]) for name in ("person", "encounter", "start"))
        order = np.lexsort((day, encounter, person))
        events = take(events, order)
        new = np.append(True, (np.diff(person[order]) != 0) | (np.diff(encounter[order]) != 0))[: len(order)]
        stay = np.cumsum(new) - 1
        rows = _rows({**events, "start": day[order][np.flatnonzero(new)][stay] if len(stay) else day})
        return self._distinct(layout, rows, stay)

    def _days_at_risk(self, layout: Layout) -> dict[str, np.ndarray]:
        """Days of follow-up, each in the age, year and home of its day, and the persons who have one."""
        start, end = np.asarray(self.members["start"]), np.asarray(self.members["end"])
        names, table = layout.table.dimensions, layout.table
        width = table.age_width if "age_group" in names else 0
        offsets, begins, ends = self._homes("municipality" in names)
        birth = year_month_day(np.asarray(self.people.persons["birth_day"])[self._member])
        top = table.age_top - table.age_top % table.age_width
        row, first, days = cut_follow_up(start, end, "year" in names, birth, width, top, offsets, begins, ends)
        rows = Rows(self._member[row], first)
        return {"person_days": self._sum(layout, rows, days), "at_risk": self._distinct(layout, rows, row)}

    def _homes(self, wanted: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residences of each member, one after the other."""
        none = np.empty(0, np.int32)
        if not wanted:
            return np.zeros(len(self._member) + 1, np.int64), none, none
        homes = self.people.residences
        starts = row_starts(np.asarray(homes["person"]), len(self.people.persons["person"]))
        count = starts[self._member + 1] - starts[self._member]
        offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        row = np.repeat(starts[self._member] - offsets[:-1], count) + np.arange(offsets[-1])
        return offsets, np.asarray(homes["start"])[row], np.asarray(homes["end"])[row]


def _rows(events: Frame) -> Rows:
    concept = events["concept"]
    return Rows(np.asarray(events["person"]), np.asarray(events["start"]), concept if isinstance(concept, Category) else None)
