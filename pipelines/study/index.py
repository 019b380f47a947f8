"""The day on which a person enters: that of an event, of one of several events, or a day of the calendar."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from pipelines.files.yaml import Strict
from pipelines.study.conditions import FARTHEST, Events
from pipelines.study.days import Study


class Start(Strict):
    """The index day, where it is not the event's first: `after` so many days from its `of`, its first day or
    its last. Everything is asked from there."""

    after: int = Field(0, ge=-FARTHEST, le=FARTHEST)
    of: Literal["start", "end"] = "start"


class Later(Strict):
    """Events from a number on: `from` 2 leaves out the first of all time."""

    first: int = Field(alias="from", ge=2, le=1000)


Which = Literal["first", "last", "any", "all"]


class Index(Events):
    """The event by which a person enters.

    `first`, `last` or a number n: that matching event of the person's whole history, and no other. `any`: the
    earliest event that meets every rule. `all`: each event that does, so that a person may enter several
    times; `{from: n}`: each of those from the nth of the person's whole history on.
    """

    which: Which | Annotated[int, Field(ge=1, le=1000)] | Later = "first"
    start: Start | None = None

    @property
    def events(self) -> tuple[Events, ...]:
        """The events by which people enter."""
        return (self,)

    @property
    def several(self) -> bool:
        """May a person enter several times?"""
        return self.which == "all" or isinstance(self.which, Later)


class AnyOf(Strict):
    """Events of any of several kinds or lists by which a person enters; `which` and `start` are of all of
    them together."""

    any: tuple[Events, ...] = Field(min_length=2)
    which: Which = "first"
    start: Start | None = None

    @property
    def events(self) -> tuple[Events, ...]:
        """The events by which people enter."""
        return self.any

    @property
    def several(self) -> bool:
        """May a person enter several times?"""
        return self.which == "all"


class Calendar(Strict):
    """Days on which everybody who is observed enters: `date`, and from there on the same day of `every`
    month, quarter or year, or every so many days, to the end of the study; or the `dates` that are named."""

    on: date | None = Field(None, alias="date")
    every: Literal["month", "quarter", "year"] | Annotated[int, Field(ge=1, le=FARTHEST)] | None = None
    dates: tuple[date, ...] | None = Field(None, min_length=1)

    @field_validator("dates")
    @classmethod
    def _ascending(cls, dates: tuple[date, ...] | None) -> tuple[date, ...] | None:
        if dates is not None and any(later <= earlier for earlier, later in pairwise(dates)):
            raise ValueError("are not in ascending order, each once")
        return dates

    @model_validator(mode="after")
    def _one_way(self) -> Calendar:
        if (self.on is None) == (self.dates is None) or (self.every is not None and self.on is None):
            raise ValueError("says not one of: date, date and every, dates")
        return self

    @property
    def several(self) -> bool:
        """May a person enter several times?"""
        return self.every is not None or len(self.dates or ()) > 1

    def days(self, study: Study) -> tuple[date, ...]:
        """The days that lie in the study, ascending."""
        found, number = [self.on] if self.on else list(self.dates or ()), 0
        while self.on is not None and self.every is not None and found[-1] <= study.last:
            number += 1
            found.append(_stepped(self.on, self.every, number))
        return tuple(day for day in found if study.first <= day <= study.last)


_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def _stepped(day: date, every: str | int, number: int) -> date:
    """`number` steps on; the last day of a month that lacks the day."""
    if isinstance(every, int):
        return day + timedelta(days=every * number)
    months = day.year * 12 + day.month - 1 + _MONTHS[every] * number
    following = date((months + 1) // 12, (months + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return date(months // 12, months % 12 + 1, min(day.day, last))


class Residence(Strict):
    """Everybody enters on the day from which they are observed in the study: for `prior_observation` days
    already, and of the least age asked for.

    `residence`: `first`, of the first such period; `each`: of each. `every`: again so many days later, and so
    on, as long as the period lasts.
    """

    residence: Literal["first", "each"]
    every: int | None = Field(None, ge=1, le=FARTHEST)

    @property
    def several(self) -> bool:
        """May a person enter several times?"""
        return self.residence == "each" or self.every is not None


def _shape(index: object) -> str:
    if isinstance(index, dict):
        keys = (("any", "any"), ("date", "calendar"), ("dates", "calendar"), ("residence", "residence"))
        return next((shape for key, shape in keys if key in index), "event")
    shapes = ((AnyOf, "any"), (Calendar, "calendar"), (Residence, "residence"))
    return next((shape for kind, shape in shapes if isinstance(index, kind)), "event")


AnyIndex = Annotated[
    Annotated[Index, Tag("event")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Calendar, Tag("calendar")]
    | Annotated[Residence, Tag("residence")],
    Discriminator(_shape),
]
