"""Distances of texts, equal to those of rapidfuzz whatever the alphabet and the length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler, Levenshtein

from kernels.distances import EditMemory, common_prefix, damerau_levenshtein, jaro_winkler, ones
from tests.amount import share_of

# Uninterpreted, numpy warns of the overflow that the sum of bits is made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")

NAMES = st.text("abcåäöé 😀", max_size=18)
FEW_LETTERS = st.text("ab", max_size=9)
LONG = st.builds(
    lambda piece, times, end: (piece * times + end)[:200],
    st.text("abcdefåäö😀", min_size=1, max_size=70),
    st.integers(1, 80),
    NAMES,
)
WORDS = st.integers(0, 2**64 - 1)


@st.composite
def edited(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> tuple[str, str]:
    """A text, and what a few slips of the pen make of it."""
    a = draw(texts)
    b = list(a)
    for _ in range(draw(st.integers(0, 5))):
        place, letter = draw(st.integers(0, max(len(b) - 1, 0))), draw(st.sampled_from("abåx😀"))
        match draw(st.sampled_from(["insert", "delete", "change", "swap"])):
            case "insert":
                b.insert(place, letter)
            case "delete":
                del b[place : place + 1]
            case "change":
                b[place : place + 1] = letter
            case "swap":
                b[place : place + 2] = reversed(b[place : place + 2])
    return a, "".join(b)


PAIRS = st.one_of(
    st.tuples(FEW_LETTERS, FEW_LETTERS),
    st.tuples(NAMES, NAMES),
    edited(NAMES),
    st.tuples(LONG, NAMES),
    edited(LONG),
    st.tuples(LONG, LONG),
)


class Pool:
    """Two texts as the kernels take them, and memory that must be zero again after each call."""

    def __init__(self, a: str, b: str, room: int = 66) -> None:
        alphabet = sorted(set(a + b + "?"))
        self.symbols = np.array([alphabet.index(letter) for letter in "?" + a + b + "?"], np.uint16)
        self.places = {"a": (1, len(a)), "b": (1 + len(a), len(b))}
        self.masks, self.last = np.zeros(len(alphabet), np.uint64), np.zeros(len(alphabet), np.int32)
        self.table = np.full((room, room), -7, np.int32)

    def similarity(self, first: str, second: str) -> float:
        found = jaro_winkler(self.masks, self.symbols, *self.places[first], *self.places[second])
        assert not self.masks.any()
        return found

    def edits(self, first: str, second: str, most: int, transpose: bool) -> int:
        found = damerau_levenshtein(
            EditMemory(self.last, self.table),
            self.symbols,
            *self.places[first],
            *self.places[second],
            most,
            transpose,
        )
        assert not self.last.any()
        return found


@settings(max_examples=share_of(150))
@given(PAIRS)
@example(("", ""))
@example(("a" * 64, "a" * 65))
@example(("ab" * 32, "ba" * 100))
@example(("a" * 65, "b" * 65))
def test_jaro_winkler_is_that_of_rapidfuzz_in_either_order(pair: tuple[str, str]) -> None:
    a, b = pair
    pool = Pool(a, b)
    assert pool.similarity("a", "b") == pytest.approx(JaroWinkler.similarity(a, b), abs=1e-12)
    assert pool.similarity("b", "a") == pytest.approx(JaroWinkler.similarity(b, a), abs=1e-12)


@settings(max_examples=share_of(150))
@given(PAIRS, st.integers(0, 6), st.booleans())
@example(("ca", "abc"), 2, True)  # the restricted distance would say three
@example(("a", "b"), 0, True)
@example(("ab", "ba"), 0, True)
@example(("ab", "ba"), 1, False)
def test_edits_are_those_of_rapidfuzz_and_one_more_than_asked_where_there_are_more(
    pair: tuple[str, str], most: int, transpose: bool
) -> None:
    a, b = pair
    wanted = (DamerauLevenshtein if transpose else Levenshtein).distance(a, b)
    pool = Pool(a, b)
    for bound in (most, max(wanted - 1, 0), wanted, wanted + 1):
        assert pool.edits("a", "b", bound, transpose) == min(wanted, bound + 1)
    assert pool.edits("b", "a", most, transpose) == min(wanted, most + 1)


@settings(max_examples=share_of(60))
@given(st.one_of(st.tuples(FEW_LETTERS, FEW_LETTERS), edited(FEW_LETTERS)), st.booleans())
def test_edits_of_short_texts_hold_for_every_bound_and_any_room(
    pair: tuple[str, str], transpose: bool
) -> None:
    a, b = pair
    wanted = (DamerauLevenshtein if transpose else Levenshtein).distance(a, b)
    for room in (2, 66):
        pool = Pool(a, b, room)
        assert [pool.edits("a", "b", most, transpose) for most in range(12)] == [
            min(wanted, most + 1) for most in range(12)
        ]


@settings(max_examples=share_of(20))
@given(edited(LONG), st.booleans())
def test_what_an_earlier_pair_left_in_the_table_changes_nothing(
    pair: tuple[str, str], transpose: bool
) -> None:
    a, b = pair[0][:60], pair[1][:60]
    pool = Pool(a, b)
    first = [pool.edits("a", "b", most, transpose) for most in (1, 2, 4, 60, 4, 2, 1)]
    pool.table[:] = np.random.default_rng(len(a)).integers(-100, 100, pool.table.shape)
    assert first == [pool.edits("a", "b", most, transpose) for most in (1, 2, 4, 60, 4, 2, 1)]
    assert first[:3] == first[:3:-1]


@given(PAIRS, st.integers(0, 210))
def test_the_common_prefix_is_the_slow_one(pair: tuple[str, str], most: int) -> None:
    a, b = pair
    pool = Pool(a, b)
    wanted = next((k for k in range(min(most, len(a), len(b))) if a[k] != b[k]), min(most, len(a), len(b)))
    assert common_prefix(pool.symbols, *pool.places["a"], *pool.places["b"], most) == wanted


@given(WORDS)
@example(0)
@example(2**64 - 1)
def test_ones_counts_the_bits_that_are_set(word: int) -> None:
    assert ones(np.uint64(word)) == word.bit_count()
