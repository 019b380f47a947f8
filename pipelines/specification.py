"""What a permit asks of one table: what is counted, by what, and what is to be made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import combinations
from typing import Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from pipelines.site import Strict

NAME: Final = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
_MOST_BANDS = 400
_ONE_YEAR = 5  # width of the standard's age groups

Count = Literal["members", "events", "survival", "weekly", "monthly"]


class Standardise(Strict):
    """Rates as they would be if every population had the ages of a standard. `ages_from`: younger ages have no weight."""

    to: Literal["esp2013"]
    over: Literal["age_group"] = "age_group"
    ages_from: int = Field(0, ge=0, le=95)


class Table(Strict):
    """One table asked for.

    `count`: `members` at their index day; `events` of the follow-up, by `weekly` and `monthly` by period, too; `survival`: members by the
    time to their first event and what it was. `codes`: events with one of these prefixes, all where empty; `kind`: events of this kind.
    """

    table: str
    title: str
    count: Count
    dimensions: tuple[str, ...] = Field((), max_length=5)
    measures: tuple[str, ...] = ("persons",)
    codes: tuple[str, ...] = ()
    kind: str | None = None
    first: bool = False  # only the first such event of each person's follow-up
    step: int | None = Field(None, ge=1, le=3660)  # survival: days in a band
    until: int | None = Field(None, ge=1, le=36_600)  # survival: days that are looked at, a multiple of `step`
    or_death: bool = False  # survival: death is such an event, too
    competing: Literal["death"] | tuple[str, ...] | None = None  # survival: what ends the chance of such an event
    care_units: dict[str, tuple[str, ...]] = Field(default={}, max_length=500)  # groups and the prefixes of their units
    standardise: Standardise | None = None
    age_width: int = Field(5, ge=1, le=100)
    age_top: int = Field(90, ge=1, le=120)

    @field_validator("table")
    @classmethod
    def _name(cls, name: str) -> str:
        if not NAME.match(name):
            raise ValueError("is not a name of lower-case letters, digits and hyphens")
        return name

    @model_validator(mode="after")
    def _holds_together(self) -> Table:
        for fault in (*_of_count(self), *_of_survival(self), *_of_standard(self)):
            raise ValueError(fault)
        return self

    @property
    def counts_events(self) -> bool:
        """Does a person have a row for each event?"""
        return self.count in ("events", "weekly", "monthly")

    @property
    def events(self) -> tuple[object, ...]:
        """Which events: two tables with the same count the same ones."""
        return (self.codes, self.kind, *(("first",) if self.first else ()))

    @property
    def counted(self) -> list[object]:
        """What is counted, beside the cohort and its sources: cells of two tables with the same are the same where their places are."""
        return ["events", list(self.events)] if self.counts_events else ["members", []]

    @property
    def outcome(self) -> tuple[object, ...]:
        """What ends a member's time to the event."""
        return (self.codes, self.kind, self.or_death, self.competing)


def _of_count(table: Table) -> Iterable[str]:
    if table.count in ("members", "events") and not table.dimensions:
        yield "has no dimensions: name one"
    if table.first and not table.counts_events:
        yield "says first, but counts no events"
    if table.first and "person_days" in table.measures:
        yield "asks for first events and for person_days, which go on after the first: leave out one of the two"
    if bool(table.care_units) != ("care_unit" in table.dimensions):
        yield "needs both care_units and the dimension care_unit, or neither"
    if len(set(table.dimensions)) != len(table.dimensions):
        yield "names a dimension twice"


def _of_survival(table: Table) -> Iterable[str]:
    if table.count != "survival":
        if table.step or table.until or table.or_death or table.competing:
            yield "says step, until, or_death or competing, but counts no survival"
        return
    if table.step is None or table.until is None:
        yield "needs step and until, in days"
    elif table.until % table.step or table.until // table.step > _MOST_BANDS:
        yield f"until is not a multiple of step, at most {_MOST_BANDS} times it"
    if not (table.codes or table.kind or table.or_death):
        yield "does not say what event: name codes, a kind or or_death"
    if table.or_death and table.competing == "death":
        yield "has death both as the event and as what competes with it"


def _of_standard(table: Table) -> Iterable[str]:
    if table.standardise is None:
        return
    if table.count != "events" or not {"events", "person_days"} <= set(table.measures):
        yield "can be standardised only with count: events and the measures events and person_days"
    if table.standardise.over not in table.dimensions:
        yield f"is standardised over {table.standardise.over}, which is not among its dimensions"
    top = table.age_top - table.age_top % table.age_width
    if table.age_width % _ONE_YEAR or top > 95 or table.standardise.ages_from % table.age_width or table.standardise.ages_from > top:
        yield "has age groups that are not unions of the standard's: age_width a multiple of 5, age_top at most 95, ages_from one of them"


def together(tables: Iterable[Table]) -> Iterable[str]:
    """Why tables of one permit cannot stand together: ways to part the same people that do not nest, so that differences between two
    tables, which disclosure control does not see, would tell of people that neither shows."""
    for one, other in combinations(tables, 2):
        names = f"tables {one.table} and {other.table}"
        if one.table == other.table:
            yield f"two tables are called {one.table}"
        if one.count == other.count == "survival" and one.outcome == other.outcome:
            yield f"{names} count time to the same event: make them one"
        if not _same_people(one, other):
            continue
        if one.counts_events and one.count != other.count and _parts(one) and _parts(other) and _parts(one) != _parts(other):
            yield f"{names} part the same events by periods that do not nest: leave one out"
        if _ages(one) and _ages(other) and _ages(one) != _ages(other):
            yield f"{names} part the same people by different age groups: give them the same age_width and age_top"
        if one.care_units and other.care_units and one.care_units != other.care_units:
            yield f"{names} part the same people by different care_units: give them the same"


def _same_people(one: Table, other: Table) -> bool:
    return one.counted == other.counted or ("person_days" in one.measures and "person_days" in other.measures)


def _ages(table: Table) -> Any:
    return (table.age_width, table.age_top - table.age_top % table.age_width) if "age_group" in table.dimensions else None


def _parts(table: Table) -> str | None:
    """The kind of period that events are parted by."""
    return {"weekly": "week", "monthly": "month"}.get(table.count, "year" if "year" in table.dimensions else None)
