"""Follow-up cut at birthdays, new years, moves and times since entry (Lexis 1875; Carstensen 2007), in exact
days; and what a washout leaves of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.days import civil, day_number, is_leap
from kernels.jit import compiled

_FAR = 2**31 - 1


class Ages(NamedTuple):
    """Age groups. `birth`: int64 (n, 3), year, month and day of birth, year 0 if unknown: then no cuts at
    birthdays. `width`, `top`: years in a group and the age at which the last begins; width 0 for no cuts."""

    birth: np.ndarray
    width: int
    top: int


class Homes(NamedTuple):
    """Residences. `offsets`: int64 (n + 1,), where each row's begin in `starts`, `ends`: int32 (residences,),
    days since 1970-01-01, both in; none for no cuts at moves."""

    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class Bands(NamedTuple):
    """Time since entry. `entry`: int32 (n,), days since 1970-01-01; `breaks`: int64 (k,), ascending days
    since entry on which a band begins; empty for no cuts."""

    entry: np.ndarray
    breaks: np.ndarray


@compiled
def year_of(day: int) -> int:
    """Calendar year of a day number."""
    return civil(day)[0]


@compiled
def _band_on(year: int, month: int, of_month: int, birth: np.ndarray, width: int, top: int) -> int:
    """Age group on a day: -1 before birth."""
    age = year - birth[0] - (1 if 32 * month + of_month < 32 * birth[1] + birth[2] else 0)
    return -1 if age < 0 else min(age, top) // width


@compiled
def _begin(band: int, birth: np.ndarray, width: int, top: int) -> int:
    """First day of an age group, a day that never comes if there is none such."""
    return _FAR if band * width > top else day_number(birth[0] + band * width, birth[1], birth[2])


@compiled
def _next_move(day: int, low: int, high: int, starts: np.ndarray, ends: np.ndarray) -> int:
    cut = np.int64(_FAR)
    for row in range(low, high):
        if starts[row] > day:
            cut = min(cut, np.int64(starts[row]))
        if ends[row] >= day:
            cut = min(cut, np.int64(ends[row]) + 1)
    return cut


@compiled
def _most_pieces(
    start: np.ndarray, until: np.ndarray, by_year: bool, width: int, offsets: np.ndarray, breaks: int
) -> int:
    """No fewer pieces than there can be."""
    most = 2 * (offsets[-1] - offsets[0]) + (1 + breaks) * len(start)
    for i in range(len(start)):
        years = max(np.int64(0), np.int64(until[i]) - start[i]) // 365 + 1
        most += (years if by_year else 0) + (years // width + 1 if width > 0 else 0)
    return most


@compiled
def cut_follow_up(
    start: np.ndarray, until: np.ndarray, by_year: bool, ages: Ages, homes: Homes, bands: Bands
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pieces of follow-up within which age group, calendar year, residence and band of time since entry do
    not change.

    `start`, `until`: int32 (n,), days since 1970-01-01; no piece where start >= until. Returns row
    int64, first day int32, days int64, age group int32 (-1 where unknown or before birth) and calendar year
    int32 (0 if not `by_year`) of each piece, (pieces,) each, in order.
    """
    birth, width, top = ages
    offsets, starts, ends = homes
    entry, breaks = bands
    most = _most_pieces(start, until, by_year, width, offsets, len(breaks))
    row, first, days = np.empty(most, np.int64), np.empty(most, np.int32), np.empty(most, np.int64)
    groups, years = np.empty(most, np.int32), np.empty(most, np.int32)
    piece = 0
    for i in range(len(start)):
        day, beyond = np.int64(start[i]), np.int64(until[i])
        if day >= beyond:
            continue
        now, month, of_month = civil(day)
        year, new_year = np.int64(0), np.int64(_FAR)
        if by_year:
            year = np.int64(now)
            new_year = np.int64(day_number(year + 1, 1, 1))
        band, birthday = np.int64(-1), np.int64(_FAR)
        if width > 0 and birth[i, 0] != 0:
            band = np.int64(_band_on(now, month, of_month, birth[i], width, top))
            birthday = np.int64(_begin(band + 1, birth[i], width, top))
        reached = np.searchsorted(breaks, day - np.int64(entry[i]), "right") if len(breaks) > 0 else 0
        while day < beyond:
            cut = min(beyond, min(new_year, birthday))
            if reached < len(breaks):
                cut = min(cut, np.int64(entry[i]) + breaks[reached])
            if offsets[i] < offsets[i + 1]:
                cut = min(cut, _next_move(day, offsets[i], offsets[i + 1], starts, ends))
            row[piece], first[piece], days[piece], groups[piece], years[piece] = i, day, cut - day, band, year
            piece += 1
            day = cut
            if day == new_year:
                year += 1
                new_year += 366 if is_leap(year) else 365
            if day == birthday:
                band += 1
                birthday = np.int64(_begin(band + 1, birth[i], width, top))
            if reached < len(breaks) and day == np.int64(entry[i]) + breaks[reached]:
                reached += 1
    return row[:piece], first[:piece], days[:piece], groups[:piece], years[:piece]


@compiled
def after_washout(
    start: np.ndarray, until: np.ndarray, offsets: np.ndarray, day: np.ndarray, washout: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow-up without the days on which an event of the `washout` days before still counts.

    `start`, `until`: int32 (n,). `offsets`: int64 (n + 1,) into `day`: int32, days of each row's
    events, ascending, those before follow-up among them. Returns row int64, start int32 and until int32 of
    what is left, in order.
    """
    most = len(start) + offsets[-1] - offsets[0]
    row, first, last = np.empty(most, np.int64), np.empty(most, np.int32), np.empty(most, np.int32)
    piece = 0
    for i in range(len(start)):
        free = np.int64(start[i])  # the first day that no event yet seen covers
        for k in range(offsets[i], offsets[i + 1]):
            if day[k] >= until[i]:
                break
            if np.int64(day[k]) + 1 > free:
                row[piece], first[piece], last[piece] = i, free, day[k] + 1
                piece += 1
            free = max(free, np.int64(day[k]) + washout + 1)
        if free < until[i]:
            row[piece], first[piece], last[piece] = i, free, until[i]
            piece += 1
    return row[:piece], first[:piece], last[:piece]
