"""From pairs to persons: clusters under constraints, and a model that learns from the clusters it makes, in
turns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kernels.clusters import Links, agglomerate, rearrange
from kernels.comparisons import Plan, Scratch, Values
from kernels.weighing import Bars, Grounds, Weigher, weigher
from kernels.weighing import Evidence as KernelEvidence
from pipelines.linkage.evidence import Evidence
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.pairs import Comparer, Pairs, Patterns
from pipelines.linkage.training import NEAR_SHARE, SCALE, Lesson, Model, learned

MEAN = 0.3  # exponent of the power mean of a field's weights over the records of two clusters
_SWEEPS = 3
_LARGEST = 60  # records of a cluster from whose pairs the model learns


@dataclass(frozen=True)
class Resolution:
    """`label`: int32 (n,), the cluster of each record. `weights`: int64 (pairs,), in 1/1000 bits."""

    label: np.ndarray
    model: Model
    weights: np.ndarray


@dataclass(frozen=True)
class Records:
    """Records that can be compared. `values`, `plan`, `scratch`: as the kernels take them; `codes`: int32
    (n, fields), the place of each value in `values`, -1 if unknown."""

    values: Values
    plan: Plan
    scratch: Scratch
    codes: np.ndarray


class Resolver:
    """Makes clusters of the records that pairs connect."""

    def __init__(
        self,
        records: Records,
        bars: Bars,
        pairs: Pairs,
        threshold: float,
        sure: Pairs | None = None,
        order: np.ndarray | None = None,
    ) -> None:
        """`threshold`: bits from which a pair links; `sure`: pairs that are one person whatever they weigh;
        `order`: int64 (n,), the records in the order that settles ties; None: as they stand."""
        codes = records.codes
        self._records, self._pairs, self._threshold = records, pairs, threshold
        self._order = np.arange(len(codes)) if order is None else order
        place = np.empty(len(codes), np.int32)
        place[self._order] = np.arange(len(codes), dtype=np.int32)
        self._left, self._right = _both(place, pairs)
        self._turn = (
            np.argsort(self._left.astype(np.int64) << 32 | self._right)
            if order is not None
            else np.arange(len(pairs))
        )
        self._sure = None if sure is None else _both(place, sure)
        self._bars = Bars(*(each[self._order] for each in bars[:-1]), _apart(place, bars.apart))  # type: ignore[call-arg]
        self._room: Weigher = weigher(codes, order)

    def clusters(self, model: Model) -> tuple[np.ndarray, np.ndarray]:
        """The cluster of each record, int32 (n,), and the weight of each pair, int64."""
        records, pairs, n = self._records, self._pairs, len(self._records.codes)
        weights = model.of_pairs(pairs, records.codes)
        likely = self._turn[weights[self._turn] > self._threshold * SCALE]
        likely = likely[np.argsort(-weights[likely], kind="stable")]
        left, right, patterns = self._left[likely], self._right[likely], pairs.patterns[likely]
        sure = 0
        if self._sure is not None:
            sure = len(self._sure[0])
            left, right = np.concatenate([self._sure[0], left]), np.concatenate([self._sure[1], right])
            patterns = np.concatenate([np.full(sure, -1, np.int64), patterns])
        evidence = evidence_of(model)
        label, stirred = np.arange(n, dtype=np.int32), np.zeros(n, bool)
        grounds = Grounds(
            values=records.values,
            plan=records.plan,
            scratch=records.scratch,
            room=self._room,
            evidence=evidence,
            bars=self._bars,
        )
        links = Links(left, right, patterns)
        agglomerate(grounds, links, sure, self._threshold, label, stirred)
        begins, others = neighbours(left, right, n)
        for _ in range(_SWEEPS):
            moves = rearrange(grounds, begins, others, self._threshold, label, stirred)
            joins = agglomerate(grounds, links, sure, self._threshold, label, stirred)
            if not moves and not joins:  # each component is as it would be alone
                break
        named = np.empty(n, np.int32)
        named[self._order] = self._order[label]
        return named, weights

    def linked(self, label: np.ndarray) -> Patterns:
        """Patterns of the pairs that lie inside clusters. `label`: int32 (n,), the cluster of each record."""
        pairs = self._pairs
        together = label[pairs.left] == label[pairs.right]
        patterns, counts = np.unique(pairs.patterns[together], return_counts=True)
        return Patterns(patterns, counts)


def _both(place: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Both records of pairs by their places, the smaller first."""
    left, right = place[pairs.left], place[pairs.right]
    return np.minimum(left, right), np.maximum(left, right)


