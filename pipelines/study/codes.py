"""Code systems: what a code must look like, what it lies under, and the labels that stand for it in every
file.

A concept label is the system, a slash and the code in upper case without dots or blanks: "ICD-10-SE/E119".
Codes are hierarchical by prefix, so that "ICD-10-SE/E11" covers it; but for systems whose codes are `whole`,
SNOMED and the like, where what lies under a code is known from a delivery alone (`hierarchy.py`). The forms
of ICD-10 and ICD-9-CM share one list of chapters.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

_LISTS = Path(__file__).parent / "code_lists"


@dataclass(frozen=True)
class System:
    """A code system. `pattern`: what a normalised code looks like in full. `levels`: lengths of prefix that
    are groups of their own. `whole`: a code is no prefix of others, but stands for itself alone."""

    name: str
    title: str
    pattern: str
    levels: tuple[int, ...] = ()
    whole: bool = False

    def holds(self, code: str) -> bool:
        """Has the normalised code the form of this system?"""
        return _compiled(self.pattern).fullmatch(code) is not None


SYSTEMS = {
    system.name: system
    for system in (
        System("ICD-10", "ICD-10 of the World Health Organization", r"[A-Z]\d\d[0-9A-Z]{0,3}", (3, 4)),
        System("ICD-10-SE", "ICD-10, Swedish version", r"[A-Z]\d\d[0-9A-Z]{0,4}", (3, 4)),
        System(
            "ICD-10-CM", "ICD-10, American clinical modification", r"[A-Z]\d[0-9A-Z][0-9A-Z]{0,4}", (3, 4)
        ),
        System(
            "ICD-9-CM", "ICD-9, American clinical modification", r"\d{3}\d{0,2}|V\d{2}\d{0,2}|E\d{3}\d?", (3,)
        ),
        System("KVA", "Swedish classification of care measures", r"[A-Z]{2}\d{3}|[A-Z]{3}\d{2}", (1, 2, 3)),
        System(
            "ATC",
            "Anatomical Therapeutic Chemical classification",
            r"[A-Z](\d\d([A-Z]([A-Z](\d\d)?)?)?)?",
            (1, 3, 4, 5),
        ),
        System("LAB", "Laboratory analyses and measurements of this centre", r"[A-Z0-9]+"),
        System("SCB", "Swedish counties and municipalities", r"\d{2}|\d{4}", (2,)),
        System("VISIT", "Form of care", r"INPATIENT|OUTPATIENT|PRIMARY|EMERGENCY|UNKNOWN"),
        System("VITAL", "Birth, death and register residence", r"BIRTH|DEATH|OBSERVED|OPTOUT"),
        System("CPT4", "Current Procedural Terminology", r"\d{4}[0-9A-Z]", (3,)),
        System("HCPCS", "Healthcare Common Procedure Coding System", r"[A-Z]\d{4}", (1,)),
        System("ICD-10-PCS", "ICD-10 Procedure Coding System", r"[0-9A-HJ-NP-Z]{7}", (1, 3)),
        System("ICD-9-PROC", "ICD-9-CM procedures", r"\d{3,4}", (2,)),
        System("NDC", "National Drug Code, eleven digits", r"\d{11}", (5, 9)),
        System("SNOMED", "SNOMED CT", r"[1-9]\d{5,17}", whole=True),
        System("RxNorm", "RxNorm", r"[1-9]\d{0,8}", whole=True),
        System("RxNorm-Extension", "RxNorm Extension of OHDSI", r"OMOP\d{1,12}", whole=True),
        System(
            "LOINC", "Logical Observation Identifiers Names and Codes", r"(L[A-Z])?\d{1,8}-\d", whole=True
        ),
        System("CVX", "Vaccines administered", r"\d{1,3}", whole=True),
        System("OMOP", "Concepts of the OMOP CDM, by id", r"[1-9]\d{0,17}", whole=True),
    )
}

ICD10 = ("ICD-10", "ICD-10-SE", "ICD-10-CM")
_BY_CHAPTER = ("ICD-10", "ICD-10-SE")  # whose chapters hold every code
_HYPHENED = ("LOINC",)  # the hyphen before the check digit is part of the code


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def normal(code: str) -> str:
    """A code in upper case without dots, blanks or separators."""
    return code.upper().replace(".", "").replace(" ", "").replace("-", "")


def written(system: str, code: str) -> str:
    """A code as it stands in the labels of a system: `normal`, but with the hyphen that is part of it."""
    return code.upper().replace(" ", "") if system in _HYPHENED else normal(code)


def is_whole(label: str) -> bool:
    """Is the label a code that stands for itself alone, and so no prefix?"""
    system, _, code = label.partition("/")
    return bool(code) and system in SYSTEMS and SYSTEMS[system].whole


def covers(prefix: str, label: str) -> bool:
    """Is the label one of a prefix's, or the very code where that is whole?"""
    return label == prefix if is_whole(prefix) else label.startswith(prefix)


