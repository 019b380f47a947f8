"""Blocking rules at work: for each rule its rows block by block, and what comparing them will cost, before it
is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from kernels.blocks import combine, in_blocks, order_by_key
from kernels.streams import RuleRows
from pipelines.errors import SettingsError
from pipelines.linkage.keys import Deriver, Key

PAIRS_A_SECOND = 4_000_000  # of one core, as measured; for the estimate of time alone


@dataclass(frozen=True)
class Candidates:
    """What is compared with what. `codes`: int32 (n, fields). `groups`: int32 (n,), no pair lies within one,
    -1 for none. `seekers`: bool (n,), of each pair one at least is such; None where all are."""

    codes: np.ndarray
    groups: np.ndarray
    seekers: np.ndarray | None = None


@dataclass(frozen=True)
class Blocked:
    """One rule. `name`: its keys in words. `records`: int32 (m,), row by row, block by block; `begins`,
    `ends`: int32 (m,), the rows with which each row pairs, `begins` empty where all pair with those after
    them. `pairs`: at most so many; `block`: int32, the block of each row, where a record has several keys;
    `largest`: rows of the largest blocks; `divided`: blocks that were too large and were divided; `left_out`:
    their rows that lack the dividing keys, and are compared by other rules alone."""

    name: str
    records: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    block: np.ndarray
    pairs: int
    blocks: int
    largest: tuple[int, ...]
    divided: int
    left_out: int

    def room(self, first: int | None = None) -> np.ndarray:
        """int64 (m,): pairs that each row makes, of all rows or the `first`."""
        ends = self.ends[:first].astype(np.int64)
        begins = self.begins[:first] if len(self.begins) else np.arange(1, len(ends) + 1)
        return np.maximum(ends - begins, 0)


@dataclass(frozen=True)
class Listed:
    """Pairs of records as a list. `left`, `right`: int32, left < right, ascending."""

    left: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class Blocking:
    """All rules, or, where there is none, the pairs that combinations of keys make. `keys`: int32 (n,
    columns), the block of each record by each key of each rule, -1 for those in none; `columns`: int32 (rules
    + 1,), where each rule's columns begin."""

    rules: list[Blocked]
    keys: np.ndarray
    columns: np.ndarray
    listed: Listed | None = None
    combined: tuple[dict[str, Any], ...] = ()

    def pairs(self) -> int:
        """Pairs at most, over all rules."""
        return len(self.listed.left) if self.listed is not None else sum(rule.pairs for rule in self.rules)

    def counts(self) -> Blocking:
        """What is known of the rules, without their rows and pairs."""
        none = np.zeros(0, np.int32)
        rules = [replace(rule, records=none, begins=none, ends=none, block=none) for rule in self.rules]
        return Blocking(rules, self.keys[:0], self.columns, None, self.combined)

    def rows(self, rule: int, candidates: Candidates) -> RuleRows:
        """One rule's rows as the kernels take them."""
        blocked = self.rules[rule]
        return RuleRows(
            records=blocked.records,
            begins=blocked.begins,
            ends=blocked.ends,
            block=blocked.block,
            groups=candidates.groups,
            codes=candidates.codes,
            keys=self.keys,
            columns=self.columns[: rule + 2],
        )

    def analysis(self) -> list[dict[str, Any]]:
        """What each rule will cost, in counts alone."""
        return list(self.combined) or [
            {
                "keys": each.name,
                "pairs_at_most": each.pairs,
                "blocks": each.blocks,
                "largest_blocks": list(each.largest),
                "blocks_divided": each.divided,
                "rows_left_out": each.left_out,
                "seconds_a_core": round(each.pairs / PAIRS_A_SECOND, 1),
            }
            for each in self.rules
        ]


def block(
    deriver: Deriver,
    rules: Sequence[Sequence[Key]],
    candidates: Candidates,
    largest: int,
    divisors: Sequence[Key],
) -> Blocking:
    """Bring the records together by each rule. SettingsError where a block is too large and cannot be
    divided."""
    found, columns, edges = [], [], [0]
    for rule in rules:
        blocked, ids = _block(deriver, rule, candidates, largest, divisors)
        found.append(blocked)
        columns += ids
        edges.append(len(columns))
        deriver.forget()
    return Blocking(found, np.stack(columns, 1), np.array(edges, np.int32))


