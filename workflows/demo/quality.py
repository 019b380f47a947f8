"""How well linkage did against the truth, which only the demo may read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kernels.hashing import hash_rows
from pipelines.files import sealed
from pipelines.files.schemas import PERSON_INDEX
from pipelines.site import snapshot
from pipelines.site.site import Site


@dataclass(frozen=True)
class Quality:
    """Over pairs of records. `precision`: share of the linked pairs that are of one person; `recall`: share
    of a person's pairs found."""

    records: int
    persons: int
    clusters: int
    linked_pairs: int
    true_pairs: int
    right_pairs: int

    @property
    def precision(self) -> float:
        return self.right_pairs / self.linked_pairs if self.linked_pairs else 1.0

    @property
    def recall(self) -> float:
        return self.right_pairs / self.true_pairs if self.true_pairs else 1.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def linkage_quality(site: Site) -> Quality:
    """Compare the current person index with the truth of the made-up region."""
    truth = pq.read_table(site.root / "truth" / "records.parquet")
    key = site.zone("identity").derived("record")
    record = np.concatenate([record_keys(batch, key) for batch in truth.to_batches(max_chunksize=1 << 20)])
    person = truth["person"].to_numpy()

    folder = snapshot.index_folder(site, snapshot.Snapshot.load(site).index)
    index = sealed.read(folder / "index.parquet", PERSON_INDEX, site.zone("store"), ("record", "person"))
    known, cluster = np.asarray(index["record"]), np.asarray(index["person"])
    place = np.minimum(np.searchsorted(known, record), len(known) - 1)
    found = known[place] == record
    person, cluster = person[found], cluster[place[found]]
    return Quality(
        records=int(found.sum()),
        persons=len(np.unique(person)),
        clusters=len(np.unique(cluster)),
        linked_pairs=_pairs(cluster),
        true_pairs=_pairs(person),
        right_pairs=_pairs(_together(person, cluster)),
    )


def record_keys(batch: pa.RecordBatch, key: bytes) -> np.ndarray:
    """The record keys that intake gave, int64 (rows,): hash of source and the source's own reference."""
    text = [
        f"{source}\x1f{reference}".encode()
        for source, reference in zip(*(batch[n].to_pylist() for n in ("source", "reference")), strict=True)
    ]
    return hash_rows(np.array(text or [b""], "S")[: len(text)], key)


def _together(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A number for each pair of values: int64 (n,)."""
    order = np.lexsort((other, one))
    new = np.append(True, (np.diff(one[order]) != 0) | (np.diff(other[order]) != 0))[: len(order)]
    out = np.empty(len(one), np.int64)
    out[order] = np.cumsum(new)
    return out


def _pairs(group: np.ndarray) -> int:
    counts = np.unique(group, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())
