"""Every pair that the rules make, compared once: over threads of this process and over ranks, with the same
counts and the same pairs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from kernels.comparisons import LEVELS, Plan, Scratch, Values, scratch
from kernels.streams import Part, RuleRows, Tally, Weights, stream, stream_pairs
from pipelines.compute.ranks import Ranks
from pipelines.linkage.rules import Blocking, Candidates, Listed, chunks

Progress = Callable[[str], None]

_PAIRS, _ROWS = 1 << 21, 1 << 16  # of one piece of work, at most
_SPREAD = 4  # pairs are sampled from so many times more


@dataclass(frozen=True)
class Patterns:
    """Distinct comparison patterns, ascending, and how many pairs show each: int64 both."""

    patterns: np.ndarray
    counts: np.ndarray

    @staticmethod
    def merged(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Patterns:
        """The sum of several. `parts`: patterns int64 (k,), and how many pairs show each, int64 (k,)."""
        patterns = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
        counts = np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])
        distinct, place = np.unique(patterns, return_inverse=True)
        total = np.zeros(len(distinct), np.int64)
        np.add.at(total, place, counts)
        return Patterns(distinct, total)

    def without(self, others: Patterns) -> Patterns:
        """What is left when the pairs of `others` are taken out; never less than none."""
        both = Patterns.merged([(self.patterns, self.counts), (others.patterns, -others.counts)])
        return Patterns(both.patterns, np.maximum(both.counts, 0))


@dataclass(frozen=True)
class Pairs:
    """Pairs kept. `left`, `right`: int32, records, left < right, ascending; `patterns`: int64."""

    left: np.ndarray
    right: np.ndarray
    patterns: np.ndarray

    def __len__(self) -> int:
        return len(self.left)

    def take(self, which: np.ndarray) -> Pairs:
        """The pairs at `which`: int64 (k,) positions or bool (pairs,)."""
        return Pairs(self.left[which], self.right[which], self.patterns[which])


class Comparer:
    """Compares the candidates of a linkage by its plan."""

    def __init__(
        self,
        values: Values,
        plan: Plan,
        candidates: Candidates,
        blocking: Blocking,
        ranks: Ranks,
        threads: int = 0,
    ) -> None:
        self._values = values
        self._plan = plan
        self._candidates = candidates
        self._blocking = blocking
        self._ranks = ranks
        self._threads = threads or len(os.sched_getaffinity(0))
        self._memo = 16 if blocking.pairs() > 1 << 22 else 12

    def alone(self) -> Comparer:
        """The same on this rank without the others, who have gone on, and without the rules' pairs, which
        have been compared."""
        return Comparer(
            self._values, self._plan, self._candidates, self._blocking.counts(), Ranks(), self._threads
        )

    def scratch(self) -> Scratch:
        """Memory for one thread."""
        return scratch(self._values, self._plan, self._memo)

    def at_random(self, pairs: int, label: np.ndarray | None = None) -> Patterns:
        """Patterns of pairs of some random records with some others: the same for any number of ranks and
        threads.

        Pairs that the rules make are left out, for they are seen whole. `label`: int32 (n,), clusters; with
        them, pairs inside one are left out, and no others.
        """
        n = len(self._candidates.codes)
        each = max(1, min(int(pairs**0.5), n // 2))
        random, other = np.random.default_rng(n), np.ones(n, bool)
        seekers = (
            np.arange(n) if self._candidates.seekers is None else np.flatnonzero(self._candidates.seekers)
        )
        left = np.sort(random.choice(seekers, min(each, len(seekers)), replace=False))
        other[left] = False
        right = np.sort(random.choice(np.flatnonzero(other), min(each, n - len(left)), replace=False))
        both, columns = len(left) + len(right), self._blocking.columns
        rows = RuleRows(
            records=np.concatenate([left, right]).astype(np.int32),
            begins=np.full(both, len(left), np.int32),
            ends=np.repeat(np.array([both, 0], np.int32), [len(left), len(right)]),
            block=np.zeros(0, np.int32),
            groups=self._candidates.groups if label is None else label,
            codes=self._candidates.codes,
            keys=self._blocking.keys,
            columns=np.append(columns, columns[-1]) if label is None else columns[:1],
        )
        mine = np.array_split(np.arange(len(left)), self._ranks.size)[self._ranks.rank]
        part = Part(*_run(mine), every=1, repeats=label is not None)
        tally = self._compare(self.scratch(), rows, part, nothing())
        return self._together([(tally.patterns, tally.counts)])

    def by_rule(self, sample: int) -> list[tuple[Patterns, Patterns]]:
        """For each rule the patterns of about `sample` of the pairs that it makes, and of those of them that
        no earlier rule makes."""
        if self._blocking.listed is not None:
            listed, every = self._blocking.listed, 1
            while len(listed.left) > sample * every:
                every *= 2
            part = Listed(listed.left[::every], listed.right[::every])
            return [self._scaled(self._listed(part, nothing()), float(every))]
        return [self._sampled(rule, sample) for rule in range(len(self._blocking.rules))]

    def _sampled(self, rule: int, sample: int) -> tuple[Patterns, Patterns]:
        """Patterns of a rule's pairs, from the blocks that come first: blocks stand in the order of a hash,
        so these are any."""
        blocked = self._blocking.rules[rule]
        room = np.cumsum(blocked.room())
        if not len(room) or not room[-1]:
            return Patterns.merged([]), Patterns.merged([])
        rows = min(int(np.searchsorted(room, _SPREAD * sample)) + 1, len(room))
        seen, every = int(room[rows - 1]), 1
        while seen > sample * every:
            every *= 2
        return self._scaled(self._stream(rule, every, True, nothing(), rows), every * float(room[-1]) / seen)

    def _scaled(self, tallies: Sequence[Tally], scale: float) -> tuple[Patterns, Patterns]:
        """All pairs of a sample, and the new ones, as so many times more."""
        pairs = [(each.patterns, np.rint(each.counts * scale).astype(np.int64)) for each in tallies]
        new = [
            (each.patterns[each.new > 0], np.rint(each.new[each.new > 0] * scale).astype(np.int64))
            for each in tallies
        ]
        return self._together(pairs), self._together(new)

    def of_rows(self, records: np.ndarray, ends: np.ndarray) -> Patterns:
        """Patterns of the pairs of each record with those after it up to its end. `records`, `ends`: int32
        (m,)."""
        n = len(self._candidates.codes)
        rows = RuleRows(
            records=records,
            begins=np.zeros(0, np.int32),
            ends=ends,
            block=np.zeros(0, np.int32),
            groups=self._candidates.groups,
            codes=self._candidates.codes,
            keys=np.zeros((n, 0), np.int32),
            columns=np.zeros(1, np.int32),
        )
        memory, step = self.scratch(), _ROWS
        tallies = [
            self._compare(memory, rows, Part(begin, min(begin + step, len(records)), 1, True), nothing())
            for begin in range(0, len(records), step)
        ]
        return Patterns.merged([(each.patterns, each.counts) for each in tallies])

    def all(self, weights: Weights, say: Progress) -> tuple[Patterns, list[int], Pairs | None, np.ndarray]:
        """Every pair once.

        Returns the patterns; the new pairs of each rule; on rank 0 the pairs of promising patterns, None
        elsewhere; and the patterns that are not promising: int64 (k,), ascending.
        """
        tallies: list[Tally] = []
        new = np.zeros(len(self._blocking.analysis()), np.int64)
        if self._blocking.listed is not None:
            tallies = self._listed(self._blocking.listed, weights)
            new[0] = sum(int(each.counts.sum()) for each in tallies)
        for rule in range(len(self._blocking.rules)):
            found = self._stream(rule, 1, False, weights)
            new[rule] = sum(int(each.counts.sum()) for each in found)
            tallies += found
            say(f"{rule + 1} of {len(new)} rules compared")
        patterns = self._together([(each.patterns, each.counts) for each in tallies])
        passed = self._ranks.gather(
            np.unique(
                np.concatenate([np.empty(0, np.int64), *(each.patterns[~each.promising] for each in tallies)])
            )
        )
        passed = self._ranks.broadcast(np.unique(np.concatenate(passed)) if passed is not None else None)
        kept = [
            np.concatenate([np.empty(0, kind), *(getattr(each, name) for each in tallies)])
            for name, kind in _KEPT
        ]
        gathered = self._ranks.gather(kept)
        pairs = None
        if gathered is not None:
            left, right, kept_patterns = (np.concatenate(columns) for columns in zip(*gathered, strict=True))
            order = np.argsort(left.astype(np.int64) << 32 | right)
            pairs = Pairs(left[order], right[order], kept_patterns[order])
        return patterns, [int(count) for count in self._ranks.sum(new)], pairs, passed

    def _listed(self, listed: Listed, weights: Weights) -> list[Tally]:
        cuts = list(range(0, len(listed.left), 4 * _ROWS))[self._ranks.rank :: self._ranks.size]
        lanes = max(1, min(self._threads, len(cuts)))
        scratches = [self.scratch() for _ in range(lanes)]

        def lane(place: int) -> list[Tally]:
            given = (self._values, self._plan, scratches[place], self._candidates.codes)
            return [
                stream_pairs(
                    *given, listed.left[cut : cut + 4 * _ROWS], listed.right[cut : cut + 4 * _ROWS], weights
                )
                for cut in cuts[place::lanes]
            ]

        return _in_lanes(lane, lanes)

    def _stream(
        self, rule: int, every: int, repeats: bool, weights: Weights, rows: int | None = None
    ) -> list[Tally]:
        blocked = self._blocking.rules[rule]
        work = list(chunks(blocked, _PAIRS, _ROWS, rows))[self._ranks.rank :: self._ranks.size]
        if not work:
            return []
        held = self._blocking.rows(rule, self._candidates)
        lanes = min(self._threads, len(work))
        scratches = [self.scratch() for _ in range(lanes)]

        def lane(place: int) -> list[Tally]:
            return [
                self._compare(scratches[place], held, Part(begin, end, every, repeats), weights)
                for begin, end in work[place::lanes]
            ]

        return _in_lanes(lane, lanes)

    def _compare(self, scratch: Scratch, rows: RuleRows, part: Part, weights: Weights) -> Tally:
        return stream(self._values, self._plan, scratch, rows, part, weights)

    def _together(self, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Patterns:
        mine = Patterns.merged(parts)
        everyones = self._ranks.gather((mine.patterns, mine.counts))
        return self._ranks.broadcast(Patterns.merged(everyones) if everyones is not None else None)  # type: ignore[no-any-return]


_KEPT = (("left", np.int32), ("right", np.int32), ("kept", np.int64))


def _in_lanes(lane: Callable[[int], list[Tally]], lanes: int) -> list[Tally]:
    """The work of all lanes, each on a thread."""
    if lanes == 1:
        return lane(0)
    with ThreadPoolExecutor(lanes) as pool:
        return [tally for done in pool.map(lane, range(lanes)) for tally in done]


def nothing() -> Weights:
    """Weights to which no pattern is promising."""
    none = np.zeros(0, np.int8)
    levels = np.zeros((0, LEVELS), np.int64)
    return Weights(
        levels=levels,
        together=np.zeros((0, LEVELS, LEVELS), np.int64),
        first=none,
        second=none,
        floor=1,
        rarity=np.zeros(0, np.int32),
        rarity_begins=np.zeros(1, np.int64),
        near=0,
        most=levels,
        tops=none,
    )


def _run(places: np.ndarray) -> tuple[int, int]:
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
