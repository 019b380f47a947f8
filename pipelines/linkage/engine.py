"""The linkage engine alone: tables in, clusters of records out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.compute.ranks import Ranks
from pipelines.files import people
from pipelines.linkage.bars import bars
from pipelines.linkage.combine import list_pairs
from pipelines.linkage.encode import Encoded, encode
from pipelines.linkage.evidence import Evidence, alike_pairs, equal_pairs
from pipelines.linkage.fields import plan
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.names import Names, names_of
from pipelines.linkage.pairs import Comparer, Pairs, Patterns
from pipelines.linkage.resolve import Records, Resolution, Resolver, resolve
from pipelines.linkage.review import Links, Record
from pipelines.linkage.rules import Blocking, Candidates, block
from pipelines.linkage.training import SCALE, Model, by_belief, by_dice, by_em

Progress = Callable[[str], None]
MARGIN = 10.0  # bits below the threshold down to which pairs are kept, for the model may yet change


@dataclass(frozen=True)
class Linked:
    """What a linkage found. `pairs`: those kept; `patterns`: of all compared; `new`: pairs that each rule
    made first. `names`: of the records. `screens`: the models by which they were kept, one after the other.
    """

    encoded: Encoded
    blocking: Blocking
    pairs: Pairs
    patterns: Patterns
    new: list[int]
    resolution: Resolution
    names: Names
    screens: tuple[Model, ...]


class Clock:
    """CPU seconds by phase, of this process."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time one phase, after which memory that it needs no more goes back to the system."""
        begun = time.process_time()
        yield
        people.release()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.process_time() - begun, 3)


def link_tables(
    settings: LinkSettings,
    paths: Sequence[Path],
    ranks: Ranks,
    clock: Clock,
    say: Progress,
    given: Callable[[Encoded], Model] | None = None,
    decided: Links | None = None,
) -> Linked | None:
    """Encode, block, compare, resolve; the result on rank 0, None elsewhere. `given`: a model to be used as
    it is, in place of training. `decided`: pairs that people decided."""
    with clock.phase("encode"):
        encoded = encode(settings, paths)
    say(f"{len(encoded):,} records read")
    with clock.phase("block"):
        candidates = Candidates(encoded.matrix(), groups(settings, encoded.sources))
        blocking = blocked(settings, encoded, candidates)
    say(f"{blocking.pairs():,} pairs at most")
    comparer = Comparer(encoded.values, plan(settings.fields), candidates, blocking, ranks)
    counts = {
        name: counted(encoded.codes[name]) for name, field in settings.fields.items() if field.weighs_rarity()
    }
    evidence: Evidence | None = None
    with clock.phase("train"):
        if given:
            model = given(encoded)
        else:
            evidence = sampled(settings, comparer, candidates)
            model = train(settings, evidence, counts, len(encoded))
    with clock.phase("score"):
        patterns, new, pairs, _ = comparer.all(model.most(settings.threshold - margin(settings)), say)
        screens: tuple[Model, ...] = (model,)
        comparer, blocking = comparer.alone(), blocking.counts()
    if pairs is None:
        return None
    with clock.phase("resolve"):
        if evidence is not None:
            evidence = replace(evidence, compared=patterns)
            model = train(settings, evidence, counts, len(encoded))
        screens = (*screens, model)
        pairs = likely(pairs, model, candidates.codes, settings.threshold - margin(settings))
        del counts
        names = names_of(settings.data, paths, encoded.sources)
        must, cannot = decisions(decided, settings, encoded, names)
        barred = bars(settings, encoded.sources, encoded.codes, encoded.values)._replace(apart=cannot)
        records = Records(encoded.values, plan(settings.fields), comparer.scratch(), candidates.codes)
        resolver = Resolver(records, barred, pairs, settings.threshold, sure=must, order=names.order)
        if evidence is not None:
            resolution = resolve(resolver, comparer, settings, candidates.codes, model, evidence)
        else:
            label, weights = resolver.clusters(model)
            resolution = Resolution(label, model, weights)
    return Linked(
        encoded=encoded,
        blocking=blocking,
        pairs=pairs,
        patterns=patterns,
        new=new,
        resolution=resolution,
        names=names,
        screens=screens,
    )


def margin(settings: LinkSettings) -> float:
    """Bits below the threshold down to which pairs are kept: further where the model will yet learn from
    clusters."""
    return MARGIN if settings.rounds else MARGIN / 2


