"""Blocking keys: two texts have one key if and only if the obvious derivation says the same of both."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernels.keys import run_keys, sound_keys, stem_keys, together, unordered, word_keys
from kernels.strings import sounds

# Uninterpreted, numpy warns of the overflow that mixing is made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")

GAP = 27
BASE = {"å": "a", "ä": "a", "ö": "o", "é": "e"}
ALPHABET = "abcdefghijklmnopqrstuvwxyzåäöé0123456789😀' -"
BREAKS = "' -😀"
FOLDED = np.array(
    [
        GAP
        if letter in " -"
        else ord(BASE.get(letter, letter)) - 96
        if BASE.get(letter, letter) in ALPHABET[:26]
        else 0
        for letter in ALPHABET
    ],
    np.uint8,
)
BREAK = np.array([letter in BREAKS for letter in ALPHABET])
TEXTS = st.lists(
    st.one_of(st.text(ALPHABET, max_size=12), st.text("abå -1'", max_size=9), st.text("ab", max_size=3)),
    min_size=1,
    max_size=12,
)
LONG = st.lists(st.text("aäbcs -", max_size=150), min_size=1, max_size=4)
KEYS = st.integers(-1, 2**62)


def pool(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    symbols = np.array([ALPHABET.index(letter) for text in texts for letter in text], np.uint16)
    return symbols, np.cumsum([0, *map(len, texts)]).astype(np.int64)


def agree(keys: Sequence[int], meanings: Sequence[Hashable]) -> None:
    """Keys stand for meanings one to one, and -1 for none."""
    assert [key == -1 for key in keys] == [meaning is None for meaning in meanings]
    assert all(key >= -1 for key in keys)
    assert len(set(keys)) == len(set(meanings)) == len(set(zip(keys, meanings, strict=True)))


@given(TEXTS, st.integers(0, 6))
def test_a_prefix_is_what_a_text_begins_with_or_all_of_it(texts: list[str], length: int) -> None:
    agree(run_keys(*pool(texts), 0, length, 0).tolist(), [text[:length] or None for text in texts])


@given(TEXTS, st.integers(1, 6))
def test_a_suffix_is_what_a_text_ends_with_or_all_of_it(texts: list[str], length: int) -> None:
    agree(run_keys(*pool(texts), -length, length, 0).tolist(), [text[-length:] or None for text in texts])


@given(TEXTS, st.integers(0, 6))
def test_without_its_last_symbols_a_short_text_has_no_key(texts: list[str], drop: int) -> None:
    agree(
        run_keys(*pool(texts), 0, 1 << 30, drop).tolist(),
        [text[: max(len(text) - drop, 0)] or None for text in texts],
    )


@given(TEXTS, st.integers(-6, 6), st.integers(0, 6), st.integers(0, 4))
def test_a_run_is_the_slice(texts: list[str], skip: int, length: int, drop: int) -> None:
    begins = [skip if skip >= 0 else max(len(text) + skip, 0) for text in texts]
    runs = [
        text[: max(len(text) - drop, 0)][begin : begin + length]
        for text, begin in zip(texts, begins, strict=True)
    ]
    agree(run_keys(*pool(texts), skip, length, drop).tolist(), [run or None for run in runs])


def slow_stem(text: str) -> str | None:
    first = min((text.index(mark) for mark in BREAKS if mark in text), default=max(len(text) // 2, 1))
    return text[:first] or None


@given(TEXTS)
@example(["-a", "a", "ab", "abc", "ab c"])
def test_a_stem_is_the_first_word_or_the_first_half(texts: list[str]) -> None:
    agree(stem_keys(*pool(texts), BREAK).tolist(), [slow_stem(text) for text in texts])


def slow_folded(text: str) -> str:
    plain = "".join(
        BASE.get(letter, letter) for letter in text.replace("-", " ") if FOLDED[ALPHABET.index(letter)]
    )
    return " ".join(plain.split())


def rows(texts: Sequence[str], width: int = 66) -> np.ndarray:
    out = np.zeros((len(texts), width), np.uint8)
    for row, text in zip(out, texts, strict=True):
        row[: len(text)] = [GAP if letter == " " else ord(letter) - 96 for letter in text]
    return out


@given(st.one_of(TEXTS, LONG), st.integers(0, 4))
@example(["von essen", "essen", "af", "1", "hh"], 3)
def test_a_sound_is_that_of_the_folded_name(texts: list[str], skip: int) -> None:
    folded = [" ".join(slow_folded(text)[:64].split()) for text in texts]
    codes = sounds(rows(folded), skip)
    assert sound_keys(*pool(texts), FOLDED, skip).tolist() == [int(code) or -1 for code in codes]


def slow_words(text: str) -> list[str]:
    return "".join(" " if letter in BREAKS else letter for letter in text).split()


def plain(word: str) -> str:
    return "".join(BASE.get(letter, letter) for letter in word)


def holds_the_smallest(row: Sequence[int], wanted: set[int], most: int) -> None:
    expected = sorted(wanted)[:most]
    assert list(row) == expected + [-1] * (most - len(expected))


@given(st.one_of(TEXTS, LONG), st.integers(1, 3), st.integers(1, 5), st.integers(0, 4))
@example(["a b c d e f", "b a", "a a a", "ab-abc 12 12a", ""], 1, 3, 0)
def test_words_are_those_between_breaks_without_diacritics(
    texts: list[str], least: int, most: int, wanted: int
) -> None:
    def parts(text: str) -> set[str]:
        return {
            plain(word)[: wanted or None]
            for word in slow_words(text)
            if len(word) >= least and len(word) > wanted
        }

    every = sorted(set().union(*map(parts, texts)))
    alone = [
        word_keys(*pool([word + "xxxx" if wanted else word]), FOLDED, BREAK, 1, False, 1, wanted)[0, 0]
        for word in every
    ]
    code = {word: int(key) for word, key in zip(every, alone, strict=True)}
    assert len(set(code.values())) == len(every)
    for text, row in zip(
        texts, word_keys(*pool(texts), FOLDED, BREAK, least, False, most, wanted), strict=True
    ):
        holds_the_smallest(row.tolist(), {code[part] for part in parts(text)}, most)


@given(st.one_of(TEXTS, LONG), st.integers(1, 3), st.integers(1, 5))
@example(["hh hej h", "1 12", "kalle calle"], 1, 4)
def test_sounds_of_words_are_those_of_each_word_alone(texts: list[str], least: int, most: int) -> None:
    found = word_keys(*pool(texts), FOLDED, BREAK, least, True, most, 0)
    for text, row in zip(texts, found, strict=True):
        words = [slow_folded(word) for word in slow_words(text)]
        heard = sounds(rows([word[:64] for word in words if len(word) >= least] or [""]), 0)
        holds_the_smallest(row.tolist(), {int(code) for code in heard if code > 0}, most)


@given(
    st.lists(
        st.tuples(st.sets(st.integers(1, 9), max_size=3), st.sets(st.integers(1, 9), max_size=4)),
        min_size=1,
        max_size=8,
    )
)
def test_the_keys_of_two_fields_together_are_their_union(pairs: list[tuple[set[int], set[int]]]) -> None:
    first, second = (
        np.array([sorted(pair[side]) + [-1] * (width - len(pair[side])) for pair in pairs], np.int64)
        for side, width in ((0, 3), (1, 4))
    )
    for (a, b), row in zip(pairs, together(first, second), strict=True):
        holds_the_smallest(row.tolist(), a | b, 7)


@given(
    st.lists(
        st.tuples(st.one_of(st.integers(-1, 3), KEYS), st.one_of(st.integers(-1, 3), KEYS)),
        min_size=1,
        max_size=20,
    )
)
def test_unordered_keys_are_those_of_the_two_in_either_order(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    meanings = [tuple(sorted(pair)) if min(pair) >= 0 else None for pair in pairs]
    agree(unordered(first, second).tolist(), meanings)
    assert unordered(first, second).tolist() == unordered(second, first).tolist()
