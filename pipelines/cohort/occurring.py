"""Which codes a snapshot has, so that a code that matches nothing is told before and after a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.cohort.query import ConceptSet
from pipelines.cohort.shard_source import ShardSource
from pipelines.files.frames import array
from pipelines.site.snapshot import Shard, Snapshot
from pipelines.study.code_list import BELOW, CodeList
from pipelines.study.concepts import prefix_range


@dataclass(frozen=True)
class Found:
    """What a list finds: how many `codes`, events of which `sources` have them, and its lines that find
    none."""

    codes: int
    sources: frozenset[str]
    unmatched: tuple[str, ...]


class Occurring:
    """The codes of a snapshot, read when they are first asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._shards = [ShardSource(shard, None) for shard in snapshot.shards]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Every code that an event has, ascending."""
        return tuple(sorted({label for shard in self._shards for label in shard.labels}))

    def find(self, codes: CodeList) -> Found:
        """What a list finds among all sources."""
        hierarchy = self._snapshot.hierarchy
        lines = [*codes.include, *(f"OMOP/{each}{BELOW}" for each in codes.concepts)]
        held = {line: self._held(hierarchy.expanded(line)) for line in lines}
        without = self._held(each for line in codes.exclude for each in hierarchy.expanded(line))
        asked = ConceptSet("", prefixes=tuple(each for line in lines for each in hierarchy.expanded(line)))
        sources = {name for shard in self._shards for name in shard.sources_of(shard.concepts(asked))}
        return Found(
            codes=len(set().union(*held.values()) - without),
            sources=frozenset(sources),
            unmatched=tuple(line for line, labels in held.items() if not labels),
        )

    def elsewhere(self, line: str) -> tuple[str, ...]:
        """Other code systems in which the code of a line that finds nothing occurs, ascending."""
        system, _, code = line.removesuffix(BELOW).partition("/")
        systems = sorted({label.partition("/")[0] for label in self.labels} - {system})
        return tuple(each for each in systems if code and self._held([f"{each}/{code}"]))

    def _held(self, prefixes: Iterable[str]) -> set[str]:
        spans = (prefix_range(self.labels, each) for each in prefixes)
        return {label for begin, end in spans for label in self.labels[begin:end]}


def persons_by_code(shards: Sequence[Shard]) -> dict[str, int]:
    """How many persons who have not opted out have each code. Exact: never to be shown, logged or written."""
    found = Counter[str]()
    for shard in shards:
        source = ShardSource(shard, None)
        frame = shard.read("postings", ("concept", "person"))
        concept, person = array(frame, "concept"), array(frame, "person")
        new = np.append(True, (np.diff(concept) != 0) | (np.diff(person) != 0))[: len(concept)]
        counts = np.bincount(
            concept[new & (concept >= 0) & source.free[person]], minlength=len(source.labels)
        )
        found.update(dict(zip(source.labels, counts.tolist(), strict=True)))
    return {label: found[label] for label in sorted(found) if found[label]}
