"""How the persons came to be: every change between one index and the next, by whom it was and on what
evidence.

The index is a function of what holds; the history tells the nights. `store/history/current.json` names both,
since a receipt is gone while its stage runs. Replaying the history gives the present persons, each with their
number of records.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.compute.ranks import Ranks
from pipelines.errors import DataError
from pipelines.files import documents, sealed
from pipelines.files.digests import content_hash, digest
from pipelines.files.frames import Category, Frame, array, concat, empty
from pipelines.files.schemas import (
    CHANGES,
    DAY_UNKNOWN,
    EVIDENCE,
    LINKAGE_HISTORY,
    NO_PERSON,
    PERSON_INDEX,
    TIES,
    UNITS,
    Schema,
)
from pipelines.linkage.flows import (
    GONE,
    MERGE,
    MOVED,
    NEW,
    SPLIT,
    Changes,
    Side,
    by_number_of_records,
    compared,
)
from pipelines.linkage.rows import Rows
from pipelines.site.deliveries import Accepted
from pipelines.site.site import Site
from pipelines.site.snapshot import index_folder

Frames = tuple[Frame, Frame, Frame]  # schemas PERSON_INDEX, UNITS, TIES

_FILES: Final[dict[str, Schema]] = {"index": PERSON_INDEX, "units": UNITS, "ties": TIES}


def history_file(site: Site, name: str) -> Path:
    """Where a history lies, named by its content."""
    return site.store / "history" / name / "history.parquet"


def current_file(site: Site) -> Path:
    """Where the present index and its history are named."""
    return site.store / "history" / "current.json"


def read_history(site: Site) -> Frame:
    """The history of the present index. Raises `DataError` if there is none."""
    path = history_file(site, str(documents.read_object(current_file(site), "history")["history"]["name"]))
    if not path.exists():
        raise DataError(
            path, "is not there", f"restore it, or remove {current_file(site)} to begin another history"
        )
    return sealed.read(path, LINKAGE_HISTORY, site.zone("store"))


def gather_speakers(ranks: Ranks, rows: Rows) -> np.ndarray | None:
    """int32 (n,), on rank 0: for each record, ascending, the place of the delivery that says what holds of
    it."""
    last = np.flatnonzero(np.append(rows["record"][1:] != rows["record"][:-1], True)[: len(rows["record"])])
    gathered = ranks.gather(rows["order"][last])
    return np.concatenate(gathered) if gathered is not None else None


def publish(
    site: Site, name: str, frames: Frames, deliveries: Sequence[Accepted], speakers: np.ndarray
) -> dict[str, Any]:
    """Add to the history what the index of that name changes; counts of it, with where the history stands.

    `frames`: the index, its units and ties. `speakers`: int32 (n,), for each record its delivery's place in
    `deliveries`. Nothing is added where the index is the one that the history ends with. Returns {"name",
    "version", "day", "new", "gone", "merged", "split": persons, "moved": records that came, went or changed
    person without that a person came or went}.
    """
    former = (
        documents.read_object(current_file(site), "index", "history", "deliveries")
        if current_file(site).exists()
        else None
    )
    if former is not None and former["index"] == name:
        return former["history"]  # type: ignore[no-any-return]
    zone = site.zone("store")
    past = read_history(site) if former is not None else empty(LINKAGE_HISTORY)
    version = former["history"]["version"] + 1 if former is not None else 1
    day = max((each.delivered for each in deliveries), default=None)
    changes = _changes(site, former, past, Side.of(*frames), deliveries, speakers)
    rows = _rows(changes, version, DAY_UNKNOWN if day is None else (day - date(1970, 1, 1)).days)
    whole = concat([past, rows], LINKAGE_HISTORY)
    name_of_it = digest(content_hash(whole, LINKAGE_HISTORY))
    history: dict[str, Any] = {
        "name": name_of_it,
        "version": version,
        "day": day and day.isoformat(),
        **_counts(changes),
    }
    sealed.write(whole, history_file(site, name_of_it), LINKAGE_HISTORY, zone)
    listed = [[each.source, each.delivery] for each in deliveries]
    documents.write_json({"index": name, "history": history, "deliveries": listed}, current_file(site))
    if former is not None and former["history"]["name"] != name_of_it:
        _forget(site, former["history"]["name"])
    return history


def _forget(site: Site, name: str) -> None:
    """The former history is the beginning of the new one."""
    with contextlib.suppress(OSError):
        history_file(site, name).unlink(missing_ok=True)
        history_file(site, name).parent.rmdir()


def _rows(changes: Changes, version: int, day: int) -> Frame:
    count = len(changes.before)
    return {
        "version": np.full(count, version, np.int32),
        "day": np.full(count, day, np.int32),
        "kind": Category.of(CHANGES, changes.kind),
        "before": changes.before,
        "after": changes.after,
        "records": changes.records,
        "evidence": Category.of(EVIDENCE, changes.evidence),
        "weight": changes.weight,
    }


def _counts(changes: Changes) -> dict[str, int]:
    def persons(which: np.ndarray, kind: int) -> int:
        return len(np.unique(which[changes.kind == kind]))

    return {
        "new": persons(changes.after, NEW),
        "gone": persons(changes.before, GONE),
        "merged": persons(changes.before, MERGE),
        "split": persons(changes.after, SPLIT),
        "moved": int(changes.records[changes.kind == MOVED].sum()),
    }


def _changes(
    site: Site,
    former: dict[str, Any] | None,
    past: Frame,
    now: Side,
    deliveries: Sequence[Accepted],
    speakers: np.ndarray,
) -> Changes:
    if former is None:
        nothing = np.zeros(len(speakers), bool)
        return compared(Side.of(*(empty(schema) for schema in _FILES.values())), now, nothing, nothing)
    folder = index_folder(site, former["index"])
    if not all((folder / f"{name}.parquet").exists() for name in _FILES):
        return by_number_of_records(*replayed(past), now)
    was = Side.of(
        *(
            sealed.read(folder / f"{name}.parquet", schema, site.zone("store"))
            for name, schema in _FILES.items()
        )
    )
    known = {(source, delivery) for source, delivery in former["deliveries"]}
    standing = {(each.source, each.delivery) for each in deliveries}
    corrected = {source for source, delivery in known - standing}
    fresh = np.array([(each.source, each.delivery) not in known for each in deliveries], bool)
    corrects = fresh & np.array([each.source in corrected for each in deliveries], bool)
    return compared(was, now, fresh[speakers], corrects[speakers])


def replayed(history: Frame, version: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The persons after that version (the last by default), ascending, and how many records each has: int64
    (p,), int64 (p,)."""
    rows = np.flatnonzero(
        array(history, "version") <= (version if version is not None else np.iinfo(np.int32).max)
    )
    records = array(history, "records")[rows]
    person, place = np.unique(
        np.concatenate([array(history, "after")[rows], array(history, "before")[rows]]), return_inverse=True
    )
    count = np.zeros(len(person), np.int64)
    np.add.at(count, place.reshape(-1), np.concatenate([records, -records]))
    there = (person != NO_PERSON) & (count != 0)
    return person[there], count[there]
