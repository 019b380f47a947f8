"""Tables of transitions (ptables): how probable it is that a count of i becomes j. Read from CSV, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from kernels.cell_key import MODULUS
from pipelines.errors import DataError
from pipelines.files import people

_EXACT: Final = 1e-6
_NAMES: Final = ("i", "j", "p")
_CUMULATED: Final = ("p_int_ub", "p_ij_ub")


@dataclass(frozen=True)
class Transitions:
    """`rows`: for each count from 0 on, how much it changes by and with what probability; the last row is for
    all larger counts, too."""

    rows: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]

    @property
    def most(self) -> int:
        """By how much a count changes at most."""
        return max(abs(change) for changes, _ in self.rows for change in changes)

    @property
    def hidden(self) -> int:
        """Counts from 1 to this one never come out."""
        reached = {count + change for count, (changes, _) in enumerate(self.rows) for change in changes}
        return (
            next(
                count
                for count in range(1, len(self.rows) + self.most + 2)
                if count in reached or count >= len(self.rows)
            )
            - 1
        )

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """int64 (rows + 1,), int64 (entries,), int64 (entries,): `first`, `bounds` and `changes`, as
        `kernels.cell_key.look_up` takes them."""
        first = np.cumsum([0, *(len(changes) for changes, _ in self.rows)]).astype(np.int64)
        bounds = np.concatenate([np.round(np.cumsum(chances) * MODULUS) for _, chances in self.rows]).astype(
            np.int64
        )
        return first, bounds, np.array([change for changes, _ in self.rows for change in changes], np.int64)

    def frame(self) -> dict[str, object]:
        """The same, as columns."""
        flat = [
            (i, i + v, v, p)
            for i, (changes, chances) in enumerate(self.rows)
            for v, p in zip(changes, chances, strict=True)
        ]
        return {
            "i": np.array([each[0] for each in flat], np.int64),
            "j": np.array([each[1] for each in flat], np.int64),
            "v": np.array([each[2] for each in flat], np.int64),
            "p": np.array([each[3] for each in flat], np.float64),
        }


def read(path: Path) -> Transitions:
    """Columns i, j and p, in the order in which keys run through them; where `p_int_ub` or `p_ij_ub` stands
    there, it must be their sums.

    A count of 0 stays 0 where the table says nothing of it. Raises `DataError` where it is no table of
    transitions.
    """
    if not path.is_file():
        raise DataError(
            path, "is not there", "name the CSV of a table of transitions, or leave it out to have one made"
        )
    there = people.columns(path)
    if missing := [name for name in _NAMES if name not in there]:
        raise DataError(
            path, f"has no column {missing[0]}", "a table of transitions has the columns i, j and p"
        )
    cumulated = [name for name in _CUMULATED if name in there][:1]
    texts = people.read_text(path, [*_NAMES, *cumulated])
    try:
        i, j, p, *sums = (
            np.array([float(text) for text in texts[name].to_pylist()]) for name in (*_NAMES, *cumulated)
        )
    except (TypeError, ValueError):
        raise DataError(path, "holds something else than numbers", "mend the table") from None
    if (
        not len(i)
        or not all(np.isfinite(each).all() for each in (i, j, p))
        or (i % 1).any()
        or (j % 1).any()
        or (np.diff(i) < 0).any()
    ):
        raise DataError(path, "does not hold whole counts in ascending order of i", "mend the table")
    made = []
    for count in range(int(i[-1]) + 1):
        own = i == count
        if not own.any() and count:
            raise DataError(
                path, f"says nothing of a count of {count}", "give each count up to the last its row"
            )
        made.append(
            _row(path, count, j[own], p[own], sums[0][own] if sums else None) if own.any() else ((0,), (1.0,))
        )
    return Transitions(tuple(made))


def _row(
    path: Path, count: int, to: np.ndarray, chance: np.ndarray, sums: np.ndarray | None
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    if (chance < 0).any() or abs(chance.sum() - 1) > _EXACT:
        raise DataError(path, f"the probabilities of a count of {count} do not sum to 1", "mend the table")
    if sums is not None and np.abs(np.cumsum(chance) - sums).max() > _EXACT:
        raise DataError(
            path, f"the bounds of a count of {count} are not the sums of its probabilities", "mend the table"
        )
    if (to < 0).any() or len(set(to.tolist())) < len(to):
        raise DataError(
            path, f"a count of {count} becomes negative, or one and the same twice", "mend the table"
        )
    return tuple(int(each) - count for each in to), tuple(_exact(chance))


def _exact(chance: Sequence[float] | np.ndarray) -> list[float]:
    """Probabilities that sum to 1 but for the last digit: what is missing goes to the last."""
    every = [float(each) for each in chance]
    return [*every[:-1], max(0.0, 1.0 - sum(every[:-1]))]
