"""Tables of every kind of count over time, and members whose days meet at every edge."""

from __future__ import annotations

from datetime import date

import numpy as np

from pipelines.files.frames import Category, Frame, take
from pipelines.files.schemas import DAY_UNKNOWN, VALUE_MISSING
from pipelines.site.permit import Table
from pipelines.study.days import Study
from tests.people import MadeShard, make_shard

STUDY = Study(**{"from": date(2018, 1, 3), "to": date(2021, 6, 15)})
FIRST, LAST = ((each - date(1970, 1, 1)).days for each in (STUDY.first, STUDY.last))
LEAP = (date(2020, 2, 29) - date(1970, 1, 1)).days
SOURCES = ("a", "b")
UNITS = {"North": ("N",), "North 2": ("N-2",), "South": ("S", "T-1")}

STATES = {"A": ("T/A",), "A one": ("T/A1",), "B": ("T/B1",)}
HOMES = {"0114": "Upplands Väsby", "0180": "Stockholm", "0192": "Nynäshamn"}
LEVELS = ("inpatient", "emergency", "outpatient", "primary", "unknown")
RATE = ("events", "person_days")
LEXIS = ("age_group", "year", "follow_up")
AGE = ("age_group",)
DAYS_30 = {"step": 30, "until": 900}
KNOWN = {
    "had_a": {"codes": ["T/A"], "from": -365, "to": -1},
    "days_with_b": {"codes": ["T/B"], "kind": "drug", "number": [1, 2, 5]},
    "last_value": {"kind": "diagnosis", "unit": "mmol", "range": [1, 11], "classes": [2.5, 6]},
}
TABLES = [
    Table(table="to-a", title="t", count="survival", codes=("T/A",), dimensions=("sex",), **DAYS_30),
    Table(
        table="to-b",
        title="t",
        count="survival",
        codes=("T/B1",),
        kind="drug",
        or_death=True,
        dimensions=AGE,
        step=7,
        until=70,
    ),
    Table(
        table="to-c",
        title="t",
        count="survival",
        codes=("T/C",),
        competing="death",
        dimensions=("sex", *AGE),
        age_width=30,
        **DAYS_30,
    ),
    Table(
        table="to-d", title="t", count="survival", codes=("T/D",), competing=("T/A1", "T/C"), step=1, until=40
    ),
    Table(table="to-death", title="t", count="survival", or_death=True, step=365, until=730),
    Table(
        table="weeks", title="t", count="weekly", measures=("events",), codes=("T/B",), dimensions=("sex",)
    ),
    Table(table="first-weeks", title="t", count="weekly", measures=("events",), first=True, kind="diagnosis"),
    Table(
        table="months",
        title="t",
        count="monthly",
        measures=("events", "admissions"),
        dimensions=("age_group",),
        age_width=45,
    ),
    Table(
        table="units",
        title="t",
        count="events",
        measures=("events", "person_days"),
        dimensions=("care_unit", "sex"),
        care_units=UNITS,
    ),
    Table(table="unit-members", title="t", count="members", dimensions=("care_unit",), care_units=UNITS),
    Table(
        table="lexis",
        title="t",
        count="events",
        measures=RATE,
        dimensions=("sex", *LEXIS),
        age_width=5,
        age_top=20,
        follow_up=(7, 400),
    ),
    Table(
        table="new",
        title="t",
        count="events",
        measures=RATE,
        codes=("T/A",),
        dimensions=("municipality", *LEXIS),
        age_width=40,
        follow_up=(1, 30),
        washout=25,
    ),
    Table(
        table="standard",
        title="t",
        count="events",
        measures=RATE,
        dimensions=("sex", *AGE),
        age_width=10,
        age_top=40,
        standardise={"to": "esp2013"},
    ),
    Table(
        table="ratios",
        title="t",
        count="events",
        measures=RATE,
        codes=("T/A",),
        dimensions=(*AGE, "care_unit"),
        care_units=UNITS,
        age_width=20,
        age_top=40,
        standardise={"to": "table", "ages_from": 20},
    ),
    Table(
        table="standard-of-sexes",
        title="t",
        count="events",
        measures=RATE,
        dimensions=(*AGE, "care_unit", "sex"),
        care_units=UNITS,
        age_width=40,
        age_top=40,
        standardise={"to": "esp2013", "over": ("age_group", "sex"), "sexes": {"Men": 2, "Women": 3}},
    ),
    Table(
        table="ratios-of-sexes",
        title="t",
        count="events",
        measures=RATE,
        codes=("T/A",),
        dimensions=("sex", "year", *AGE),
        age_width=20,
        age_top=40,
        standardise={"to": "table", "over": ("age_group", "sex"), "ages_from": 20},
    ),
    Table(table="new-weeks", title="t", count="weekly", measures=("events",), codes=("T/B",), washout=365),
    Table(
        table="on",
        title="t",
        count="prevalence",
        codes=("T/A",),
        days=(date(2018, 6, 1), date(2020, 2, 29), date(2021, 6, 15)),
        dimensions=("sex", "municipality"),
    ),
    Table(
        table="on-of-late",
        title="",
        count="prevalence",
        kind="drug",
        days=(date(2020, 2, 29),),
        lookback=90,
        dimensions=AGE,
    ),
    Table(
        table="levels",
        title="t",
        count="transitions",
        states="care_level",
        measures=("transitions",),
        dimensions=("sex",),
    ),
    Table(
        table="paths",
        title="t",
        count="transitions",
        states=STATES,
        measures=("transitions",),
        dimensions=AGE,
        age_width=50,
    ),
    Table(
        table="classes",
        title="t",
        count="values",
        unit="mmol",
        range=(1, 11),
        classes=(2.5, 6),
        kind="drug",
        dimensions=("sex",),
    ),
    Table(
        table="first-classes",
        title="t",
        count="values",
        unit="mmol",
        range=(0, 9),
        classes=(5,),
        first=True,
        dimensions=AGE,
    ),
    Table(
        table="sums",
        title="t",
        count="values",
        unit="%",
        range=(2, 10),
        measures=("sum", "squares"),
        decimals=2,
        dimensions=("sex",),
    ),
    Table(
        table="firsts",
        title="t",
        count="events",
        measures=RATE,
        codes=("T/A",),
        first=True,
        dimensions=("sex", *LEXIS),
        age_width=10,
        follow_up=(7, 400),
    ),
    Table(
        table="inpatient-primary",
        title="t",
        count="events",
        measures=RATE,
        setting=("inpatient", "emergency"),
        primary=True,
        dimensions=("sex", "quarter"),
    ),
    Table(
        table="known",
        title="t",
        count="members",
        dimensions=("sex", "had_a", "days_with_b", "last_value"),
        characteristics=KNOWN,
    ),
    Table(
        table="by-known",
        title="t",
        count="events",
        codes=("T/B",),
        measures=RATE,
        dimensions=("had_a", "year"),
        characteristics={"had_a": KNOWN["had_a"]},
    ),
    Table(
        table="again",
        title="t",
        count="intervals",
        setting=("inpatient",),
        since={"setting": ["inpatient"], "clock": "end", "join": 1},
        competing="death",
        dimensions=("sex", "year"),
        step=30,
        until=90,
    ),
    Table(
        table="waits",
        title="t",
        count="intervals",
        codes=("T/B",),
        since={"codes": ["T/A"], "kind": "drug", "first": True},
        competing=("T/C",),
        dimensions=AGE,
        step=7,
        until=70,
    ),
    Table(
        table="same-day",
        title="t",
        count="intervals",
        codes=("T/A1",),
        since={"codes": ["T/A"], "clock": "end"},
        step=1,
        until=10,
    ),
    Table(
        table="supplied",
        title="t",
        count="exposure",
        kind="drug",
        gap=3,
        dimensions=("sex", "quarter"),
    ),
    Table(
        table="supplied-by-age",
        title="t",
        count="exposure",
        codes=("T/A",),
        dimensions=("municipality", *LEXIS),
        age_width=10,
        follow_up=(1, 30),
    ),
    Table(
        table="first-sums",
        title="",
        count="values",
        unit="%",
        range=(0, 12),
        measures=("sum",),
        decimals=0,
        first=True,
        dimensions=AGE,
    ),
]


