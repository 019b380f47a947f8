"""SQL for events and for conditions on them: each step a named query that reads the ones before it.

Every query of events has columns person, event, start_date, end_date, sort_date, visit; an index has person,
event, start_date, end_date, visit, period_start, period_end. An event is known by its person and its row's
id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from pipelines.cohort.domains import DEMOGRAPHIC, DOMAINS, Domain, Field
from pipelines.cohort.query import (
    Among,
    Correlated,
    Criterion,
    Demographic,
    Edge,
    Exactly,
    Filter,
    Group,
    SetId,
    Shift,
    Text,
    Window,
)
from pipelines.errors import DataError
from pipelines.files.schemas import SEX_MAN, SEX_UNKNOWN, SEX_WOMAN

_COMPARED: Final = {"lt": "<", "lte": "<=", "eq": "=", "!eq": "<>", "gte": ">=", "gt": ">"}
_COUNTED: Final = {"exactly": "=", "at_most": "<=", "at_least": ">="}
_ABNORMAL: Final = "4155142, 4155143"  # below and above the low and the high limit
_MAN, _WOMAN = 8507, 8532
BIRTH: Final = (
    "TRY_CAST(of_person.year_of_birth || '-' || of_person.month_of_birth || '-' || of_person.day_of_birth "
    "AS DATE)"
)
# how a table beside the event is reached from it; only a provider may be missing without losing the event
_LINKS: Final = {
    "person": "JOIN person AS of_person ON of_person.person_id = c.person",
    "visit": "JOIN visit_occurrence AS of_visit ON of_visit.visit_occurrence_id = c.visit AND "
    "of_visit.person_id = c.person",
    "provider": "LEFT JOIN provider AS of_provider ON of_provider.provider_id = c.provider_key",
    "care_site": "JOIN care_site AS of_care_site ON of_care_site.care_site_id = c.care_site_key",
}


class Steps:
    """Queries in the order in which they build on each other. `columns`: those of each table; `sets`: number
    of each concept set."""

    def __init__(self, columns: Mapping[str, Collection[str]], sets: Mapping[SetId, int]) -> None:
        self.queries: dict[str, str] = {}
        self._columns, self._sets = columns, sets
        self._known: dict[Criterion, str] = {}

    def add(self, about: str, query: str) -> str:
        """The name of a new step."""
        name = f"{about}_{len(self.queries) + 1}"
        self.queries[name] = query
        return name

    def ending_with(self, query: str) -> str:
        """One statement: every step, then `query`."""
        if not self.queries:
            return query
        steps = ", ".join(f"{name} AS MATERIALIZED ({step})" for name, step in self.queries.items())
        return f"WITH {steps} {query}"

    def column(self, table: str, name: str, alias: str) -> str:
        """A column that a definition asks for. DataError: the table does not have it."""
        if table not in self._columns:
            raise DataError(
                table,
                "is not there, and the definition asks for it",
                "add the table, or change the definition",
            )
        if name not in self._columns[table]:
            raise DataError(
                table,
                f"has no column {name}, which the definition asks for",
                "add it, or change the definition",
            )
        return f'{alias}."{name}"'

    def events(self, criterion: Criterion) -> str:
        """The step that finds a criterion's events; the same criterion is found once."""
        if criterion not in self._known:
            found = self.add("events", self._events(criterion))
            if criterion.group is not None:
                fulfilled = self.group(criterion.group, self.add("index", in_period(found)))
                found = self.add(
                    "fulfilled", f"SELECT e.* FROM {found} AS e JOIN {fulfilled} USING (person, event)"
                )
            self._known[criterion] = found
        return self._known[criterion]

    def _events(self, criterion: Criterion) -> str:
        """Rows of the right concepts; narrowed; the nth of each person; put elsewhere in time; that meet the
        filters."""
        about = DOMAINS[criterion.domain]
        found = self._rows(criterion, about)
        if criterion.narrowed:
            found = self._filtered("c.*", found, criterion.narrowed, about)
        if criterion.first or criterion.nth:
            nth = criterion.nth or 1
            order = "start_date, event" if nth > 0 else "start_date DESC, event DESC"
            found = (
                f"SELECT * FROM ({found}) QUALIFY row_number() OVER (PARTITION BY person ORDER BY "
                f"{order}) = {abs(int(nth))}"
            )
        if criterion.since:
            found = (
                f"SELECT * FROM ({found}) QUALIFY row_number() OVER (PARTITION BY person ORDER BY "
                f"start_date, event) >= {int(criterion.since)}"
            )
        if criterion.start is not None or criterion.end is not None:
            start, end = _shifted(criterion.start, "start"), _shifted(criterion.end, "end")
            found = f"SELECT * REPLACE ({start} AS start_date, {end} AS end_date) FROM ({found})"
            found = f"SELECT * FROM ({found}) WHERE end_date >= start_date"
        first, last = (None if day is None else literal_day(day) for day in criterion.period)
        extras = "".join(f", c.{name}" for name in self._extras(criterion.domain))
        columns = f"""c.person, c.event,
            {first or "c.start_date"} AS start_date, {last or "c.end_date"} AS end_date,
            c.start_date AS sort_date, c.visit{extras}"""
        held = [f"{day} BETWEEN c.start_date AND c.end_date" for day in (first, last) if day]
        return self._filtered(columns, found, criterion.filters, about, held)

    def _filtered(
        self, columns: str, rows: str, filters: tuple[Filter, ...], about: Domain, more: Collection[str] = ()
    ) -> str:
        conditions = [self.condition(each, self._value(each.field, about)) for each in filters]
        links = {about.fields[each.field].via for each in filters if each.field in about.fields}
        links |= {"person" for each in filters if each.field.startswith("age_")}
        joined = " ".join(_LINKS[link] for link in _LINKS if link in links)
        return f"SELECT {columns} FROM ({rows}) AS c {joined} {where([*conditions, *more])}"

    def _extras(self, domain: str) -> dict[str, str]:
        """Columns that conditions or counts may ask for, by field."""
        about = DOMAINS[domain]
        columns = self._columns.get(about.table, ())
        concept = f't."{about.concept}"' if about.concept in columns else "CAST(NULL AS BIGINT)"
        found = {
            "concept": f"coalesce({concept}, 0)" if domain == "Death" else concept
        }  # a death's unknown cause is counted as a cause
        for name, field in about.fields.items():
            if field.via == "event" and field.column in columns and field.kind != "day":
                found[name] = f't."{field.column}"'
        return found

    def _rows(self, criterion: Criterion, about: Domain) -> str:
        """The domain's rows of the right concepts, each with its days."""
        start, end = as_date(self.column(about.table, about.start, "t")), self._end(about)
        columns = self._columns[about.table]
        conditions = [
            f"{self.column(about.table, column, 't')} IN ({self.set(asked)})"
            for column, asked in (
                (about.concept, criterion.concepts),
                (about.source, criterion.source_concepts),
            )
            if asked is not None
        ]
        optional = {"provider_key": about.provider, "care_site_key": about.care_site}
        keys = [
            f't."{column}" AS {name}' for name, column in optional.items() if column and column in columns
        ]
        extras = [f"{sql} AS {name}" for name, sql in self._extras(criterion.domain).items()]
        visit = f't."{about.visit}"' if about.visit in columns else "NULL"
        return f"""
            SELECT t.person_id AS person, t."{about.id}" AS event, {start} AS start_date, {end} AS end_date,
                CAST({visit} AS BIGINT) AS visit, {", ".join([*keys, *extras])}
            FROM {about.table} AS t {where([*conditions, f"{start} IS NOT NULL"])}"""

    def _end(self, about: Domain) -> str:
        """The first known of the domain's ways to an end."""
        columns, start, ways = self._columns.get(about.table, ()), as_date(f't."{about.start}"'), []
        for way in about.end:
            if isinstance(way, str):
                ways += [as_date(f't."{way}"')] if way in columns else []
            elif len(way) == 2:
                ways.append(f"{start} + {way[1]}")
            elif "days_supply" in columns:
                ways.append(f"{start} + CAST(t.days_supply AS INTEGER)")
        return f"coalesce({', '.join([*ways, 'CAST(NULL AS DATE)'])})"

    def _value(self, field: str, about: Domain) -> str:
        """A field of the event `c`."""
        match field:
            case "start_date" | "end_date":
                return f"c.{field}"
            case "age_at_start" | "age_at_end":
                return (
                    f"year(c.{field.removeprefix('age_at_')}_date) - "
                    f"{self.column('person', 'year_of_birth', 'of_person')}"
                )
            case "length":
                return "c.end_date - c.start_date"
            case "range_low_ratio" | "range_high_ratio":
                low = field.removesuffix("_ratio")
                return f"{self._own('value_as_number', about)} / nullif({self._own(low, about)}, 0)"
            case "abnormal":
                value, low, high, said = (
                    self._own(name, about)
                    for name in ("value_as_number", "range_low", "range_high", "value_as_concept")
                )
                return f"CAST({value} < {low} OR {value} > {high} OR {said} IN ({_ABNORMAL}) AS INTEGER)"
        asked = about.fields[field]
        return self._own(field, about) if asked.via == "event" else self._linked(asked, about)

    def _own(self, field: str, about: Domain) -> str:
        self.column(about.table, about.fields[field].column, "t")
        return f"c.{field}"

    def _linked(self, asked: Field, about: Domain) -> str:
        """A column of a table beside the event."""
        if asked.via in ("provider", "care_site"):
            self.column(about.table, about.provider if asked.via == "provider" else about.care_site, "t")
        table = "visit_occurrence" if asked.via == "visit" else asked.via
        return self.column(table, asked.column, f"of_{asked.via}")

    def condition(self, asked: Filter, value: str) -> str:
        """Does the filter hold of an expression?"""
        if isinstance(asked, Text):
            return _text_condition(asked, value)
        if isinstance(asked, Exactly):
            return f"{value} IN ({', '.join(literal_text(each) for each in sorted(asked.texts)) or 'NULL'})"
        if isinstance(asked, Among):
            among = (
                self.set(asked.set)
                if asked.set is not None
                else ", ".join(str(int(each)) for each in sorted(asked.concepts))
            )
            return f"{value} {'NOT IN' if asked.excluded else 'IN'} ({among or 'NULL'})"
        day = asked.field in ("start_date", "end_date")
        low = literal_day(asked.value) if day else literal_number(asked.value)
        if asked.extent is None:
            return f"{value} {_COMPARED[asked.op]} {low}"
        high = literal_day(asked.extent) if day else literal_number(asked.extent)
        return f"{'NOT ' if asked.op == '!bt' else ''}({value} BETWEEN {low} AND {high})"

    def set(self, asked: SetId) -> str:
        """The concepts of a set; none if nothing is known of it."""
        return f"SELECT concept FROM concept_sets WHERE number = {self._sets.get(asked, -1)}"

    def group(self, group: Group, index: str) -> str:
        """The step with the person and event of those of `index` of which the group holds."""
        if not len(group):
            return self.add("all_of", f"SELECT DISTINCT person, event FROM {index}")
        met = [self._correlated(each, index) for each in group.correlated]
        met += [self._demographic(each, index) for each in group.demographics]
        met += [self.group(each, index) for each in group.groups]
        together = " UNION ALL ".join(
            f"SELECT {place} AS condition, person, event FROM {step}" for place, step in enumerate(met)
        )
        wanted = {"all": f"= {len(met)}", "any": "> 0"}.get(
            group.kind, f"{'>=' if group.kind == 'at_least' else '<='} {int(group.count)}"
        )
        join = (
            "LEFT JOIN"
            if group.kind == "at_most" or (group.kind == "at_least" and group.count == 0)
            else "JOIN"
        )
        return self.add(
            "group",
            f"SELECT i.person, i.event FROM {index} AS i {join} ({together}) AS met USING (person, event) "
            f"GROUP BY i.person, i.event HAVING count(condition) {wanted}",
        )

    def _correlated(self, asked: Correlated, index: str) -> str:
        """Index events with as many events around them as asked for."""
        events = self.events(asked.criterion)
        conditions = [
            *_within(asked.start, asked.any_period),
            *(_within(asked.end, asked.any_period) if asked.end else []),
        ]
        if not asked.any_period:
            conditions.append("a.start_date BETWEEN i.period_start AND i.period_end")
        if asked.same_visit:
            conditions.append("a.visit = i.visit")
        distinct, about = asked.occurrence.distinct, DOMAINS[asked.criterion.domain]
        if distinct in about.fields and distinct not in ("start_date", "end_date", "length"):
            self._own(str(distinct), about)
        counted = f"a.{distinct or 'event'}" if distinct != "length" else "a.end_date - a.start_date"
        joined = " AND ".join(["a.person = i.person", *conditions])
        around = self.add(
            "around",
            f"SELECT i.person, i.event, {counted} AS counted FROM {index} AS i JOIN {events} AS a ON "
            f"{joined}",
        )
        different = "DISTINCT " if distinct else ""
        having = (
            f"HAVING count({different}counted) {_COUNTED[asked.occurrence.kind]} "
            f"{int(asked.occurrence.count)}"
        )
        if not asked.occurrence.allows_none():
            return self.add("enough", f"SELECT person, event FROM {around} GROUP BY person, event {having}")
        whole = f"{index} AS i LEFT JOIN {around} USING (person, event)"
        return self.add("few", f"SELECT i.person, i.event FROM {whole} GROUP BY i.person, i.event {having}")

    def _demographic(self, asked: Demographic, index: str) -> str:
        """Index events of persons of whom every filter holds."""
        conditions = [self.condition(each, self._of_person(each.field)) for each in asked.filters]
        self.column("person", "person_id", "of_person")
        joined = f"{index} AS i JOIN person AS of_person ON of_person.person_id = i.person"
        return self.add("person_fits", f"SELECT DISTINCT i.person, i.event FROM {joined} {where(conditions)}")

    def _of_person(self, field: str) -> str:
        """A field of the person of the index event `i`."""
        match field:
            case "start_date" | "end_date":
                return f"i.{field}"
            case "age_at_start":
                return f"year(i.start_date) - {self.column('person', 'year_of_birth', 'of_person')}"
            case "completed_age":
                for part in ("year", "month", "day"):
                    self.column("person", f"{part}_of_birth", "of_person")
                by_year = "year(i.start_date) - of_person.year_of_birth"
                return f"coalesce({_completed_years(BIRTH, 'i.start_date')}, {by_year})"
            case "sex":
                gender = self.column("person", "gender_concept_id", "of_person")
                return (
                    f"CASE {gender} WHEN {_MAN} THEN {SEX_MAN} WHEN {_WOMAN} THEN {SEX_WOMAN} ELSE "
                    f"{SEX_UNKNOWN} END"
                )
        return self.column("person", DEMOGRAPHIC[field].column, "of_person")


