"""What a permit asks of one table: what is counted, by what, and what is to be made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from pipelines.study import characteristic
from pipelines.study.characteristic import Characteristic
from pipelines.study.event_filter import EventFilter, Prefixes
from pipelines.study.forecasting import Forecasting
from pipelines.study.intervals import Mark
from pipelines.study.lifetable import Net
from pipelines.study.rates import Compare, Standardise

NAME: Final = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
_MOST_BANDS = 400
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
_OF_EVENTS: Final = ("persons", "events", "admissions", "bed_days", "person_days")
MEASURES: Final[dict[str, tuple[str, ...]]] = {
    "members": ("persons",),
    "survival": ("persons",),
    "prevalence": ("persons",),
    "events": _OF_EVENTS,
    "weekly": _OF_EVENTS,
    "monthly": _OF_EVENTS,
    "values": ("persons", "values", "sum", "squares"),
    "transitions": ("persons", "transitions"),
    "baseline": ("persons",),
    "intervals": ("persons", "intervals"),
    "exposure": ("persons", "days_covered"),
}


class Table(EventFilter):
    """One table asked for."""

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

    @model_validator(mode="after")
    def _holds_together(self) -> Table:
        for check in (
            _of_count,
            _of_survival,
            _of_standard,
            _of_comparison,
            _of_forecast,
            _of_time,
            _of_characteristics,
            _of_intervals,
            _of_exposure,
            _of_transitions,
            _of_values,
            _of_prevalence,
        ):
            for fault in check(self):
                raise ValueError(fault)
        return self

    @property
    def parts(self) -> tuple[Table, ...]:
        """The tables that are counted for it: of a baseline one of members by each of its rows, else
        itself."""
        if self.count != "baseline":
            return (self,)
        return tuple(self._part(row) for row in self.rows or self.characteristics)

    def _part(self, row: str) -> Table:
        dimensions = (*self.dimensions, row)
        kept = {name: each for name, each in self.characteristics.items() if name in dimensions}
        title = kept[row].title if row in kept else ""
        named = title or row.replace("_", " ").capitalize()
        update = {
            "table": f"{self.table}-{row.replace('_', '-')}",
            "title": f"{self.title}: {named}",
            "count": "members",
            "dimensions": dimensions,
            "characteristics": kept,
            "rows": (),
        }
        return self.model_copy(update=update)

    @property
    def counts_events(self) -> bool:
        """Does a person have a row for each event?"""
        return self.count not in ("members", "survival", "prevalence", "baseline", "intervals", "exposure")

    @property
    def events(self) -> tuple[object, ...]:
        """Which events: two tables with the same count the same ones."""
        return (
            *self.asked,
            *(("first",) if self.first else ()),
            *((f"washout {self.washout}",) if self.washout else ()),
        )

    @property
    def counted(self) -> list[object]:
        """What is counted, beside the cohort and its sources: cells of two tables with the same are the same
        where their places are."""
        if (
            self.count == "values" and not self.classes
        ):  # with classes all such events are counted, usable or not
            return ["values", list(self.events), *self.values]
        if self.count == "transitions":
            states = (
                self.states
                if not isinstance(self.states, dict)
                else [[name, list(codes)] for name, codes in self.states.items()]
            )
            return ["transitions", list(self.events), states]
        if self.count == "intervals" and self.since is not None:
            return ["intervals", list(self.asked), *self.since.counted]
        if self.count == "exposure":
            return ["exposure", list(self.asked), self.gap]
        if self.count == "prevalence":
            return ["prevalence", list(self.events), self.lookback, [day.isoformat() for day in self.days]]
        return ["events", list(self.events)] if self.counts_events else ["members", []]

    @property
    def values(self) -> list[object]:
        """How values are told apart and added up."""
        return [self.unit, list(self.range or ()), list(self.classes), self.decimals]

    @property
    def time(self) -> list[object]:
        """What makes a day one at risk, as `counted`."""
        if self.count == "prevalence":
            return ["followed", [day.isoformat() for day in self.days]]
        return ["time", *([list(self.events)] if self.washout or self.first else [])]

    @property
    def outcome(self) -> tuple[object, ...]:
        """What ends a member's time to the event."""
        return (*self.asked, self.or_death, self.competing)

    @property
    def is_followed(self) -> bool:
        """Are days of follow-up counted beside?"""
        return self.count == "exposure" or "person_days" in self.measures


