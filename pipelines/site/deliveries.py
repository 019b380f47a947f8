"""What intake has accepted and no later delivery has replaced: the common ground of linkage and store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.files import documents
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
    """Every accepted delivery that no other accepted one of its source replaces, by date, source and name.

    Raises `DataError` where a receipt of intake does not read.
    """
    receipts = [
        documents.read_json(path)
        for source in sorted(site.sources)
        for path in sorted((site.receipts / "intake" / source).glob("*.json"))
    ]
    accepted = {(each["source"], each["delivery"]): each for each in receipts if each["status"] == "accepted"}
    replaced = {(each["source"], each["replaces"]) for each in accepted.values() if each["replaces"]}
    standing = [_accepted(site, each, accepted) for name, each in accepted.items() if name not in replaced]
    return sorted(standing, key=lambda each: (each.delivered, each.source, each.delivery))


def _accepted(
    site: Site, receipt: dict[str, Any], accepted: dict[tuple[str, str], dict[str, Any]]
) -> Accepted:
    first, seen = receipt, {receipt["delivery"]}
    while (first["source"], first["replaces"]) in accepted:
        first = accepted[first["source"], first["replaces"]]
        if first["delivery"] in seen:
            raise DataError(
                _place(site, receipt),
                "its deliveries replace each other in a circle",
                "mend `replaces` in delivery.yaml",
            )
        seen.add(first["delivery"])
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


def _place(site: Site, receipt: dict[str, Any]) -> Path:
    return site.receipts / "intake" / receipt["source"] / f"{receipt['delivery']}.json"


def _parts(files: list[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(each["file"], each["rows"], each["hash"]) for each in files)
