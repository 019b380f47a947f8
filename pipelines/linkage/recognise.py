"""What a table's columns hold, told from their names and values: names, dates, codes, categories, free text;
and what is no evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from pipelines.files import people
from pipelines.files.people import Coded
from pipelines.linkage.encode import parsed_dates

_ANSWER: Final = re.compile(
    r"^(true_?|gold_?)?(cluster|label|truth|person|entity|group)(_?(id|nr|no|label))?$", re.IGNORECASE
)
_ROW_NAME: Final = re.compile(
    r"(^|_)(unique_|rec_|row_|record_)?id$|^(index|row|rownumber|rowid|record)$", re.IGNORECASE
)
_OF_PERSON: Final = re.compile(r"soc|sec|ssn|pers|pat|nat|nin|nhs|pnr", re.IGNORECASE)
_NAME: Final = re.compile(r"name|given|family|fore|last|sur|first|middle|maiden|namn", re.IGNORECASE)
_SAMPLE: Final = 5000
_SHARE: Final = 0.02  # of the smaller vocabulary, from which two columns hold the same kind of words


@dataclass(frozen=True)
class Column:
    """A column. `kind`: name, text, code, email, category or date. `distinct`: values; `missing`: share of
    rows. `composite`: does it only put together what other columns say? `shared_with`: columns in which its
    values stand as well."""

    name: str
    kind: str
    distinct: int
    known: int
    missing: float
    composite: bool = False
    shared_with: tuple[str, ...] = field(default=())

    def rare(self) -> bool:
        """Do few records share a value?"""
        return self.known > 0 and self.distinct > 0.2 * self.known


def recognise(
    paths: Sequence[Path], names: Sequence[str], find_id: bool
) -> tuple[dict[str, Column], dict[str, str], str | None]:
    """The columns that can be compared, why others cannot, and with `find_id` the column that names the
    records."""
    columns: dict[str, Column] = {}
    skipped: dict[str, str] = {}
    coded: dict[str, Coded] = {}
    found_id = None
    for name in names:
        each = people.code([people.read_text(path, [name])[name] for path in paths], people.tidy)
        known, distinct, n = int((each.codes >= 0).sum()), len(each.values), len(each.codes)
        if _ANSWER.match(name):
            skipped[name] = "left out: its name says that it holds the answer"
        elif known == 0:
            skipped[name] = "left out: it is empty"
        elif distinct < 2:
            skipped[name] = "left out: all rows say the same"
        elif _names_rows(name, distinct, known, n):
            skipped[name] = "left out: it numbers the rows"
            found_id = found_id or (name if find_id and distinct == n else None)
        else:
            columns[name] = Column(name, _kind(name, each, known), distinct, known, 1 - known / max(n, 1))
            coded[name] = each
    columns = {name: _beside(column, columns, coded) for name, column in columns.items()}
    skipped |= {
        name: "left out: other columns say the same in parts"
        for name, column in columns.items()
        if column.composite
    }
    return columns, skipped, found_id


def _names_rows(name: str, distinct: int, known: int, n: int) -> bool:
    return (
        distinct > 0.98 * known
        and known > 0.98 * n
        and bool(_ROW_NAME.search(name))
        and not _OF_PERSON.search(name)
    )


def _kind(name: str, each: Coded, known: int) -> str:
    texts = [text for text in each.values[:_SAMPLE].to_pylist() if text]
    with_digit = np.mean([any(letter.isdigit() for letter in text) for text in texts])
    if (parsed_dates(texts) >= 0).mean() > 0.9:
        return "date"
    if np.mean(["@" in text for text in texts]) > 0.5:
        return "email"
    if len(each.values) <= max(20, 0.002 * known):
        return "category"
    if with_digit > 0.7:
        return "code"
    return "name" if _NAME.search(name) else "text"


def _beside(column: Column, columns: dict[str, Column], coded: dict[str, Coded]) -> Column:
    """The column in the light of the others of its kind."""
    if column.kind not in ("name", "text"):
        return column
    alike = [
        other.name for other in columns.values() if other.kind == column.kind and other.name != column.name
    ]
    composite = column.kind == "name" and _covers(column.name, alike, coded) >= 2
    open_to = [
        other
        for other in alike
        if _covers(other, [each for each in [*alike, column.name] if each != other], coded) < 2
    ]
    mine = set(coded[column.name].texts())
    shared = [other for other in open_to if _overlap(mine, set(coded[other].texts())) > _SHARE]
    return Column(
        name=column.name,
        kind=column.kind,
        distinct=column.distinct,
        known=column.known,
        missing=column.missing,
        composite=composite,
        shared_with=tuple(shared) if not composite else (),
    )


def _overlap(first: set[str], second: set[str]) -> float:
    return len(first & second) / max(min(len(first), len(second)), 1)


def _covers(name: str, others: Sequence[str], coded: dict[str, Coded]) -> int:
    """Of how many shorter columns does this one hold all words, in nearly all rows?"""
    rows = np.linspace(0, len(coded[name].codes) - 1, min(_SAMPLE, len(coded[name].codes))).astype(np.int64)
    mine = _words(coded[name], rows)
    covered = 0
    for other in others:
        theirs = _words(coded[other], rows)
        inside = np.mean([a <= b for a, b in zip(theirs, mine, strict=True)])
        shorter = np.mean([len(each) for each in theirs]) < np.mean([len(each) for each in mine]) - 0.2
        covered += bool(inside > 0.9 and shorter)
    return covered


def _words(each: Coded, rows: np.ndarray) -> list[set[str]]:
    texts = each.texts()
    return [set(texts[code].split()) if code >= 0 else set() for code in each.codes[rows]]
