"""Cases and their controls in a bundle: what both numbers tell of cases who lack a control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.verifier.tables import PublishedTable


@dataclass(frozen=True)
class Beside:
    """A table of controls beside that of their cases. `ratio`: how many controls a case may have."""

    controls: PublishedTable
    cases: PublishedTable
    ratio: int

    @property
    def many(self) -> int:
        """All controls."""
        return int(self.controls.measures["persons"][0])

    @property
    def empty(self) -> int:
        """How many more controls there could be."""
        return self.ratio * int(self.cases.measures["persons"][0]) - self.many

    def few(self, minimum: int) -> int:
        """How many controls fewer cases than the minimum have or lack at most."""
        return self.ratio * (minimum - 1)


def beside_cases(structure: dict[str, Any], tables: Sequence[PublishedTable]) -> Iterator[Beside]:
    """Each table of controls of a bundle, as its `structure.json` says. Raises KeyError where there are no
    cases."""
    named = {table.name: table for table in tables}
    for about in structure["tables"]:
        if "controls" in about:
            asked = about["controls"]
            yield Beside(named[about["table"]], named[asked["of"]], int(asked["ratio"]))


def tell_of_no_few(structure: dict[str, Any], tables: Sequence[PublishedTable], minimum: int) -> bool:
    """Is it shown of all controls and of all their cases how many there are, and have at least the minimum of
    cases a control, and either none or at least so many lack one?"""
    for each in beside_cases(structure, tables):
        if (
            each.controls.hidden[0]
            or each.cases.hidden[0]
            or each.controls.population == each.cases.population
        ):
            return False
        if each.many <= each.few(minimum) or (each.empty != 0 and each.empty <= each.few(minimum)):
            return False
    return True


def lack_by_few(new: Sequence[Beside], old: Sequence[Beside], minimum: int) -> bool:
    """Of two versions, have so few more or fewer places for controls become empty that fewer cases than the
    minimum can have come or gone who lack one?"""
    before = {each.controls.name: each.empty for each in old}
    return any(
        0 < abs(each.empty - before.get(each.controls.name, each.empty)) <= each.few(minimum) for each in new
    )
