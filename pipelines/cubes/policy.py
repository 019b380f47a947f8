"""What a release must withstand: the same policy in a permit and in a specification of `uttag protect`."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from pydantic import Field, field_validator, model_validator

from pipelines.files.yaml import Strict

Knows = Literal["sums", "nonnegative", "rule", "marks"]
OneSex = Literal["icd10-women", "icd10-men"]  # lists of diagnoses that one sex alone can have

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "research": {},
    "open_data": {"minimum": 10, "outside": 10, "attacker": "rule", "singletons": True},
}


class Values(Strict):
    """How wide a sensitive cell must stay. `values`: how many it must be able to have for whoever is
    withstood, its true one among them."""

    values: int = Field(ge=2, le=20)


Interval = Literal["point", "whole"] | Values


class Special(Strict):
    """A stricter minimum for some codes of a dimension, and for all below them: a diagnosis that harms who is
    known to have it."""

    codes: list[str] = Field(min_length=1, description="codes of the dimension, at any level")
    minimum: int = Field(ge=3, le=1000, description="fewest persons that such a cell may show")


class Policy(Strict):
    """The rule on persons, and whom the tables must withstand.

    A cell is small if 1 to `minimum` - 1 persons stand behind it. `zeros`: `open` shows a cell of nobody as
    0; `protected` treats it as small. The least minimum is 3: below it an attacker who knows which cells are
    small knows their values too. `preset`: `research`, or `open_data` for what anybody may read: what it sets
    can be overruled key by key. `attacker`: the strongest; `sums` solves the published sums, `nonnegative`
    knows that counts are whole and at least 0, `rule` knows the minimum, too, and `marks` even which hidden
    cells are small. `singletons`: a contributor who is alone in a cell knows that cell. `interval`: how many
    values a sensitive cell must be able to have; `point`, more than one; `whole`, a small one every value
    from 1 to the minimum less 1. `outside`: a cell is sensitive, too, if 1 to `outside` - 1 persons of its
    parent are not in it (0: never). `all_in_one`: dimensions along which a cell is sensitive, too, if it
    holds everybody of its parent. `special`: by dimension. `structural_zeros`: combinations of codes that
    nobody has, as everybody knows, each by dimension: what stands at them is shown as 0 and protects nothing;
    `icd10-women` and `icd10-men` stand for the diagnoses of ICD-10 that only one sex can have.
    """

    minimum: int = Field(5, ge=3, le=1000)
    zeros: Literal["open", "protected"] = "open"
    preset: Literal["research", "open_data"] = "research"
    attacker: Knows = "rule"
    singletons: bool = True
    interval: Interval = "point"
    outside: int = Field(0, ge=0, le=1000)
    all_in_one: list[str] = Field([])
    special: dict[str, list[Special]] = Field({})
    structural_zeros: list[dict[str, OneSex | list[str]]] = Field([])

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
            {name: _listed(codes) for name, codes in each.items()} if isinstance(each, dict) else each
            for each in given
        ]

    def named(self) -> list[str]:
        """Dimensions that the rules name."""
        declared = [name for each in self.structural_zeros for name in each]
        return [*self.all_in_one, *self.special, *declared]

    def sentences(self) -> list[str]:
        """The rules besides the minimum, in words."""
        said = [
            f"of {', '.join(special.codes)} in {name}, and of all below, cells of fewer than "
            f"{special.minimum} persons are hidden"
            for name, many in self.special.items()
            for special in many
        ]
        if self.outside:
            said.append(f"a cell is hidden, too, if 1 to {self.outside - 1} of its parent are not in it")
        if self.all_in_one:
            said.append(
                f"along {', '.join(self.all_in_one)} a cell is hidden, too, if everybody of its parent is in "
                "it, with cells of nobody beside it"
            )
        for each in self.structural_zeros:
            codes = [
                f"{name} {chosen if isinstance(chosen, str) else ', '.join(chosen)}"
                for name, chosen in each.items()
            ]
            said.append(f"nobody can have {' with '.join(codes)}: 0 is shown, and protects nothing")
        width = {"point": "two values", "whole": "every value that is small"}
        values = (
            f"{self.interval.values} values" if isinstance(self.interval, Values) else width[self.interval]
        )
        said.append(f"of each sensitive cell {values} at least stay possible")
        return said


def _listed(codes: Any) -> Any:
    return [codes] if isinstance(codes, str) and codes not in get_args(OneSex) else codes
