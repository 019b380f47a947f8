"""Follow-up cut by age, year and time since entry, against exact days by R's Epi."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from kernels.ages import birthdays, year_month_day
from kernels.lexis import Ages, Bands, Homes, cut_follow_up
from tests.properties.test_epidemiology_reference import REFERENCE, facts, rows

pytestmark = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference data of ../shared/reference/epidemiology are not here"
)
WIDTH, TOP = 5, 100


def days(case: str, name: str) -> np.ndarray:
    return np.array([each[name] for each in rows(f"{case}.input")], "M8[D]").astype(np.int32)


@pytest.mark.parametrize("case", ["lexis_edges", "lexis_real"])
def test_person_days_by_age_year_and_time_since_entry(case: str) -> None:
    """Time since entry is cut as moves are, a stretch of residence for each band: anniversaries are no fixed
    number of days."""
    birth, entry, exit = (days(case, name) for name in ("birth", "entry", "exit"))
    breaks = facts(f"{case}.summary")["follow_up_breaks_years"]
    first = np.stack([birthdays(entry, years) for years in breaks], 1).astype(np.int32)
    last = np.concatenate([first[:, 1:] - 1, np.full((len(entry), 1), 2**30, np.int32)], 1)
    offsets = np.arange(len(entry) + 1, dtype=np.int64) * len(breaks)
    ages = Ages(year_month_day(birth), WIDTH, TOP)
    moves = Homes(offsets, first.ravel(), last.astype(np.int32).ravel())
    cut = cut_follow_up(entry, exit, True, ages, moves, Bands(entry, np.empty(0, np.int64)))
    found: Counter[tuple[int, int, int]] = Counter()
    for row, day, length, group, year in zip(*(each.tolist() for each in cut), strict=True):
        band = int(np.searchsorted(first[row], day, "right")) - 1
        found[group * WIDTH, year, breaks[band]] += length
    expected = {
        (int(each["age_lower"]), int(each["year"]), int(each["fu_lower"])): int(each["person_days"])
        for each in rows(f"{case}.expected_days")
    }
    assert {cell: length for cell, length in found.items() if length} == {
        cell: length for cell, length in expected.items() if length
    }
    assert sum(found.values()) == facts(f"{case}.summary")["total_days"]