def in_period(events: str, prior: int = 0, post: int = 0) -> str:
    """Events with each observation period that holds their start, and the days before and after it."""
    first, last = as_date("o.observation_period_start_date"), as_date("o.observation_period_end_date")
    return f"""
        SELECT e.*, {first} AS period_start, {last} AS period_end
        FROM {events} AS e
        JOIN observation_period AS o ON o.person_id = e.person AND e.start_date BETWEEN {first} AND {last}
        WHERE {first} + {int(prior)} <= e.start_date AND e.start_date + {int(post)} <= {last}"""


def where(conditions: list[str]) -> str:
    """A WHERE clause, if there is anything to ask."""
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def as_date(column: str) -> str:
    """A day, also where the column holds times."""
    return f"CAST({column} AS DATE)"


def literal_day(days: float) -> str:
    """A day by its number since 1970-01-01."""
    return f"DATE '{date(1970, 1, 1) + timedelta(days=int(days))}'"


def literal_number(value: float) -> str:
    """A number in decimals, never as an exponent, so that it is compared as a decimal."""
    return format(Decimal(repr(value)), "f")


def literal_text(text: str) -> str:
    """A text in quotes."""
    return "'" + text.replace("'", "''") + "'"


def _shifted(shift: Shift | None, side: str) -> str:
    return f"{side}_date" if shift is None else f"{shift.of}_date + ({int(shift.days)})"


