"""Deliveries that intake does not read: what is left of one that counts no more, and the receipt of one that
cannot be read."""

from __future__ import annotations

import shutil

from pipelines.files import documents
from pipelines.files.atomic import atomic
from pipelines.intake.attempt import Receipt
from pipelines.intake.report import quality_report
from pipelines.site.arrivals import Arrival
from pipelines.site.site import Site


def forget(site: Site, source: str, name: str) -> None:
    """Remove what was sealed of a delivery; its receipt first, so that a run that is killed here leaves
    nothing that counts. Snapshots that were built with it stay until they are pruned."""
    receipt = site.receipts / "intake" / source / f"{name}.json"
    for path in (
        receipt,
        receipt.with_suffix(".md"),
        site.identity / "quarantine" / source / f"{name}.parquet",
        site.root / "runs" / "contents" / source / f"{name}.json",
    ):
        path.unlink(missing_ok=True)
    for zone in (site.identity, site.store):
        shutil.rmtree(zone / "accepted" / source / name, ignore_errors=True)


def refuse(site: Site, arrival: Arrival, owner: str, reason: str, again: bool = False) -> Receipt:
    """Write a stopped receipt for a delivery that no stage could read, and return it. `again`: the fault may
    have been ours, so that the next night tries once more."""
    receipt: Receipt = {
        "source": arrival.source,
        "delivery": arrival.name,
        "owner": owner,
        "delivered": arrival.delivery.delivered.isoformat() if arrival.delivery else None,
        "replaces": arrival.delivery.replaces if arrival.delivery else None,
        "made_from": {"contract": "", "files": {}},
        "status": "stopped",
        "reason": reason,
        "again": again,
    }
    path = site.receipts / "intake" / arrival.source / f"{arrival.name}.json"
    with atomic(path.with_suffix(".md")) as beside:
        beside.write_text(quality_report(receipt), encoding="utf-8")
    documents.write_json(receipt, path)
    return receipt
