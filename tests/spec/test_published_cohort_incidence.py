"""Known answers of others: cases that the tests of CohortIncidence publish (OHDSI,
`java/test/resources/cohortincidence/timeAtRisk`: what is prepared, asked and verified), their days and
counts, asked of our tables.

A person may have several times at risk there, so each is a person of its own here: numbers of days and of
outcomes are compared, of persons where one time is one person. Theirs takes a clean window from an outcome's
last day, ours a washout from the day that an event begins: the cases here have outcomes of one day, or a
window without end, where both are the same.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.spec.test_published_incidence import Followed, by, counted

BIRTH = "1970-07-01"
FOR_EVER = 36_600


def at_risk(first: str, days: int, *outcomes: str) -> Followed:
    """A time at risk from a day to so many days after it, both in."""
    last = date.fromisoformat(first) + timedelta(days=days)
    return BIRTH, first, last.isoformat(), outcomes


def days_and_outcomes(*times: Followed, washout: int | None = None) -> tuple[int, int]:
    found = counted(
        list(times), dimensions=("sex",), measures=("events", "person_days"), **{"washout": washout}
    )
    return by(found, "person_days"), by(found, "events")


# ---- strataAll, strataByGender, strataByAge: two persons with two times at risk each -----------------------

HIS = ("2002-12-15", "2003-02-15", "2007-04-01", "2007-04-05")
HERS = ("2003-02-01", "2003-05-01")
TIMES = [
    at_risk("2002-12-25", 90, *HIS),
    at_risk("2007-03-01", 90, *HIS),
    at_risk("2003-03-01", 90, *HERS),
    at_risk("2005-03-01", 90, *HERS),
]


@pytest.mark.parametrize(
    ("times", "without", "clean"),
    [
        (TIMES[:1], (91, 1), (40, 1)),
        (TIMES[1:2], (91, 2), (57, 1)),
        (TIMES[2:3], (91, 1), (59, 1)),
        (TIMES[3:], (91, 0), (91, 0)),
        (TIMES[:2], (182, 3), (97, 2)),
        (TIMES[2:], (182, 1), (150, 1)),
        (TIMES[1:], (273, 3), (207, 2)),
        (TIMES, (364, 4), (247, 3)),
    ],
    ids=["his first", "his second", "her first", "her second", "men", "women", "ages from 35", "all"],
)
def test_days_and_outcomes_with_a_clean_window_of_30_days_and_without(
    times: list[Followed], without: tuple[int, int], clean: tuple[int, int]
) -> None:
    assert days_and_outcomes(*times) == without
    assert days_and_outcomes(*times, washout=30) == clean


# ---- cleanWindow, singleOutcome, tarSettings, noExcludeOutcome ---------------------------------------------


@pytest.mark.parametrize(("window", "days"), [(None, 31), (10, 21), (30, 10), (9999, 10)])
def test_a_clean_window_ends_with_itself_or_with_the_time_at_risk(window: int | None, days: int) -> None:
    time = at_risk("2000-07-01", 30, "2000-07-10")
    assert days_and_outcomes(time, washout=window) == (days, 1)


@pytest.mark.parametrize(("until", "without", "clean"), [(60, (61, 1), (32, 1)), (306, (307, 1), (277, 1))])
def test_one_outcome_in_a_shorter_and_a_longer_time_at_risk(
    until: int, without: tuple[int, int], clean: tuple[int, int]
) -> None:
    time = at_risk("2000-03-01", until, "2000-04-01")
    assert days_and_outcomes(time) == without
    assert days_and_outcomes(time, washout=30) == clean


@pytest.mark.parametrize(("until", "days"), [(60, 61), (0, 1), (306, 307)])
def test_a_time_at_risk_has_its_first_and_its_last_day(until: int, days: int) -> None:
    assert days_and_outcomes(at_risk("2000-03-01", until), washout=30) == (days, 0)


def test_without_a_window_every_outcome_counts_two_of_one_day_among_them() -> None:
    outcomes = ("2000-03-10", "2000-03-10", "2000-03-11", "2000-03-12", "2000-03-13")
    assert days_and_outcomes(at_risk("2000-03-01", 30, *outcomes)) == (31, 5)


# ---- partialExclude, personExclude: an outcome that lasts beyond all times at risk -------------------------


def test_who_has_the_outcome_is_at_risk_no_more() -> None:
    years = [(f"{year}-01-01", 364) for year in (2005, 2006, 2007)]
    outcomes = ["2005-07-01", "2003-07-01", "2003-07-01"]
    people = [[at_risk(*year, outcome) for outcome in outcomes] for year in years]
    for times, (persons, days, events) in zip(people, [(1, 182, 1), (0, 0, 0), (0, 0, 0)], strict=True):
        found = counted(times, dimensions=("sex",), measures=("events", "person_days"), washout=FOR_EVER)
        assert (by(found, "at_risk"), by(found, "person_days"), by(found, "events")) == (
            persons,
            days,
            events,
        )
    assert days_and_outcomes(*(time for each in people for time in each)) == (3285, 1)


def test_an_outcome_between_two_times_at_risk_takes_away_the_second() -> None:
    times = [at_risk(first, 30, "2005-06-01") for first in ("2005-01-01", "2005-10-01")]
    assert days_and_outcomes(*times) == (62, 0)
    assert days_and_outcomes(*times, washout=FOR_EVER) == (31, 0)
