"""Changes to a living index as they are read: records to add, to correct and to withdraw, in the words of the
index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import DataError, SettingsError
from pipelines.files import people
from pipelines.files.schemas import NO_PERSON
from pipelines.linkage.encode import Encoded, encode
from pipelines.linkage.link_settings import InputTable, LinkSettings
from pipelines.linkage.living_state import Store
from pipelines.linkage.living_values import Adopted, adopt, given_by, same_texts
from pipelines.linkage.names import record_keys


@dataclass(frozen=True)
class Change:
    """A table of records to add or to correct (`source` names theirs), or, without a source, of `source` and
    `record_id` to withdraw."""

    path: Path
    source: str | None = None


@dataclass(frozen=True)
class Delta:
    """What changes. `added`: rows of new and corrected records among those read; `old`: int64, the row that
    each replaces, -1 if new. `dead`: int64, rows that are there no more."""

    adopted: Adopted
    added: np.ndarray
    old: np.ndarray
    dead: np.ndarray
    sources: np.ndarray
    keys: np.ndarray
    ids: Any
    counts: dict[str, int]


def read_changes(
    store: Store, settings: LinkSettings, changes: Sequence[Change], persons: np.ndarray
) -> Delta:
    """What the tables of `changes` change in the index.

    `persons`: int32 (rows,), the person of each row of the index, `NO_PERSON` for one that is there no more.

    Raises SettingsError where a change is of a source that the index does not know, DataError where two
    tables name one record.
    """
    names = [table.source for table in settings.data]
    unknown = [change for change in changes if change.source is not None and change.source not in names]
    if unknown:
        raise SettingsError(
            unknown[0].path,
            "belongs to a source that the index does not know",
            f"name one of {', '.join(names)}",
        )
    adds = sorted(
        (change for change in changes if change.source is not None),
        key=lambda change: names.index(str(change.source)),
    )
    data = [settings.data[names.index(str(change.source))] for change in adds]
    paths = [change.path for change in adds]
    encoded = encode(settings, paths, data, given_by(store, settings.fields))
    withdrawn, missing = _withdrawn(
        store, names, persons, [change.path for change in changes if change.source is None]
    )
    sources = np.array([names.index(table.source) for table in data], np.int64)[encoded.sources]
    ids = _ids(store, names, data, paths, encoded)
    keys = record_keys(ids, sources)
    if len(np.unique(keys)) < len(keys):
        raise DataError(
            paths[0],
            "names records that another of the tables names too",
            "an id names one record: leave one of them out",
        )
    old = _rows_of(store, persons, keys, sources, ids)
    adopted = adopt(store, settings.fields, encoded)
    same = np.zeros(len(keys), bool)
    known = np.flatnonzero(old >= 0)
    same[known] = (store.column("codes")[old[known]] == adopted.codes[known]).all(1)
    added = np.flatnonzero(~same)
    dead = np.setdiff1d(np.union1d(old[added][old[added] >= 0], withdrawn), old[same])
    counts = {
        "added": int((old[added] < 0).sum()),
        "corrected": int((old[added] >= 0).sum()),
        "unchanged": int(same.sum()),
        "withdrawn": len(np.setdiff1d(withdrawn, old)),
        "not_there": missing,
    }
    return Delta(
        adopted=adopted,
        added=added,
        old=old[added],
        dead=dead,
        sources=sources[added],
        keys=keys[added],
        ids=people.taken(people.large(ids), added),
        counts=counts,
    )


def _ids(
    store: Store, names: Sequence[str], data: Sequence[InputTable], paths: Sequence[Path], encoded: Encoded
) -> Any:
    """Names of the records read; where a source has no column for them they are numbered on."""
    begins = []
    for place, table in enumerate(data):
        source = names.index(table.source)
        begins.append(store.facts["rows"][source])
        store.facts["rows"][source] += int(encoded.edges[place + 1] - encoded.edges[place])
    return people.identifiers([(path, table.id) for path, table in zip(paths, data, strict=True)], begins)


def _withdrawn(
    store: Store, names: Sequence[str], persons: np.ndarray, paths: Sequence[Path]
) -> tuple[np.ndarray, int]:
    """Rows to take out, and how many of those named are not there."""
    found, missing = [np.zeros(0, np.int64)], 0
    for path in paths:
        read = people.read_text(path, ["source", "record_id"])
        source, record = (people.code([read[name]]) for name in ("source", "record_id"))
        number = np.array([names.index(text) if text in names else -1 for text in source.texts()] + [-1])[
            source.codes
        ]
        if (number < 0).any():
            raise DataError(
                path, "names a source that the index does not know", f"name one of {', '.join(names)}"
            )
        if (record.codes < 0).any():
            raise DataError(path, "has lines without a record_id", "fill them in or leave the lines out")
        ids = people.taken(record.values, record.codes)
        rows = _rows_of(store, persons, record_keys(ids, number), number, ids)
        missing += int((rows < 0).sum())
        found.append(rows[rows >= 0])
    return np.unique(np.concatenate(found)), missing


def _rows_of(
    store: Store, persons: np.ndarray, keys: np.ndarray, sources: np.ndarray, ids: Any
) -> np.ndarray:
    """int64 (m,): the row of each record, -1 if it is not in the index."""
    out = np.full(len(keys), -1, np.int64)
    order = np.argsort(keys, kind="stable")
    which, _, rows = store.postings("ids").all(keys[order])
    which, rows = order[which], rows.astype(np.int64)
    there = (persons[rows] != NO_PERSON) & (store.column("sources")[rows] == sources[which])
    which, rows = which[there], rows[there]
    text, starts = people.utf8(people.large(ids))
    same = same_texts(text, starts, which, store.column("id_text"), store.column("id_starts"), rows)
    out[which[same]] = rows[same]
    return out
