"""Swedish identity numbers: personnummer, samordningsnummer and the reserve numbers of Stockholm, Västra
Götaland and the nation.

Canonical form: twelve characters, century first, no separator, upper case.

==================  ================  =================================  =====================================
kind                form              checksum                           sex
==================  ================  =================================  =====================================
personnummer        yyyymmddNNNC      Luhn over characters 3-11          character 11, odd for men
samordningsnummer   day + 60          the same                           the same
reserve, Stockholm  99yyyyNNNNNC      Luhn over characters 5-11          character 11, odd for men
reserve, VGR        yyyymmdd[KMX]NNC  Luhn over 3-11, K M X as 5 7 8     the letter; X says nothing
reserve, national   XXyymmddAANGC     not published: taken as it stands  character 11 if a digit, odd for men
==================  ================  =================================  =====================================

The national reserve number has 00 or 22-98 for XX and two letters of A-Z without I, O, Q, V, W. Sources:
Skatteverket SKV 704 and 707; Inera, Lokala reservidentiteter and Nationellt reservidformat.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.days import day_number, month_length
from kernels.jit import compiled, inlined

NONE, PERSONNUMMER, SAMORDNINGSNUMMER, RESERVE_STOCKHOLM, RESERVE_VGR, RESERVE_NATIONAL, INVALID = range(7)
WIDTH = 12
_UNKNOWN_DAY = -(2**31)


class Numbers(NamedTuple):
    """What `normalise` finds. `checksum_ok` is False where a check digit is there and wrong.

    `number`: bytes ``S12`` (n,), empty if missing or not of a known shape; a number of the right shape with
    an impossible date or a wrong check digit is kept, as `INVALID`, for comparison. `kind`: int8 (n,).
    `birth_day`: int32 (n,), days since 1970-01-01, −2³¹ if unknown, which it always is for a reserve number.
    `sex`: int8 (n,), 0 unknown, 1 man, 2 woman. `checksum_ok`: bool (n,).
    """

    number: np.ndarray
    kind: np.ndarray
    birth_day: np.ndarray
    sex: np.ndarray
    checksum_ok: np.ndarray


def normalise(rows: np.ndarray, reference_day: np.ndarray) -> Numbers:
    """Identity numbers in any of their written forms, made canonical.

    `rows`: bytes ``S{w}`` (n,), blanks around are ignored. `reference_day`: int32 (n,), the day by which the
    person was born: a form of ten digits means the latest such birth day, and with a plus sign the one a
    hundred years before it. Raises ValueError if the two differ in number.
    """
    if len(rows) != len(reference_day):
        raise ValueError("rows and reference days differ in number")
    width = max(1, rows.dtype.itemsize)
    text = np.ascontiguousarray(rows, f"S{width}").view(np.uint8).reshape(len(rows), width)
    number, kind, birth_day, sex, checksum_ok = _normalise(text, np.asarray(reference_day, np.int32))
    return Numbers(number.reshape(-1).view(f"S{WIDTH}"), kind, birth_day, sex, checksum_ok)


@compiled
def luhn(digits: np.ndarray, first: int, stop: int) -> int:
    """The check digit (ISO/IEC 7812-1) over `digits[first:stop]`, weights 2 1 2 … from the last to the first.
    `digits`: int64 (characters,), 0 to 9."""
    total = 0
    for position in range(first, stop):
        value = digits[position] * (2 if (stop - 1 - position) % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return (10 - total % 10) % 10


@compiled
def _compact(text: np.ndarray, out: np.ndarray) -> tuple[int, bool]:
    """Characters without blanks and separator into `out`: how many, −1 if they cannot be a number; and
    whether a plus sign was there."""
    last = len(text)
    while last > 0 and (text[last - 1] == 0 or text[last - 1] == 32):
        last -= 1
    count, plus, separator = 0, False, -1
    for position in range(last):
        c = int(text[position])
        if c == 32 and count == 0:
            continue
        if c == 45 or c == 43:  # minus, plus
            if separator >= 0:
                return -1, False
            separator, plus = count, c == 43
            continue
        if 97 <= c <= 122:
            c -= 32
        if count == WIDTH or not (48 <= c <= 57 or 65 <= c <= 90):
            return -1, False
        out[count] = c
        count += 1
    if separator >= 0 and separator != count - 4:
        return -1, False
    return count, plus


@inlined
def _pair(text: np.ndarray, place: int) -> int:
    return 10 * int(text[place]) + int(text[place + 1]) - 528  # two digits: 528 is 11 times the code of 0


@compiled
def _with_century(out: np.ndarray, plus: bool, reference_day: int) -> None:
    """Ten digits to twelve: the latest century whose birth day is not after the reference day.

    With a plus sign one earlier, counted from New Year: the hyphen becomes a plus in the year in which a
    person turns a hundred.
    """
    for position in range(9, -1, -1):
        out[position + 2] = out[position]
    short, month, day = _pair(out, 2), _pair(out, 4), _pair(out, 6)
    if day >= 60:
        day -= 60
    if plus:
        month, day = 1, 1
    century = 21
    while (
        century > 18
        and day_number(century * 100 + short, min(12, max(1, month)), max(1, day)) > reference_day
    ):
        century -= 1
    if plus and century > 18:
        century -= 1
    out[0], out[1] = 48 + century // 10, 48 + century % 10


@compiled
def _dated(digits: np.ndarray) -> tuple[int, int]:
    """Kind and birth day of twelve digits that begin with a year: a samordningsnummer may leave month or day
    out."""
    year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3]
    month, day = digits[4] * 10 + digits[5], digits[6] * 10 + digits[7]
    kind = PERSONNUMMER
    if day >= 60:
        kind, day = SAMORDNINGSNUMMER, day - 60
        if (month == 0 and day <= 31) or (day == 0 and month <= 12):
            return kind, _UNKNOWN_DAY
    if day < 1 or day > month_length(year, month):
        return INVALID, _UNKNOWN_DAY
    return kind, day_number(year, month, day)


@compiled
def _shape(out: np.ndarray) -> int:
    """What kind of number twelve characters have the shape of; `INVALID` for none."""
    for position in range(8):
        if out[position] > 57:
            return INVALID
    if out[11] > 57:
        return INVALID
    letters = (out[8] > 57) + 2 * (out[9] > 57) + 4 * (out[10] > 57)
    head = _pair(out, 0)
    if letters == 0:
        if head == 99:
            return RESERVE_STOCKHOLM
        return PERSONNUMMER if 18 <= head <= 21 else INVALID
    if letters == 1 and (out[8] == 75 or out[8] == 77 or out[8] == 88) and 18 <= head <= 21:
        return RESERVE_VGR
    if letters & 3 == 3 and (head == 0 or 22 <= head <= 98):
        for position in range(8, 10):
            c = out[position]
            if c == 73 or c == 79 or c == 81 or c == 86 or c == 87:
                return INVALID
        return RESERVE_NATIONAL
    return INVALID


@compiled
def _normalise(
    text: np.ndarray, reference_day: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n = len(text)
    number = np.zeros((n, WIDTH), np.uint8)
    kind = np.zeros(n, np.int8)
    birth_day = np.full(n, _UNKNOWN_DAY, np.int32)
    sex = np.zeros(n, np.int8)
    checksum_ok = np.ones(n, np.bool_)
    out, digits = np.zeros(WIDTH, np.uint8), np.zeros(WIDTH, np.int64)
    for i in range(n):
        count, plus = _compact(text[i], out)
        if count == 0:
            continue
        kind[i] = INVALID
        checksum_ok[i] = False
        if count == 10:
            for position in range(10):
                if out[position] > 57:
                    count = -1
            if count == 10:
                _with_century(out, plus, reference_day[i])
                count = WIDTH
        if count != WIDTH:
            continue
        shape = _shape(out)
        if shape == INVALID:
            continue
        number[i] = out
        for position in range(WIDTH):
            digits[position] = int(out[position]) - 48 if out[position] <= 57 else 0
        odd = 1 if digits[10] % 2 == 1 else 2
        if shape == PERSONNUMMER:
            shape, born = _dated(digits)
            checksum_ok[i] = luhn(digits, 2, 11) == digits[11]
            if shape != INVALID and checksum_ok[i]:
                kind[i], birth_day[i], sex[i] = shape, born, odd
            continue
        kind[i] = shape
        if shape == RESERVE_STOCKHOLM:
            checksum_ok[i] = luhn(digits, 4, 11) == digits[11]
            sex[i] = odd
        elif shape == RESERVE_VGR:
            letter = out[8]
            digits[8] = 5 if letter == 75 else 7 if letter == 77 else 8
            checksum_ok[i] = luhn(digits, 2, 11) == digits[11]
            sex[i] = 2 if letter == 75 else 1 if letter == 77 else 0
        else:
            checksum_ok[i] = True
            sex[i] = odd if out[10] <= 57 else 0
    return number, kind, birth_day, sex, checksum_ok
