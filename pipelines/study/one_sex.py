"""Diagnoses that only one sex can have, by ICD-10, as a rule on structural zeros names them.

The categories are those of the World Health Organization's lists of categories limited to, or more likely to
occur in, one sex (ICD-10, Volume 2, 2019), of which those alone are taken that are about an organ or a state
that one sex alone has.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Final

from pipelines.cubes.policy import OneSex

_LIST: Final = Path(__file__).parent / "code_lists" / "icd10_one_sex.csv"
_BLOCK: Final = re.compile(r"([A-Z]\d\d)-([A-Z]?\d\d)")


@cache
def categories(name: OneSex) -> frozenset[str]:
    """The categories of three characters, and subcategories of four, of one of the lists."""
    with _LIST.open(encoding="utf-8", newline="") as source:
        rows = [row for row in csv.DictReader(source) if f"icd10-{row['only']}" == name]
    return frozenset(code for row in rows for code in _between(row["from"], row["to"]))


def held(name: OneSex, code: str) -> bool:
    """Is all that `code` stands for on the list? A code as it is written, with or without its system and its
    point, or a block of categories (C60-C63)."""
    bare = code.rpartition("/")[2].replace(".", "").replace(" ", "").upper()
    listed = categories(name)
    if block := _BLOCK.fullmatch(bare):
        first, last = block[1], block[2] if len(block[2]) == 3 else block[1][0] + block[2]
        inside = _between(first, last)
        return bool(inside) and all(each in listed for each in inside)
    return any(bare[:length] in listed for length in (3, 4))


def _between(first: str, last: str) -> list[str]:
    """Codes of one length from the first to the last, both of one letter."""
    if first[0] != last[0] or len(first) != len(last):
        return []
    width = len(first) - 1
    return [f"{first[0]}{number:0{width}}" for number in range(int(first[1:]), int(last[1:]) + 1)]
