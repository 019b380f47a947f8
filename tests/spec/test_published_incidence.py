"""Known answers of others: cases that the tests of IncidencePrevalence publish (darwin-eu,
`test-estimateIncidence.R` and `test-estimatePrevalence.R`, 2022-2023), their people, days and counts, asked
of our tables.

Theirs counts a washout from an outcome's last day, ours from the day that an event begins; the cases here
have outcomes of one day, where both are the same.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.files.frames import Category, Frame, take
from pipelines.files.schemas import DAY_UNKNOWN, KIND, VALUE_MISSING
from pipelines.site.permit import Table
from pipelines.study.days import Study, day_number
from tests.people import MadeShard

Followed = tuple[
    str, str, str, tuple[str, ...]
]  # birth, first and last day of follow-up, days with the outcome


def day(text: str) -> int:
    return day_number(date.fromisoformat(text))


def counted(people: list[Followed], **asked: Any) -> tuple[dict[str, np.ndarray], Layout]:
    """Every measure of a table of the outcome, as a grid, and the table's layout."""
    who = [k for k, each in enumerate(people) for _ in each[3]]
    when = [day(text) for each in people for text in each[3]]
    n, persons = len(who), len(people)
    events: Frame = {
        "person": np.array(who, np.int32),
        "start": np.array(when, np.int32),
        "end": np.array(when, np.int32),
        "concept": Category.constant("T/A", n),
        "value": np.full(n, VALUE_MISSING),
        "unit": Category.constant(None, n),
        "kind": np.full(n, KIND["diagnosis"], np.int8),
        "position": np.zeros(n, np.int8),
        "setting": np.zeros(n, np.int8),
        "source": Category.constant("a", n),
        "care_unit": Category.constant(None, n),
        "encounter": np.zeros(n, np.int64),
    }
    frames: dict[str, Frame] = {
        "persons": {
            "person": np.arange(persons, dtype=np.int64),
            "sex": np.ones(persons, np.int8),
            "birth_day": np.array([day(each[0]) for each in people], np.int32),
            "death_day": np.full(persons, DAY_UNKNOWN, np.int32),
            "opt_out_day": np.full(persons, DAY_UNKNOWN, np.int32),
        },
        "residences": {
            "person": np.empty(0, np.int32),
            "start": np.empty(0, np.int32),
            "end": np.empty(0, np.int32),
            "municipality": Category((), np.empty(0, np.int32)),
        },
        "events": take(events, np.lexsort((np.array(when), np.array(who)))),
    }
    members: Frame = {
        "person": np.arange(persons, dtype=np.int64),
        "start": np.array([day(each[1]) for each in people], np.int32),
        "end": np.array([day(each[2]) for each in people], np.int32),
    }
    table = Table(**{"table": "t", "title": "t", "count": "events", "codes": ("T/A",), **asked})
    layout = Layout.of(table, Study(**{"from": "2000-01-01", "to": "2023-12-31"}))
    found = Counter(MadeShard(frames), members, ("a",)).count(layout)
    shape = [len(each) for each in layout.dimensions]
    return {name: each.reshape(shape) for name, each in found.items()}, layout


def by(found: tuple[dict[str, np.ndarray], Layout], measure: str, **at: str) -> int:
    """The number at some codes, totals elsewhere."""
    counts, layout = found
    place = [each.codes.index(at[each.name]) if each.name in at else 0 for each in layout.dimensions]
    return int(counts[measure][tuple(place)])


AGES = {"dimensions": ("year", "age_group"), "age_width": 20, "age_top": 20}
RATE = {**AGES, "measures": ("events",)}
TIMED = {**AGES, "measures": ("events", "person_days")}
THREE = [("2000-01-01", "2010-01-01", "2012-06-01", ("2010-02-05", "2010-02-08", "2010-02-20"))]


def test_repeated_events_by_washout() -> None:
    assert by(counted(THREE, **RATE, first=True), "events") == 1
    for washout, events in ((2, 3), (10, 2), (36_600, 1)):
        assert by(counted(THREE, **RATE, washout=washout), "events") == events


