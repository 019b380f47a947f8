"""Precision, recall and F1 against the truth: exact, from counts of who shares a group with whom; true pairs
are never listed."""

from __future__ import annotations

import numpy as np


def _codes(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1].ravel().astype(np.int64)


def _pairs_within(labels: np.ndarray) -> int:
    sizes = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def figures(right: int, found: int, true: int) -> dict[str, float]:
    """Precision, recall and F1 from three counts of pairs."""
    precision, recall = right / max(found, 1), right / max(true, 1)
    return {
        "precision": round(precision, 5),
        "recall": round(recall, 5),
        "f1": round(2 * right / max(found + true, 1), 5),
        "found": found,
    }


def true_pairs(person: np.ndarray, source: np.ndarray | None = None) -> int:
    """Pairs of records of one person.

    `person`: int64 or text (str) (n,), one label for each record; `source`: int64 (n,), if only pairs across
    sources count.
    """
    if source is None:
        return _pairs_within(person)
    both = _codes(person) * 2**20 + _codes(source)
    return _pairs_within(person) - _pairs_within(both)


def clusters(cluster: np.ndarray, person: np.ndarray, source: np.ndarray | None = None) -> dict[str, float]:
    """Of the pairs within clusters.

    `cluster`: int64 or text (str) (n,), and `person`: int64 or text (str) (n,), one label for each record;
    `source`: int64 (n,), if only pairs across sources count.
    """
    cluster, person = _codes(cluster), _codes(person)
    shared = cluster * (int(person.max(initial=0)) + 1) + person
    return figures(true_pairs(shared, source), true_pairs(cluster, source), true_pairs(person, source))


def pairs(left: np.ndarray, right: np.ndarray, person: np.ndarray, true: int) -> dict[str, float]:
    """Of distinct pairs.

    `left`, `right`: int64 (k,), record numbers; `person`: int64 or text (str) (n,), one label for each
    record; `true`: pairs of records of one person.
    """
    return figures(int((person[left] == person[right]).sum()), len(left), true)


def best(
    left: np.ndarray, right: np.ndarray, score: np.ndarray, person: np.ndarray, true: int
) -> dict[str, float]:
    """At the cut of the score that gives the best F1. It needs the truth: a ceiling, nothing that a user
    could choose.

    `left`, `right`: int64 (k,), record numbers; `score`: float64 (k,); `person`: int64 or text (str) (n,),
    one label for each record.
    """
    if not len(score):
        return {**figures(0, 0, true), "cut": 0.0}
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(person[left[order]] == person[right[order]])
    found = np.arange(1, len(order) + 1)
    last = np.append(np.diff(score[order]) != 0, True)
    f1 = np.where(last, 2 * hits / (found + true), 0)
    at = int(f1.argmax())
    return {**figures(int(hits[at]), at + 1, true), "cut": float(score[order][at])}


def ranks(values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Record numbers, int64 (k,), of some identifiers among all.

    `values`: text (str) (k,); `ids`: text (str) (n,), each another.
    """
    order = np.argsort(ids)
    return order[np.searchsorted(ids, values, sorter=order)]
