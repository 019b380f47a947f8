"""Blocks of rows with one key, each kernel against numpy or a dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.blocks import combine, in_blocks, mix, order_by_key

# Uninterpreted, numpy warns of the overflow that mixing is made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")

TOPS = st.sampled_from([0, 1, 2, 0x7FFF_FFFF, 0xFFFF_FFFF])
KEYS = st.one_of(
    st.lists(st.integers(0, 2**64 - 1), max_size=40),
    st.lists(st.integers(0, 6), max_size=60),  # all of one top
    st.lists(
        st.builds(
            lambda top, low: top << 32 | low, TOPS, st.sampled_from([0, 1, 2, 3, 2**31 - 1, 2**31, 2**32 - 1])
        ),
        max_size=80,
    ),
    st.lists(
        st.builds(
            lambda digit, place: digit << place, st.integers(0, 3), st.sampled_from([0, 20, 31, 42, 53])
        ),
        max_size=60,
    ),
)
MISSING = st.integers(-1, 5)


def slow_order(keys: np.ndarray) -> list[int]:
    order = np.argsort(keys, kind="stable")
    return [int(row) for row in order if keys[row]]


@given(KEYS)
def test_rows_stand_by_key_and_among_equals_as_they_stood(values: list[int]) -> None:
    keys = np.array(values, np.uint64)
    assert order_by_key(keys).tolist() == slow_order(keys)


@pytest.mark.parametrize("low", [1, 1 << 20, 1 << 31])
def test_many_keys_of_one_top_are_in_order_too(low: int) -> None:
    keys = np.random.default_rng(1).integers(0, 40, 2000).astype(np.uint64) * np.uint64(low)
    assert order_by_key(keys).tolist() == slow_order(keys)


@given(KEYS)
def test_blocks_are_those_of_a_dictionary(values: list[int]) -> None:
    keys = np.array(values, np.uint64)
    order, ids = order_by_key(keys), np.full(len(keys), 99, np.int32)
    rows, ends = in_blocks(keys, order, ids)
    blocks: dict[int, list[int]] = {}
    for row in slow_order(keys):
        blocks.setdefault(values[row], []).append(row)
    shared = [members for members in blocks.values() if len(members) > 1]
    assert rows.tolist() == [row for members in shared for row in members]
    total, wanted = 0, []
    for members in shared:
        total += len(members)
        wanted += [total] * len(members)
    assert ends.tolist() == wanted
    number = {row: place for place, members in enumerate(shared) for row in members}
    assert ids.tolist() == [number.get(row, -1) for row in range(len(keys))]


@given(st.lists(st.tuples(MISSING, MISSING, MISSING), min_size=1, max_size=40))
def test_rows_share_a_combined_key_if_and_only_if_they_share_all_its_keys(
    rows: list[tuple[int, int, int]],
) -> None:
    derived = np.array(
        [3, 7, 3, 2**62, -1, 0], np.int64
    )  # one value and another derive one key; one derives none
    keys, again = np.ones(len(rows), np.uint64), np.ones(len(rows), np.uint64)
    for column in range(3):
        codes = np.array([row[column] for row in rows], np.int32)
        combine(keys, codes, derived)
        combine(again, codes, derived)
    assert (keys == again).all()
    meanings = [tuple(int(derived[code]) if code >= 0 else -1 for code in row) for row in rows]
    assert [key == 0 for key in keys.tolist()] == [-1 in each for each in meanings]
    known = [(key, meaning) for key, meaning in zip(keys.tolist(), meanings, strict=True) if key]
    assert len({key for key, _ in known}) == len({meaning for _, meaning in known}) == len(set(known))


def test_the_order_of_keys_is_part_of_what_they_say() -> None:
    derived = np.arange(5, dtype=np.int64)
    keys = np.ones(2, np.uint64)
    combine(keys, np.array([1, 2], np.int32), derived)
    combine(keys, np.array([2, 1], np.int32), derived)
    assert keys[0] != keys[1]


@given(st.sets(st.integers(0, 2**64 - 1), max_size=50))
def test_mixing_keeps_numbers_apart(numbers: set[int]) -> None:
    assert len({int(mix(np.uint64(number))) for number in numbers}) == len(numbers)
