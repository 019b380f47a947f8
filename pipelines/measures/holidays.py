"""Working days in Sweden: weekdays that are no public holiday, computed for any year from 1900 on.

Public holidays: lag (1989:253) om allmänna helgdagar, as it stands since 2005. Midsummer's, Christmas and New
Year's Eve are free days by semesterlagen (1977:480), 3 a §, and count as holidays here.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

_FIXED = ((1, 1), (1, 6), (5, 1), (6, 6), (12, 24), (12, 25), (12, 26), (12, 31))
_FROM_EASTER = (-2, 0, 1, 39, 49)  # Good Friday, Easter Day and Monday, Ascension Day, Whit Sunday
_SATURDAY, _FRIDAY = 5, 4


def easter(year: int) -> date:
    """Easter Day of the Gregorian calendar (Meeus 1991, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=400)
def holidays(year: int) -> frozenset[date]:
    """Public holidays and the three eves of a year."""
    moving = [easter(year) + timedelta(days) for days in _FROM_EASTER]
    midsummer = _next(date(year, 6, 20), _SATURDAY)  # the Saturday of 20 to 26 June
    saints = _next(date(year, 10, 31), _SATURDAY)  # the Saturday of 31 October to 6 November
    fixed = [date(year, month, day) for month, day in _FIXED]
    return frozenset([*fixed, *moving, midsummer - timedelta(1), midsummer, saints])


def working_days(first: date, until: date) -> int:
    """Mondays to Fridays from `first` to the day before `until` that are no holiday."""
    days = (first + timedelta(each) for each in range((until - first).days))
    return sum(day.weekday() <= _FRIDAY and day not in holidays(day.year) for day in days)


def _next(day: date, weekday: int) -> date:
    return day + timedelta((weekday - day.weekday()) % 7)
