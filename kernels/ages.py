"""Ages in completed years, and the days on which they change."""

from __future__ import annotations

import numpy as np

UNKNOWN = -1


def completed_years(birth_day: np.ndarray, day: np.ndarray, unknown_day: int = -(2**31)) -> np.ndarray:
    """Birthdays reached by `day`: int64 (n,), -1 if the birth day is unknown. A birthday on 29 February is reached on 1 March."""
    known = birth_day != unknown_day
    birth_year, birth_rest = _year_and_rest(np.where(known, birth_day, 0))
    year, rest = _year_and_rest(day)
    return np.where(known, year - birth_year - (rest < birth_rest), UNKNOWN)


def _year_and_rest(day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Calendar year, and month and day as one number that orders them."""
    days = day.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    return year, months.astype(np.int64) % 12 * 32 + (days - months).astype(np.int64)


def year_month_day(day: np.ndarray, unknown_day: int = -(2**31)) -> np.ndarray:
    """Calendar year, month and day of each day number: int64 (n, 3), all 0 if the day is unknown."""
    days = day.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    parts = np.stack(
        [days.astype("datetime64[Y]").astype(np.int64) + 1970, months.astype(np.int64) % 12 + 1, (days - months).astype(np.int64) + 1], 1
    )
    return np.where((day != unknown_day)[:, None], parts, 0)


def birthdays(birth_day: np.ndarray, years: int) -> np.ndarray:
    """int64 (n,): the day on which each age in completed years is reached; who is born on 29 February reaches it on 1 March in other years.

    `birth_day`: int64 (n,), days since 1970-01-01, known.
    """
    days = birth_day.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    return ((months + 12 * years).astype("datetime64[D]") + (days - months)).astype(np.int64)
