"""Personnummer checked: the kernel beside python-stdnum, which is the common library for them."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
from stdnum.se import personnummer

from kernels.identity import PERSONNUMMER, normalise

PEER = f"python-stdnum {metadata.version('python-stdnum')}"
_COUNT = 20_000


@cache
def _numbers() -> np.ndarray:
    """Twelve digits each, one in ten with a wrong check digit: bytes S12."""
    random = np.random.default_rng(1)
    days = np.datetime64("1930-01-01") + random.integers(0, 30_000, _COUNT)
    return np.array(
        [f"{str(day).replace('-', '')}{serial:03d}{check}" for day, serial, check in _drawn(days, random)],
        "S12",
    )


def _drawn(days: np.ndarray, random: np.random.Generator) -> list[tuple[Any, int, int]]:
    drawn = []
    for day, serial, wrong in zip(
        days, random.integers(980, 1000, len(days)), random.random(len(days)) < 0.1, strict=True
    ):
        digits = f"{str(day).replace('-', '')[2:]}{serial:03d}"
        doubled = [int(each) * (2 - place % 2) for place, each in enumerate(digits)]
        check = -sum(each // 10 + each % 10 for each in doubled) % 10
        drawn.append((day, int(serial), (check + 1) % 10 if wrong else check))
    return drawn


def ours() -> tuple[Any, int]:
    """All in one call; the same numbers fifty times over, so that the time can be measured."""
    rows = np.tile(_numbers(), 50)
    found = normalise(rows, np.full(len(rows), 20_000, np.int32))
    return int((found.kind[:_COUNT] == PERSONNUMMER).sum()), len(rows)


def peer() -> tuple[Any, int]:
    """One by one, as that library works."""
    texts = [each.decode() for each in _numbers()]
    return sum(personnummer.is_valid(f"{text[:8]}-{text[8:]}") for text in texts), len(texts)
