"""Weeks, months and quarters of the study, as dimensions: every period that has a day in it, whole or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from kernels.ages import year_month_day
from kernels.weeks import monday
from pipelines.aggregation.dimensions import Classification, Occurrences, People
from pipelines.cubes.cube import ROLES, TOTAL, Dimension
from pipelines.study.days import Study, day_number

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def weeks(study: Study) -> Classification:
    """ISO 8601 weeks under the ISO years that they belong to."""
    begin = study.first - timedelta(days=study.first.weekday())
    first = day_number(begin)
    mondays = [begin + timedelta(days=7 * k) for k in range((study.last - begin).days // 7 + 1)]
    spans = [(day, day + timedelta(days=6)) for day in mondays]
    named = [(each.isocalendar()[0], each.isocalendar()[1]) for each in mondays]
    codes = [f"{year}-W{week:02d}" for year, week in named]
    labels = [f"Week {week} of {year}" for year, week in named]
    years = [f"ISO year {year}" for year, _ in named]
    dimension, leaves = _under_years(
        "week", "Week", years, codes, labels, [_days(study, *span) for span in spans]
    )

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        return leaves[(monday(rows.day) - first) // 7]

    return Classification(dimension, locate, at_risk=False)


def months(study: Study) -> Classification:
    """Calendar months under their years."""
    return _calendar(study, "month", 1, lambda year, k: (f"{year}-{k + 1:02d}", f"{_MONTHS[k]} {year}"))


def quarters(study: Study) -> Classification:
    """Quarters of the calendar under their years."""
    made = _calendar(study, "quarter", 3, lambda year, k: (f"{year}-Q{k + 1}", f"Quarter {k + 1} of {year}"))
    return replace(made, at_risk=True)


def _calendar(
    study: Study, name: str, size: int, named: Callable[[int, int], tuple[str, str]]
) -> Classification:
    """Periods of `size` months under their years. `named`: code and label of the k-th of a year."""
    in_year = 12 // size
    begin = in_year * study.first.year + (study.first.month - 1) // size
    count = in_year * study.last.year + (study.last.month - 1) // size + 1 - begin
    periods = [divmod(begin + k, in_year) for k in range(count)]
    firsts = [date(year, size * k + 1, 1) for year, k in periods]
    beyond = [date(year + (k + 1) // in_year, size * (k + 1) % 12 + 1, 1) for year, k in periods]
    days = [
        _days(study, first, after - timedelta(days=1)) for first, after in zip(firsts, beyond, strict=True)
    ]
    codes, labels = zip(*(named(year, k) for year, k in periods), strict=True)
    dimension, leaves = _under_years(
        name, name.capitalize(), [str(year) for year, _ in periods], [*codes], [*labels], days
    )

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        day = year_month_day(rows.day)
        return leaves[in_year * day[:, 0] + (day[:, 1] - 1) // size - begin]

    return Classification(dimension, locate, at_risk=False)


def cut_at_quarters(start: np.ndarray, until: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stretches of days cut where a quarter begins. `start`, `until`: int32 (n,), days since 1970-01-01, the
    latter not in. Returns row int64, start int32 and until int32 of each piece, in order; none where start >=
    until."""
    kept = np.flatnonzero(start < until)
    first, last = (_quarter(day) for day in (start[kept], until[kept] - 1))
    pieces = last - first + 1
    row = np.repeat(kept, pieces)
    quarter = np.repeat(first - np.cumsum(pieces) + pieces, pieces) + np.arange(pieces.sum())
    begins = (
        (quarter // 4 - 1970).astype("datetime64[Y]").astype("datetime64[M]") + 3 * (quarter % 4)
    ).astype("datetime64[D]")
    ends = (begins.astype("datetime64[M]") + 3).astype("datetime64[D]")
    since, beyond = (each.astype(np.int64).astype(np.int32) for each in (begins, ends))
    return row, np.maximum(start[row], since), np.minimum(until[row], beyond)


def _quarter(day: np.ndarray) -> np.ndarray:
    """Quarters since the year 0, int64 (n,)."""
    parts = year_month_day(day.astype(np.int32)).astype(np.int64)
    return 4 * parts[:, 0] + (parts[:, 1] - 1) // 3


def _days(study: Study, first: date, last: date) -> int:
    return (min(last, study.last) - max(first, study.first)).days + 1


def _under_years(
    name: str, title: str, years: list[str], codes: list[str], labels: list[str], days: list[int]
) -> tuple[Dimension, np.ndarray]:
    """The dimension, and int32 (periods,): the position of each period in it."""
    all_codes, all_labels, parents, values, leaves = [""], [TOTAL], [-1], [0], []
    year_at = 0
    for place, year in enumerate(years):
        if place == 0 or year != years[place - 1]:
            year_at = len(all_codes)
            all_codes, all_labels, parents, values = (
                [*all_codes, year],
                [*all_labels, year],
                [*parents, 0],
                [*values, 0],
            )
        leaves.append(len(all_codes))
        all_codes, all_labels = [*all_codes, codes[place]], [*all_labels, labels[place]]
        parents, values = [*parents, year_at], [*values, days[place]]
    dimension = Dimension(
        name=name,
        title=title,
        codes=tuple(all_codes),
        labels=tuple(all_labels),
        parents=tuple(parents),
        levels=(TOTAL, "year", name),
        role=name if name in ROLES else "",
        values=tuple(values) if name in ROLES else (),
    )
    return dimension, np.array(leaves, np.int32)
