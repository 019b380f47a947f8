"""The total order of events and the union of spans, each against an obvious twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.ordering import distinct_order, range_bounds
from kernels.spans import merge_spans
from pipelines.files.schemas import DAY_OPEN, DAY_UNKNOWN, VALUE_MISSING

CELLS = st.sampled_from([VALUE_MISSING, -(2**62), -1, 0, 1, 2, DAY_OPEN, 2**62, 2**63 - 1])
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=20)
)


@given(TABLES)
def test_the_order_is_that_of_sorted_distinct_rows(rows: list[list[int]]) -> None:
    columns = list(np.array(rows, np.int64).T) or [np.empty(0, np.int64)]
    order = distinct_order(columns)
    assert [rows[i] for i in order] == [list(row) for row in sorted({tuple(row) for row in rows})]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_narrow_columns_share_a_word_and_keep_their_order(rows: list[tuple[int, int, int]]) -> None:
    columns = [np.array([row[k] for row in rows], np.int8) for k in range(3)]
    assert [rows[i] for i in distinct_order(columns)] == sorted(set(rows))


@given(st.integers(0, 2**63 - 1), st.integers(1, 4096))
def test_a_range_is_the_floor_of_its_share(number: int, ranges: int) -> None:
    assert np.searchsorted(range_bounds(ranges), number, side="right") == number * ranges >> 63


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 8)), max_size=25))
def test_spans_are_the_union_of_their_days(spans: list[tuple[int, int, int]]) -> None:
    rows = sorted((person, start, start + length) for person, start, length in spans)
    person, start, end = merge_spans(*(np.array([row[k] for row in rows], np.int32) for k in range(3)))
    days = {(who, day) for who, first, last in rows for day in range(first, last + 1)}
    assert {
        (int(w), day) for w, a, b in zip(person, start, end, strict=True) for day in range(a, b + 1)
    } == days
    assert all(
        w1 < w2 or (w1 == w2 and b1 + 1 < a2)
        for w1, b1, w2, a2 in zip(person[:-1], end[:-1].astype(int), person[1:], start[1:], strict=True)
    )


def test_an_open_span_swallows_what_follows() -> None:
    person, start, end = merge_spans(
        np.array([0, 0], np.int32), np.array([5, 9], np.int32), np.array([DAY_OPEN, 12], np.int32)
    )
    assert (person.tolist(), start.tolist(), end.tolist()) == ([0], [5], [DAY_OPEN])


def test_an_unknown_day_comes_before_all_others() -> None:
    assert distinct_order([np.array([3, DAY_UNKNOWN, -5], np.int32)]).tolist() == [1, 2, 0]
