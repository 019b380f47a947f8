"""How a source does: is its last delivery late, and are more records nobody's than its contract bears?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median

from pipelines.files import documents
from pipelines.site.acceptance import Verdict
from pipelines.site.guards import BEFORE, Guards
from pipelines.site.site import Site


@dataclass(frozen=True)
class State:
    """Of a source.

    `last`, `delivered`: its last delivery that counts; `days`: since then, of which `most` may pass, None
    where nobody knows; `unlinked`: share of its records that linkage linked to no other, of which
    `unlinked_most` is borne; None where there is no other source.
    """

    source: str
    last: str | None = None
    delivered: date | None = None
    days: int | None = None
    most: int | None = None
    unlinked: float | None = None
    unlinked_most: float | None = None

    @property
    def late(self) -> bool:
        """Has more time passed than may?"""
        return self.days is not None and self.most is not None and self.days > self.most

    def warnings(self) -> Iterator[str]:
        """What somebody should know of, in words."""
        if self.late:
            yield f"{self.source} is late: its last delivery is {self.days} days old, {self.most} are borne"
        bound = self.unlinked_most
        if self.unlinked is not None and bound is not None and self.unlinked > bound:
            share = f"{self.unlinked:.0%} of its records are linked to no other"
            yield f"{self.source}: {share}, {bound:.0%} are borne"


def states(site: Site, found: list[Verdict], today: date) -> list[State]:
    """The state of each source, by name. Days between deliveries are held against the contract's
    `guards.freshness`, else against twice their median once three have come."""
    linkage = site.receipt("linkage")
    links = documents.read_object(linkage).get("sources", {}) if linkage.exists() else {}
    links = links if len(links) > 1 else {}
    return [_state(found, name, links.get(name), today) for name in sorted(site.sources)]


def _state(found: list[Verdict], source: str, links: dict[str, int] | None, today: date) -> State:
    counted = [
        each.receipt
        for each in found
        if each.receipt["source"] == source and each.word in ("accepted", "replaced")
    ]
    if not counted:
        return State(source)
    guards = Guards.model_validate(counted[-1].get("guards", {}))
    days = sorted({date.fromisoformat(each["delivered"]) for each in counted})
    records = sum(links.values()) if links else 0
    return State(
        source,
        last=counted[-1]["delivery"],
        delivered=days[-1],
        days=(today - days[-1]).days,
        most=_most(guards, days),
        unlinked=round(links["alone"] / records, 4) if links and records else None,
        unlinked_most=None if guards.unlinked.then == "off" else guards.unlinked.most,
    )


def _most(guards: Guards, days: list[date]) -> int | None:
    guard = guards.freshness
    if guard.then == "off" or guard.days is not None:
        return None if guard.then == "off" else guard.days
    if len(days) < BEFORE:
        return None
    return max(1, round(2 * median((late - early).days for early, late in pairwise(days))))