def test_person_days_by_year_from_an_age_on_until_the_event() -> None:
    people = [
        ("2000-07-01", "2007-01-01", "2022-12-31", ("2021-06-27",)),
        ("1999-07-01", "2007-01-01", "2022-10-05", ()),
    ]
    found = counted(people, **TIMED, first=True)
    days = [by(found, "person_days", year=str(year), age_group="20+") for year in range(2018, 2023)]
    assert days == [0, 184, 184 + 366, 365 + 178, 278]


def test_the_event_before_the_study_is_nothing_without_a_washout() -> None:
    people = [
        ("2000-01-01", "2007-01-01", "2007-05-01", ("2006-02-05",)),
        ("2000-01-01", "2007-01-01", "2011-06-15", ("2006-02-05", "2010-02-05")),
    ]
    found = counted(people, **TIMED, first=True)
    assert by(found, "at_risk") == 2 and by(found, "events") == 1
    until = day("2007-05-01") + day("2010-02-05") - 2 * day("2007-01-01") + 2
    assert by(found, "person_days") == until


def test_periods_follow_the_calendar_wherever_follow_up_begins() -> None:
    events = ("2010-03-01", "2011-01-31", "2011-02-01", "2011-03-01")
    found = counted([("2000-01-01", "2010-02-01", "2012-12-31", events)], **RATE)
    assert [by(found, "events", year=year) for year in ("2010", "2011")] == [1, 3]
    found = counted(
        [("2000-01-01", "2011-01-15", "2012-12-31", events)], count="monthly", measures=("events",)
    )
    assert [by(found, "events", month=month) for month in ("2011-01", "2011-02", "2011-03")] == [1, 1, 1]


def test_four_events_and_the_longest_washouts() -> None:
    events = ("2010-06-01", "2011-01-13", "2011-01-16", "2011-01-18")
    people = [("2000-01-01", "2010-01-01", "2012-12-31", events)]
    assert by(counted(people, **RATE), "events") == 4
    year, ever = (counted(people, **TIMED, washout=washout) for washout in (365, 36_600))
    assert by(year, "events") == by(ever, "events") == 1
    assert by(ever, "person_days") < by(year, "person_days"), "after a year the person is at risk again"


def test_an_event_on_the_day_of_entry_counts() -> None:
    people = [("2000-01-01", "2010-01-28", "2012-12-31", ("2010-01-28",))]
    assert by(counted(people, **RATE, first=True), "events") == 1
    assert by(counted(people, **RATE, washout=36_600), "events") == 1


def test_who_had_the_event_before_is_at_risk_only_without_a_washout() -> None:
    people = [
        ("1995-07-01", "2000-01-01", "2004-01-01", ("1999-01-01",)),
        ("1995-07-01", "2000-01-01", "2004-01-01", ()),
    ]
    assert by(counted(people, **TIMED), "at_risk") == 2
    assert by(counted(people, **TIMED, washout=36_600), "at_risk") == 1


def test_months_and_years_have_the_same_days() -> None:
    people = [
        ("2000-01-01", "2010-01-01", "2011-12-31", ("2011-07-01",)),
        ("2000-01-01", "2010-01-01", "2011-12-31", ()),
    ]
    quarters = counted(people, dimensions=("quarter",), measures=("events", "person_days"), first=True)
    years = counted(people, **TIMED, first=True)
    for measure in ("events", "person_days"):
        assert by(quarters, measure) == by(years, measure)
        assert by(quarters, measure, quarter="2011") == by(years, measure, year="2011")


def test_prevalence_on_a_day_by_lookback() -> None:
    people = [("2000-01-01", "2006-01-01", "2010-12-31", ("2008-02-05",))]
    days = ("2008-01-01", "2009-01-01", "2010-01-01")
    for lookback, having in ((365, [0, 1, 0]), (None, [0, 1, 1])):
        found = counted(people, count="prevalence", days=days, lookback=lookback)
        assert [by(found, "persons", day=each) for each in days] == having
        assert [by(found, "at_risk", day=each) for each in days] == [1, 1, 1]
