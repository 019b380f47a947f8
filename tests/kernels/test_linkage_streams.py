"""The stream of pairs: over several rules, keys, groups and seekers each pair once, counted by pattern,
however the work is cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.comparisons import BITS, LEVELS, Batch, Plan, Scratch, scratch
from kernels.patterns import add_levels
from kernels.streams import Part, Tally, Weights, most_weight, stream, stream_pairs
from pipelines.compute.ranks import Ranks
from pipelines.files import people
from pipelines.linkage import pairs as work
from pipelines.linkage.encode import Encoded, encode_columns
from pipelines.linkage.fields import Field, plan
from pipelines.linkage.pairs import Comparer
from pipelines.linkage.rules import Blocking, Candidates, block
from tests.amount import share_of

# Uninterpreted, numpy warns of the overflow that hashing and the sum of bits are made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")

FIELDS = {
    "given": Field(column="x", levels=("equal", "jaro_winkler 0.7"), swapped_with="surname"),
    "surname": Field(column="x", levels=("equal", "damerau_levenshtein 1")),
    "birth": Field(column="x", kind="date"),
    "number": Field(column="x", kind="number"),
}
POOLS = {
    "given": ["anna", "anne", "erik", "nils", None],
    "surname": ["anna", "erik", "eriksson", "erikson", None],
    "birth": ["1950-03-04", "1950-04-03", "1961-01-01", None],
    "number": ["1", "2", "9", None],
}


class Keys:
    """What `block` asks of a deriver: each rule is its keys."""

    def rule(self, rule: Sequence[Key]) -> list[np.ndarray]:
        return [column.copy() for column in rule[0].columns]

    def forget(self) -> None:
        pass


@dataclass(frozen=True)
class Key:
    """uint64 (n,) for each key that a record may have, 0 for none."""

    columns: list[np.ndarray]


@dataclass(frozen=True)
class Case:
    """Records, `held[rule][record]`: the keys that it has by the rule, and what is made of them."""

    rows: Encoded
    held: list[list[set[int]]]
    candidates: Candidates
    blocking: Blocking

    def wanted(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Each pair that the rules make, with the first of them and the number of keys that it shares by that
        rule."""
        groups, seekers = self.candidates.groups, self.candidates.seekers
        found = {}
        for i, j in combinations(range(len(groups)), 2):
            if 0 <= groups[i] == groups[j] or (seekers is not None and not (seekers[i] or seekers[j])):
                continue
            for rule, keys in enumerate(self.held):
                if keys[i] & keys[j]:
                    found[i, j] = rule, len(keys[i] & keys[j])
                    break
        return found

    def comparer(self, threads: int = 1, ranks: Ranks | None = None) -> Comparer:
        return Comparer(
            self.rows.values, planned(), self.candidates, self.blocking, ranks or Ranks(), threads
        )

    def stream(self, rule: int, cuts: Sequence[int], every: int = 1, repeats: bool = False) -> list[Tally]:
        rows, room = self.blocking.rows(rule, self.candidates), room_for(self.rows)
        edges = sorted({0, len(rows.records), *(cut % (len(rows.records) + 1) for cut in cuts)})
        given = (self.rows.values, planned(), room, rows)
        parts = [Part(begin, end, every, repeats) for begin, end in pairwise(edges)]
        return [stream(*given, part, everything()) for part in parts]


@cache
def planned() -> Plan:
    return plan(FIELDS)


def room_for(rows: Encoded, how: Plan | None = None) -> Scratch:
    return scratch(rows.values, how or planned(), 8)


def everything() -> Weights:
    """Weights to which every pattern is promising."""
    return work.nothing()._replace(floor=-1)


def some(case: Case, seed: int, floor: int) -> Weights:
    """Random weights, of even seeds with rarity of both names."""
    random, texts = np.random.default_rng(seed), len(case.rows.values.starts) - 1
    levels, tops = random.integers(-20, 20, (len(FIELDS), LEVELS)), planned().tops
    most, sizes, rarity = levels.copy(), np.zeros(1 + len(FIELDS), np.int64), np.zeros(0, np.int32)
    if seed % 2 == 0 and texts:
        rarity, sizes[1:3] = random.integers(-15, 15, 2 * texts).astype(np.int32), texts
        for field in (0, 1):
            most[field, tops[field] - 1 : tops[field] + 1] += max(
                int(rarity[field * texts : (field + 1) * texts].max()), 0
            )
    return Weights(
        levels,
        random.integers(-9, 9, (2, LEVELS, LEVELS)),
        np.array([0, 3], np.int8),
        np.array([2, 1], np.int8),
        floor,
        rarity,
        np.cumsum(sizes),
        300,
        most,
        tops,
    )


