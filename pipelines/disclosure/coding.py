"""The codes of one column of a table, each spelt in one way."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.disclosure.spelling import Lookalikes, Missing, alike, any_like
from pipelines.errors import DataError
from pipelines.files import people


@dataclass(frozen=True)
class Coding:
    """`names`: codes, ascending. `codes`: int32 (rows,), places in `names`. `united`: spellings that became
    one with another. `missing`: rows that got the code of those without one."""

    names: list[str]
    codes: np.ndarray
    united: int
    missing: int

    def told(self, column: str) -> list[str]:
        """What the reading changed, in words."""
        found = []
        if self.united:
            found.append(
                f"{column}: {self.united:,} codes were spelt in two ways, of composed and of decomposed "
                "letters, and are one each"
            )
        if self.missing:
            found.append(f"{column}: {self.missing:,} rows without a code have the one for missing codes")
        return found


def coding(path: Path, column: str, texts: Any, missing: Missing, lookalikes: Lookalikes) -> Coding:
    """The codes of a column `texts`, each in composed letters (form C).

    Raises `DataError`, without any code, where a row has none and `missing` names none for it, or two codes
    look alike.
    """
    coded = people.code([texts], people.trimmed)
    spellings = [unicodedata.normalize("NFC", each) for each in coded.texts()]
    none = [missing.stands_for_none(each) for each in spellings]
    held = {each for each, gone in zip(spellings, none, strict=True) if not gone}
    united = len(spellings) - sum(none) - len(held)
    rows = _without(coded.codes, none)
    if rows and missing.code is None:
        words = "" if not any(none) else " (NA, NaN, NULL and their like are none)"
        raise DataError(
            path,
            f"{rows:,} rows have no {column}{words}",
            "leave them out, or name the one code that they get, as missing: {code: unknown}; where such a "
            "word is a code, say which words are none, as missing: {words: []}",
        )
    if rows:
        held.add(str(missing.code))
    names = sorted(held)
    if lookalikes == "refused" and (number := alike(names)):
        raise DataError(
            path,
            f"{column} holds {number:,} codes that look like another one: they differ in letter case, "
            "blanks, dashes, unseen characters or letters of another alphabet alone",
            "spell each code in one way; where they are different codes, say lookalikes: distinct",
        )
    place_of = {name: place for place, name in enumerate(names)}
    places = [
        place_of[str(missing.code) if gone else each] for each, gone in zip(spellings, none, strict=True)
    ]
    last = place_of[str(missing.code)] if rows else -1
    return Coding(names, np.array([*places, last], np.int32)[coded.codes], united, rows)


def _without(codes: np.ndarray, none: list[bool]) -> int:
    return int(np.array([*none, True])[codes].sum())


def check_margin(path: Path, column: str, names: list[str], margin: str) -> None:
    """Raise `DataError` where a code looks like the name of the margins."""
    if any_like(margin, names):
        raise DataError(
            path,
            f"{column} holds a code that reads as {margin}, which names the margins",
            "leave margins out; where it is no margin, name these otherwise, as margin: All",
        )