def known(system: str, code: str) -> bool:
    """Is the normalised code one of the system's, by list where the list is here and by form elsewhere?"""
    if not SYSTEMS[system].holds(code):
        return False
    if system in _BY_CHAPTER:
        return _within(_category(system, code), icd_chapters()) is not None
    if system == "LAB":
        return code in laboratory()
    if system == "SCB":
        return code == COUNTY or code in municipality_names()
    return True


def ancestors(concept: str) -> tuple[str, ...]:
    """Labels of the groups by prefix that a concept lies under, widest first."""
    system, _, code = concept.partition("/")
    levels = SYSTEMS[system].levels if system in SYSTEMS else ()
    if system == "ICD-9-CM" and code[:1] == "E":
        levels = (4,)
    return tuple(f"{system}/{code[:size]}" for size in levels if size < len(code))


# ---- chapters and blocks of ICD ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """A chapter or a block: its code, its first and last code of three characters, its title, and its chapter
    (itself for a chapter)."""

    code: str
    first: str
    last: str
    title: str
    chapter: str


def _rows(name: str) -> list[dict[str, str]]:
    with (_LISTS / f"{name}.csv").open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def _ends(span: str) -> tuple[str, str]:
    first, _, last = span.partition("-")
    return first, last


@cache
def icd_chapters() -> tuple[Range, ...]:
    """The twenty-two chapters of ICD-10, in order: the one list that all ICD codes share."""
    return tuple(
        Range(row["chapter"], *_ends(row["icd10"]), row["title"], row["chapter"]) for row in _rows("chapters")
    )


@cache
def icd_blocks() -> tuple[Range, ...]:
    """Blocks in order of chapter and code: those of ICD-10, then for each chapter the range of ICD-9-CM that
    falls under it."""
    found: list[Range] = []
    ten = [(*_ends(row["block"]), row) for row in _rows("icd10_blocks")]
    for chapter, row in zip(icd_chapters(), _rows("chapters"), strict=True):
        for first, last, block in sorted(ten, key=lambda each: each[0]):
            if chapter.first <= first <= chapter.last:
                code = first if first == last else block["block"]
                found.append(Range(code, first, last, block["title"], chapter.code))
        if row["icd9cm"]:
            found.append(
                Range(
                    f"ICD-9-CM {row['icd9cm']}",
                    *_ends(row["icd9cm"]),
                    f"{row['title']} (ICD-9-CM)",
                    chapter.code,
                )
            )
    return tuple(found)


def _within(head: str, ranges: Iterable[Range]) -> Range | None:
    return next(
        (each for each in ranges if len(each.first) == len(head) and each.first <= head <= each.last), None
    )


def _category(system: str, code: str) -> str:
    """The category of three characters (four for E in ICD-9-CM); a letter in third place, as in C7A, sorts
    after the digits."""
    if system == "ICD-9-CM":
        return code[:4] if code[:1] == "E" else code[:3]
    head = f"{code[:2]}9" if code[2:3].isalpha() else code[:3]
    return "E10" if head in ("E08", "E09") else head  # diabetes that the American version keeps apart


@cache
def _blocks_of(ninth: bool) -> tuple[Range, ...]:
    return tuple(block for block in icd_blocks() if block.code.startswith("ICD-9-CM") == ninth)


@lru_cache(maxsize=1 << 17)
def chapter_and_block(concept: str) -> tuple[str, str] | None:
    """Codes of the chapter and block that an ICD concept lies in; None for one that is not ICD or lies in
    none.

    A category that the American version has added between two blocks of the WHO's lies in the one before it.
    """
    system, _, code = concept.partition("/")
    if system not in (*ICD10, "ICD-9-CM"):
        return None
    head, ninth = _category(system, code), system == "ICD-9-CM"
    if block := _within(head, _blocks_of(ninth)):
        return block.chapter, block.code
    chapter = None if ninth else _within(head, icd_chapters())
    before = [
        each for each in _blocks_of(ninth) if chapter and each.chapter == chapter.code and each.first <= head
    ]
    return (before[-1].chapter, before[-1].code) if before else None


def classify(concepts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Positions in `icd_chapters()` and `icd_blocks()` of each concept label, int32 (len(concepts),), −1
    where it lies in none.

    Meant for the labels of a `Category`: classify the labels once and index the result with its rows.
    """
    chapters = {each.code: position for position, each in enumerate(icd_chapters())}
    blocks = {each.code: position for position, each in enumerate(icd_blocks())}
    found = [chapter_and_block(concept) or ("", "") for concept in concepts]
    return (
        np.array([chapters.get(chapter, -1) for chapter, _ in found], np.int32),
        np.array([blocks.get(block, -1) for _, block in found], np.int32),
    )