def encoded(columns: dict[str, list[str | None]], fields: dict[str, Field]) -> Encoded:
    coded = {
        name: people.code([pa.chunked_array([pa.array(column, pa.string())])])
        for name, column in columns.items()
    }
    return encode_columns(fields, coded, np.array([0, len(next(iter(columns.values())))], np.int64))


def made(seed: int, n: int, rules: int, most: int, with_seekers: bool, keys: int = 4) -> Case:
    """Records of few values. By each rule a record has none to `most` of `keys` keys."""
    random = np.random.default_rng(seed)
    rows = encoded(
        {name: random.choice(np.array(pool, object), n).tolist() for name, pool in POOLS.items()}, FIELDS
    )
    held, columns = [], []
    for _ in range(rules):
        width = int(random.integers(1, most + 1))
        table = (
            np.stack([random.permutation(keys)[:width] + 1 for _ in range(n)])
            if n
            else np.zeros((0, width), np.int64)
        )
        table[random.random(table.shape) < 0.3] = 0
        held.append([set(row.tolist()) - {0} for row in table])
        columns.append([(table[:, place].astype(np.uint64) << np.uint64(40)) for place in range(width)])
    seekers = random.random(n) < 0.4 if with_seekers else None
    candidates = Candidates(rows.matrix(), random.choice([-1, -1, 0, 1], n).astype(np.int32), seekers)
    return Case(
        rows, held, candidates, block(Keys(), [[Key(each)] for each in columns], candidates, 1 << 40, [])
    )  # type: ignore[arg-type,list-item]


def slow_patterns(
    rows: Encoded, how: Plan, pairs: Sequence[tuple[int, int]], fields: int = len(FIELDS)
) -> list[int]:
    """The pattern of each pair, compared by itself."""
    codes = np.ascontiguousarray(rows.matrix().T)
    left, right = (
        (np.array(side, np.int32) for side in zip(*pairs, strict=True))
        if pairs
        else (np.empty(0, np.int32), np.empty(0, np.int32))
    )
    out = np.empty(len(left), np.int64)
    room = scratch(rows.values, how, 8, len(left))
    add_levels(rows.values, how, room, Batch(codes, left, right, out), len(left))
    return out.tolist()


def counted(tallies: Sequence[Tally]) -> Counter[int]:
    total: Counter[int] = Counter()
    for tally in tallies:
        total.update(dict(zip(tally.patterns.tolist(), tally.counts.tolist(), strict=True)))
    return total


def kept(tallies: Sequence[Tally]) -> list[tuple[int, int, int]]:
    return sorted(
        (int(i), int(j), int(pattern))
        for tally in tallies
        for i, j, pattern in zip(tally.left, tally.right, tally.kept, strict=True)
    )


CASES = st.builds(
    made, st.integers(0, 2**32 - 1), st.integers(0, 22), st.integers(1, 3), st.integers(1, 3), st.booleans()
)


@settings(max_examples=share_of(80))
@given(CASES)
def test_every_pair_that_a_rule_makes_is_compared_once_by_the_first_of_them(case: Case) -> None:
    wanted = case.wanted()
    patterns, new, pairs, passed = case.comparer().all(everything(), lambda _: None)
    assert pairs is not None
    assert list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)) == sorted(wanted)
    assert new == [sum(first == rule for first, _ in wanted.values()) for rule in range(len(case.held))]
    assert pairs.patterns.tolist() == slow_patterns(case.rows, planned(), sorted(wanted))
    assert dict(zip(patterns.patterns.tolist(), patterns.counts.tolist(), strict=True)) == Counter(
        pairs.patterns.tolist()
    )
    assert not len(passed)


