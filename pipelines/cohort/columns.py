"""Columns as the cohort engine sees them: `MISSING` where a whole number or day is unknown, NaN for a
decimal, texts by position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Kind = Literal["integer", "concept", "decimal", "day", "text"]
MISSING: Final = -(2**63)


@dataclass(frozen=True)
class Texts:
    """`codes`: int32 (n,), positions in `labels`, -1 where there is none."""

    labels: tuple[str, ...]
    codes: np.ndarray


Values = np.ndarray | Texts