def _of_count(table: Table) -> Iterable[str]:
    if (
        table.count in ("members", "events") or (table.count == "values" and not table.classes)
    ) and not table.dimensions:
        yield "has no dimensions: name one"
    if (table.first and not table.counts_events) or (table.first and table.count == "transitions"):
        yield "says first, but counts no events"
    if bool(table.care_units) != ("care_unit" in (*table.dimensions, *table.rows)):
        yield "needs both care_units and the dimension care_unit, or neither"
    if len(set(table.dimensions)) != len(table.dimensions):
        yield "names a dimension twice"


def _of_survival(table: Table) -> Iterable[str]:
    if table.count not in ("survival", "intervals"):
        if table.step or table.until or table.or_death or table.competing:
            yield "says step, until, or_death or competing, but counts no survival"
        if table.net:
            yield "says net, which goes with count: survival"
        return
    if table.step is None or table.until is None:
        yield "needs step and until, in days"
    elif table.until % table.step or table.until // table.step > _MOST_BANDS:
        yield f"until is not a multiple of step, at most {_MOST_BANDS} times it"
    if not (table.names_some or table.or_death):
        yield "does not say what event: name codes, a kind or or_death"
    if table.net and (table.count != "survival" or not table.or_death or table.names_some or table.competing):
        yield (
            "says net, whose event is death of any cause: count: survival with or_death, no other event and "
            "nothing competing"
        )
    if table.or_death and table.competing == "death":
        yield "has death both as the event and as what competes with it"


def _of_characteristics(table: Table) -> Iterable[str]:
    if strange := [name for name in table.characteristics if not characteristic.NAME.match(name)]:
        yield f"has characteristics whose names are none of lower-case letters, digits and _: {len(strange)}"
    if taken := sorted(name for name in table.characteristics if name in characteristic.TAKEN):
        yield f"calls a characteristic {taken[0]}, which is a dimension of its own: name it otherwise"
    if table.count == "baseline":
        if table.names_some:
            yield "says codes, kind, setting or primary, which its characteristics say each for itself"
        if not (table.rows or table.characteristics):
            yield "needs rows or characteristics: what is to be known of members"
        if len(set(table.rows)) != len(table.rows) or set(table.rows) & set(table.dimensions):
            yield "names a dimension twice"
    elif table.rows:
        yield "says rows, which go with count: baseline"
    elif unused := set(table.characteristics) - set(table.dimensions):
        yield f"has characteristics that are none of its dimensions: {', '.join(sorted(unused))}"


def _of_intervals(table: Table) -> Iterable[str]:
    if (table.count == "intervals") != (table.since is not None):
        yield "needs both count: intervals and since, or neither"
        return
    if table.since is None:
        return
    if not table.since.names_some:
        yield "does not say from what event time runs: name codes, a kind or a setting under since"
    if table.or_death:
        yield "says or_death, which goes with count: survival; say competing: death"


def _of_exposure(table: Table) -> Iterable[str]:
    if table.count == "exposure" and not table.names_some:
        yield "does not say of what: name codes or a kind"
    if table.count != "exposure" and table.gap:
        yield "says gap, which goes with count: exposure"


def _of_time(table: Table) -> Iterable[str]:
    if table.washout and (table.first or table.count not in ("events", "weekly", "monthly")):
        yield "says washout, which goes with count: events, weekly or monthly, and not with first"
    if bool(table.follow_up) != ("follow_up" in table.dimensions):
        yield "needs both follow_up and the dimension follow_up, or neither"
    if table.follow_up and not _ascending((0, *table.follow_up)):
        yield "has follow_up days that do not ascend from above 0"


