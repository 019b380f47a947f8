"""Events in windows, periods that hold a day, stays merged and kept apart: the fast loops against the obvious
way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.eras import merge_eras, spaced
from kernels.postings import row_starts
from kernels.windows import MISSING, Between, Visits, count_correlated, list_correlated, periods_holding

PERSONS = 4
NONE = np.empty(0, np.int64)
spans = st.lists(
    st.tuples(st.integers(0, PERSONS - 1), st.integers(-12, 12), st.integers(0, 9)), max_size=14
).map(sorted)
visits = st.sampled_from([MISSING, 1, 2])


def columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    whole = np.array(rows, np.int64).reshape(len(rows), 3)
    return whole[:, 0].astype(np.int32), whole[:, 1], whole[:, 1] + whole[:, 2]


@given(spans, spans)
def test_every_period_that_holds_the_day_is_found(
    events: list[tuple[int, int, int]], periods: list[tuple[int, int, int]]
) -> None:
    (person, day, _), (who, start, end) = columns(events), columns(periods)
    found = list(
        zip(
            *(each.tolist() for each in periods_holding(person, day, row_starts(who, PERSONS), start, end)),
            strict=True,
        )
    )
    assert found == [
        (i, j)
        for i in range(len(person))
        for j in range(len(who))
        if who[j] == person[i] and start[j] <= day[i] <= end[j]
    ]


@given(spans, spans, st.data(), st.booleans(), st.booleans())
def test_events_in_the_windows_are_counted_and_listed(
    index: list[tuple[int, int, int]],
    events: list[tuple[int, int, int]],
    data: st.DataObject,
    two: bool,
    same_visit: bool,
) -> None:
    (person, first, last), (who, start, end) = columns(index), columns(events)
    end[data.draw(st.lists(st.booleans(), min_size=len(end), max_size=len(end)))] = MISSING
    second = (first - 1, last + 1, end) if two else (NONE, NONE, NONE)
    mine, theirs = (
        np.array(data.draw(st.lists(visits, min_size=n, max_size=n)), np.int64)
        for n in (len(person), len(who))
    )
    visit = (mine, theirs) if same_visit else (NONE, NONE)

    def around(i: int, j: int) -> bool:
        inside = who[j] == person[i] and first[i] <= start[j] <= last[i]
        inside &= not two or second[0][i] <= end[j] <= second[1][i]
        return bool(inside and (not same_visit or (mine[i] == theirs[j] and mine[i] != MISSING)))

    pairs = [(i, j) for i in range(len(person)) for j in range(len(who)) if around(i, j)]
    for ascending in (False, True):
        windows = Between(first, last, start), Between(*second)
        asked = (person, row_starts(who, PERSONS), *windows, Visits(*visit), ascending)
        counts = count_correlated(*asked)
        assert counts.tolist() == [sum(left == i for left, _ in pairs) for i in range(len(person))]
        assert (
            list(zip(*(each.tolist() for each in list_correlated(*asked, len(pairs))), strict=True)) == pairs
        )


@given(spans, st.integers(0, 4))
def test_stays_merge_where_the_next_begins_within_the_pad(
    stays: list[tuple[int, int, int]], pad: int
) -> None:
    merged: list[list[int]] = []
    for who, start, length in stays:
        if merged and merged[-1][0] == who and start <= merged[-1][2] + pad:
            merged[-1][2] = max(merged[-1][2], start + length)
        else:
            merged.append([who, start, start + length])
    assert [
        list(row) for row in zip(*(each.tolist() for each in merge_eras(*columns(stays), pad)), strict=True)
    ] == merged


@pytest.mark.parametrize(("days", "kept"), [(1, [0, 1, 2, 3]), (3, [0, 2, 3]), (5, [0, 3]), (6, [0, 3])])
def test_entries_of_a_person_are_kept_apart_from_the_last_one_taken(days: int, kept: list[int]) -> None:
    person, start = np.array([0, 0, 0, 1], np.int32), np.array([10, 12, 14, 14])
    assert np.flatnonzero(spaced(person, start, days)).tolist() == kept