def likely(pairs: Pairs, model: Model, codes: np.ndarray, floor: float) -> Pairs:
    """The pairs that weigh at least `floor` bits. `codes`: int32 (n, fields), -1 if unknown."""
    return pairs.take(np.flatnonzero(model.of_pairs(pairs, codes) >= floor * SCALE))


def decisions(
    decided: Links | None, settings: LinkSettings, encoded: Encoded, names: Names
) -> tuple[Pairs | None, np.ndarray]:
    """Pairs that must be one person, and int64 (k,), pairs that must not (smaller << 32 | larger,
    ascending)."""
    if decided is None:
        return None, np.empty(0, np.int64)
    sources = [table.source for table in settings.data]
    place = {
        (sources[source], name): record
        for record, (source, name) in enumerate(zip(encoded.sources, names.ids.to_pylist(), strict=True))
    }

    def keys(pairs: Sequence[tuple[Record, Record]]) -> np.ndarray:
        known = [(place[a], place[b]) for a, b in pairs if a in place and b in place]
        return np.array(sorted({min(pair) << 32 | max(pair) for pair in known}), np.int64)

    must = keys(decided.must)
    return Pairs(
        (must >> 32).astype(np.int32), (must & 0xFFFFFFFF).astype(np.int32), np.zeros(len(must), np.int64)
    ), keys(decided.cannot)


def sampled(settings: LinkSettings, comparer: Comparer, candidates: Candidates) -> Evidence:
    """What the model begins with, from samples of pairs."""
    at_random, total = comparer.at_random(settings.sample), possible(candidates.groups, len(candidates.codes))
    if settings.training != "em":
        return Evidence(at_random, Patterns.merged([]), [], total)
    by_rule = comparer.by_rule(settings.sample)
    once = Patterns.merged([(new.patterns, new.counts) for _, new in by_rule])
    equal = equal_pairs(candidates.codes, candidates.groups)
    return Evidence(
        at_random=at_random,
        compared=once,
        by_rule=[every for every, _ in by_rule],
        total=total,
        equal=equal,
        alike=alike_pairs(comparer, candidates.codes),
    )


def train(
    settings: LinkSettings, evidence: Evidence, counts: Mapping[str, np.ndarray], records: int
) -> Model:
    """The model to begin with.

    `counts`: {field: int32 (values,)}, how many of the `records` hold each value.
    """
    if settings.training == "dice":
        return by_dice(settings.fields, settings.dice)
    if settings.training == "clusters":
        return by_belief(settings.fields, evidence, counts, records)
    return by_em(
        settings.fields,
        settings.rules or [()],
        evidence,
        counts,
        records,
        settings.prior_strength,
        settings.interactions,
    )


def blocked(settings: LinkSettings, encoded: Encoded, candidates: Candidates) -> Blocking:
    """Which records are compared with which."""
    if not settings.combine:
        return block(encoded.deriver, settings.rules, candidates, settings.largest_block, settings.divisors)
    listed, report = list_pairs(
        encoded.deriver, settings.combined, settings.families, candidates, settings.pairs_a_record
    )
    return Blocking([], np.zeros((len(encoded), 0), np.int32), np.zeros(1, np.int32), listed, tuple(report))


def groups(settings: LinkSettings, sources: np.ndarray) -> np.ndarray:
    """int32 (n,): no pair lies within one; -1 for a record in none. `sources`: integers (n,), the place of
    each record's table in the settings."""
    if settings.mode == "between":
        return sources.astype(np.int32)
    single = np.array([table.duplicate_free for table in settings.data])
    return np.where(single[sources], sources, -1).astype(np.int32)


def possible(group: np.ndarray, n: int) -> float:
    """Pairs that could be made. `group`: int32 (n,), no pair lies within one; -1 for none."""
    sizes = np.bincount(group[group >= 0]).astype(float)
    return max(n * (n - 1) / 2 - float((sizes * (sizes - 1) / 2).sum()), 1.0)


def counted(codes: np.ndarray) -> np.ndarray:
    """int32 (values,): records that hold each value. `codes`: int32 (n,), -1 if unknown."""
    return np.bincount(codes[codes >= 0]).astype(np.int32)


def numbered(label: np.ndarray) -> np.ndarray:
    """int64 (n,): clusters counted from 1 in the order of their first records.

    `label`: int32 (n,), the cluster of each record.
    """
    first = np.full(len(label), len(label), np.int64)
    np.minimum.at(first, label, np.arange(len(label)))
    first = first[label]
    return np.cumsum(first == np.arange(len(label)))[first]
