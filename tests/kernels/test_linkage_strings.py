"""Names: folding, sounds, likeness, each against an obvious twin."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.strings import SYMBOLS, clear_masks, fill_masks, fold, jaro_winkler, lengths, sounds

WIDTH = 32
NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZÅÄÖÉÜØabcåäö -'1łŠ", max_size=12)


def rows(*names: str) -> np.ndarray:
    return np.array([name.encode() for name in names], f"S{WIDTH}").view(np.uint8).reshape(len(names), WIDTH)


def folded(name: str) -> str:
    return "".join(" " if symbol == 27 else chr(64 + symbol) for symbol in fold(rows(name))[0] if symbol)


def slow_fold(name: str) -> str:
    """Letters alone, in upper case and without diacritics; one blank for what lies between parts."""
    plain = unicodedata.normalize("NFKD", name.upper().replace("Ø", "O").replace("Ł", "L"))
    parts = plain.replace("-", " ").split(" ")
    return " ".join(part for part in ("".join(c for c in each if "A" <= c <= "Z") for each in parts) if part)


def slow_jaro_winkler(a: str, b: str) -> float:
    """The textbook's loops."""
    if not a or not b:
        return float(a == b)
    reach = max(max(len(a), len(b)) // 2 - 1, 0)
    in_a, in_b = [False] * len(a), [False] * len(b)
    for j, letter in enumerate(b):
        for i in range(max(j - reach, 0), min(j + reach + 1, len(a))):
            if not in_a[i] and a[i] == letter:
                in_a[i] = in_b[j] = True
                break
    common = sum(in_a)
    if not common:
        return 0.0
    left, right = (
        [c for c, hit in zip(text, hits, strict=True) if hit] for text, hits in ((a, in_a), (b, in_b))
    )
    swaps = sum(x != y for x, y in zip(left, right, strict=True)) // 2
    jaro = (common / len(a) + common / len(b) + (common - swaps) / common) / 3
    prefix = next((k for k in range(min(4, len(a), len(b))) if a[k] != b[k]), min(4, len(a), len(b)))
    return jaro + prefix * 0.1 * (1 - jaro) if jaro > 0.7 else jaro


def likeness(a: str, b: str) -> float:
    both = fold(rows(a, b))
    size = lengths(both)
    masks = np.zeros(SYMBOLS, np.uint64)
    fill_masks(masks, both[0], size[0])
    result = jaro_winkler(masks, both[0], size[0], both[1], size[1])
    clear_masks(masks, both[0], size[0])
    assert not masks.any()
    return result


@given(NAMES)
def test_folding_is_the_slow_one(name: str) -> None:
    assert folded(name) == slow_fold(name)


@given(NAMES)
def test_folding_twice_changes_nothing(name: str) -> None:
    assert folded(folded(name)) == folded(name)


def test_a_name_cut_in_the_middle_of_a_letter_still_folds() -> None:
    cut = rows("A" * (WIDTH - 1) + "B")
    cut[0, -1] = 0xC3
    assert lengths(fold(cut))[0] == WIDTH - 1


@given(NAMES, NAMES)
def test_jaro_winkler_is_the_slow_one(a: str, b: str) -> None:
    assert likeness(a, b) == pytest.approx(slow_jaro_winkler(slow_fold(a), slow_fold(b)), abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("MARTHA", "MARHTA", 0.9611), ("DIXON", "DICKSONX", 0.8133), ("DWAYNE", "DUANE", 0.84)],
)
def test_jaro_winkler_of_the_textbook(a: str, b: str, expected: float) -> None:
    assert likeness(a, b) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("KARLSSON", "CARLSSON"),
        ("CHRISTER", "KRISTER"),
        ("ANDERSSON", "ANDERSON"),
        ("FILIP", "PHILIP"),
        ("HJALMARSSON", "JALMARSSON"),
        ("VIKTOR", "WICTOR"),
        ("ALEXANDER", "ALEKSANDER"),
        ("CECILIA", "SESILIA"),
        ("AF GEIJERSTAM", "GEIJERSTAM"),
        ("ÅKESSON", "AKESON"),
    ],
)
def test_spellings_of_one_name_sound_alike(a: str, b: str) -> None:
    assert len(set(sounds(fold(rows(a, b)), 3).tolist())) == 1


def test_other_names_sound_otherwise_and_no_name_has_no_sound() -> None:
    codes = sounds(fold(rows("ANDERSSON", "NILSSON", "LINDBERG", "")), 3)
    assert len(set(codes.tolist())) == 4
    assert codes[3] == 0


def test_a_short_first_name_is_heard() -> None:
    assert sounds(fold(rows("ÅSA MARIA")), 0) == sounds(fold(rows("ÅSA")), 0)