def edges(seed: int, persons: int = 40) -> tuple[MadeShard, Frame]:
    """A shard and members whose days meet: deaths and events on the first and the last day, births inside the
    window and on leap days, follow-up of no day, events before entry."""
    shard, random = make_shard(seed, persons, events_each=5), np.random.default_rng(seed)
    start = random.integers(FIRST, LAST + 1, persons).astype(np.int32)
    start[random.random(persons) < 0.15] = LEAP
    end = np.minimum(start + random.choice([0, 1, 2, 29, 30, 31, 365, 900, 901], persons), LAST + 1).astype(
        np.int32
    )
    people, events = shard.frames["persons"], shard.frames["events"]
    death = np.select(
        [random.random(persons) < p for p in (0.2, 0.2, 0.1)], [start, end - 1, end], DAY_UNKNOWN
    )
    people["death_day"] = death.astype(np.int32)
    birth = np.asarray(people["birth_day"]).copy()
    birth[random.random(persons) < 0.2] = LEAP - 366 - 3 * 365  # 29 February 2016
    young = random.random(persons) < 0.2
    people["birth_day"] = np.where(young & (birth != DAY_UNKNOWN), start, birth).astype(np.int32)
    day, who = np.asarray(events["start"]).copy(), np.asarray(events["person"])
    for chance, at in (
        (0.15, start),
        (0.3, end - 1),
        (0.4, end),
        (0.5, start - 1),
        (0.55, np.full(persons, LEAP)),
    ):
        moved = (random.random(len(day)) < 0.12) & (random.random(len(day)) < 2 * chance)
        day[moved] = at[who[moved]]
    units = Category(
        ("N-1", "N-2", "N-22", "S-1", "T-1", "T-2"), random.integers(-1, 6, len(day)).astype(np.int32)
    )
    value = np.asarray(events["value"])
    value = np.where(
        value == VALUE_MISSING, value, value + random.choice([0, 0, 4, 5, 4999, 5000, 5001], len(day))
    )
    setting = random.integers(0, 5, len(day)).astype(np.int8)
    events = {**events, "start": day.astype(np.int32), "care_unit": units, "value": value, "setting": setting}
    shard.frames["events"] = take(events, np.lexsort((day, who)))
    chosen = np.flatnonzero(random.random(persons) < 0.8)
    who = np.asarray(people["person"])[chosen]
    return shard, {"person": who, "start": start[chosen], "end": end[chosen] - 1}