# ---- places and laboratory ---------------------------------------------------------------------------------

COUNTY = "01"


@dataclass(frozen=True)
class Municipality:
    """A municipality by its SCB code. `population`: rough, as weights. `postcodes`: first and last
    three-digit prefix. `part`: of the county, a grouping of ours for reading and no official one. `tile`: row
    and column in a map of equal squares, ours too: neighbours stand near each other.
    """

    code: str
    name: str
    population: int
    postcodes: tuple[int, int]
    part: str
    tile: tuple[int, int]


@cache
def municipalities() -> tuple[Municipality, ...]:
    """The twenty-six of Stockholm county, by code."""
    found = []
    for row in _rows("municipalities"):
        first, last = _ends(row["postcodes"])
        tile = (int(row["row"]), int(row["column"]))
        found.append(
            Municipality(
                code=row["code"],
                name=row["name"],
                population=int(row["population"]),
                postcodes=(int(first), int(last or first)),
                part=row["part"],
                tile=tile,
            )
        )
    return tuple(found)


@cache
def municipality_names() -> dict[str, str]:
    """Name of each municipality code."""
    return {each.code: each.name for each in municipalities()}


@dataclass(frozen=True)
class Analysis:
    """A laboratory analysis: its unit, and the bounds outside which a value is a mistake."""

    code: str
    unit: str
    lowest: float
    highest: float
    title: str


@cache
def laboratory() -> dict[str, Analysis]:
    """Analyses by code."""
    return {
        row["code"]: Analysis(
            row["code"], row["unit"], float(row["lowest"]), float(row["highest"]), row["title"]
        )
        for row in _rows("laboratory")
    }


# ---- one revision or the other -----------------------------------------------------------------------------


def icd_revision(code: str) -> int:
    """9 or 10 where the form of an American ICD code decides it, 0 where both have such a code.

    Digits first are ICD-9-CM, and so are V01-V91 with at most five characters (ICD-10-CM writes seven after
    V). Between the letters E only E8 with one or two digits behind it is shared; E9 with digits is ICD-9-CM,
    E with a letter inside or another length is ICD-10-CM.
    """
    nine, ten = SYSTEMS["ICD-9-CM"].holds(code), SYSTEMS["ICD-10-CM"].holds(code)
    if code[:1] == "V":
        return 9 if nine else 10 if ten else 0
    if nine and ten:
        return 10 if code[1] in "01234567" else 9 if code[1] == "9" else 0
    return 9 if nine else 10 if ten else 0


# ---- standard populations ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standard:
    """A standard population. `first_ages`: where each age group begins, ascending, the last one open;
    `weights`: people in each."""

    title: str
    first_ages: tuple[int, ...]
    weights: tuple[int, ...]

    def between(self, low: int, high: int | None) -> int:
        """People whose ages in years are at least `low` and less than `high`, both of them ends of groups;
        None for no end."""
        return sum(
            weight
            for age, weight in zip(self.first_ages, self.weights, strict=True)
            if low <= age and (high is None or age < high)
        )


_EUROPE = "European Standard Population (Eurostat, 2013 revision)"
_SWEDEN = "population of Sweden on 31 December {} (Statistics Sweden)"
_STANDARDS = {"esp2013": ("esp2013", "weight", _EUROPE)} | {
    f"sweden{year}": ("sweden", str(year), _SWEDEN.format(year)) for year in (2000, 2005, 2010)
}  # by name: the list, its column, and the title


@cache
def standard(name: str) -> Standard:
    """A standard population by name. esp2013: Eurostat, Revision of the European Standard Population, 2013
    edition, 21 age groups. sweden2000, 2005, 2010: Statistics Sweden, Population by age and sex, whole
    country, 31 December; 21 age groups, the last from 100.
    """
    listed, column, title = _STANDARDS[name]
    rows = _rows(listed)
    return Standard(
        title, tuple(int(row["first_age"]) for row in rows), tuple(int(row[column]) for row in rows)
    )
