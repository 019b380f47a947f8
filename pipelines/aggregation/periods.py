"""Weeks and months of the study, as dimensions: every period that has a day in it, whole or not."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from kernels.ages import year_month_day
from kernels.weeks import monday
from pipelines.aggregation.dimensions import Classification, Occurrences, People
from pipelines.cubes.cube import TOTAL, Dimension
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
    begin = 12 * study.first.year + study.first.month - 1
    count = 12 * study.last.year + study.last.month - begin
    named = [divmod(begin + k, 12) for k in range(count)]
    firsts = [date(year, month + 1, 1) for year, month in named]
    ends = [date(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(days=1) for year, month in named]
    codes = [f"{year}-{month + 1:02d}" for year, month in named]
    labels = [f"{_MONTHS[month]} {year}" for year, month in named]
    days = [_days(study, *span) for span in zip(firsts, ends, strict=True)]
    dimension, leaves = _under_years("month", "Month", [str(year) for year, _ in named], codes, labels, days)

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        day = year_month_day(rows.day)
        return leaves[12 * day[:, 0] + day[:, 1] - 1 - begin]

    return Classification(dimension, locate, at_risk=False)


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
        role=name,
        values=tuple(values),
    )
    return dimension, np.array(leaves, np.int32)
