"""Who a table must withstand, and which moves each of them cannot exclude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.cubes.policy import Interval, Knows, Policy
from pipelines.disclosure.suppression.bounds import Bounds
from pipelines.disclosure.suppression.system import System

KNOWLEDGE: Final[dict[str, str]] = {
    "sums": "one who solves the published sums exactly, over all tables of the permit at once",
    "nonnegative": "one who also knows that counts are whole and never negative",
    "rule": "one who also knows that counts are whole and never negative, and the rule by which cells are "
    "hidden",
    "marks": "one who also knows which of the hidden cells are small",
}
SINGLE: Final = "one person who is alone in a cell and so knows that cell, too"
_SUMS_REACH = 1 << 20


@dataclass(frozen=True)
class Attackers:
    """`knows`: the strongest that is withstood, and all before it. `singletons`: whoever is alone in a cell
    knows it. `interval`: `point`, no sensitive cell has one possible value alone; so many values, so many
    stay possible for each; `whole`, none of the values from 1 to minimum - 1 can be excluded of a small
    one."""

    knows: Knows = "rule"
    singletons: bool = True
    interval: Interval = "point"

    @staticmethod
    def of(policy: Policy) -> Attackers:
        """Whom a policy names."""
        return Attackers(policy.attacker, policy.singletons, policy.interval)

    def names(self) -> list[str]:
        """Those that are withstood, in words."""
        order = list(KNOWLEDGE)
        known = [
            KNOWLEDGE[each]
            for each in order[: order.index(self.knows) + 1]
            if each != "nonnegative" or self.knows == each
        ]
        return [*known, SINGLE] if self.singletons else known

    def reach(self, system: System) -> Bounds:
        """Changes that the strongest cannot exclude."""
        if self.knows == "marks":
            return system.narrow
        if self.knows == "rule":
            return system.wide
        free = system.wide.upper > 0
        least = (
            np.full(system.size, -_SUMS_REACH)
            if self.knows == "sums"
            else np.minimum(-system.persons, system.wide.lower)
        )
        return Bounds(np.where(free, least, 0), system.wide.upper)
