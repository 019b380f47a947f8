"""What `uttag protect` must keep, as its specification says it."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from pydantic import Field, field_validator, model_validator

from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.attackers import Attackers, Interval, Knows, Values
from pipelines.files.yaml import Strict
from pipelines.study.one_sex import OneSex

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "research": {},
    "open_data": {"minimum": 10, "outside": 10, "attacker": "rule", "singletons": True},
}


class Special(Strict):
    """A stricter minimum for some codes of a dimension, and for all below them: a diagnosis that harms who is
    known to have it."""

    codes: list[str] = Field(min_length=1, description="codes of the dimension, at any level")
    minimum: int = Field(ge=3, le=1000, description="fewest persons that such a cell may show")


class Contributors(Strict):
    """How many must stand behind a cell, besides the persons in it."""

    column: str = Field(description="column that names who contributed the row")
    minimum: int = Field(
        3,
        ge=2,
        le=1000,
        description="fewest of them that a cell may have: with one alone, its figures are public",
    )


class Owners(Contributors):
    """Those whose data these are; in a cell of several the strictest minimum of persons holds."""

    minimum: int = Field(1, ge=1, le=1000, description="fewest owners that a cell may have")
    persons: dict[str, int] = Field(
        {}, description="by owner, fewest persons of a cell that it has a part in"
    )


class Dominance(Strict):
    """(n,k): a sum is sensitive where its `n` largest contributions make up more than the share `k` of it."""

    n: int = Field(2, ge=1, le=5)
    k: float = Field(0.9, gt=0, lt=1)


class TablePolicy(Policy):
    """The rule on persons, and whom the tables must withstand.

    `preset`: `research`, or `open_data` for what anybody may read: what it sets can be overruled key by key.
    `attacker`: the strongest; `sums` solves the published sums, `nonnegative` knows that counts are whole and
    at least 0, `rule` knows the minimum, too, and `marks` even which hidden cells are small. `singletons`: a
    contributor who is alone in a cell knows that cell. `interval`: how many values a sensitive cell must be
    able to have; `point`, more than one; `whole`, a small one every value from 1 to the minimum less 1.
    `outside`: a cell is sensitive, too, if 1 to `outside` - 1 persons of its parent are not in it (0: never).
    `all_in_one`: dimensions along which a cell is sensitive, too, if it holds everybody of its parent.
    `special`: by dimension. `units`, `owners`: who contributes. `dominance`, `p_percent`: of sums; where
    neither is named, a sum is sensitive if one contributor could come within 10 per cent of what another
    gave, or if two make up 90 per cent of it. `structural_zeros`: combinations of codes that nobody has, as
    everybody knows, each by dimension: what stands at them is shown as 0 and protects nothing; `icd10-women`
    and `icd10-men` stand for the diagnoses of ICD-10 that only one sex can have.
    """

    preset: Literal["research", "open_data"] = "research"
    attacker: Knows = "rule"
    singletons: bool = True
    interval: Interval = Values(values=3)
    outside: int = Field(0, ge=0, le=1000)
    all_in_one: list[str] = Field([])
    special: dict[str, list[Special]] = Field({})
    structural_zeros: list[dict[str, OneSex | list[str]]] = Field([])
    units: Contributors | None = None
    owners: Owners | None = None
    dominance: Dominance | None = None
    p_percent: float | None = Field(None, gt=0, le=100)

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("preset") in PRESETS:
            return {**PRESETS[given["preset"]], **given}
        return given

    @field_validator("structural_zeros", mode="before")
    @classmethod
    def _one_code(cls, given: Any) -> Any:
        """One code need not be a list."""
        if not isinstance(given, list):
            return given
        return [
            {
                name: [codes] if isinstance(codes, str) and codes not in get_args(OneSex) else codes
                for name, codes in each.items()
            }
            if isinstance(each, dict)
            else each
            for each in given
        ]

    def of_sums(self) -> tuple[Dominance | None, float | None]:
        """The rules on contributions; those that ACRO has by default where none is named."""
        return (self.dominance, self.p_percent) if self.dominance or self.p_percent else (Dominance(), 10.0)

    def attackers(self) -> Attackers:
        """The same, as the engine takes it."""
        return Attackers(self.attacker, self.singletons, self.interval)

    def contributors(self) -> dict[str, Contributors]:
        """The rules on who contributes, by kind."""
        return {kind: rule for kind, rule in (("units", self.units), ("owners", self.owners)) if rule}

    def contributing(self) -> list[str]:
        """Columns that name who contributes."""
        return [rule.column for rule in self.contributors().values()]
