"""By which method a permit's tables are protected, and what is public of numbers that were changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field

from pipelines.files.yaml import Strict

PERTURBED: Final = "perturbed"  # status of every cell of such a table
_MOST: Final = 5


class Suppression(Strict):
    """Small cells are hidden, with as few others as protect them. `kind`: the name of the method."""

    kind: Literal["suppression"] = "suppression"


class CellKeys(Strict):
    """Each number is changed a little by the secret keys of the people behind it, and none is hidden.

    `kind`: the name of the method. `most`: by how much a number of people is changed at most, no less than
    the policy's minimum: 5, or the minimum where that is larger. `variance`: of the changes.
    """

    kind: Literal["cell_key"] = "cell_key"
    most: int | None = Field(None, ge=3, le=1000)
    variance: float = Field(3.0, gt=0, le=1000)

    def largest(self, minimum: int) -> int:
        """By how much a number of people is changed at most, under this minimum."""
        return max(_MOST, minimum) if self.most is None else self.most


@dataclass(frozen=True)
class Perturbation:
    """What anybody may know of numbers that cell keys changed. `most`: by how much a number of people at
    most; `variance`: of the changes of large counts, `variance_of_few` the largest of those of small ones;
    `hidden`: counts from 1 to this one are never shown, true or not."""

    most: int
    variance: float
    variance_of_few: float
    hidden: int

    def public(self) -> dict[str, Any]:
        """As proofs and files have it."""
        return {
            "most": self.most,
            "variance": self.variance,
            "variance_of_few": self.variance_of_few,
            "hidden": self.hidden,
        }

    @staticmethod
    def of(public: dict[str, Any]) -> Perturbation:
        """As `public` gave it."""
        return Perturbation(
            most=int(public["most"]),
            variance=float(public["variance"]),
            variance_of_few=float(public["variance_of_few"]),
            hidden=int(public["hidden"]),
        )


def based_on(name: str) -> str | None:
    """The count that a measure goes along with: it is scaled as that count is changed. None where the measure
    is a count itself."""
    return _BASES.get(name)


_BASES: Final = {
    "person_days": "persons",
    "days_covered": "persons",
    "bed_days": "admissions",
    "sum": "values",
    "squares": "values",
}
