"""What people read of a living index: clusters, links and the history of persons, as plain tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.files import people
from pipelines.files.schemas import NO_PERSON
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.living_persons import EVENT, KINDS
from pipelines.linkage.living_state import Store
from pipelines.linkage.training import SCALE


def write_tables(store: Store, settings: LinkSettings, out: Path) -> None:
    """`clusters.parquet` and `links.parquet` as they stand."""
    persons, sources = store.whole("persons"), store.column("sources")
    names = [table.source for table in settings.data]
    ids = people.from_utf8(store.column("id_text"), store.column("id_starts"))
    present = np.flatnonzero(persons != NO_PERSON)
    record, person = people.taken(ids, present), persons[present].astype(np.int64)
    frame = {"source": people.labels(sources[present], names), "record_id": record, "cluster_id": person}
    people.write(frame, out / "clusters.parquet")
    keys, weights = [], []
    for run in store.postings("links").runs:
        left = (run.keys >> np.uint64(32)).astype(np.int64)
        right = (run.keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        kept = (left < right) & (persons[left] != NO_PERSON) & (persons[right] != NO_PERSON)
        keys.append(run.keys[kept])
        weights.append(run.payload[1][kept])
    key, weight = np.concatenate(keys), np.concatenate(weights)
    order = np.argsort(key)
    left = (key[order] >> np.uint64(32)).astype(np.int64)
    right = (key[order] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    weight = weight[order]
    people.write(
        {
            "left_source": people.labels(sources[left], names),
            "left_id": people.taken(ids, left),
            "right_source": people.labels(sources[right], names),
            "right_id": people.taken(ids, right),
            "weight": weight / SCALE,
            "probability": 1 / (1 + np.exp2(-weight / SCALE)),
            "same_cluster": persons[left] == persons[right],
        },
        out / "links.parquet",
    )


def write_history(store: Store, out: Path) -> int:
    """`history.parquet`: every event of every version so far; returns how many."""
    events = np.ascontiguousarray(store.column("history")).reshape(-1).view(EVENT)
    column = {name: np.ascontiguousarray(events[name]) for name in EVENT.names or ()}
    frame = {
        "version": column["version"],
        "date": column["day"].astype("datetime64[D]"),
        "kind": people.labels(column["kind"], KINDS),
        "before": people.with_gaps(column["before"], column["before"] == NO_PERSON),
        "after": people.with_gaps(column["after"], column["after"] == NO_PERSON),
        "bits": people.with_gaps(column["bits"], np.isnan(column["bits"])),
        "records": column["records"],
    }
    people.write(frame, out / "history.parquet")
    return len(events)
