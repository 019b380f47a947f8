"""A correction beside the delivery that it replaces: who is gone, and what is there on another day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.files import documents, sealed
from pipelines.files.frames import Category, Frame, array, concat, length
from pipelines.files.schemas import ACCEPTED_EVENTS, IDENTITIES
from pipelines.site.arrivals import Delivery
from pipelines.site.site import Site

_LARGEST = 10_000_000  # events that are compared at once; of more, the records are sampled by their hash
_COLUMNS = {name: ACCEPTED_EVENTS[name] for name in ("record", "concept", "start")}


def compared(
    site: Site, delivery: Delivery, identities: list[Path], events: list[Path]
) -> dict[str, Any] | None:
    """What the delivery that `delivery` replaces held, and how much of it is gone: {"with", "records",
    "lost_records", "events", "moved_dates"}; None where it replaces none that was read.

    `identities`, `events`: the sealed files that have just been made of the delivery.
    """
    path = site.receipts / "intake" / delivery.source / f"{delivery.replaces}.json"
    before = documents.read_object(path) if delivery.replaces is not None and path.exists() else None
    if before is None or before["status"] != "accepted":
        return None
    old = _events(site, [site.root / each["file"] for each in before["events"]])
    new = _events(site, events)
    both = concat([old, new], _COLUMNS)
    rows = np.stack([array(both, "record"), _places(both), array(both, "start").astype(np.int64)], 1)
    taken = rows[:, 0] % (1 + len(rows) // _LARGEST) == 0
    is_old = (np.arange(len(rows)) < length(old))[taken]
    known = _records(site, [site.root / each["file"] for each in before["identities"]], old)
    now = _records(site, identities, new)
    count, moved = moved_dates(rows[taken], is_old)
    return {
        "with": delivery.replaces,
        "records": len(known),
        "lost_records": int((~np.isin(known, now)).sum()),
        "events": count,
        "moved_dates": moved,
    }


def moved_dates(rows: np.ndarray, is_old: np.ndarray) -> tuple[int, int]:
    """Of two deliveries' events: how many distinct ones the old has of records that the new has events of
    too, and how many of them are there on another day: gone, where the new has one of the same record and
    concept that the old has not.

    `rows`: int64 (n, 3), record, concept and day; `is_old`: bool (n,), of the old delivery.
    """
    if not len(rows):
        return 0, 0
    order = np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))
    rows, is_old = rows[order], is_old[order]
    changes = rows[1:] != rows[:-1]
    event, pair, record = (
        np.concatenate([[0], np.cumsum(changes[:, :columns].any(axis=1))]) for columns in (3, 2, 1)
    )
    in_old, in_new = np.bincount(event, is_old) > 0, np.bincount(event, ~is_old) > 0
    first = np.unique(event, return_index=True)[1]
    gone = np.bincount(pair[first], in_old & ~in_new)
    come = np.bincount(pair[first], in_new & ~in_old)
    still = np.bincount(record, ~is_old) > 0
    return int((in_old & still[record[first]]).sum()), int(np.minimum(gone, come).sum())


def _events(site: Site, files: list[Path]) -> Frame:
    zone = site.zone("store")
    return concat([sealed.read(path, ACCEPTED_EVENTS, zone, _COLUMNS) for path in files], _COLUMNS)


def _places(frame: Frame) -> np.ndarray:
    concept = frame["concept"]
    return concept.places.astype(np.int64) if isinstance(concept, Category) else np.empty(0, np.int64)


def _records(site: Site, identities: list[Path], events: Frame) -> np.ndarray:
    """Every record that a delivery speaks of, int64 (n,), ascending."""
    zone = site.zone("identity")
    people = [array(sealed.read(path, IDENTITIES, zone, ["record"]), "record") for path in identities]
    return np.unique(np.concatenate([array(events, "record"), *people]))
