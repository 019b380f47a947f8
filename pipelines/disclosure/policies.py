"""What `uttag protect` must keep, as its specification says it."""

from __future__ import annotations

from pydantic import Field

from pipelines.cubes.policy import Policy
from pipelines.files.yaml import Strict


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
    """What a policy says, and the rules that need to know who contributes.

    `units`, `owners`: who contributes. `dominance`, `p_percent`: of sums; where neither is named, a sum is
    sensitive if one contributor could come within 10 per cent of what another gave, or if two make up 90 per
    cent of it.
    """

    units: Contributors | None = None
    owners: Owners | None = None
    dominance: Dominance | None = None
    p_percent: float | None = Field(None, gt=0, le=100)

    def of_sums(self) -> tuple[Dominance | None, float | None]:
        """The rules on contributions; those that ACRO has by default where none is named."""
        return (self.dominance, self.p_percent) if self.dominance or self.p_percent else (Dominance(), 10.0)

    def contributors(self) -> dict[str, Contributors]:
        """The rules on who contributes, by kind."""
        return {kind: rule for kind, rule in (("units", self.units), ("owners", self.owners)) if rule}

    def contributing(self) -> list[str]:
        """Columns that name who contributes."""
        return [rule.column for rule in self.contributors().values()]
