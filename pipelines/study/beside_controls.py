"""Which rows a baseline may have beside controls: none whose numbers follow from how controls are chosen.

A cell of the controls that is a known number of times a cell of the cases gives it away, hidden or not
(docs/decisions/cases-and-controls.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pipelines.cubes.policy import OneSex
from pipelines.study.characteristic import Characteristic
from pipelines.study.definition import Definition
from pipelines.study.design import Controls
from pipelines.study.one_sex import held
from pipelines.study.table import Table

_OF_PERSONS: Final = ("sex", "age_group", "municipality")
_SEXES: Final[tuple[OneSex, ...]] = ("icd10-men", "icd10-women")


def unfit(tables: Sequence[Table], asked: Definition) -> Iterable[str]:
    """Why tables cannot have the controls that they ask for, in words that go on after the tables' place."""
    for table in tables:
        if not table.controls:
            continue
        if asked.controls is None:
            yield f"table {table.table} asks for controls, and the definition has none: say controls in it"
            continue
        if asked.controls.replace:
            yield (
                f"table {table.table} asks for controls, of whom one may be there for several cases and "
                "would count several times: say replace: false in the definition"
            )
        for row in table.known:
            if why := _tied(row, table.characteristics.get(row), asked.controls):
                yield f"table {table.table} has {row} as a row beside controls, and {why}"


def _tied(row: str, known: Characteristic | None, controls: Controls) -> str:
    """Why a row cannot stand beside controls, "" if it can."""
    if known is not None:
        if "sex" in controls.exact and _of_one_sex(known):
            return (
                "one sex alone can have it, and sex is matched on, so that it tells how many there are of "
                "that sex: leave it out"
            )
        return ""
    if row not in _OF_PERSONS:
        return "it is of the index event, which a control has not: leave it out"
    if row in _matched(controls):
        return "it is matched on, the same in both by design: count members by it in another table"
    return ""


def _matched(controls: Controls) -> set[str]:
    """The dimensions that controls have in common with their cases, nearly or at all."""
    ages = {"age_group"} if controls.nearest or "birth_year" in controls.exact else set()
    return ages | ({"sex", "municipality"} & {*controls.exact})


def _of_one_sex(known: Characteristic) -> bool:
    return bool(known.codes) and any(all(held(sex, code) for code in known.codes) for sex in _SEXES)
