"""Days of death in a delivery, and what in the same delivery does not go with them: counts, never whose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.files import sealed
from pipelines.files.frames import Frame, array, concat
from pipelines.files.schemas import ACCEPTED_EVENTS, DAY_OPEN, DAY_UNKNOWN, IDENTITIES, KIND
from pipelines.intake.contract import AgreedTable
from pipelines.site.site import Site

_COLUMNS = {name: ACCEPTED_EVENTS[name] for name in ("record", "kind", "start", "end")}
WORDS = {
    "rows": "days of death",
    "persons": "persons whom they are of",
    "two_days": "persons with more than one day of death, of which the first counts below",
    "before_birth": "persons who die before they are born",
    "after_delivery": "persons who die after the day of delivery",
    "without_residence": "persons who die and have no residence in this delivery",
    "lives_on": "persons whose residence goes on after the day of death",
    "left_before": "persons whose residence ends more than a day before the day of death",
}


def deaths(
    site: Site, delivered: int, identities: Sequence[Path], events: Sequence[tuple[AgreedTable, Path]]
) -> dict[str, int]:
    """Counts by the names of `WORDS`; nothing where no table tells of deaths, and nothing of residences where
    none tells of them.

    `delivered`: days since 1970-01-01; `identities`: sealed files; `events`: sealed files, each with the
    table that it is of.
    """
    kinds = [{event.kind for event in table.mapping.events} for table, _ in events]
    if not any("death" in each for each in kinds):
        return {}
    zone, wanted = site.zone("store"), {"death", "residence"}
    files = [path for (_, path), each in zip(events, kinds, strict=True) if each & wanted]
    rows = concat([sealed.read(path, ACCEPTED_EVENTS, zone, _COLUMNS) for path in files], _COLUMNS)
    died = array(rows, "kind") == KIND["death"]
    pairs = np.unique(np.stack([array(rows, "record")[died], array(rows, "start")[died]]), axis=1)
    record, first, count = np.unique(pairs[0], return_index=True, return_counts=True)
    day = pairs[1][first]  # of several the first, since pairs ascend
    born = _births(site, identities, record)
    told = {
        "rows": int(died.sum()),
        "persons": len(record),
        "two_days": int((count > 1).sum()),
        "before_birth": int(((born != DAY_UNKNOWN) & (day < born)).sum()),
        "after_delivery": int((day > delivered).sum()),
    }
    if not any("residence" in each for each in kinds):
        return told
    return told | _beside_residences(rows, record, day)


def _births(site: Site, identities: Sequence[Path], record: np.ndarray) -> np.ndarray:
    """The day of birth that this delivery gives each of some records, int64 (n,), `DAY_UNKNOWN` where it
    gives none. `record`: int64 (n,), ascending."""
    born = np.full(len(record), DAY_UNKNOWN, np.int64)
    for path in identities:
        people = sealed.read(path, IDENTITIES, site.zone("identity"), ["record", "birth_day"])
        who = array(people, "record")
        at = np.searchsorted(record, who)
        here = np.flatnonzero(np.append(record, 0)[at] == who) if len(record) else at[:0]
        born[at[here]] = array(people, "birth_day")[here]
    return born


def _beside_residences(rows: Frame, record: np.ndarray, day: np.ndarray) -> dict[str, int]:
    """`record`: int64 (n,), ascending, of those who die; `day`: int64 (n,), their day of death."""
    lives = array(rows, "kind") == KIND["residence"]
    who, end = array(rows, "record")[lives], array(rows, "end")[lives].astype(np.int64)
    at = np.searchsorted(record, who)
    here = np.flatnonzero(np.append(record, 0)[at] == who) if len(record) else at[:0]
    last = np.full(len(record), DAY_UNKNOWN, np.int64)
    np.maximum.at(last, at[here], np.where(end == DAY_OPEN, np.int64(DAY_OPEN), end)[here])
    some = last != DAY_UNKNOWN
    return {
        "without_residence": int((~some).sum()),
        "lives_on": int((some & (last > day)).sum()),
        "left_before": int((some & (last < day - 1)).sum()),
    }
