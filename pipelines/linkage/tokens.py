"""What of a value goes into a filter: its tokens, so chosen that two spellings of one value have most of them
in common."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final, Literal

import numpy as np

from kernels.strings import fold, sounds

Kind = Literal["name", "date", "code", "text"]

# Tokens of a common value, from which the hashes per token follow: they are part of the format, not of the
# data.
TYPICAL: Final[dict[Kind, int]] = {"name": 7, "date": 8, "code": 8, "text": 16}

_PLAIN: Final = str.maketrans({"Ø": "O", "Æ": "A", "Œ": "O", "Ł": "L", "Đ": "D", "Þ": "T", "Ð": "D"})
_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_NAME_WIDTH: Final = 64


def normal(value: str, kind: Kind) -> str:
    """One spelling for all ways of writing: upper case, no diacritics, single blanks; for names letters
    alone, for codes no blanks.

    Empty where nothing is left. A date comes out as YYYY-MM-DD; empty if it is none.
    """
    if kind == "date":
        return _normal_date(value)
    folded = unicodedata.normalize("NFKD", value.upper().translate(_PLAIN))
    letters = [
        c if c.isalnum() and not (kind == "name" and c.isdigit()) else " "
        for c in folded
        if not unicodedata.combining(c) and c != "'"
    ]
    return ("" if kind == "code" else " ").join("".join(letters).split())


def _normal_date(value: str) -> str:
    found = _DATE.match(value.strip())
    try:
        return date(*map(int, found.groups())).isoformat() if found else ""
    except ValueError:
        return ""


def tokens(plain: str, kind: Kind, q: int) -> list[str]:
    """The distinct tokens of a value that `normal` has passed, in a fixed order.

    Names: the q-grams of each part, padded, so that parts may come in any order. Text: the q-grams of the
    whole. Codes: each character with its place. Dates: day and year with their neighbours, so that a slip by
    one costs a third; the month; day and month in either order, so that a swap costs little.
    """
    if not plain:
        return []
    if kind == "date":
        year, month, day = map(int, plain.split("-"))
        found = [f"D{day + step}" for step in (-1, 0, 1)] + [f"Y{year + step}" for step in (-1, 0, 1)]
        found += [f"M{month}", f"S{min(day, month)}-{max(day, month)}"]
    elif kind == "code":
        found = [f"{place}:{letter}" for place, letter in enumerate(plain)]
    else:
        pad = "_" * (q - 1)
        parts = plain.split() if kind == "name" else [plain]
        padded = [f"{pad}{part}{pad}" for part in parts]
        found = [each[k : k + q] for each in padded for k in range(len(each) - q + 1)]
    return list(dict.fromkeys(found))


def coarse(plain: list[str], kind: Kind) -> list[str]:
    """What a keyed blocking token or a salt takes of each value: a name's sound, a date's year, else the
    whole; empty if unknown."""
    if kind == "date":
        return [value[:4] for value in plain]
    if kind != "name" or not plain:
        return plain
    symbols = np.array([value.encode()[:_NAME_WIDTH] for value in plain], f"S{_NAME_WIDTH}")
    heard = sounds(fold(symbols.view(np.uint8).reshape(len(plain), _NAME_WIDTH)), 3)
    return [f"{sound:x}" if sound else "" for sound in heard.tolist()]
