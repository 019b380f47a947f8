"""Blocks in a living index: by each rule the records' keys, sorted, in which those that share a new record's
key are found by search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from kernels.blocks import combine
from pipelines.linkage.keys import Deriver, Key
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.living_state import Postings, Run, Store, ranges

_PART = 1 << 22  # pairs found at a time


@dataclass
class Found:
    """Keys of records by one rule. `keys`: uint64 (m,), `records`: int32 (m,), of new records by their place
    among the new."""

    keys: np.ndarray
    records: np.ndarray
    spans: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)


def save_blocks(store: Store, settings: LinkSettings, deriver: Deriver) -> None:
    """The keys of all records by each rule, heavy blocks divided as the full run divides them."""
    store.facts["heavy"] = []
    for place, rule in enumerate(settings.rules):
        keys, heavy, n = *_divided(settings, deriver, rule, None), len(deriver.codes(rule[0].field))
        store.facts["heavy"].append(heavy)
        rows = np.flatnonzero(keys)
        store.add(f"rule{place}", Run(keys[rows], ((rows % n).astype(np.int32),)))


def _divided(
    settings: LinkSettings, deriver: Deriver, rule: Sequence[Key], known: Sequence[Sequence[int]] | None
) -> tuple[np.ndarray, list[list[int]]]:
    """uint64 (keys * n,): keys of all records; and for each divisor the keys of blocks that it divided: those
    `known`, or the heavy ones."""
    per_key = deriver.rule(rule)
    n, keys = len(per_key[0]), np.concatenate(per_key)
    divided: list[list[int]] = []
    for stage, divisor in enumerate(settings.divisors):
        heavy = (
            np.array(known[stage], np.uint64) if known is not None else _heavy(keys, settings.largest_block)
        )
        divided.append([int(each) for each in heavy])
        if len(heavy):
            which = np.flatnonzero(np.isin(keys, heavy))
            more = keys[which]
            combine(more, np.arange(len(which), dtype=np.int32), deriver.several(divisor)[0][which % n])
            keys[which] = more
    return keys, divided


def _heavy(keys: np.ndarray, largest: int) -> np.ndarray:
    """uint64: keys of blocks that make more pairs than `largest`."""
    distinct, counts = np.unique(keys[keys != 0], return_counts=True)
    return distinct[counts * (counts - 1) // 2 > largest]


class Candidates:
    """Records of the index, and new ones, that share a block with a new record."""

    def __init__(self, store: Store, settings: LinkSettings, deriver: Deriver, rows: np.ndarray) -> None:
        """`rows`: int32 (k,), numbers that the new records get."""
        self._store, self._settings, self._rows = store, settings, rows
        self._rules: list[Found] = []
        self._postings: list[Postings] = []
        for place, rule in enumerate(settings.rules):
            keys, _ = _divided(settings, deriver, rule, store.facts["heavy"][place])
            held = np.flatnonzero(keys)
            order = held[np.argsort(keys[held], kind="stable")]
            found = Found(keys[order], (order % max(len(rows), 1)).astype(np.int32))
            postings = store.postings(f"rule{place}")
            postings.runs.append(Run(found.keys, (rows[found.records],)))
            found.spans = postings.spans(found.keys)
            self._rules.append(found)
            self._postings.append(postings)

    def heavy(self) -> int:
        """Blocks with a new record that make more pairs than the settings allow."""
        total = 0
        for found in self._rules:
            sizes = sum((counts for _, counts in found.spans), np.zeros(len(found.keys), np.int64))
            total += len(np.unique(found.keys[sizes * (sizes - 1) // 2 > self._settings.largest_block]))
        return total

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of rows, in parts: int32 (k,), int32 (k,), the smaller first, each pair once, those of one
        new record together.
        """
        k = len(self._rows)
        room = np.zeros(k, np.int64)
        for found in self._rules:
            for _, counts in found.spans:
                room += np.bincount(found.records, counts, k).astype(np.int64)
        part = np.cumsum(room) // _PART
        for each in np.unique(part):
            first, end = np.searchsorted(part, each), np.searchsorted(part, each, side="right")
            made = np.sort(np.concatenate([np.zeros(0, np.int64), *self._made(int(first), int(end))]))
            made = made[np.append(True, made[1:] != made[:-1])[: len(made)]]
            yield (made & 0xFFFFFFFF).astype(np.int32), (made >> 32).astype(np.int32)

    def _made(self, first: int, end: int) -> Iterator[np.ndarray]:
        """int64: pairs of new records `first` to `end`; one of two new records is left to the later."""
        for found, postings in zip(self._rules, self._postings, strict=True):
            mine = np.flatnonzero((found.records >= first) & (found.records < end))
            own = self._rows[found.records[mine]].astype(np.int64)
            for run, (begins, counts) in zip(postings.runs, found.spans, strict=True):
                others = run.payload[0][ranges(begins[mine], counts[mine])].astype(np.int64)
                owns = np.repeat(own, counts[mine])
                yield (owns << 32 | others)[others < owns]

    def keep(self, present: Callable[[np.ndarray], np.ndarray]) -> None:
        """Put the new records among those of the index. `present`: of row numbers, int32 (k,), says which are
        still there, bool (k,)."""
        for place, found in enumerate(self._rules):
            self._store.add(
                f"rule{place}",
                Run(found.keys, (self._rows[found.records],)),
                lambda run: present(run.payload[0]),
            )
