"""Identity numbers: published examples, a slow twin, and two libraries as oracles where they dare answer."""

from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from personnummer.personnummer import parse
from stdnum.exceptions import ValidationError
from stdnum.se import personnummer as stdnum

from kernels import identity
from pipelines.files.schemas import NUMBER_KINDS

EPOCH = date(1970, 1, 1)
UNKNOWN = -(2**31)
TODAY = (date(2025, 9, 1) - EPOCH).days


def one(text: str, day: int = TODAY) -> tuple[str, str, int, int, bool]:
    found = identity.normalise(np.array([text.encode()]), np.array([day], np.int32))
    return (
        found.number[0].decode(),
        NUMBER_KINDS[found.kind[0]],
        int(found.birth_day[0]),
        int(found.sex[0]),
        bool(found.checksum_ok[0]),
    )


def days(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


@pytest.mark.parametrize(
    ("written", "number", "kind", "birth", "sex"),
    [
        ("19640823-3234", "196408233234", "personnummer", "1964-08-23", 1),
        ("196408233234", "196408233234", "personnummer", "1964-08-23", 1),
        ("640823-3234", "196408233234", "personnummer", "1964-08-23", 1),
        ("  6408233234 ", "196408233234", "personnummer", "1964-08-23", 1),
        ("121212-1212", "201212121212", "personnummer", "2012-12-12", 1),
        ("121212+1212", "191212121212", "personnummer", "1912-12-12", 1),
        ("19121212+1212", "191212121212", "personnummer", "1912-12-12", 1),
        ("640883-3231", "196408833231", "samordningsnummer", "1964-08-23", 1),
        (
            "991981000010",
            "991981000010",
            "reserve_stockholm",
            None,
            1,
        ),  # the next eight stand in Inera's lists
        ("991945000023", "991945000023", "reserve_stockholm", None, 2),
        ("991993000032", "991993000032", "reserve_stockholm", None, 1),
        ("19810829M071", "19810829M071", "reserve_vgr", None, 1),
        ("19450829k088", "19450829K088", "reserve_vgr", None, 2),
        ("19930829X802", "19930829X802", "reserve_vgr", None, 0),
        ("22810829AB15", "22810829AB15", "reserve_national", None, 1),
        ("00452345ZZB5", "00452345ZZB5", "reserve_national", None, 0),
    ],
)
def test_the_forms_that_are_in_use(written: str, number: str, kind: str, birth: str | None, sex: int) -> None:
    assert one(written) == (number, kind, days(birth) if birth else UNKNOWN, sex, True)


@pytest.mark.parametrize(
    ("written", "on", "century"),
    [
        ("251115+", "2025-01-01", "19"),
        ("251115+", "2025-09-01", "19"),
        ("251115+", "2025-12-31", "19"),
        ("250301+", "2025-09-01", "19"),
        ("251231+", "2026-01-01", "19"),
        ("241115+", "2025-09-01", "19"),
        ("261115+", "2025-12-31", "18"),
        ("261115+", "2026-01-01", "19"),
        ("251115-", "2024-12-31", "19"),
        ("251115-", "2025-09-01", "19"),
        ("250301-", "2025-09-01", "20"),
    ],
)
def test_a_hyphen_becomes_a_plus_in_the_year_in_which_a_person_turns_a_hundred(
    written: str, on: str, century: str
) -> None:
    number = valid(f"{written[:6]}981")
    assert one(written + number[6:], days(on))[0] == century + number


@pytest.mark.parametrize(
    "text",
    ["19640823-3235", "196402303234", "19640823323", "x", "64-08233234", "22810829AO15", "196408233234 1"],
)
def test_what_is_not_a_number_has_no_birth_day_and_no_sex(text: str) -> None:
    _, kind, birth, sex, ok = one(text)
    assert (kind, birth, sex) == ("invalid", UNKNOWN, 0)
    assert not ok or text == "196402303234"


def test_a_wrong_check_digit_on_a_reserve_number_is_a_warning() -> None:
    assert one("991981000011") == ("991981000011", "reserve_stockholm", UNKNOWN, 1, False)


def test_a_samordningsnummer_may_leave_out_the_day() -> None:
    body = "640800"
    digit = identity.luhn(np.array([int(c) for c in "640860323"]), 0, 9)
    assert one(f"19{body[:4]}60323{digit}") == (f"19640860323{digit}", "samordningsnummer", UNKNOWN, 1, True)


def test_the_kinds_are_those_of_the_schema() -> None:
    assert NUMBER_KINDS[: identity.INVALID + 1] == (
        "none",
        "personnummer",
        "samordningsnummer",
        "reserve_stockholm",
        "reserve_vgr",
        "reserve_national",
        "invalid",
    )


# ---- slow twin ---------------------------------------------------------------------------------------------


def slow_luhn(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return -total % 10


def slow(text: str, day: int) -> tuple[str, str, int, int, bool]:
    text = text.strip().upper()
    if not text:
        return "", "none", UNKNOWN, 0, True
    bad = ("", "invalid", UNKNOWN, 0, False)
    if not (found := re.fullmatch(r"(\d\d)?(\d{6})([-+]?)(\d{4})", text)):
        if match := re.fullmatch(r"((?:18|19|20|21)\d{6})[-+]?([KMX])(\d\d)(\d)", text):
            head, letter, running, digit = match.groups()
            number = head + letter + running + digit
            ok = slow_luhn(head[2:] + {"K": "5", "M": "7", "X": "8"}[letter] + running) == int(digit)
            return number, "reserve_vgr", UNKNOWN, {"M": 1, "K": 2, "X": 0}[letter], ok
        if match := re.fullmatch(
            r"((?:00|2[2-9]|[3-8]\d|9[0-8])\d{6})[-+]?([A-HJ-NPR-UX-Z]{2})([0-9A-Z])(\d)", text
        ):
            sex = match[3]
            return (
                "".join(match.groups()),
                "reserve_national",
                UNKNOWN,
                (2 - int(sex) % 2) if sex.isdigit() else 0,
                True,
            )
        return bad
    century, short, sign, last = found.groups()
    if century is None:
        month, of_month = (1, 1) if sign == "+" else (int(short[2:4]), int(short[4:6]))
        of_month -= 60 if of_month >= 60 else 0
        for guess in (21, 20, 19, 18):
            first = (date(guess * 100 + int(short[:2]), 1, 1) - EPOCH).days
            lengths = [
                31,
                29 if (date(guess * 100 + int(short[:2]) + 1, 1, 1) - EPOCH).days - first == 366 else 28,
            ]
            lengths += [31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            century = str(guess)
            if first + sum(lengths[: min(12, max(1, month)) - 1]) + max(1, of_month) - 1 <= day:
                break
        if sign == "+" and century != "18":
            century = str(int(century) - 1)
    number = century + short + last
    if century == "99":
        return (
            number,
            "reserve_stockholm",
            UNKNOWN,
            2 - int(number[10]) % 2,
            slow_luhn(number[4:11]) == int(number[11]),
        )
    if century not in ("18", "19", "20", "21"):
        return bad
    ok = slow_luhn(number[2:11]) == int(number[11])
    kind, of_month, birth = "personnummer", int(number[6:8]), UNKNOWN
    month = int(number[4:6])
    if of_month >= 60:
        kind, of_month = "samordningsnummer", of_month - 60
    if not (
        kind == "samordningsnummer" and ((month == 0 and of_month <= 31) or (of_month == 0 and month <= 12))
    ):
        try:
            birth = (date(int(number[:4]), month, of_month) - EPOCH).days
        except ValueError:
            kind = "invalid"
    if kind == "invalid" or not ok:
        return number, "invalid", UNKNOWN, 0, ok
    return number, kind, birth, 2 - int(number[10]) % 2, ok


def valid(body: str) -> str:
    return body + str(slow_luhn(body[-9:]))


dated = st.builds(
    lambda day, shift, serial: f"{day:%Y%m}{day.day + shift:02d}{serial:03d}",
    st.dates(date(1890, 1, 1), date(2025, 8, 1)),
    st.sampled_from([0, 60]),
    st.integers(0, 999),
).map(valid)
forms = st.sampled_from(
    [
        lambda n: n,
        lambda n: f"{n[:8]}-{n[8:]}",
        lambda n: n[2:],
        lambda n: f"{n[2:8]}-{n[8:]}",
        lambda n: f"{n[2:8]}+{n[8:]}",
    ]
)
near = st.builds(
    lambda number, form, place, c: (
        lambda text: text[: place % len(text)] + c + text[place % len(text) + 1 :]
    )(form(number)),
    dated,
    forms,
    st.integers(0, 12),
    st.sampled_from("0123456789KMXA-+ "),
)
reserve = st.from_regex(
    r"(99(19|20)\d{8}|(19|20)\d{6}-?[KMX]\d{3}|(2[23]|00)\d{6}-?[A-Z]{2}[0-9A-Z]\d)",
    fullmatch=True,
    alphabet=st.characters(codec="ascii"),
)


@given(
    st.one_of(
        st.builds(lambda number, form: form(number), dated, forms),
        near,
        reserve,
        st.text("0123456789-+KMXAZ ", max_size=14),
    )
)
@example("6408233234")
@example("260101-2384")
@example("2250000000")
def test_the_slow_twin_agrees(text: str) -> None:
    assert one(text) == slow(text, TODAY)


@given(dated)
def test_stdnum_agrees_where_it_answers(number: str) -> None:
    """python-stdnum knows no samordningsnummer, and tells birth dates by its own clock."""
    _, kind, birth, sex, _ = one(number)
    try:
        stdnum.validate(f"{number[:8]}-{number[8:]}")
    except ValidationError:
        assert kind != "personnummer"
        return
    assert kind == "personnummer"
    assert EPOCH + timedelta(birth) == stdnum.get_birth_date(f"{number[:8]}-{number[8:]}")
    assert {1: "M", 2: "F"}[sex] == stdnum.get_gender(f"{number[:8]}-{number[8:]}")


@given(dated)
def test_personnummer_agrees_where_it_answers(number: str) -> None:
    """The package personnummer refuses reserve numbers; it knows the serial 000 as invalid, which it never is
    here."""
    _, kind, _, sex, _ = one(number)
    if number[8:11] == "000":
        return
    theirs = parse(number)
    assert (kind == "samordningsnummer") == theirs.is_coordination_number()
    assert {1: "male", 2: "female"}[sex] == ("male" if theirs.is_male() else "female")
    assert one(theirs.format(True))[0] == number


def test_many_rows_are_each_read_alone() -> None:
    rows = np.array([b"19640823-3234", b"", b"991981000010", b"121212+1212"] * 50)
    found = identity.normalise(rows, np.full(200, TODAY, np.int32))
    assert (found.number.reshape(50, 4) == found.number[:4]).all()
    with pytest.raises(ValueError, match="differ in number"):
        identity.normalise(rows, np.zeros(3, np.int32))
