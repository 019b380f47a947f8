"""Follow-up cut at birthdays, new years and moves (Lexis 1875; Carstensen 2007), in exact days."""

from __future__ import annotations

import numpy as np

from kernels.days import day_number
from kernels.jit import compiled

_FAR = 2**31 - 1


@compiled
def year_of(day: int) -> int:
    """Calendar year of a day number."""
    year = 1970 + min(day // 365, day // 366)  # never too late, on either side of 1970
    while day_number(year + 1, 1, 1) <= day:
        year += 1
    return year


@compiled
def _next_birthday(birth: np.ndarray, day: int, width: int, top: int) -> int:
    """The next day after `day` on which the age reaches a multiple of `width` not above `top`."""
    year, month, of_month = birth[0], birth[1], birth[2]
    age = width * max(0, (year_of(day) - year - 1) // width)
    while age <= top:
        reached = day_number(year + age, month, of_month)
        if reached > day:
            return reached
        age += width
    return _FAR


@compiled
def _next_cut(
    day: int, end: int, by_year: bool, birth: np.ndarray, width: int, top: int, low: int, high: int, starts: np.ndarray, ends: np.ndarray
) -> int:
    cut = end
    if by_year:
        cut = min(cut, day_number(year_of(day) + 1, 1, 1))
    if width > 0:
        cut = min(cut, _next_birthday(birth, day, width, top))
    for row in range(low, high):
        if starts[row] > day:
            cut = min(cut, np.int64(starts[row]))
        if ends[row] >= day:
            cut = min(cut, np.int64(ends[row]) + 1)
    return cut


@compiled
def cut_follow_up(
    start: np.ndarray, end: np.ndarray, by_year: bool, birth: np.ndarray, width: int, top: int,
    offsets: np.ndarray, starts: np.ndarray, ends: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Pieces of follow-up within which age group, calendar year and residence do not change.

    `start`, `end`: int32 (n,), end exclusive, start < end. `birth`: int64 (n, 3), year, month and day of birth (year 0: unknown, no cuts at
    birthdays). `width`, `top`: years in an age group and where the last begins; width 0 for no cuts. `offsets`: int64 (n + 1,) into the
    residences `starts`, `ends`: int32, both days in; all empty for no cuts. Returns row int64, first day int32, days int64 of each piece,
    in order.
    """
    n = len(start)
    total = 0
    row, first, days = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int64)
    for fill in range(2):
        if fill:
            row, first, days = np.empty(total, np.int64), np.empty(total, np.int32), np.empty(total, np.int64)
        piece = 0
        for i in range(n):
            own = width if birth[i, 0] != 0 else 0
            day = np.int64(start[i])
            while day < end[i]:
                cut = _next_cut(day, np.int64(end[i]), by_year, birth[i], own, top, offsets[i], offsets[i + 1], starts, ends)
                if fill:
                    row[piece], first[piece], days[piece] = i, day, cut - day
                piece += 1
                day = cut
        total = piece
    return row, first, days
