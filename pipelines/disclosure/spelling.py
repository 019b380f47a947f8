"""How the codes of a column are spelt: what stands for no code, and which two are one to whoever reads them.

Two spellings of one code are two rows in a table, so that a group of many looks like one of few, and readers
add what the table does not. Composed and decomposed letters (Unicode Standard Annex 15, form C) are one
spelling. Codes that differ in nothing but letter case, blanks, dashes, characters that nobody sees, or
letters of another alphabet that look the same (after Unicode Technical Standard 39, of which the Greek and
Cyrillic letters that print like Latin ones are taken) are refused: which of them is meant, their owner knows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from pydantic import Field

from pipelines.files.yaml import Strict

Lookalikes = Literal["refused", "distinct"]

# What R, pandas, SAS, SPSS, SQL and spreadsheets write where there is nothing; letter case does not matter.
WORDS: Final = ("NA", "N/A", "#N/A", "#NA", "<NA>", "NaN", "-NaN", "NaT", "NULL", "#NULL!", ".", "None")
_LIKE_LATIN: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТУХҮԌԚԜаеѕіјорсухһԁԛԝӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανρικυχ",
    "ABESIJKMHOPCTYXYGQWaesijopcyxhdqwlABEZHIKMNOPTYXoavpikux",
)


class Missing(Strict):
    """What becomes of rows without a code. `code`: the one code that all of them get; where absent, they are
    refused. `words`: what stands for no code, besides nothing at all, whatever its letter case."""

    code: str | None = Field(None, min_length=1)
    words: list[str] = Field(list(WORDS))

    def stands_for_none(self, text: str) -> bool:
        """Is it one of the words?"""
        return text.casefold() in {word.casefold() for word in self.words}


def alike(codes: Sequence[str]) -> int:
    """How many of distinct `codes` look like one before them."""
    if all(each.isascii() for each in codes):
        return len(codes) - len({_plain(each) for each in codes})
    seen: set[str] = set()
    number = 0
    for each in codes:
        looks = looks_of(each)
        number += bool(looks & seen)
        seen |= looks
    return number


def any_like(name: str, codes: Iterable[str]) -> bool:
    """Does one of `codes` look like `name`?"""
    looks = looks_of(name)
    return any(looks & looks_of(each) for each in codes)


def looks_of(code: str) -> set[str]:
    """What two codes that look alike have in common: the code without case and blanks, in its own letters and
    in the Latin ones that they look like."""
    text = unicodedata.normalize("NFKC", code)
    text = "".join(_seen(letter) for letter in text)
    return {_plain(text), _plain(text.translate(_LIKE_LATIN))}


def _seen(letter: str) -> str:
    kind = unicodedata.category(letter)
    return (
        ""
        if kind in ("Cf", "Cc", "Mn") and not unicodedata.combining(letter)
        else ("-" if kind == "Pd" else letter)
    )


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text.casefold()).split())
