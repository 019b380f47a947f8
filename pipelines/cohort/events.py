"""From a list of code prefixes to a shard's matching rows, through its postings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from kernels.postings import in_order, row_starts
from pipelines.concepts import prefix_range
from pipelines.definition import Events
from pipelines.schemas import KIND, SETTING
from pipelines.storage import Category, Frame


class Shard(Protocol):
    """Reads columns of one shard's files."""

    def read(self, name: str, columns: Iterable[str] | None = None) -> Frame:
        """`name`: persons, periods, residences, events or postings."""
        ...


@dataclass(frozen=True)
class Matches:
    """Rows by (person, start). `person`, `start`: int32 (n,). `offsets`: int64 (persons + 1,): rows of each person."""

    person: np.ndarray
    start: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True)
class Facts:
    """What the engine looks at of one shard. Events of sources that the permit does not name are never seen."""

    shard: Shard
    sources: tuple[str, ...] | None  # None: all

    @cached_property
    def persons(self) -> Frame:
        return self.shard.read("persons")

    @cached_property
    def periods(self) -> Frame:
        return self.shard.read("periods")

    @cached_property
    def _postings(self) -> Frame:
        return self.shard.read("postings")

    @cached_property
    def _details(self) -> Frame:
        return self.shard.read("events", ("concept", "kind", "setting", "position", "source"))

    @property
    def count(self) -> int:
        """Persons in the shard."""
        return len(self.persons["person"])

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        concepts = self._details["concept"]
        return concepts.labels if isinstance(concepts, Category) else ()

    def matching(self, events: Events, prefixes: Iterable[str]) -> Matches:
        """Rows of `events`, whose code begins with one of `prefixes`."""
        rows = self._posted(prefixes)
        person, start, row = (np.asarray(self._postings[name])[rows] for name in ("person", "start", "row"))
        keep = self._wanted(events, row)
        person, start = person[keep], start[keep]
        order = in_order(person, start)
        person, start = person[order], start[order]
        return Matches(person, start, row_starts(person, self.count))

    def _posted(self, prefixes: Iterable[str]) -> np.ndarray:
        concept = np.asarray(self._postings["concept"])
        wanted: set[int] = set()
        for prefix in prefixes:
            wanted.update(range(*prefix_range(self._labels, prefix)))
        codes = np.array(sorted(wanted), concept.dtype)
        begins, ends = np.searchsorted(concept, codes), np.searchsorted(concept, codes, "right")
        return np.concatenate([np.arange(b, e) for b, e in zip(begins, ends, strict=True)] or [np.empty(0, np.int64)])

    def _wanted(self, events: Events, row: np.ndarray) -> np.ndarray:
        keep = np.ones(len(row), bool)
        if events.kind is not None:
            keep &= np.asarray(self._details["kind"])[row] == KIND[events.kind]
        if events.setting:
            keep &= np.isin(np.asarray(self._details["setting"])[row], [SETTING[name] for name in events.setting])
        if events.primary:
            keep &= np.asarray(self._details["position"])[row] == 1
        source = self._details["source"]
        if self.sources is not None and isinstance(source, Category):
            allowed = [position for position, name in enumerate(source.labels) if name in self.sources]
            keep &= np.isin(source.index[row], allowed)
        return keep
