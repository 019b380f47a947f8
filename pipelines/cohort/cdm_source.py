"""A CDM as the engine sees it: each domain's events in the order of persons and days, with postings by
concept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kernels.postings import row_starts
from pipelines.cohort.cdm import Cdm
from pipelines.cohort.columns import MISSING, Texts, Values
from pipelines.cohort.concept_sets import resolve
from pipelines.cohort.domains import DEMOGRAPHIC, DOMAINS, Domain
from pipelines.cohort.query import ConceptSet
from pipelines.cohort.source import Events, Periods
from pipelines.files.schemas import SEX_MAN, SEX_UNKNOWN, SEX_WOMAN


@dataclass(frozen=True)
class _Table:
    """A domain's events by (person, start, id), of those persons that are ever observed and with a start.
    `read`: gives their concepts when they are first asked for, int64 (n,)."""

    events: Events
    read: Callable[[], np.ndarray]

    @cached_property
    def concept(self) -> np.ndarray:
        """int64 (n,): concept of each."""
        return self.read()

    @cached_property
    def by_concept(self) -> np.ndarray:
        """int64 (n,): positions by concept, and by person and day within one."""
        return np.argsort(self.concept, kind="stable")

    @cached_property
    def _sorted(self) -> np.ndarray:
        return self.concept[self.by_concept]

    def with_concepts(self, concepts: np.ndarray) -> np.ndarray:
        """int64, ascending: positions of events with one of `concepts`."""
        begins, ends = (
            np.searchsorted(self._sorted, concepts),
            np.searchsorted(self._sorted, concepts, "right"),
        )
        some = np.flatnonzero(ends > begins)
        parts = [self.by_concept[begins[at] : ends[at]] for at in some]
        return parts[0] if len(parts) == 1 else np.sort(np.concatenate([np.empty(0, np.int64), *parts]))


class CdmSource:
    """Events of a CDM; each table and concept set is looked up once."""

    def __init__(self, cdm: Cdm) -> None:
        self._cdm = cdm
        self._tables: dict[str, _Table] = {}
        self._resolved: dict[ConceptSet, np.ndarray] = {}
        self._joins: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def persons(self) -> np.ndarray:
        """See `Source`. Only who is ever observed can enter a cohort."""
        return np.unique(self._cdm.numbers("observation_period", "person_id"))

    @cached_property
    def periods(self) -> Periods:
        """Observation periods by (person, start, end)."""
        person = np.searchsorted(self.persons, self._cdm.numbers("observation_period", "person_id")).astype(
            np.int32
        )
        start, end = (
            self._cdm.numbers("observation_period", f"observation_period_{side}_date", "day")
            for side in ("start", "end")
        )
        order = np.lexsort((end, start, person))
        return Periods(row_starts(person[order], len(self.persons)), start[order], end[order])

    def concepts(self, asked: ConceptSet) -> np.ndarray:
        """See `Source`."""
        if asked not in self._resolved:
            self._resolved[asked] = resolve(asked, self._cdm)
        return self._resolved[asked]

    def events(self, domain: str, concepts: np.ndarray | None, source_concepts: np.ndarray | None) -> Events:
        """See `Source`."""
        table = self._table(domain)
        found = table.events if concepts is None else table.events.take(table.with_concepts(concepts))
        if source_concepts is None:
            return found
        source = self._cdm.numbers(DOMAINS[domain].table, DOMAINS[domain].source, "concept")[found.row]
        return found.take(np.isin(source, source_concepts))

    def values(self, domain: str, field: str, events: Events) -> Values:
        """See `Source`."""
        about = DOMAINS[domain]
        if field == "concept":
            concept = self._cdm.numbers(about.table, about.concept, "concept")[events.row]
            return (
                np.where(concept == MISSING, 0, concept) if domain == "Death" else concept
            )  # a death without a cause has concept 0
        if field == "source_concept":
            return self._cdm.numbers(about.table, about.source, "concept")[events.row]
        asked = about.fields[field]
        if asked.via == "event":
            return _at(self._cdm.column(about.table, asked.column, asked.kind), events.row)
        if asked.via == "person":
            return self._of("person", "person_id", self.persons[events.person], asked.column)
        if asked.via == "visit":
            return self._of(
                "visit_occurrence", "visit_occurrence_id", events.visit, asked.column, events.person
            )
        key = {"provider": about.provider, "care_site": about.care_site}[asked.via]
        return self._of(
            asked.via, f"{asked.via}_id", self._cdm.numbers(about.table, key)[events.row], asked.column
        )

    def birth_years(self, person: np.ndarray) -> np.ndarray:
        """See `Source`."""
        return self._of("person", "person_id", self.persons[person], "year_of_birth")

    def birth_days(self, person: np.ndarray) -> np.ndarray:
        """See `Source`. Unknown unless year, month and day are there and make a date."""
        parts = [
            self._of("person", "person_id", self.persons[person], f"{part}_of_birth")
            for part in ("year", "month", "day")
        ]
        return day_of(*parts)

    def deaths(self, never: int) -> np.ndarray:
        """int64 (persons,): day of death of each, the earliest where there are several; `never` where none is
        known."""
        whose, day = self._cdm.numbers("death", "person_id"), self._cdm.numbers("death", "death_date", "day")
        found = np.full(len(self.persons), never, np.int64)
        place = np.searchsorted(self.persons, whose)
        known = (place < len(self.persons)) & (day != MISSING)
        known[known] = self.persons[place[known]] == whose[known]
        np.minimum.at(found, place[known], day[known])
        return found

    def of_persons(self, field: str, person: np.ndarray) -> Values:
        """See `Source`."""
        if field == "sex":
            gender = self._of("person", "person_id", self.persons[person], "gender_concept_id")
            return np.select([gender == 8507, gender == 8532], [SEX_MAN, SEX_WOMAN], SEX_UNKNOWN)
        return self._of("person", "person_id", self.persons[person], DEMOGRAPHIC[field].column)

    def _of(
        self, table: str, key: str, wanted: np.ndarray, column: str, person: np.ndarray | None = None
    ) -> np.ndarray:
        """A whole number from the row of `table` whose `key` is `wanted`; of a visit, if it is the same
        person's."""
        if table not in self._joins:
            keys = self._cdm.numbers(table, key)
            order = np.argsort(keys, kind="stable")
            self._joins[table] = keys[order], order
        keys, order = self._joins[table]
        place = np.searchsorted(keys, wanted)
        here = place < len(keys)
        here[here] = (keys[place[here]] == wanted[here]) & (wanted[here] != MISSING)
        row = order[place[here]]
        if person is not None:
            same = self._cdm.numbers(table, "person_id")[row] == self.persons[person[here]]
            here[here], row = same, row[same]
        out = np.full(len(wanted), MISSING, np.int64)
        out[here] = self._cdm.numbers(table, column, "concept")[row]
        return out

    def _table(self, domain: str) -> _Table:
        if domain not in self._tables:
            self._tables[domain] = self._sorted_table(DOMAINS[domain])
        return self._tables[domain]

    def _sorted_table(self, about: Domain) -> _Table:
        cdm = self._cdm
        whose, start = cdm.numbers(about.table, "person_id"), cdm.numbers(about.table, about.start, "day")
        place = np.searchsorted(self.persons, whose)
        known = place < len(self.persons)
        known[known] = self.persons[place[known]] == whose[known]
        rows = np.flatnonzero(known & (start != MISSING))
        id = cdm.numbers(about.table, about.id)[rows]
        rows = rows[np.lexsort((id, start[rows], place[rows]))]
        columns: dict[str, np.ndarray] = {}

        def read(name: str, wanted: np.ndarray) -> np.ndarray:
            if name not in columns:
                columns[name] = _column(cdm, about, name, start)
            return columns[name][wanted]

        events = Events(rows, place[rows].astype(np.int32), start[rows], read)
        return _Table(events, lambda: cdm.numbers(about.table, about.concept, "concept")[rows])