def _completed_years(birth: str, day: str) -> str:
    """Birthdays reached; one on 29 February is reached on 1 March."""
    before = f"month({day}) * 32 + day({day}) < month({birth}) * 32 + day({birth})"
    return f"year({day}) - year({birth}) - CAST({before} AS INTEGER)"


def _text_condition(asked: Text, value: str) -> str:
    op = asked.op.removeprefix("!")
    before, after = (
        "%" if op in ("contains", "endsWith") else "",
        "%" if op in ("contains", "startsWith") else "",
    )
    return (
        f"{value} {'NOT LIKE' if asked.op.startswith('!') else 'LIKE'} "
        f"{literal_text(before + asked.text + after)}"
    )


def _within(window: Window, any_period: bool) -> list[str]:
    """The event's day lies between both edges; an edge without days is that of the period, or none where any
    period will do."""
    event = f"a.{window.event}_date"
    first, last = (_edge(edge, window, any_period) for edge in (window.first, window.last))
    return [*([f"{event} >= {first}"] if first else []), *([f"{event} <= {last}"] if last else [])]


def _edge(edge: Edge, window: Window, any_period: bool) -> str:
    if edge.days is not None:
        return f"i.{window.index}_date + ({int(edge.days)})"
    return "" if any_period else "i.period_start" if edge.sign == -1 else "i.period_end"
