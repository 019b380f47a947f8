"""Signatures: what they rule out is indeed so. A bound may promise too much and never too little."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler, Levenshtein

from kernels.signatures import (
    CLASSES,
    LONG,
    common_bound,
    least_common,
    length_of,
    prefix_bound,
    signatures,
    those_alike,
)
from tests.amount import share_of

# Uninterpreted, numpy warns of the overflow that the sum of bits is made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")

ALPHABET = "abcdefghijklmnopqrstuvwxyzåäöé 0123456789😀-"
BASES = st.one_of(
    st.text(ALPHABET, max_size=30),
    st.text("aab", max_size=70),
    st.text(ALPHABET, max_size=6),
    st.text("abåä", min_size=55, max_size=70),
)
NEAR = (0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.95, 0.97, 0.99)


@st.composite
def likely(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts of which one is often the other with slips."""
    a = draw(BASES)
    if draw(st.integers(0, 3)) == 0:
        return a, draw(BASES)
    b = list(a)
    for _ in range(draw(st.integers(1, 6))):
        place, letter = draw(st.integers(0, len(b))), draw(st.sampled_from(ALPHABET))
        match draw(st.sampled_from(["insert", "delete", "change", "swap", "turn"])):
            case "insert":
                b.insert(place, letter)
            case "delete":
                del b[place : place + 1]
            case "change":
                b[place : place + 1] = letter
            case "swap":
                b[place : place + 2] = reversed(b[place : place + 2])
            case "turn":
                b = b[place:] + b[:place]
    return a, "".join(b)


def marks(a: str, b: str, seed: int) -> tuple[np.uint64, np.uint64]:
    """Signatures of two texts; classes at random, for none of the bounds may hang on them."""
    symbols = np.array([ALPHABET.index(letter) for letter in a + b] or [0], np.uint16)
    classes = np.random.default_rng(seed).integers(0, CLASSES, len(ALPHABET)).astype(np.uint8)
    first, second = signatures(symbols, np.array([0, len(a), len(a) + len(b)], np.int64), classes)
    return first, second


@cache
def least(near: float, edits: int, prefix: int) -> np.ndarray:
    return least_common(near, edits, prefix)


def may_agree(a: np.uint64, b: np.uint64, table: np.ndarray) -> bool:
    room = np.empty(2, np.int32)
    found = those_alike(
        np.array([a, b]), np.array([b, a]), table.ravel(), room, room.copy(), np.arange(2, dtype=np.int32)
    )
    assert found in (0, 2)  # both ways alike
    return found == 2


def slow_prefix(a: str, b: str, most: int) -> int:
    return next((k for k in range(min(most, len(a), len(b))) if a[k] != b[k]), min(most, len(a), len(b)))


@settings(max_examples=share_of(200))
@given(likely(), st.integers(0, 5))
@example(("", ""), 0)
@example(("", "a"), 0)
def test_two_texts_share_no_more_than_the_bounds(pair: tuple[str, str], seed: int) -> None:
    a, b = pair
    first, second = marks(a, b, seed)
    shared = sum((Counter(a) & Counter(b)).values())
    assert shared <= common_bound(first, second) <= min(len(a), len(b))
    assert common_bound(first, second) == common_bound(second, first)
    assert slow_prefix(a, b, 4) <= prefix_bound(first, second) <= 4
    assert length_of(first) == len(a)


@settings(max_examples=share_of(300))
@given(likely(), st.integers(0, 5), st.sampled_from(NEAR))
@example(("a" * 63, "a" * 63 + "b"), 0, 0.99)
def test_two_texts_as_alike_as_asked_are_never_ruled_out(
    pair: tuple[str, str], seed: int, near: float
) -> None:
    a, b = pair
    first, second = marks(a, b, seed)
    if a != b and JaroWinkler.similarity(a, b) >= near:
        assert may_agree(first, second, least(near, -1, 0))
        assert may_agree(second, first, least(near, -1, 0))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("anna", "anne"),
        ("åsa", "asa"),
        ("maria", "marian"),
        ("ab", "a"),
        ("kalle", "nalle"),
        ("a" * 63, "a" * 62),
    ],
)
def test_two_texts_that_are_just_as_alike_as_asked_are_not_ruled_out(a: str, b: str) -> None:
    near = JaroWinkler.similarity(a, b)
    for seed in range(5):
        assert may_agree(*marks(a, b, seed), least(near, -1, 0))
    found, more = least(near, -1, 0)[len(a), len(b)], least(near + 1e-6, -1, 0)[len(a), len(b)]
    alike, common = slow_prefix(a, b, 4), sum((Counter(a) & Counter(b)).values())
    assert found[alike] == common < more[alike]


