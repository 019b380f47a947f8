"""The proleptic Gregorian calendar for compiled code: days since 1970-01-01."""

from __future__ import annotations

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
    """Days since 1970-01-01 of a date that exists (Hinnant, "chrono-compatible low-level date algorithms")."""
    y = year - 1 if month <= 2 else year
    era = y // 400
    of_era = y - 400 * era
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
