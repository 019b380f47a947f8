"""The person index: a person for each record, and what all its records together say of the person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.hashing import hash_integers
from pipelines.errors import DataError
from pipelines.files import sealed
from pipelines.files.digests import content_hash, digest
from pipelines.files.frames import Frame, array, length
from pipelines.files.schemas import LINKS, PERSON_INDEX, PERSONS, TIES, UNITS
from pipelines.linkage.clusters import Clusters, persons_of
from pipelines.linkage.rows import Rows, unpacked_days
from pipelines.linkage.ties import Units
from pipelines.site.site import Site
from pipelines.site.snapshot import index_folder


def write_index(
    site: Site,
    sources: Sequence[str],
    records: Rows,
    clusters: Clusters,
    before: np.ndarray,
    joined: np.ndarray,
    units: Units,
    ties: Frame,
) -> tuple[Frame, Frame, dict[str, Any]]:
    """Write `index.parquet`, `persons.parquet`, `units.parquet` and `ties.parquet` under the hash of their
    content.

    `sources`: names, as `records["source"]` counts them. `before`: int32 (n,), for each record the first of
    its unit, and `joined`: int32 (n,), in 1/1000 bits, as `clusters.by_weight` returns them. `ties`: those of
    `units`. Returns the index, the units, and {"index", "records", "persons", "links": {link: records},
    "sources": {source: {link: records}}}.

    Raises DataError where two persons come to one id.
    """
    names = persons_of(records, clusters)
    zone = site.zone("store")
    person = hash_integers(records["record"], zone.derived("person"))[names]
    link = _links(records, clusters, names, before, joined)
    index: Frame = {
        "record": records["record"],
        "person": person,
        "link": link,
        "weight": np.where(link == LINKS.index("weight"), joined[before], 0).astype(np.int32),
    }
    persons: Frame = _persons(records, clusters, person)
    tied = np.flatnonzero(np.isin(units.name[before], array(ties, "unit")))
    units_of: Frame = {
        "record": records["record"][tied],
        "unit": units.name[before[tied]],
        **_known(records, before, before[tied]),
    }
    if (np.diff(array(persons, "person")) <= 0).any():
        raise DataError(
            "linkage",
            "two people have come to the same id",
            "make a new store key and refresh the site from nothing",
        )
    files = {
        "persons": (persons, PERSONS),
        "units": (units_of, UNITS),
        "ties": (ties, TIES),
        "index": (index, PERSON_INDEX),
    }
    name = digest(*(content_hash(*each) for each in files.values()))
    for file, (frame, schema) in files.items():
        sealed.write(frame, index_folder(site, name) / f"{file}.parquet", schema, zone)
    return (
        index,
        units_of,
        {
            "index": name,
            "records": len(person),
            "persons": length(persons),
            "links": _counts(link),
            "sources": {
                source: _counts(link[records["source"] == place]) for place, source in enumerate(sources)
            },
        },
    )


def _counts(link: np.ndarray) -> dict[str, int]:
    return {
        name: int(count) for name, count in zip(LINKS, np.bincount(link, minlength=len(LINKS)), strict=True)
    }


def _links(
    records: Rows, clusters: Clusters, names: np.ndarray, before: np.ndarray, joined: np.ndarray
) -> np.ndarray:
    """int8 (n,): by what each record came to its person, a position in `LINKS`."""
    alone, anchor, number, weight = range(4)
    by_number = np.bincount(before, minlength=len(before))[before] > 1
    by_weight = (before != before[names]) | ((joined[before] != 0) & ~by_number)
    link = np.where(by_weight, weight, np.where(by_number, number, alone))
    return np.where(records["anchor"], anchor, link).astype(np.int8)


def _persons(records: Rows, clusters: Clusters, person: np.ndarray) -> Frame:
    """Sex and birth day of each person, ascending: what the register says last; else what most records say,
    the smallest of several."""
    roots = np.flatnonzero(clusters.cluster == np.arange(len(clusters.cluster)))
    order = roots[np.argsort(person[roots])]
    return {"person": person[order], **_known(records, clusters.cluster, order)}


def _known(records: Rows, cluster: np.ndarray, roots: np.ndarray) -> Frame:
    """`sex` and `birth_day` of the clusters whose first records are `roots`."""
    sex = _consolidated(records, cluster, records["sex"], records["sex"] > 0, 0)
    birth = _consolidated(records, cluster, records["birth"], records["birth"] >= 0, -1)
    return {"sex": sex[roots].astype(np.int8), "birth_day": unpacked_days(birth[roots])}


def _consolidated(
    records: Rows, cluster: np.ndarray, values: np.ndarray, known: np.ndarray, unknown: int
) -> np.ndarray:
    """int32 (n,), at the first record of each cluster."""
    result = np.full(len(cluster), unknown, np.int32)
    rows = np.flatnonzero(known & records["anchor"])
    rows = rows[np.argsort(records["first_day"][rows], kind="stable")]
    result[cluster[rows]] = values[rows]
    settled = np.zeros(len(cluster), bool)
    settled[cluster[rows]] = True
    rows = np.flatnonzero(known & ~settled[cluster])
    pairs, count = np.unique(
        cluster[rows].astype(np.int64) << 32 | values[rows].astype(np.int64), return_counts=True
    )
    # The last to be written wins: most records, then the smallest value.
    order = np.lexsort((-(pairs & 0xFFFFFFFF), count))
    result[pairs[order] >> 32] = pairs[order] & 0xFFFFFFFF
    return result
