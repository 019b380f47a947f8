"""What intake has accepted and no later delivery has replaced: the common ground of linkage and store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.site.acceptance import Verdict, verdicts
from pipelines.site.site import Site


@dataclass(frozen=True)
class Part:
    """One sealed file of a delivery. `file`: relative to the site's root; `hash`: of its decoded content."""

    file: str
    rows: int
    hash: str


@dataclass(frozen=True)
class Accepted:
    """A delivery that counts. `first`: when its content was first announced, which is the date of the
    delivery that it corrects, if any."""

    source: str
    delivery: str
    owner: str
    delivered: date
    first: date
    no_reidentify: bool
    identities: tuple[Part, ...]
    events: tuple[Part, ...]
    ancestors: tuple[Part, ...] = ()


def active(site: Site) -> list[Accepted]:
    """Every delivery that counts (see `acceptance`), by date, source and name.

    Raises `DataError` where a receipt of intake does not read.
    """
    return standing(verdicts(site))


def standing(found: list[Verdict]) -> list[Accepted]:
    """Those of the verdicts that count, in their order."""
    receipts = {(each.receipt["source"], each.receipt["delivery"]): each for each in found}
    return [_accepted(each, receipts) for each in found if each.word == "accepted"]


def _accepted(verdict: Verdict, all: dict[tuple[str, str], Verdict]) -> Accepted:
    receipt = first = verdict.receipt
    while (before := all.get((first["source"], first["replaces"]))) and before.word == "replaced":
        first = before.receipt
    return Accepted(
        source=receipt["source"],
        delivery=receipt["delivery"],
        owner=receipt["owner"],
        delivered=date.fromisoformat(receipt["delivered"]),
        first=date.fromisoformat(first["delivered"]),
        no_reidentify=receipt["no_reidentify"],
        identities=_parts(receipt["identities"]),
        events=_parts(receipt["events"]),
        ancestors=_parts(receipt.get("ancestors", [])),
    )


def _parts(files: list[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(each["file"], each["rows"], each["hash"]) for each in files)
