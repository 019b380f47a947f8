"""What a method that gives cells other numbers hands back, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sparse

Say = Callable[[str], None]


@dataclass(frozen=True)
class Altered:
    """`values`: int64 (cells of all tables,). `hidden`: bool (cells,), no value at all. `parameters`: what
    anybody may know of the method. `inner`: columns that the certificate holds for each atom, besides its
    true count. `frames`: its other files. `notes`: what the report says besides, for the project alone.
    `moves`: int64 (atoms, moves), other counts that would be published as the same."""

    values: np.ndarray
    hidden: np.ndarray
    parameters: dict[str, Any]
    inner: dict[str, np.ndarray] = field(default_factory=dict)
    frames: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    moves: sparse.csc_matrix | None = None
