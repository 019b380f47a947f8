"""Text columns as they arrive, read into dates, fixed-point values, tokens and fixed-width bytes.

A text column is three arrays, as Arrow lays it out: `data`, uint8 (bytes,), of all rows one after the other;
`offsets`, int64 (n + 1,), where each row begins; `valid`, bool (n,), False where the row says nothing. Blanks
around a text are not part of it. Each reader returns its values and `state`, int8 (n,): `GOOD`, `EMPTY`
(nothing stands there) or `BAD` (what stands there does not read).
"""

from __future__ import annotations

import numpy as np

from kernels.days import day_number, month_length
from kernels.hashing import siphash
from kernels.jit import compiled

GOOD, EMPTY, BAD = 0, 1, 2
TOKEN_BYTES = 128  # the longest token
ISO, COMPACT = 0, 1  # yyyy-mm-dd, with or without a time of day; yyyymmdd
_UNKNOWN_DAY = -(2**31)
_MISSING = -(2**63)
_SCALE_DIGITS = 4
_LARGEST = 9 * 10**13


@compiled
def _span(data: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    while start < stop and data[start] == 32:
        start += 1
    while stop > start and data[stop - 1] == 32:
        stop -= 1
    return start, stop


@compiled
def _digits(data: np.ndarray, start: int, count: int) -> int:
    value = 0
    for position in range(start, start + count):
        c = int(data[position])
        if c < 48 or c > 57:
            return -1
        value = 10 * value + c - 48
    return value


@compiled
def read_days(
    data: np.ndarray, offsets: np.ndarray, valid: np.ndarray, layout: int
) -> tuple[np.ndarray, np.ndarray]:
    """Dates. `layout`: `ISO` or `COMPACT`. Returns int32 (n,) days since 1970-01-01, −2³¹ if there is none,
    and `state`."""
    n = len(valid)
    out, state = np.full(n, _UNKNOWN_DAY, np.int32), np.zeros(n, np.int8)
    for i in range(n):
        start, stop = _span(data, offsets[i], offsets[i + 1])
        if not valid[i] or start == stop:
            state[i] = EMPTY
            continue
        state[i] = BAD
        size = stop - start
        if layout == ISO:
            if size < 10 or data[start + 4] != 45 or data[start + 7] != 45:
                continue
            if (
                size > 10 and data[start + 10] != 32 and data[start + 10] != 84
            ):  # blank or T before the time of day
                continue
            year, month, day = (
                _digits(data, start, 4),
                _digits(data, start + 5, 2),
                _digits(data, start + 8, 2),
            )
        else:
            if size != 8:
                continue
            year, month, day = (
                _digits(data, start, 4),
                _digits(data, start + 4, 2),
                _digits(data, start + 6, 2),
            )
        if year < 1 or month < 1 or day < 1 or day > month_length(year, month):
            continue
        out[i] = day_number(year, month, day)
        state[i] = GOOD
    return out, state


@compiled
def read_fixed(
    data: np.ndarray, offsets: np.ndarray, valid: np.ndarray, decimal: int
) -> tuple[np.ndarray, np.ndarray]:
    """Decimal numbers as int64 (n,) in 1/10,000, halves away from zero, −2⁶³ if there is none; and `state`.
    `decimal`: its sign's byte."""
    n = len(valid)
    out, state = np.full(n, _MISSING, np.int64), np.zeros(n, np.int8)
    for i in range(n):
        start, stop = _span(data, offsets[i], offsets[i + 1])
        if not valid[i] or start == stop:
            state[i] = EMPTY
            continue
        negative = data[start] == 45
        if negative:
            start += 1
        value, digits, decimals, carry, good = 0, 0, -1, 0, True
        for position in range(start, stop):
            c = int(data[position])
            if c == decimal and decimals < 0:
                decimals = 0
            elif 48 <= c <= 57:
                digits += 1
                if decimals >= _SCALE_DIGITS:
                    if decimals == _SCALE_DIGITS:
                        carry = 1 if c >= 53 else 0
                elif value < _LARGEST:
                    value = 10 * value + c - 48
                else:
                    good = False
                if decimals >= 0:
                    decimals += 1
            else:
                good = False
        for _ in range(_SCALE_DIGITS - min(_SCALE_DIGITS, max(0, decimals))):
            value *= 10
        if not good or digits == 0 or value > _LARGEST * 10_000:
            state[i] = BAD
        else:
            out[i] = -(value + carry) if negative else value + carry
    return out, state


def read_tokens(
    data: np.ndarray, offsets: np.ndarray, valid: np.ndarray, key: bytes
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens that stand for a person, as positive int64 (n,), 0 if there is none; and `state`.

    Sixteen hexadecimal digits below 2⁶³ are that number: a keyed hash that the sender has computed. Any other
    text of 1 to `TOKEN_BYTES` bytes without control characters is opaque: its bytes are hashed with `key`, 16
    bytes. Sixteen hexadecimal digits are the same in either case; nothing else is changed. Sixteen zeros
    stand for nobody, and are bad.
    """
    k0, k1 = np.frombuffer(key, "<u8", 2)
    return _read_tokens(data, offsets, valid, k0, k1)  # type: ignore[no-any-return]


@compiled
def _read_tokens(
    data: np.ndarray, offsets: np.ndarray, valid: np.ndarray, k0: np.uint64, k1: np.uint64
) -> tuple[np.ndarray, np.ndarray]:
    n = len(valid)
    out, state = np.zeros(n, np.int64), np.zeros(n, np.int8)
    plain = np.zeros(TOKEN_BYTES, np.uint8)
    for i in range(n):
        start, stop = _span(data, offsets[i], offsets[i + 1])
        size = stop - start
        if not valid[i] or size == 0:
            state[i] = EMPTY
            continue
        if size > TOKEN_BYTES:
            state[i] = BAD
            continue
        value, digits, good = np.uint64(0), size == 16, True
        for position in range(start, stop):
            c = int(data[position])
            plain[position - start] = c
            digit = c - 48 if 48 <= c <= 57 else c - 87 if 97 <= c <= 102 else c - 55 if 65 <= c <= 70 else 99
            digits = digits and digit < 16
            good = good and c >= 32 and c != 127
            if digits:
                value = np.uint64(value * np.uint64(16) + np.uint64(digit))
        if digits:
            for j in range(size):
                plain[j] += 32 if 65 <= plain[j] <= 70 else 0
        if digits and value < np.uint64(1 << 63):
            out[i] = np.int64(value)
        elif good:
            out[i] = max(np.int64(1), np.int64(siphash(plain, size, k0, k1) & np.uint64(0x7FFFFFFFFFFFFFFF)))
        if out[i] == 0:
            state[i] = BAD
    return out, state


@compiled
def fixed_width(data: np.ndarray, offsets: np.ndarray, valid: np.ndarray, width: int) -> np.ndarray:
    """The texts as uint8 (n, width), zeros behind; one that is longer is cut before the UTF-8 character that
    does not fit."""
    n = len(valid)
    out = np.zeros((n, width), np.uint8)
    for i in range(n):
        if not valid[i]:
            continue
        start, stop = _span(data, offsets[i], offsets[i + 1])
        size = stop - start
        if size > width:
            size = width
            while size > 0 and data[start + size] & 0xC0 == 0x80:
                size -= 1
        for j in range(size):
            out[i, j] = data[start + j]
    return out
