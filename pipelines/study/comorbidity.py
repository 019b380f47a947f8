"""Charlson's and Elixhauser's conditions by ICD-10, and how many points a set of them makes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_LIST = Path(__file__).parent / "code_lists" / "comorbidities.csv"
SYSTEMS = ("ICD-10-SE", "ICD-10", "ICD-10-CM")


@dataclass(frozen=True)
class Condition:
    """One condition. `prefixes`: of its codes, "SYSTEM/CODE"; `instead_of`: title of the condition that does
    not count where this one does, "" for none. Source: the head of `code_lists/comorbidities.csv`."""

    title: str
    weight: int
    instead_of: str
    prefixes: tuple[str, ...]


@cache
def conditions(index: str) -> tuple[Condition, ...]:
    """Those of `charlson` or `elixhauser`, in the order of the list."""
    with _LIST.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return tuple(
        Condition(row["condition"], int(row["weight"]), row["instead_of"], _prefixes(row["codes"]))
        for row in rows
        if row["index"] == index
    )


def _prefixes(text: str) -> tuple[str, ...]:
    codes = [code for part in text.split() for code in _span(part)]
    return tuple(f"{system}/{code}" for system in SYSTEMS for code in codes)


def _span(part: str) -> list[str]:
    """Both ends of a span and what lies between them: "I425-I429", "I60-I69"; a code alone is itself."""
    first, _, last = part.partition("-")
    if not last:
        return [first]
    letter, digits = first[0], len(first) - 1
    return [f"{letter}{each:0{digits}d}" for each in range(int(first[1:]), int(last[1:]) + 1)]
