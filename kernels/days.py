"""The proleptic Gregorian calendar for compiled code: days since 1970-01-01."""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled


@compiled
def is_leap(year: int) -> bool:
    """Has the year a 29th of February?"""
    return (year % 4 == 0 and year % 100 != 0) or year % 400 == 0


@compiled
def month_length(year: int, month: int) -> int:
    """Days of the month; 0 for a month outside 1-12."""
    if month < 1 or month > 12:
        return 0
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@compiled
def day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date that exists (Hinnant, "chrono-compatible low-level date
    algorithms")."""
    y = year - 1 if month <= 2 else year
    era = y // 400
    of_era = y - 400 * era
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@compiled
def civil(day: int) -> tuple[int, int, int]:
    """Calendar year, month and day of the month of a day number (Hinnant, as above)."""
    z = np.int64(day) + 719468
    era = z // 146097
    of_era = np.uint64(z - era * 146097)
    years = (
        of_era - of_era // np.uint64(1460) + of_era // np.uint64(36524) - of_era // np.uint64(146096)
    ) // np.uint64(365)
    of_year = of_era - (np.uint64(365) * years + years // np.uint64(4) - years // np.uint64(100))
    shifted = (np.uint64(5) * of_year + np.uint64(2)) // np.uint64(153)  # months from March
    of_month = np.int64(of_year - (np.uint64(153) * shifted + np.uint64(2)) // np.uint64(5)) + 1
    month = np.int64(shifted) + (3 if shifted < np.uint64(10) else -9)
    return np.int64(years) + era * 400 + (1 if month <= 2 else 0), month, of_month


@compiled
def days_of_parts(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days since 1970-01-01 of dates in parts: 1 July where there is no such month, the 15th where the month
    has no such day.

    `year`, `month`, `day`: int64 (n,). Returns int32 (n,), −2³¹ for a year outside 1-9999.
    """
    out = np.full(len(year), -(2**31), np.int32)
    for i in range(len(year)):
        if 1 <= year[i] <= 9999:
            length = month_length(year[i], month[i])
            if length == 0:
                out[i] = day_number(year[i], 7, 1)
            else:
                out[i] = day_number(year[i], month[i], day[i] if 1 <= day[i] <= length else 15)
    return out
