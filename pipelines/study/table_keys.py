"""The keys of a table in a permit, and what each means."""

from __future__ import annotations

import re
from datetime import date
from typing import Final, Literal

from pydantic import Field, field_validator

from pipelines.study.characteristic import Characteristic
from pipelines.study.event_filter import EventFilter, Prefixes
from pipelines.study.forecasting import Forecasting
from pipelines.study.intervals import Mark
from pipelines.study.lifetable import Net
from pipelines.study.rates import Compare, Standardise

NAME: Final = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
Count = Literal[
    "members",
    "events",
    "survival",
    "weekly",
    "monthly",
    "values",
    "transitions",
    "prevalence",
    "baseline",
    "intervals",
    "exposure",
]


class TableKeys(EventFilter):
    """What a permit says of one table, key by key, each right for itself."""

    table: str = Field(description="its name: lower-case letters, digits and hyphens")
    title: str = Field(description="what it shows, for readers")
    count: Count = Field(
        description="members, each once, at their index day; events of the follow-up; weekly or monthly: "
        "events by period; survival: "
        "members by the time to their first event and what it was; values that were measured; transitions "
        "between states; prevalence: "
        "members followed on some days, and those of them who have had such an event; baseline: members by "
        "what is known of them on their index day; intervals: times from one event to another; exposure: "
        "members with a supply, and the days that it covers"
    )
    dimensions: tuple[str, ...] = Field((), max_length=5, description="by what")
    measures: tuple[str, ...] = Field(("persons",), description="what is counted; persons always are")
    first: bool = Field(
        False,
        description="only the first such event of each person's follow-up, whose time at risk ends with it",
    )
    washout: int | None = Field(
        None,
        ge=1,
        le=36_600,
        description="an event counts, and a day is at risk, only if the person had no such event in so many "
        "days before",
    )
    follow_up: tuple[int, ...] = Field(
        (),
        max_length=50,
        description="days since the index day on which a band begins, the first at day 0; with the "
        "dimension follow_up",
    )
    step: int | None = Field(None, ge=1, le=3660, description="survival: days in a band")
    until: int | None = Field(
        None, ge=1, le=36_600, description="survival: days that are looked at, a multiple of step"
    )
    or_death: bool = Field(False, description="survival: death is such an event, too")
    competing: Literal["death"] | Prefixes | None = Field(
        None, description="survival, intervals: what ends the chance of such an event"
    )
    net: Net | None = Field(
        None, description="survival: beside that of a population, by its life table; with or_death alone"
    )
    since: Mark | None = Field(
        None, description="intervals: the event from which time runs; codes, kind and so on say to which"
    )
    gap: int = Field(
        0,
        ge=0,
        le=3660,
        description="exposure: days between two supplies that are covered, too",
    )
    characteristics: dict[str, Characteristic] = Field(
        default={},
        max_length=200,
        description="dimensions of the table's own, by name: what is known of a member on the index day",
    )
    rows: tuple[str, ...] = Field(
        (),
        max_length=200,
        description="baseline: the dimensions that are shown by those of `dimensions`; all "
        "characteristics where empty",
    )
    controls: bool = Field(
        False,
        description="baseline: beside the members, as cases, the controls that the definition asks for; each "
        "row for both, with standardised mean differences",
    )
    states: Literal["care_level"] | dict[str, Prefixes] | None = Field(
        None,
        description="transitions: between what; levels of care, or states by name, each with the prefixes "
        "of its events",
    )
    days: tuple[date, ...] = Field((), max_length=60, description="prevalence: the days, ascending")
    lookback: int | None = Field(
        None,
        ge=1,
        le=36_600,
        description="prevalence: such an event counts on its day and so many days less one after; for good "
        "where not said",
    )
    unit: str | None = Field(None, description="values: the unit that they must have")
    range: tuple[float, float] | None = Field(
        None, description="values: the lowest and the highest that is believed, not below 0"
    )
    classes: tuple[float, ...] = Field(
        (), max_length=200, description="values: where a class of the histogram begins, within the range"
    )
    decimals: int = Field(
        1, ge=0, le=4, description="values: decimals that they are rounded to before they are added up"
    )
    care_units: dict[str, tuple[str, ...]] = Field(
        default={}, max_length=500, description="groups and the prefixes of their units"
    )
    standardise: Standardise | None = Field(
        None, description="rates as if every population had the ages of a standard"
    )
    forecast: Forecasting | None = Field(None, description="weekly or monthly: what is foreseen, and how far")
    compare: Compare | None = Field(None, description="rates beside that of one group: ratio and difference")
    age_width: int = Field(5, ge=1, le=100, description="years in an age group")
    age_top: int = Field(90, ge=1, le=120, description="age at which the last group begins")

    @field_validator("table")
    @classmethod
    def _name(cls, name: str) -> str:
        if not NAME.match(name):
            raise ValueError("is not a name of lower-case letters, digits and hyphens")
        return name

    @property
    def counts_events(self) -> bool:
        """Does a person have a row for each event?"""
        return self.count not in ("members", "survival", "prevalence", "baseline", "intervals", "exposure")
