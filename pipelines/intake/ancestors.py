"""What lies above the concepts that a delivery's events have, by its own concept_ancestor table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import VALUE_SCALE
from pipelines.intake.adapters import blocks
from pipelines.intake.concept_table import Digests, concept_table
from pipelines.intake.contract import Contract
from pipelines.study.hierarchy import together

Occurring = tuple[str, int]  # a label that an event has, and the id of a concept of it
TABLE = "concept_ancestor"


def ancestors(contract: Contract, concepts: Digests, pairs: Digests, occurring: Iterable[Occurring]) -> Frame:
    """The pairs of schema ANCESTORS. `concepts`, `pairs`: files of the two tables, with the digest of each;
    `occurring`: in any order."""
    labels, own = zip(*sorted(set(occurring)), strict=True) if occurring else ((), ())
    ids = np.array(own, np.int64)
    above, of = _above(contract, pairs, np.unique(ids))
    order = np.argsort(ids, kind="stable")
    begin, end = (np.searchsorted(ids[order], of, side) for side in ("left", "right"))
    times = end - begin
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    row = np.append(np.arange(len(ids)), order[np.repeat(begin, times) + within])
    ancestor = np.append(ids, np.repeat(above, times))
    itself = (np.arange(len(row)) < len(ids)).astype(np.int8)
    return together(list(_named(contract, concepts, list(labels), row, ancestor, itself)))


def _named(
    contract: Contract,
    concepts: Digests,
    labels: list[str],
    row: np.ndarray,
    ancestor: np.ndarray,
    itself: np.ndarray,
) -> Iterator[Frame]:
    """The pairs twice: with each ancestor by its code, where the concept table knows that, and by its id."""
    known, place = concept_table(contract, concepts).labels(ancestor)
    distinct, by_id = np.unique(ancestor, return_inverse=True)
    for names, index in ((known, place), ([f"OMOP/{each}" for each in distinct.tolist()], by_id.reshape(-1))):
        there = index >= 0
        yield {
            "concept": Category.of(labels, row[there].astype(np.int32)),
            "ancestor": Category.of(names, index[there].astype(np.int32)),
            "itself": itself[there],
        }


def _above(contract: Contract, files: Digests, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ancestor and descendant, int64 (m,) each, of the pairs whose descendant is one of `wanted`, int64 (n,),
    ascending; no concept is its own ancestor here."""
    table = contract.table(TABLE)
    found = [np.empty((2, 0), np.int64)]
    for path, _ in files:
        for block in blocks(contract, table, Path(path), []) if table else ():
            above, below = (
                block.fixed(f"{side}_concept_id")[0] // VALUE_SCALE for side in ("ancestor", "descendant")
            )
            keep = np.isin(below, wanted) & (above != below)
            found.append(np.stack([above[keep], below[keep]]))
    return tuple(np.unique(np.concatenate(found, 1), axis=1))  # type: ignore[return-value]
