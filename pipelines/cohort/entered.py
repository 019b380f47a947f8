"""Whom a cohort is of: its index days by year, age and sex."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kernels.ages import completed_years
from pipelines.cohort.columns import MISSING
from pipelines.cohort.filters import ages
from pipelines.cohort.source import Source
from pipelines.errors import DataError
from pipelines.files.schemas import SEX_MAN, SEX_WOMAN

UNKNOWN = "unknown"
AGES = (*(f"{first}-{first + 9}" for first in range(0, 90, 10)), "90+")
SEXES = {SEX_MAN: "men", SEX_WOMAN: "women"}
Entered = Counter[tuple[str, str, str]]  # index days by year, age and sex


def entered(source: Source, person: np.ndarray, day: np.ndarray) -> Entered:
    """Index days by year, by group of ten completed years (calendar years where the birth day is not known),
    and by sex.

    `person`: int64 (n,), ids, all of the source; `day`: int64 (n,), days since 1970-01-01.
    """
    place = np.searchsorted(source.persons, person).astype(np.int32)
    years = day.astype("M8[D]").astype("M8[Y]").astype(str).tolist()
    return Counter(zip(years, _ages(source, place, day), _sexes(source, place), strict=True))


def _ages(source: Source, place: np.ndarray, day: np.ndarray) -> list[str]:
    try:
        born = source.birth_days(place)
        known = born != MISSING
        age = np.where(known, completed_years(np.where(known, born, 0), day), MISSING)
        if not known.all():
            age = np.where(known, age, ages(day, source.birth_years(place)))
    except DataError:  # a CDM without the column: no cohort needs it, and the page says unknown
        return [UNKNOWN] * len(place)
    labels = np.array([*AGES, UNKNOWN])
    return labels[np.where(age < 0, len(AGES), np.minimum(age // 10, len(AGES) - 1))].tolist()  # type: ignore[no-any-return]


def _sexes(source: Source, place: np.ndarray) -> list[str]:
    try:
        sex = np.asarray(source.of_persons("sex", place))
    except DataError:
        return [UNKNOWN] * len(place)
    return [SEXES.get(each, UNKNOWN) for each in sex.tolist()]


def rows(found: Entered) -> list[dict[str, Any]]:
    """The same as rows, ascending: `year`, `age`, `sex`, `entries`."""
    return [
        {"year": year, "age": age, "sex": sex, "entries": found[year, age, sex]}
        for year, age, sex in sorted(found)
    ]


def merged(parts: Iterable[Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The rows of several shards as one."""
    whole: Entered = Counter()
    for part in parts:
        for row in part:
            whole[row["year"], row["age"], row["sex"]] += row["entries"]
    return rows(whole)