def _apart(place: np.ndarray, apart: np.ndarray) -> np.ndarray:
    left, right = place[apart >> 32].astype(np.int64), place[apart & 0xFFFFFFFF].astype(np.int64)
    return np.sort(np.minimum(left, right) << 32 | np.maximum(left, right))


def evidence_of(model: Model) -> KernelEvidence:
    """The model as the kernels take it, in bits."""
    sizes = [len(model.rarity[name]) if name in model.rarity else 0 for name in model.levels]
    rarity = np.concatenate(
        [np.zeros(0), *(model.rarity[name] / SCALE for name in model.levels if name in model.rarity)]
    )
    first, second = model.ends()
    return KernelEvidence(
        weights=model.weights() / SCALE,
        prior=model.prior,
        mean=MEAN,
        rarity=rarity,
        rarity_begins=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        near_share=NEAR_SHARE,
        tops=np.array([len(levels) - 1 for levels in model.levels.values()], np.int8),
        dependence=model.together() / SCALE,
        first=first,
        second=second,
    )


def neighbours(left: np.ndarray, right: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of n records those that it is paired with: int64 (n + 1,), where each record's begin, and
    int32 (2 × pairs,), ascending.

    `left`, `right`: int32 (pairs,).
    """
    ends = np.concatenate([left, right]).astype(np.int64) << 32 | np.concatenate([right, left])
    ends.sort()
    return np.searchsorted(ends >> 32, np.arange(n + 1)), (ends & 0xFFFFFFFF).astype(np.int32)


def inside(label: np.ndarray, comparer: Comparer) -> Patterns:
    """Patterns of all pairs inside the clusters; of a very large cluster its first records stand for all.

    `label`: int32 (n,), the cluster of each record.
    """
    order = np.argsort(label, kind="stable").astype(np.int32)
    named = label[order]
    begins = np.flatnonzero(np.append(True, named[1:] != named[:-1])[: len(named)])
    place = np.arange(len(named)) - np.repeat(begins, np.diff(np.append(begins, len(named))))
    order = order[place < _LARGEST]
    named = label[order]
    begins = np.flatnonzero(np.append(True, named[1:] != named[:-1])[: len(named)])
    sizes = np.diff(np.append(begins, len(named)))
    keep = np.repeat(sizes > 1, sizes)
    order, sizes = order[keep], sizes[sizes > 1]
    ends = np.repeat(np.cumsum(sizes), sizes).astype(np.int32)
    return comparer.of_rows(order, ends)


def resolve(
    resolver: Resolver,
    comparer: Comparer,
    settings: LinkSettings,
    codes: np.ndarray,
    model: Model,
    evidence: Evidence,
) -> Resolution:
    """Clusters, and the model that they teach: in turns, the clusters are made anew with what their own pairs
    say of the levels.

    `codes`: int32 (n, fields), the value that each record holds, -1 if unknown.
    """
    label, weights = resolver.clusters(model)
    for _ in range(settings.rounds):
        linked = resolver.linked(label)
        evidence = replace(evidence, at_random=comparer.at_random(settings.sample, label))
        model = learned(model, settings, evidence, Lesson(inside(label, comparer), linked, codes, label))
        before = label
        label, weights = resolver.clusters(model)
        if np.array_equal(before, label):
            break
    return Resolution(label, model, weights)