def _block(
    deriver: Deriver, rule: Sequence[Key], candidates: Candidates, largest: int, divisors: Sequence[Key]
) -> tuple[Blocked, list[np.ndarray]]:
    name = ", ".join(map(str, rule))
    per_key = deriver.rule(rule)
    n, seekers = len(per_key[0]), candidates.seekers
    keys = np.concatenate(per_key) if len(per_key) > 1 else per_key[0]
    if seekers is not None:  # seekers stand first in each block
        first = np.argsort(~np.tile(seekers, len(per_key)), kind="stable").astype(np.int32)
        order = first[order_by_key(keys[first])]
    else:
        order = order_by_key(keys)
    ids = np.empty(len(keys), np.int32)
    rows, ends = in_blocks(keys, order, ids)
    pairs = _pairs(rows, ends, seekers, n)
    divided = left_out = 0
    for divisor in divisors:
        heavy = _heavy(rows, ends, pairs, largest)
        if not heavy.any():
            break
        which = np.unique(rows[heavy])
        more = keys[which]
        combine(more, np.arange(len(which), dtype=np.int32), deriver.several(divisor)[0][which % n])
        divided += int((np.diff(ends[heavy], prepend=-1) != 0).sum())
        left_out += int((more == 0).sum())
        keys[which] = more
        order = rows[np.argsort(keys[rows], kind="stable")]  # a row that met none meets none now
        rows, ends = in_blocks(keys, order[keys[order] != 0], ids)
        pairs = _pairs(rows, ends, seekers, n)
    heavy = _heavy(rows, ends, pairs, largest)
    if heavy.any():
        begins = np.flatnonzero(np.append(True, ends[1:] != ends[:-1]))
        raise SettingsError(
            f"blocking: {name}",
            f"a block makes {int(np.add.reduceat(pairs, begins).max()):,} pairs, more than largest_block "
            f"({largest:,})",
            "add a key to the rule, name keys under divide_by, or raise largest_block",
        )
    begins = np.zeros(0, np.int32)
    if seekers is not None:
        begins = np.where(seekers[rows % n], np.arange(1, len(rows) + 1), np.iinfo(np.int32).max).astype(
            np.int32
        )
    several = len(per_key) > 1
    sizes = np.diff(np.append(np.flatnonzero(np.append(True, ends[1:] != ends[:-1])[: len(ends)]), len(ends)))
    blocked = Blocked(
        name=name,
        records=(rows % n).astype(np.int32) if several else rows,
        begins=begins,
        ends=ends,
        block=ids[rows] if several else np.empty(0, np.int32),
        pairs=int(pairs.sum()),
        blocks=len(sizes),
        largest=tuple(int(size) for size in np.sort(sizes)[::-1][:5]),
        divided=divided,
        left_out=left_out,
    )
    return blocked, list(ids.reshape(len(per_key), n))


def _pairs(rows: np.ndarray, ends: np.ndarray, seekers: np.ndarray | None, n: int) -> np.ndarray:
    """int64 (m,): rows with which each row pairs."""
    after = ends.astype(np.int64) - np.arange(1, len(rows) + 1)
    return after if seekers is None else np.where(seekers[rows % n], after, 0)


def _heavy(rows: np.ndarray, ends: np.ndarray, pairs: np.ndarray, largest: int) -> np.ndarray:
    """bool (m,): rows of blocks with more pairs than `largest`."""
    if not len(rows):
        return np.zeros(0, bool)
    begins = np.flatnonzero(np.append(True, ends[1:] != ends[:-1]))
    sums = np.add.reduceat(pairs, begins)
    return np.repeat(sums > largest, np.diff(np.append(begins, len(rows))))


def chunks(blocked: Blocked, pairs: int, rows: int, first: int | None = None) -> Iterator[tuple[int, int]]:
    """Runs of a rule's rows, or of its `first` rows, with about so many `pairs` or `rows`; a heavy block is
    cut like any other."""
    room = blocked.room(first)
    total = np.cumsum(room / pairs + 1 / rows)
    cuts = (
        np.searchsorted(total, np.arange(1, np.ceil(total[-1]))) + 1 if len(total) else np.empty(0, np.int64)
    )
    yield from ((int(begin), int(end)) for begin, end in pairwise(np.unique([0, *cuts, len(room)])))
