"""Names of made-up people, more and less common ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# Given names of women and men; surnames: stems of -sson, first and second halves of compound ones, others.
# Common ones first.
_LINES = Path(__file__).with_name("names.txt").read_text(encoding="utf-8").splitlines()
_LISTS = {title: names.split() for title, _, names in (line.partition(": ") for line in _LINES)}
_SONS, _OTHER = _LISTS["sons"], _LISTS["other"]


def _bytes(names: list[str]) -> np.ndarray:
    return np.array([name.encode() for name in names], "S32")


def _weights(count: int, power: float) -> np.ndarray:
    weights = 1 / np.arange(3, count + 3) ** power
    return np.cumsum(weights) / weights.sum()


GIVEN = {1: _bytes(_LISTS["men"]), 2: _bytes(_LISTS["women"])}
_COMPOUND = [a + b for b in _LISTS["second"] for a in _LISTS["first"] if a.lower() != b]
SURNAMES = _bytes([*(f"{name}sson" for name in _SONS), *_COMPOUND, *_OTHER])
_GIVEN_SHARES = {sex: _weights(len(names), 0.7) for sex, names in GIVEN.items()}
_SURNAME_SHARES = np.concatenate(
    [
        0.36 * _weights(len(_SONS), 1.1),
        0.36 + 0.44 * _weights(len(_COMPOUND), 0.6),
        0.80 + 0.20 * _weights(len(_OTHER), 0.8),
    ]
)


def given(rng: np.random.Generator, sex: np.ndarray) -> np.ndarray:
    """Given names, S32 (n,). `sex`: int8 (n,), 1 man, 2 woman. One in six has two."""
    out = np.empty(len(sex), "S32")
    for which, names in GIVEN.items():
        rows = np.flatnonzero(sex == which)
        first, second = (
            names[np.searchsorted(_GIVEN_SHARES[which], rng.random(len(rows)))] for _ in range(2)
        )
        both = rng.random(len(rows)) < 1 / 6
        out[rows] = np.where(both, np.strings.add(np.strings.add(first, b" "), second), first)
    return out


def surnames(rng: np.random.Generator, count: int) -> np.ndarray:
    """Surnames, S32 (count,)."""
    return SURNAMES[np.minimum(np.searchsorted(_SURNAME_SHARES, rng.random(count)), len(SURNAMES) - 1)]
