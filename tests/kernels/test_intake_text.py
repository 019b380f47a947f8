"""Texts read into dates, numbers and tokens by compiled loops, against the obvious way."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from kernels import text
from kernels.days import day_number, days_of_parts, month_length
from kernels.hashing import hash_rows

UNKNOWN, MISSING = -(2**31), -(2**63)


def column(rows: list[str | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    encoded = [(row or "").encode() for row in rows]
    offsets = np.cumsum([0, *(len(row) for row in encoded)]).astype(np.int64)
    data = np.frombuffer(b"".join(encoded) or b"\0", np.uint8)
    return data, offsets, np.array([row is not None for row in rows])


@given(st.dates())
def test_days_are_those_of_the_calendar(day: date) -> None:
    assert day_number(day.year, day.month, day.day) == (day - date(1970, 1, 1)).days
    following = (
        date(day.year + (day.month == 12), day.month % 12 + 1, 1)
        if day.year < 9999 or day.month < 12
        else None
    )
    if following:
        assert month_length(day.year, day.month) == (following - day.replace(day=1)).days


def slow_parts(year: int, month: int, day: int) -> int:
    for guess in ((month, day), (month, 15), (7, 1)):
        try:
            return (date(year, *guess) - date(1970, 1, 1)).days
        except ValueError:
            continue
    return UNKNOWN


@given(st.integers(-1, 10_000), st.integers(-1, 14), st.integers(-1, 33))
@example(2021, 2, 30)
@example(1950, 0, 0)
@example(1950, 0, 31)
def test_a_date_in_parts_is_the_middle_of_what_is_known_of_it(year: int, month: int, day: int) -> None:
    assert days_of_parts(*(np.array([part]) for part in (year, month, day))).tolist() == [
        slow_parts(year, month, day)
    ]


def slow_day(row: str | None, layout: int) -> tuple[int, int]:
    if row is None or not row.strip(" "):
        return UNKNOWN, text.EMPTY
    row = row.strip(" ")
    if layout == text.ISO and len(row) > 10 and row[10] not in " T":
        return UNKNOWN, text.BAD
    head = row[:10] if layout == text.ISO else row
    good = (
        len(head) == (10 if layout == text.ISO else 8) and head.isascii() and head.replace("-", "").isdigit()
    )
    if layout == text.COMPACT:
        good = good and "-" not in head
    elif good:
        good = head[4] == head[7] == "-" and head.count("-") == 2
    try:
        return (
            ((date.fromisoformat(head) - date(1970, 1, 1)).days, text.GOOD) if good else (UNKNOWN, text.BAD)
        )
    except ValueError:
        return UNKNOWN, text.BAD


written = st.one_of(
    st.none(),
    st.dates().map(str),
    st.dates().map(lambda d: f" {d:%Y%m%d} "),
    st.datetimes().map(str),
    st.text("0123456789-T ", max_size=9),
)


@given(st.lists(written), st.sampled_from([text.ISO, text.COMPACT]))
@example(["2021-02-30", "2020-02-29", "20200229", "2020-2-29", ""], text.ISO)
def test_dates_are_read_as_the_slow_twin_reads_them(rows: list[str | None], layout: int) -> None:
    days, state = text.read_days(*column(rows), layout)
    assert [(int(a), int(b)) for a, b in zip(days, state, strict=True)] == [
        slow_day(row, layout) for row in rows
    ]


decimals = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=6).map(
    lambda value: f"{value:f}"
)


@given(
    st.lists(
        st.one_of(
            st.none(),
            decimals,
            st.sampled_from(["", " 7,5 ", "x", "1,2,3", "-", "--1", ">90", "1e5", ",5", "5,"]),
        )
    )
)
def test_decimal_numbers_are_fixed_point_with_halves_away_from_zero(rows: list[str | None]) -> None:
    rows = [row.replace(".", ",") if row else row for row in rows]
    values, state = text.read_fixed(*column(rows), ord(","))
    for row, value, how in zip(rows, values.tolist(), state.tolist(), strict=True):
        plain = (row or "").strip()
        if not plain:
            assert (value, how) == (MISSING, text.EMPTY)
        elif (
            plain.lstrip("-").replace(",", "", 1).isdigit()
            and plain.count("-") <= 1
            and plain.count(",") <= 1
        ):
            assert (value, how) == (
                int((Decimal(plain.replace(",", ".")) * 10_000).to_integral_value(ROUND_HALF_UP)),
                text.GOOD,
            )
        else:
            assert (value, how) == (MISSING, text.BAD)


def test_a_number_too_large_for_fixed_point_is_bad() -> None:
    assert text.read_fixed(*column(["9" * 18, "1" * 30]), ord("."))[1].tolist() == [text.BAD, text.BAD]


KEY = bytes(range(16))


@given(st.lists(st.one_of(st.none(), st.integers(1, 2**63 - 1))))
def test_tokens_of_sixteen_hexadecimal_digits(values: list[int | None]) -> None:
    rows = [None if value is None else f"{value:016x}" for value in values]
    found, state = text.read_tokens(*column(rows), KEY)
    assert found.tolist() == [value or 0 for value in values]
    assert state.tolist() == [text.EMPTY if value is None else text.GOOD for value in values]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=70)))
@example(["12", " 12 ", "f" * 16, "F" * 16, "g" * 16, "a" * 128, "a" * 129, "0" * 16, "\x7f", "a\0"])
def test_other_tokens_are_hashed_byte_for_byte(rows: list[str]) -> None:
    found, state = text.read_tokens(*column(list(rows)), KEY)
    for row, token, how in zip(rows, found.tolist(), state.tolist(), strict=True):
        plain = row.strip(" ").encode()
        digits = len(plain) == 16 and all(c in b"0123456789abcdefABCDEF" for c in plain)
        if not plain:
            assert (token, how) == (0, text.EMPTY)
        elif digits and int(plain, 16) < 2**63:
            assert (token, how) == (int(plain, 16), text.GOOD if int(plain, 16) else text.BAD)
        elif len(plain) > text.TOKEN_BYTES or min(plain) < 32 or 127 in plain:
            assert (token, how) == (0, text.BAD)
        else:
            plain = plain.lower() if digits else plain
            assert (token, how) == (int(hash_rows(np.array([plain]), KEY)[0]), text.GOOD)


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)), st.integers(1, 8)
)
def test_a_long_text_is_cut_between_characters(rows: list[str], width: int) -> None:
    found = text.fixed_width(*column(list(rows)), width).view(f"S{width}").reshape(-1)
    for row, got in zip(rows, found.tolist(), strict=True):
        plain = row.strip(" ").encode()
        kept = plain[:width].decode(errors="ignore") if len(plain) > width else plain.decode()
        assert got.decode() == kept
