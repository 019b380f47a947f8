"""Ages in completed years, and the days on which they change."""

from __future__ import annotations

import numpy as np

from kernels.days import civil
from kernels.jit import compiled

UNKNOWN = -1


@compiled
def _completed(birth_day: np.ndarray, day: np.ndarray, unknown_day: int) -> np.ndarray:
    out = np.empty(len(day), np.int64)
    for i in range(len(day)):
        if birth_day[i] == unknown_day:
            out[i] = UNKNOWN
            continue
        born, born_month, born_day = civil(birth_day[i])
        year, month, of_month = civil(day[i])
        out[i] = year - born - (1 if 32 * month + of_month < 32 * born_month + born_day else 0)
    return out


def completed_years(birth_day: np.ndarray, day: np.ndarray, unknown_day: int = -(2**31)) -> np.ndarray:
    """Birthdays reached by `day`: int64 (n,), -1 if the birth day is unknown. A birthday on 29 February is
    reached on 1 March.

    `birth_day`, `day`: integers (n,). Raises ValueError if they differ in length.
    """
    if birth_day.shape != day.shape or day.ndim != 1:
        raise ValueError("there is not one birth day for each day")
    return _completed(birth_day, day, unknown_day)


@compiled
def _parts(day: np.ndarray, unknown_day: int) -> np.ndarray:
    out = np.zeros((len(day), 3), np.int64)
    for i in range(len(day)):
        if day[i] != unknown_day:
            out[i, 0], out[i, 1], out[i, 2] = civil(day[i])
    return out


def year_month_day(day: np.ndarray, unknown_day: int = -(2**31)) -> np.ndarray:
    """Calendar year, month and day of each day number: int64 (n, 3), all 0 if the day is unknown. `day`:
    integers (n,)."""
    return _parts(day, unknown_day)


def birthdays(birth_day: np.ndarray, years: int) -> np.ndarray:
    """int64 (n,): the day on which each age in completed years is reached; who is born on 29 February reaches
    it on 1 March in other years.

    `birth_day`: int64 (n,), days since 1970-01-01, known.
    """
    days = birth_day.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    return ((months + 12 * years).astype("datetime64[D]") + (days - months)).astype(np.int64)
