"""Person ids that stay, and what became of each: new, merged, split, moved, gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.files.schemas import NO_PERSON

KINDS: Final = ("new", "gone", "merge", "split", "moved")
NEW, GONE, MERGE, SPLIT, MOVED = range(5)
EVENT: Final = np.dtype(
    [
        ("version", "<i4"),
        ("day", "<i4"),
        ("kind", "i1"),
        ("before", "<i8"),
        ("after", "<i8"),
        ("bits", "<f8"),
        ("records", "<i4"),
    ]
)


@dataclass(frozen=True)
class Looked:
    """What a delta touches. Of the n records there are now: `label`: int32 (n,), their clusters; `before`:
    int64 (n,), the person each was, `NO_PERSON` if new; `born`: int (n,), smaller is older; `same`: bool
    (n,), is it as it was? `keys`: uint64 (n,), what settles ties. `left`, `right`: int32 (pairs,), links
    among them, and `bits`: float64 (pairs,), their weights. `gone`: int64 (k,), persons of records that are
    there no more. `lost_of`, `lost`: int64 (m,), int32 (m,): the person of a row that is no more, and the
    record with which it was linked; `lost_bits`: float64 (m,), by what weight.
    """

    label: np.ndarray
    before: np.ndarray
    born: np.ndarray
    same: np.ndarray
    keys: np.ndarray
    left: np.ndarray
    right: np.ndarray
    bits: np.ndarray
    gone: np.ndarray
    lost_of: np.ndarray
    lost: np.ndarray
    lost_bits: np.ndarray


def named(looked: Looked, unused: int) -> tuple[np.ndarray, np.ndarray, int]:
    """int64 (n,), the person of each record; the events (`EVENT`, version and day unset); and the next id
    that is unused.

    An id stays with the part that holds the oldest of its records, of those that have not changed where there
    are any. A cluster with several ids takes that of the oldest. Persons without one get new ids, in the
    order of their smallest key.
    """
    cluster = np.unique(looked.label, return_inverse=True)[1]
    clusters = int(cluster.max(initial=-1)) + 1
    old = np.flatnonzero(looked.before != NO_PERSON)
    claims = old[_first(looked.before[old], ~looked.same[old], looked.born[old])]
    winners = claims[_first(cluster[claims], ~looked.same[claims], looked.born[claims])]
    of_cluster = np.full(clusters, NO_PERSON, np.int64)
    of_cluster[cluster[winners]] = looked.before[winners]
    first = np.zeros(clusters, np.int64)
    by_key = np.argsort(looked.keys, kind="stable")[::-1]
    first[cluster[by_key]] = np.arange(len(by_key))[::-1]
    nameless = np.flatnonzero(of_cluster == NO_PERSON)
    nameless = nameless[np.argsort(first[nameless])]
    of_cluster[nameless] = unused + np.arange(len(nameless))
    person = of_cluster[cluster]
    return person, _events(looked, cluster, claims, of_cluster, person, unused), unused + len(nameless)


def _first(group: np.ndarray, *by: np.ndarray) -> np.ndarray:
    """The place of the first of each group, by the keys given."""
    order = np.lexsort((*by[::-1], group))
    return order[np.append(True, group[order][1:] != group[order][:-1])[: len(order)]]


def _events(
    looked: Looked,
    cluster: np.ndarray,
    claims: np.ndarray,
    of_cluster: np.ndarray,
    person: np.ndarray,
    unused: int,
) -> np.ndarray:
    part = looked.before << 32 | cluster  # records that were one person and are one
    parts, first, where, sizes = np.unique(part, return_index=True, return_inverse=True, return_counts=True)
    before, after = looked.before[first], person[first]
    main = np.zeros(len(parts), bool)
    main[where[claims]] = True
    changed = np.flatnonzero((before != NO_PERSON) & (before != after))
    kinds = np.where(main[changed], MERGE, np.where(after[changed] >= unused, SPLIT, MOVED))
    apart = (cluster[looked.left] == cluster[looked.right]) & (where[looked.left] != where[looked.right])
    joined, lost = np.full(len(parts), -np.inf), np.full(len(parts), -np.inf)
    for side in (looked.left, looked.right):
        np.maximum.at(joined, where[side[apart]], looked.bits[apart])
    ours = looked.before[looked.lost] == looked.lost_of
    np.maximum.at(lost, where[looked.lost[ours]], looked.lost_bits[ours])
    bits = np.where(kinds == SPLIT, lost[changed], joined[changed])
    born = np.flatnonzero(
        (np.bincount(cluster[looked.before != NO_PERSON], minlength=len(of_cluster)) == 0)
        & (of_cluster >= unused)
    )
    gone, numbers = np.unique(looked.gone[~np.isin(looked.gone, looked.before)], return_counts=True)
    events = np.zeros(len(changed) + len(born) + len(gone), EVENT)
    events["kind"] = np.concatenate([kinds, np.full(len(born), NEW), np.full(len(gone), GONE)])
    events["before"] = np.concatenate([before[changed], np.full(len(born), NO_PERSON), gone])
    events["after"] = np.concatenate([after[changed], of_cluster[born], np.full(len(gone), NO_PERSON)])
    events["bits"] = np.concatenate(
        [np.where(np.isfinite(bits), bits, np.nan), np.full(len(born) + len(gone), np.nan)]
    )
    events["records"] = np.concatenate(
        [sizes[changed], np.bincount(cluster, minlength=len(of_cluster))[born], numbers]
    )
    return events[np.lexsort((events["after"], events["before"], events["kind"]))]