def _of_transitions(table: Table) -> Iterable[str]:
    if (table.count == "transitions") != (table.states is not None):
        yield "needs both count: transitions and states, or neither"
    if isinstance(table.states, dict) and (len(table.states) < 2 or not all(table.states.values())):
        yield "has fewer than two states, or one without a prefix"


def _of_values(table: Table) -> Iterable[str]:
    if table.count != "values":
        if table.unit or table.range or table.classes:
            yield "says unit, range or classes, but counts no values"
        return
    if table.unit is None or table.range is None:
        yield (
            "needs unit and range: values of another unit, or beyond what is believed, are not added to "
            "the others"
        )
        return
    if table.range[0] < 0 or not _ascending((table.range[0], *table.classes, table.range[1])):
        yield "has a range below 0, or classes that do not ascend within it"
    if any(round(each, 4) != each for each in (*table.range, *table.classes)):
        yield "has a range or classes of more than four decimals"
    if table.classes and {"sum", "squares"} & set(table.measures):
        yield (
            "asks for sums and for classes, of which the sums would tell more than is shown: make the choice"
        )
    if "squares" in table.measures and "sum" not in table.measures:
        yield "asks for squares without the sum"


def _of_prevalence(table: Table) -> Iterable[str]:
    if (table.count == "prevalence") != bool(table.days) or (table.lookback and not table.days):
        yield "needs both count: prevalence and days, or neither of these and no lookback"
    if table.days and not (table.codes or table.kind):
        yield "does not say what event: name codes or a kind"
    if not _ascending([day.toordinal() for day in table.days]):
        yield "has days that do not ascend"


def _ascending(numbers: Iterable[float]) -> bool:
    return all(low < high for low, high in pairwise(numbers))


def _of_standard(table: Table) -> Iterable[str]:
    asked = table.standardise
    if asked is None:
        return
    if table.count != "events" or not {"events", "person_days"} <= set(table.measures):
        yield "can be standardised only with count: events and the measures events and person_days"
    for axis in asked.axes:
        if axis not in table.dimensions:
            yield f"is standardised over {axis}, which is not among its dimensions"
    groups = set(range(0, table.age_top + 1, table.age_width))
    if asked.indirect:
        yield from _of_reference(table, asked, groups)
    elif not groups <= asked.first_ages or asked.ages_from not in groups:
        yield (
            "has age groups that are not unions of the standard's, or ages_from that begins none of them "
            "(see docs/aggregation.md)"
        )


def _of_reference(table: Table, asked: Standardise, groups: set[int]) -> Iterable[str]:
    if asked.to == "table" and len(table.dimensions) <= len(asked.axes):
        yield (
            "compares each group with all of the table, but has no dimension beside "
            f"{' and '.join(asked.axes)}: name one, or give rates of your own"
        )
    if asked.ages_from not in groups:
        yield "has ages_from that begins none of its age groups"
    if asked.rates and not asked.rated_from <= groups:
        yield (
            "has rates from an age on that begins none of its age groups: each group has to lie within "
            "one of the rates' groups"
        )
    if asked.rates and asked.rated_at > asked.ages_from:
        yield f"has no rate for ages below {asked.rated_at}: say ages_from: {asked.rated_at}, or give one"


def _of_comparison(table: Table) -> Iterable[str]:
    asked = table.compare
    if asked is None:
        return
    rated = table.count == "events" and {"events", "person_days"} <= set(table.measures)
    if not rated and table.count != "baseline":
        yield (
            "can compare rates only with count: events and the measures events and person_days, and shares "
            "with count: baseline"
        )
    if asked.over not in table.dimensions:
        yield f"compares over {asked.over}, which is not among its dimensions"
    if table.standardise is not None and asked.over in table.standardise.axes:
        yield f"is standardised over {asked.over} and compares over it: make the choice"


def _of_forecast(table: Table) -> Iterable[str]:
    asked = table.forecast
    if asked is None:
        return
    if table.count not in ("weekly", "monthly"):
        yield "says forecast, which goes with count: weekly or monthly"
    elif asked.of not in ("persons", *table.measures):
        yield f"asks for a forecast of {asked.of}, which is not among its measures: add it to them"
