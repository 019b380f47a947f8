"""Records with random evidence and bars, the kernels that make persons of them, and the same the slow way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from math import log2
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import assume
from hypothesis import strategies as st

from kernels.clusters import Links, agglomerate, rearrange
from kernels.comparisons import BITS, LEVELS, Batch, Plan, Values, scratch
from kernels.patterns import add_levels
from kernels.weighing import Bars, Evidence, Grounds, Weigher, weigher
from pipelines.files import people
from pipelines.linkage.encode import Encoded, encode_columns
from pipelines.linkage.fields import Field, plan
from pipelines.linkage.resolve import neighbours

FIELDS = {
    "given": Field(column="x", levels=("equal", "jaro_winkler 0.7"), swapped_with="surname"),
    "surname": Field(column="x", levels=("equal", "damerau_levenshtein 1")),
    "birth": Field(column="x", kind="date", levels=("equal", "year")),
    "number": Field(column="x", kind="number"),
}
POOLS = {
    "given": ["anna", "anne", "anni", "erik", "erika", "nils", None],
    "surname": ["anna", "erik", "eriksson", "erikson", "ericson", "holm", "holmer", None],
    "birth": ["1950-03-04", "1950-04-03", "1950-01-01", "1961-01-01", "1961-02-02", None],
    "number": ["1", "2", "3", "5", "9", None],
}
NEAR_SHARE, CLOSE = 0.4, 1e-9
SEEDS = st.integers(0, 2**32 - 1)
BARRED = st.sampled_from(["", "sources", "all"])


class Problem(NamedTuple):
    """Records, evidence and bars; `patterns`: int64 (n, n)."""

    rows: Encoded
    codes: np.ndarray
    evidence: Evidence
    bars: Bars
    patterns: np.ndarray

    def weight(self, lefts: Sequence[int], rights: Sequence[int]) -> float:
        """The prior, a power mean for each field over the pairs in which it is known, and the mean of each
        dependence."""
        evidence, pairs = self.evidence, [(i, j) for i in lefts for j in rights]
        total = evidence.prior
        for field in range(len(FIELDS)):
            known = [self._of_level(field, i, j) for i, j in pairs if self.level(field, i, j)]
            if known:
                total += (
                    log2(sum(2 ** (evidence.mean * weight) for weight in known) / len(known)) / evidence.mean
                )
        for table, a, b in zip(evidence.dependence, evidence.first, evidence.second, strict=True):
            total += sum(table[self.level(a, i, j), self.level(b, i, j)] for i, j in pairs) / len(pairs)
        return float(total)

    def level(self, field: int, i: int, j: int) -> int:
        return int(self.patterns[i, j]) >> (BITS * int(field)) & (LEVELS - 1)

    def _of_level(self, field: int, i: int, j: int) -> float:
        evidence, level, top = self.evidence, self.level(field, i, j), int(self.evidence.tops[field])
        rarity = evidence.rarity[evidence.rarity_begins[field] : evidence.rarity_begins[field + 1]]
        weight = float(evidence.weights[field, level])
        if len(rarity) and level == top:
            return weight + float(rarity[self.codes[i, field]])
        if len(rarity) and level == top - 1 and top > 2:
            return weight + NEAR_SHARE * float(
                min(rarity[self.codes[i, field]], rarity[self.codes[j, field]])
            )
        return weight

    def barred(self, i: int, j: int) -> bool:
        bars = self.bars
        unlike = any(
            0 <= a != b >= 0
            and max(bars.since[i, k], bars.since[j, k]) <= min(bars.until[i, k], bars.until[j, k])
            for k, (a, b) in enumerate(zip(bars.unlike[i], bars.unlike[j], strict=True))
        )
        orders = any(
            bars.before[one, k] > bars.after[other, k]
            for one, other in ((i, j), (j, i))
            for k in range(bars.before.shape[1])
        )
        return bool(
            0 <= bars.single[i] == bars.single[j]
            or unlike
            or orders
            or (min(i, j) << 32 | max(i, j)) in bars.apart.tolist()
        )

    def bar_between(self, one: set[int], other: set[int]) -> bool:
        return any(self.barred(i, j) for i in one for j in other)


@cache
def planned() -> Plan:
    return plan(FIELDS)


def made(seed: int, n: int, barred: str = "", few: bool = False) -> Problem:
    """Records of few values with random evidence; `barred`: by nothing, by "sources" that are free of
    duplicates, or by "all"."""
    random = np.random.default_rng(seed)
    pools = {name: [pool[0], pool[1], pool[-1]] if few else pool for name, pool in POOLS.items()}
    columns = {
        name: people.code(
            [pa.chunked_array([pa.array(random.choice(np.array(pool, object), n), pa.string())])]
        )
        for name, pool in pools.items()
    }
    rows = encode_columns(FIELDS, columns, np.array([0, n], np.int64))
    weights = np.zeros((len(FIELDS), LEVELS))
    for field, top in enumerate(planned().tops):
        weights[field, 1 : top + 1] = np.sort(random.normal(0, 4, top))
    texts = len(rows.values.starts) - 1
    evidence = Evidence(
        weights,
        float(random.normal(-4, 3)),
        float(random.choice([0.3, 1.0])),
        random.normal(0, 1, 2 * texts),
        np.array([0, 1, 2, 2, 2], np.int64) * texts,
        NEAR_SHARE,
        planned().tops,
        random.normal(0, 0.5, (2, LEVELS, LEVELS)),
        np.array([0, 1], np.int8),
        np.array([2, 3], np.int8),
    )
    bars = some_bars(random, n) if barred == "all" else no_bars(n)
    if barred == "sources":
        bars = bars._replace(single=random.integers(-1, 4, n).astype(np.int8))
    return Problem(rows, rows.matrix(), evidence, bars, compared(rows.values, rows.matrix()))


def some_bars(random: np.random.Generator, n: int) -> Bars:
    since = random.integers(0, 6, (n, 2)).astype(np.int32)
    apart = sorted(
        {
            (int(min(i, j)) << 32 | int(max(i, j)))
            for i, j in random.integers(0, max(n, 1), (n // 3, 2))
            if i != j
        }
    )
    before = np.where(
        random.random((n, 1)) < 0.3, random.integers(0, 9, (n, 1)), np.iinfo(np.int32).min
    ).astype(np.int32)
    after = np.where(
        random.random((n, 1)) < 0.3, random.integers(4, 12, (n, 1)), np.iinfo(np.int32).max
    ).astype(np.int32)
    after = np.maximum(after, before)  # a record does not bar itself
    return Bars(
        random.choice([-1, -1, -1, 0, 5, 63], n).astype(np.int8),
        random.choice([-1, -1, 0, 1], (n, 2)).astype(np.int32),
        since,
        since + random.integers(0, 4, (n, 2)).astype(np.int32),
        before,
        after,
        np.array(apart, np.int64),
    )


def no_bars(n: int) -> Bars:
    none = np.zeros((n, 0), np.int32)
    return Bars(np.full(n, -1, np.int8), none, none, none, none, none, np.zeros(0, np.int64))


def compared(values: Values, codes: np.ndarray) -> np.ndarray:
    """int64 (n, n): the pattern of any two records."""
    n = len(codes)
    left, right = np.repeat(np.arange(n), n).astype(np.int32), np.tile(np.arange(n), n).astype(np.int32)
    out = np.empty(n * n, np.int64)
    room = scratch(values, planned(), 8, n * n)
    add_levels(values, planned(), room, Batch(np.ascontiguousarray(codes.T), left, right, out), n * n)
    return out.reshape(n, n)


class Run:
    """The kernels on one problem. `label`, `stirred`: as they stand."""

    def __init__(
        self,
        problem: Problem,
        pairs: Sequence[tuple[int, int]],
        threshold: float,
        label: Sequence[int] | None = None,
    ) -> None:
        n = len(problem.rows)
        self.label = np.arange(n, dtype=np.int32) if label is None else np.array(label, np.int32)
        self.stirred = np.zeros(n, bool)
        self._left, self._right = (np.array([pair[side] for pair in pairs], np.int32) for side in (0, 1))
        self._patterns = (
            compared(problem.rows.values, problem.codes)[self._left, self._right]
            if len(pairs)
            else np.zeros(0, np.int64)
        )
        self._patterns[::3] = -1  # of some it is not known
        self._threshold = threshold
        room: Weigher = weigher(problem.codes)
        self._grounds = Grounds(
            problem.rows.values,
            planned(),
            scratch(problem.rows.values, planned(), 8),
            room,
            problem.evidence,
            problem.bars,
        )

    def join(self, sure: int = 0) -> int:
        links = Links(self._left, self._right, self._patterns)
        return int(agglomerate(self._grounds, links, sure, self._threshold, self.label, self.stirred))

    def move(self) -> int:
        return int(
            rearrange(
                self._grounds,
                *neighbours(self._left, self._right, len(self.label)),
                self._threshold,
                self.label,
                self.stirred,
            )
        )

    def steps(self, sweeps: int = 3) -> Iterator[None]:
        """As a linkage goes about it, with a pause after each step."""
        self.join()
        yield
        for _ in range(sweeps):
            moves = self.move()
            yield
            joins = self.join()
            yield
            if not moves and not joins:
                break

    def parts(self) -> set[frozenset[int]]:
        return parts(self.label)


def parts(label: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(label == name).tolist()) for name in np.unique(label)}


def likely_pairs(problem: Problem, seed: int) -> list[tuple[int, int]]:
    """Some pairs, by weight."""
    random = np.random.default_rng(seed)
    pairs = [pair for pair in combinations(range(len(problem.rows)), 2) if random.random() < 0.7]
    return sorted(pairs, key=lambda pair: -problem.weight([pair[0]], [pair[1]]))


def clear(weight: float, *others: float) -> float:
    """A weight that is no tie with others, for those the order of a sum would settle."""
    assume(all(abs(weight - other) > CLOSE for other in others))
    return weight


def slow_join(
    problem: Problem, clusters: list[set[int]], pairs: Sequence[tuple[int, int]], sure: int, threshold: float
) -> int:
    joins = 0
    for place, (i, j) in enumerate(pairs):
        one, other = (next(each for each in clusters if record in each) for record in (i, j))
        if one is other or problem.bar_between(one, other):
            continue
        if place < sure or clear(problem.weight(sorted(one), sorted(other)), threshold) > threshold:
            clusters.remove(other)
            one |= other
            joins += 1
    return joins


def slow_move(
    problem: Problem, clusters: list[set[int]], pairs: Sequence[tuple[int, int]], threshold: float
) -> int:
    """Each record in turn goes where most speaks for it."""
    moves = 0
    for i in range(len(problem.rows)):
        own = next(each for each in clusters if i in each)
        paired = [
            next(each for each in clusters if j in each)
            for j in sorted({j for pair in pairs if i in pair for j in pair} - {i})
        ]
        choices = [
            each
            for place, each in enumerate(paired)
            if each is not own and not any(each is other for other in paired[:place])
        ]
        if not choices and len(own) < 3:
            continue
        weights = [
            problem.weight([i], sorted(each)) if not problem.bar_between({i}, each) else float("-inf")
            for each in choices
        ]
        stay = problem.weight([i], sorted(own - {i})) if len(own) > 1 else threshold
        best = max(range(len(choices)), key=lambda place: weights[place], default=None)
        for one, other in combinations(
            [*(weight for weight in weights if weight > float("-inf")), threshold], 2
        ):
            clear(one, other)
        if len(own) > 1:
            clear(stay, threshold, *weights)
        if best is not None and weights[best] > max(stay, threshold):
            target = choices[best]
        elif len(own) > 1 and stay < threshold:
            target = set()
            clusters.append(target)
        else:
            continue
        own.remove(i)
        target.add(i)
        clusters[:] = [each for each in clusters if each]
        moves += 1
    return moves


def valid(problem: Problem, found: set[frozenset[int]]) -> bool:
    return not any(problem.barred(i, j) for each in found for i, j in combinations(sorted(each), 2))


class SomeRows:
    """Fewer records of the same values."""

    def __init__(self, rows: Encoded, n: int) -> None:
        self.values, self._n = rows.values, n

    def __len__(self) -> int:
        return self._n
