"""Who stands in which cells of a cube: what it takes to prove it together with others over the same people.

It never leaves the project's zone but as pseudonyms, for the memory of the site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipelines.cubes.cube import Dimension
from pipelines.files import sealed
from pipelines.files.frames import array
from pipelines.files.schemas import Schema
from pipelines.files.sealing import Zone

ROWS: Final[Schema] = {"person": "int64", "cell": "int64", "amount": "int64"}


@dataclass(frozen=True)
class Standing:
    """Each person with each finest cell that the person has rows in, once, by person and cell.

    `person`, `cell`: int64 (n,). `amount`: int64 (n,), sum of what the rows add, so that of the same people
    it is told whether they add the same.
    """

    person: np.ndarray
    cell: np.ndarray
    amount: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def stood(
    person: np.ndarray, positions: np.ndarray, amount: np.ndarray | None, dimensions: Sequence[Dimension]
) -> Standing:
    """What rows say of who stands where. `person`: int64 (n,), in any order; `positions`: int32 (n,
    dimensions), the finest of each row; `amount`: int64 (n,), 1 where absent."""
    shape = tuple(len(each) for each in dimensions)
    cell = np.ravel_multi_index(tuple(positions.T), shape).astype(np.int64)
    return gathered(person, cell, np.ones(len(cell), np.int64) if amount is None else amount)


def gathered(person: np.ndarray, cell: np.ndarray, amount: np.ndarray) -> Standing:
    """The same of rows in any order: int64 (n,) each. Sums wrap around, as those of hashes may."""
    order = np.lexsort((cell, person))
    person, cell, amount = person[order], cell[order], amount[order].astype(np.int64)
    first = np.flatnonzero(np.append(True, (np.diff(person) != 0) | (np.diff(cell) != 0))[: len(order)])
    with np.errstate(over="ignore"):
        total = np.add.reduceat(amount, first) if len(first) else amount
    return Standing(person[first], cell[first], total)


def together(parts: Sequence[Standing]) -> Standing:
    """Of several shards, which have no person in common, as one."""
    none = np.empty(0, np.int64)
    return gathered(
        *(
            np.concatenate([none, *(getattr(part, name) for part in parts)])
            for name in ("person", "cell", "amount")
        )
    )


def write_standing(standing: Standing, path: Path, zone: Zone) -> None:
    """Seal it."""
    sealed.write(
        {"person": standing.person, "cell": standing.cell, "amount": standing.amount}, path, ROWS, zone
    )


def read_standing(path: Path, zone: Zone) -> Standing:
    """As `write_standing` wrote it."""
    frame = sealed.read(path, ROWS, zone)
    return Standing(*(array(frame, name) for name in ROWS))


def standing_file(folder: Path, table: str) -> Path:
    """Where that of a table lies, beside its raw cube."""
    return folder / "standing" / f"{table}.parquet"
