"""What `uttag protect` must keep, as its specification says it."""

from __future__ import annotations

from pipelines.disclosure.suppression.attackers import Attackers, Interval, Knows
from pipelines.policy import Policy


class TablePolicy(Policy):
    """The rule on persons, and whom the tables must withstand.

    `attacker`: the strongest; `sums` solves the published sums, `nonnegative` knows that counts are whole and at least 0, `rule` knows the
    minimum, too, and `marks` even which hidden cells are small. `singletons`: a contributor who is alone in a cell knows that cell.
    `interval`: `point`, a small cell must have more than one possible value; `whole`, every value from 1 to the minimum less 1.
    """

    attacker: Knows = "rule"
    singletons: bool = True
    interval: Interval = "point"

    def attackers(self) -> Attackers:
        """The same, as the engine takes it."""
        return Attackers(self.attacker, self.singletons, self.interval)