@settings(max_examples=share_of(40))
@given(CASES, st.lists(st.integers(0, 200), max_size=6), st.sampled_from([1, 2, 4]))
def test_however_a_rule_is_cut_its_pairs_are_the_same(case: Case, cuts: list[int], every: int) -> None:
    for rule in range(len(case.held)):
        for repeats in (False, True):
            whole, parts = case.stream(rule, [], every, repeats), case.stream(rule, cuts, every, repeats)
            assert counted(whole) == counted(parts)
            assert kept(whole) == kept(parts)


@settings(max_examples=share_of(25))
@given(CASES, st.integers(1, 3), st.integers(1, 3), st.integers(1, 40), st.integers(1, 9))
def test_neither_threads_nor_ranks_nor_pieces_change_the_result(
    case: Case, threads: int, size: int, pairs: int, rows: int
) -> None:
    weights = some(case, 2, 5)
    whole_patterns, whole_new, whole, whole_passed = case.comparer().all(weights, lambda _: None)
    assert whole is not None
    parts = []
    with patch.object(work, "_PAIRS", pairs), patch.object(work, "_ROWS", rows):
        for rank in range(size):
            ranks = Ranks()
            ranks.rank, ranks.size = rank, size
            parts.append(case.comparer(threads, ranks).all(weights, lambda _: None))
    merged = work.Patterns.merged([(each.patterns, each.counts) for each, _, _, _ in parts])
    assert merged.patterns.tolist() == whole_patterns.patterns.tolist()
    assert merged.counts.tolist() == whole_patterns.counts.tolist()
    assert [sum(column) for column in zip(*(new for _, new, _, _ in parts), strict=True)] == whole_new
    found = sorted(
        triple
        for _, _, each, _ in parts
        if each is not None
        for triple in zip(each.left, each.right, each.patterns, strict=True)
    )
    assert found == list(zip(whole.left, whole.right, whole.patterns, strict=True))
    assert sorted({int(pattern) for _, _, _, passed in parts for pattern in passed}) == whole_passed.tolist()


@settings(max_examples=share_of(40))
@given(CASES)
def test_with_repeats_each_rule_makes_a_pair_as_often_as_it_shares_keys(case: Case) -> None:
    groups, seekers = case.candidates.groups, case.candidates.seekers
    for rule, keys in enumerate(case.held):
        wanted = Counter(
            {
                (i, j): len(keys[i] & keys[j])
                for i, j in combinations(range(len(groups)), 2)
                if not 0 <= groups[i] == groups[j]
                and (seekers is None or seekers[i] or seekers[j])
                and keys[i] & keys[j]
            }
        )
        found = Counter((i, j) for i, j, _ in kept(case.stream(rule, [], repeats=True)))
        assert found == wanted
        assert sum(wanted.values()) <= case.blocking.rules[rule].pairs


