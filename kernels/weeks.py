"""ISO 8601 weeks of day numbers: a week begins on Monday and belongs to the year that holds its Thursday."""

from __future__ import annotations

import numpy as np


def iso_week(day: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ISO year, week (1 to 53) and weekday (1 Monday to 7 Sunday) of `day`, integers (n,), days since
    1970-01-01: int64 (n,) each."""
    day = np.asarray(day, np.int64)
    weekday = (day + 3) % 7 + 1  # 1970-01-01 was a Thursday
    thursday = (day - weekday + 4).astype("M8[D]")
    years = thursday.astype("M8[Y]")
    week = (thursday - years.astype("M8[D]")).astype(np.int64) // 7 + 1
    return years.astype(np.int64) + 1970, week, weekday


def monday(day: np.ndarray) -> np.ndarray:
    """int64 (n,): the Monday of each day's week. `day`: integers (n,), days since 1970-01-01."""
    day = np.asarray(day, np.int64)
    return day - (day + 3) % 7