@settings(max_examples=share_of(300))
@given(likely(), st.integers(0, 5), st.integers(0, 4))
def test_two_texts_of_few_edits_are_never_ruled_out(pair: tuple[str, str], seed: int, edits: int) -> None:
    a, b = pair
    first, second = marks(a, b, seed)
    for distance in (DamerauLevenshtein, Levenshtein):
        if a != b and distance.distance(a, b) <= edits:
            assert may_agree(first, second, least(2.0, edits, 0))
            assert may_agree(second, first, least(2.0, edits, 0))


@settings(max_examples=share_of(200))
@given(likely(), st.integers(0, 5), st.integers(1, 6))
def test_two_texts_of_one_beginning_are_never_ruled_out(
    pair: tuple[str, str], seed: int, prefix: int
) -> None:
    a, b = pair
    if a != b and slow_prefix(a, b, prefix) == prefix:
        assert may_agree(*marks(a, b, seed), least(2.0, -1, prefix))


@settings(max_examples=share_of(200))
@given(likely(), st.integers(0, 5), st.sampled_from(NEAR), st.integers(-1, 2), st.integers(0, 4))
def test_one_test_of_several_is_enough(
    pair: tuple[str, str], seed: int, near: float, edits: int, prefix: int
) -> None:
    a, b = pair
    reached = [
        JaroWinkler.similarity(a, b) >= near,
        DamerauLevenshtein.distance(a, b) <= edits,
        prefix > 0 and slow_prefix(a, b, prefix) == prefix,
    ]
    if a != b and any(reached):
        assert may_agree(*marks(a, b, seed), least(near, edits, prefix))


def test_most_names_are_ruled_out() -> None:
    names = ["anna", "erik", "maria", "lars", "karin", "nils", "johan", "elisabet", "kristina", "göran"]
    symbols = np.array([ALPHABET.index(letter) for name in names for letter in name], np.uint16)
    starts = np.cumsum([0, *map(len, names)]).astype(np.int64)
    signs = signatures(symbols, starts, (np.arange(len(ALPHABET)) % CLASSES).astype(np.uint8))
    passed = sum(bool(may_agree(a, b, least(0.88, 1, 0))) for k, a in enumerate(signs) for b in signs[:k])
    assert passed <= 3


def test_long_texts_are_always_looked_at_and_have_their_length_up_to_a_bound() -> None:
    first, second = marks("a" * 64, "b", 0)
    assert may_agree(first, second, least(2.0, -1, 0))
    assert [length_of(mark) for mark in marks("a" * 300, "b" * 254, 0)] == [LONG, 254]


@settings(max_examples=share_of(30))
@given(
    st.integers(1, 63),
    st.integers(1, 63),
    st.integers(0, 4),
    st.sampled_from(NEAR),
    st.integers(-1, 3),
    st.integers(0, 4),
)
def test_the_fewest_common_symbols_are_the_slow_ones(
    a: int, b: int, alike: int, near: float, edits: int, prefix: int
) -> None:
    wanted = LONG
    for common in range(min(a, b), -1, -1):
        jaro = (common / a + common / b + 1) / 3 if common else 0.0
        similarity = jaro + min(alike, 4) * 0.1 * (1 - jaro) if jaro > 0.7 else jaro
        if similarity >= near - 1e-9 or max(a, b) - common <= edits or (prefix and alike >= min(prefix, 4)):
            wanted = common
    assert least(near, edits, prefix)[a, b, alike] == wanted