@settings(max_examples=share_of(40))
@given(CASES, st.sampled_from([2, 4, 8]))
def test_a_sample_takes_some_pairs_and_the_smaller_is_part_of_the_larger(case: Case, every: int) -> None:
    for rule in range(len(case.held)):
        whole, half, part = (case.stream(rule, [], each) for each in (1, every // 2, every))
        assert set(kept(part)) <= set(kept(half)) <= set(kept(whole))
        assert counted(part) == Counter(pattern for _, _, pattern in kept(part))


def test_a_sample_of_many_pairs_is_about_its_share() -> None:
    case = made(3, 150, 1, 1, False, keys=1)
    whole, part = (sum(counted(case.stream(0, [], each)).values()) for each in (1, 4))
    assert whole / 5 < part < whole / 3


def slow_weight(pattern: int, table: np.ndarray, weights: Weights) -> int:
    levels = [pattern >> (BITS * field) & (LEVELS - 1) for field in range(len(FIELDS))]
    total = sum(int(table[field, level]) for field, level in enumerate(levels))
    return total + sum(
        int(term[levels[a], levels[b]])
        for term, a, b in zip(weights.together, weights.first, weights.second, strict=True)
    )


def slow_rarity(pattern: int, codes: np.ndarray, i: int, j: int, weights: Weights) -> int:
    """All of what a value adds if both records hold it, a part of the lesser for the level next to equal."""
    total = 0
    for field, (begin, end) in enumerate(pairwise(weights.rarity_begins.tolist())):
        level, rarity = pattern >> (BITS * field) & (LEVELS - 1), weights.rarity[begin:end].tolist()
        if rarity and level == weights.tops[field]:
            total += rarity[codes[i, field]]
        elif rarity and level == weights.tops[field] - 1:
            total += min(rarity[codes[i, field]], rarity[codes[j, field]]) * weights.near // 1000
    return total


@settings(max_examples=share_of(100))
@given(CASES, st.integers(0, 99), st.integers(-60, 60))
def test_pairs_that_reach_the_floor_are_kept_and_no_others(case: Case, seed: int, floor: int) -> None:
    weights = some(case, seed, floor)
    wanted = sorted(case.wanted())
    patterns = slow_patterns(case.rows, planned(), wanted)
    most = [slow_weight(pattern, weights.most, weights) for pattern in patterns]
    assert [most_weight(np.int64(pattern), weights) for pattern in patterns] == most
    found, _, pairs, passed = case.comparer().all(weights, lambda _: None)
    assert pairs is not None
    weight = [
        slow_weight(pattern, weights.levels, weights)
        + slow_rarity(pattern, case.candidates.codes, i, j, weights)
        for (i, j), pattern in zip(wanted, patterns, strict=True)
    ]
    reached = [
        (*pair, pattern)
        for pair, pattern, each in zip(wanted, patterns, weight, strict=True)
        if each >= floor
    ]
    assert list(zip(pairs.left, pairs.right, pairs.patterns, strict=True)) == reached
    assert passed.tolist() == sorted(
        {pattern for pattern, each in zip(patterns, most, strict=True) if each < floor}
    )
    assert found.counts.sum() == len(wanted)


@pytest.mark.parametrize("cuts", [[], [1, 60, 61, 100]])
def test_more_patterns_and_pairs_than_there_was_room_for(cuts: list[int]) -> None:
    random = np.random.default_rng(8)
    fields = {
        f"n{k}": Field(column="x", kind="number", levels=("equal", "within 1", "within 2", "within 3"))
        for k in range(9)
    }
    n = 130
    rows = encoded(
        {
            name: random.choice(np.array(["0", "1", "2", "3", "9", None], object), n).tolist()
            for name in fields
        },
        fields,
    )
    candidates = Candidates(rows.matrix(), np.full(n, -1, np.int32))
    blocking = block(Keys(), [[Key([np.ones(n, np.uint64)])]], candidates, 1 << 40, [])  # type: ignore[arg-type,list-item]
    how, edges = plan(fields), [0, *cuts, n]
    room = room_for(rows, how)
    tallies = [
        stream(rows.values, how, room, blocking.rows(0, candidates), Part(a, b, 1, False), everything())
        for a, b in pairwise(edges)
    ]
    pairs = list(combinations(range(n), 2))
    patterns = slow_patterns(rows, how, pairs, len(fields))
    assert len(set(patterns)) > 1 << 12
    assert kept(tallies) == [(*pair, pattern) for pair, pattern in zip(pairs, patterns, strict=True)]
    assert counted(tallies) == Counter(patterns)
    left, right = (np.array(side, np.int32) for side in zip(*pairs, strict=True))
    listed = stream_pairs(rows.values, how, room, candidates.codes, left, right, everything())
    assert kept([listed]) == kept(tallies)
    assert counted([listed]) == counted(tallies)


@settings(max_examples=share_of(30))
@given(CASES, st.integers(0, 99), st.integers(-60, 60))
def test_listed_pairs_are_compared_like_those_of_a_rule(case: Case, seed: int, floor: int) -> None:
    weights, wanted = some(case, seed, floor), sorted(case.wanted())
    left, right = (np.array([pair[side] for pair in wanted], np.int32) for side in (0, 1))
    listed = stream_pairs(
        case.rows.values, planned(), room_for(case.rows), case.candidates.codes, left, right, weights
    )
    found, _, pairs, _ = case.comparer().all(weights, lambda _: None)
    assert pairs is not None
    assert counted([listed]) == dict(zip(found.patterns.tolist(), found.counts.tolist(), strict=True))
    assert kept([listed]) == list(zip(pairs.left, pairs.right, pairs.patterns, strict=True))
