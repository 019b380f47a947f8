"""Windows, intervals, row starts and follow-up, against the obvious way."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernels.ages import birthdays, completed_years, year_month_day
from kernels.lexis import Ages, Bands, Homes, after_washout, cut_follow_up, year_of
from kernels.postings import in_order, row_starts
from kernels.windows import interval_at

days = st.integers(-50_000, 60_000)
facts = st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 20)), max_size=25).map(sorted)
NO_HOMES = Homes(np.zeros(2, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))


def columns(rows: list[tuple[int, ...]], width: int) -> list[np.ndarray]:
    return [np.array([row[i] for row in rows], np.int32) for i in range(width)]


@given(facts, st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 20), st.integers(0, 8)), max_size=12))
def test_interval_at_finds_one_that_holds_the_day(
    index: list[tuple[int, int]], spans: list[tuple[int, int, int]]
) -> None:
    spans = sorted(spans)
    person, day = columns(index, 2)
    who, start, size = columns(spans, 3)
    found = interval_at(person, day, row_starts(who, 4), start, start + size)
    for place, (p, d) in zip(found, index, strict=True):
        holding = [row for row, (w, s, n) in enumerate(spans) if w == p and s <= d <= s + n]
        assert place == (holding[-1] if holding else -1)


def test_row_starts_refuses_an_id_outside() -> None:
    with pytest.raises(ValueError, match="outside"):
        row_starts(np.array([0, 4], np.int32), 4)


@given(facts)
def test_in_order_sorts_by_person_and_day_and_keeps_equal_rows_as_they_stand(
    rows: list[tuple[int, int]],
) -> None:
    shuffled = rows[::-1]
    person, day = columns(shuffled, 2)
    assert in_order(person, day).tolist() == sorted(range(len(rows)), key=lambda row: shuffled[row])


@given(days, st.integers(0, 40_000))
@example(-11_324, 0)  # the last day of 1938
def test_completed_years_and_calendar(birth: int, later: int) -> None:
    born, now = (date(1970, 1, 1) + timedelta(days=each) for each in (birth, birth + later))
    expected = now.year - born.year - ((now.month, now.day) < (born.month, born.day))
    assert completed_years(np.array([birth], np.int32), np.array([birth + later], np.int32)).tolist() == [
        expected
    ]
    assert year_month_day(np.array([birth], np.int32)).tolist() == [[born.year, born.month, born.day]]
    assert year_of(birth) == born.year


@given(st.lists(days, max_size=5), st.integers(0, 120))
@example([-36_466 + 59], 1)  # 29 February
def test_a_birthday_is_the_first_day_of_an_age(births: list[int], years: int) -> None:
    birth = np.array(births, np.int64)
    reached = birthdays(birth, years)
    assert completed_years(birth, reached).tolist() == [years] * len(births)
    assert completed_years(birth, reached - 1).tolist() == [years - 1] * len(births)


@given(
    days,
    st.integers(0, 2000),
    days.filter(lambda day: day < 20_000),
    st.integers(1, 20),
    st.booleans(),
    st.lists(st.integers(1, 3000), unique=True, max_size=4).map(sorted),
    st.integers(0, 900),
)
def test_pieces_of_follow_up_cross_no_birthday_of_a_band_no_new_year_and_no_break(
    start: int, size: int, birth: int, width: int, by_year: bool, breaks: list[int], since: int
) -> None:
    top = width * 4
    born = year_month_day(np.array([birth], np.int32))
    span, entry = (
        (np.array([start], np.int32), np.array([start + size], np.int32)),
        np.array([start - since], np.int32),
    )
    bands = Bands(entry, np.array(breaks, np.int64))
    cut = cut_follow_up(*span, by_year, Ages(born, width, top), NO_HOMES, bands)
    _, first, lengths, groups, years = (each.tolist() for each in cut)

    def place(day: int) -> tuple[int, int, int]:
        age = int(completed_years(np.array([birth], np.int32), np.array([day], np.int32))[0])
        year = (date(1970, 1, 1) + timedelta(days=day)).year if by_year else 0
        return (
            -1 if age < 0 else min(age, top) // width,
            year,
            sum(day - start + since >= each for each in breaks),
        )

    pieces = [
        (day, *place(day))
        for day in range(start, start + size)
        if day == start or place(day) != place(day - 1)
    ]
    assert list(zip(first, groups, years, strict=True)) == [piece[:3] for piece in pieces]
    assert sum(lengths) == size
    assert [day + length for day, length in zip(first, lengths, strict=True)][:-1] == first[1:]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=4), facts, st.integers(1, 15))
def test_a_day_is_at_risk_if_no_event_lies_in_the_washout_before_it(
    spans: list[tuple[int, int]], events: list[tuple[int, int]], washout: int
) -> None:
    person, day = columns(events, 2)
    start, size = columns(spans, 2)
    kept = person < len(spans)
    found = after_washout(start, start + size, row_starts(person[kept], len(spans)), day[kept], washout)
    days_found = [
        (int(row), each) for row, low, high in zip(*found, strict=True) for each in range(low, high)
    ]
    assert days_found == [
        (row, each)
        for row, (low, length) in enumerate(spans)
        for each in range(low, low + length)
        if not any((row, each - back) in events for back in range(1, washout + 1))
    ]
