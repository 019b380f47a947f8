"""Is a source late? Days since its last delivery, beside what its contract or its own habit says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median

from pipelines.site.acceptance import Verdict
from pipelines.site.guards import BEFORE, Guards


@dataclass(frozen=True)
class Freshness:
    """Of a source. `days`: since its last delivery, None where none counts; `most`: that may pass, None where
    nobody knows."""

    last: str | None
    delivered: date | None
    days: int | None
    most: int | None

    @property
    def late(self) -> bool:
        """Has more time passed than may?"""
        return self.days is not None and self.most is not None and self.days > self.most


def freshness(found: list[Verdict], source: str, today: date) -> Freshness:
    """How fresh a source is: by the contract's `guards.freshness`, else twice the median of the days between
    its deliveries once three have come."""
    counted = [
        each.receipt
        for each in found
        if each.receipt["source"] == source and each.word in ("accepted", "replaced")
    ]
    if not counted:
        return Freshness(None, None, None, None)
    days = sorted({date.fromisoformat(each["delivered"]) for each in counted})
    guard = Guards.model_validate(counted[-1].get("guards", {})).freshness
    most = guard.days
    if most is None and len(days) >= BEFORE:
        between = median((late - early).days for early, late in pairwise(days))
        most = max(1, round(2 * between))
    return Freshness(
        counted[-1]["delivery"], days[-1], (today - days[-1]).days, None if guard.then == "off" else most
    )
