"""Bloom filters, each kernel against sets and loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.bloom import NO_KEY, bit_counts, dice, dice_rows, diffuse, imprint, popcount, sample_keys

BITS = 192
FILTERS = st.lists(st.sets(st.integers(0, BITS - 1)), min_size=1, max_size=6)
PLACES = st.integers(0, BITS - 1)

# Uninterpreted, numpy warns of the overflow that the sum of bits is made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")


def packed(filters: list[set[int]], bits: int = BITS) -> np.ndarray:
    dense = np.array([[place in each for place in range(bits)] for each in filters], np.uint8)
    return np.packbits(dense, axis=1, bitorder="little").view("<u8")


def unpacked(words: np.ndarray) -> list[set[int]]:
    dense = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")
    return [set(np.flatnonzero(row).tolist()) for row in dense]


@given(st.integers(0, 2**64 - 1))
def test_bits_of_a_word(word: int) -> None:
    assert int(popcount(np.uint64(word))) == word.bit_count()


@given(FILTERS)
def test_bits_of_filters(filters: list[set[int]]) -> None:
    assert bit_counts(packed(filters)).tolist() == [len(each) for each in filters]


@given(
    st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=4),
    st.lists(st.integers(-1, 3), max_size=6),
    st.data(),
)
def test_a_field_sets_the_bits_of_its_tokens(
    values: list[list[int]], chosen: list[int], data: st.DataObject
) -> None:
    positions = np.array(
        data.draw(st.lists(st.lists(PLACES, min_size=3, max_size=3), min_size=5, max_size=5)), np.int64
    )
    before = data.draw(st.lists(st.sets(PLACES), min_size=len(chosen), max_size=len(chosen)))
    words = packed(before) if chosen else np.zeros((0, BITS // 64), np.uint64)
    which = [min(each, len(values) - 1) for each in chosen]
    starts = np.cumsum([0, *map(len, values)])
    tokens = np.array([token for each in values for token in each], np.int64)
    imprint(words, np.array(which, np.int64), starts, tokens, positions)
    slow = [
        old | {int(place) for token in (values[v] if v >= 0 else []) for place in positions[token]}
        for old, v in zip(before, which, strict=True)
    ]
    assert unpacked(words) == slow


@given(FILTERS, st.lists(st.lists(PLACES, min_size=3, max_size=3), min_size=64, max_size=64))
def test_each_diffused_bit_is_the_parity_of_its_picks(
    filters: list[set[int]], picks: list[list[int]]
) -> None:
    slow = [
        {j for j, places in enumerate(picks) if sum(place in each for place in places) % 2}
        for each in filters
    ]
    assert unpacked(diffuse(packed(filters), np.array(picks, np.int64))) == slow


@given(FILTERS)
def test_dice_of_pairs(filters: list[set[int]]) -> None:
    words = packed(filters)
    counts = bit_counts(words)
    left, right = (index.ravel() for index in np.indices((len(filters), len(filters))))
    slow = [2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0 for a in filters for b in filters]
    assert dice(words, counts, left, right).tolist() == slow
    assert dice_rows(words[0], words[-1], counts[0], counts[-1]) == slow[len(filters) - 1]


@given(FILTERS, st.lists(st.lists(PLACES, min_size=62, max_size=62), min_size=1, max_size=3))
def test_a_key_is_the_number_that_its_sampled_bits_write(
    filters: list[set[int]], samples: list[list[int]]
) -> None:
    slow = [
        [
            int("".join(str(int(place in each)) for place in places), 2) if each else NO_KEY
            for places in samples
        ]
        for each in filters
    ]
    assert sample_keys(packed(filters), np.array(samples, np.int64)).tolist() == slow