def _column(cdm: Cdm, about: Domain, name: str, start: np.ndarray) -> np.ndarray:
    """int64 (n,): the `end`, `visit` or `id` of each row. DataError: its column is not there."""
    if name == "end":
        return _ends(cdm, about, start)
    if name == "visit":
        return (
            cdm.numbers(about.table, about.visit) if about.visit else np.full(len(start), MISSING, np.int64)
        )
    return cdm.numbers(about.table, about.id)


def _ends(cdm: Cdm, about: Domain, start: np.ndarray) -> np.ndarray:
    """int64: the first of the domain's ways to an end that gives one."""
    end = np.full(len(start), MISSING, np.int64)
    for way in about.end:
        open = end == MISSING
        if not open.any():
            break
        if isinstance(way, str):
            found = cdm.numbers(about.table, way, "day")
        elif len(way) == 2:
            found = start + way[1]
        else:
            supply = cdm.numbers(about.table, "days_supply")
            found = np.where(supply == MISSING, MISSING, start + supply)
        end[open] = found[open]
    return end


def _at(values: Values, rows: np.ndarray) -> Values:
    return Texts(values.labels, values.codes[rows]) if isinstance(values, Texts) else values[rows]


def day_of(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """int64 (n,): days since 1970-01-01 of dates in parts, `year`, `month` and `day`: int64 (n,) each;
    `MISSING` for what is no date."""
    right = (year != MISSING) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = ((np.where(right, year, 1970) - 1970) * 12 + np.where(right, month, 1) - 1).astype("M8[M]")
    days = months.astype("M8[D]") + (np.where(right, day, 1) - 1)
    right &= days.astype("M8[M]") == months
    return np.where(right, days.astype(np.int64), MISSING)
