"""What the project keeps of a protection: true inner counts, and moves, which lead to other inner counts that
agree with all that is shown.

Moves are changes of inner counts, so whatever they make of a table adds up; that is all that is taken for
granted. Whole numbers alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sparse

from pipelines.verifier.published import published
from pipelines.verifier.rules import at_or_below
from pipelines.verifier.tables import Axis, PublishedTable

CONTRIBUTORS = ("units", "owners")


@dataclass(frozen=True)
class Certificate:
    """`count`: int64 (inner,). `moves`: int64 (inner, moves). `above`: for each table which inner counts each
    cell adds up, int64 (cells, inner); with it `true`, int64 (cells,), and `changes`, int64 (cells, moves).
    `behind`: for each of `CONTRIBUTORS` that the policy asks for, and each table, bool (cells, contributors);
    `names` of these. `never`: bool (inner,), inner counts where nobody can be. `weighted`: for each table
    int64 (cells,), sums of weights in units of the last decimal, where what is published are these."""

    count: np.ndarray
    moves: sparse.csc_matrix
    above: list[sparse.csr_matrix]
    true: list[np.ndarray]
    changes: list[sparse.csr_matrix]
    behind: dict[str, list[sparse.csr_matrix]]
    names: dict[str, list[str]]
    never: np.ndarray
    weighted: list[np.ndarray] | None = None

    @property
    def published(self) -> list[np.ndarray]:
        """Of each table what it shows where nothing is hidden, int64 (cells,)."""
        return self.true if self.weighted is None else self.weighted


def read(folder: Path, tables: Sequence[PublishedTable], policy: dict[str, Any]) -> Certificate:
    """The certificate of a release. Raises ValueError or another error where it is broken."""
    inner, moves = (pq.read_table(folder / f"{name}.parquet") for name in ("inner", "moves"))
    count = inner["count"].to_numpy().astype(np.int64)
    if (count < 0).any():
        raise ValueError("a count is negative")
    every_place = [
        np.stack([inner[f"{table.name}/{axis.name}"].to_numpy() for axis in table.axes], 1).astype(np.int64)
        for table in tables
    ]
    each_above = [above(table, own) for table, own in zip(tables, every_place, strict=True)]
    move, row, change = (moves[name].to_numpy().astype(np.int64) for name in ("move", "inner", "change"))
    changes = sparse.csc_matrix(
        (change, (row, move)), (len(count), int(move.max(initial=-1)) + 1), dtype=np.int64
    )
    behind, names = {}, {}
    for kind in CONTRIBUTORS:
        if policy.get(kind):
            read_pairs = pq.read_table(folder / f"{kind}.parquet")
            names[kind] = sorted(set(read_pairs["who"].to_pylist()))
            who = np.array([names[kind].index(each) for each in read_pairs["who"].to_pylist()], np.int64)
            pairs = sparse.csr_matrix(
                (np.ones(len(who), np.int64), (read_pairs["inner"].to_numpy(), who)),
                (len(count), len(names[kind])),
            )
            behind[kind] = [(each @ pairs) > 0 for each in each_above]
    weights = inner["weighted"].to_numpy().astype(np.int64) if "weighted" in inner.column_names else None
    if weights is not None and ((weights < count) | ((weights > 0) & (count == 0))).any():
        raise ValueError("a weight is none")
    return Certificate(
        count=count,
        moves=changes,
        above=each_above,
        true=[each @ count for each in each_above],
        changes=[_no_zeros(each @ changes) for each in each_above],
        behind=behind,
        names=names,
        never=_never(tables, every_place, policy, len(count)),
        weighted=None if weights is None else [each @ weights for each in each_above],
    )


def _never(
    tables: Sequence[PublishedTable], every_place: Sequence[np.ndarray], policy: dict[str, Any], size: int
) -> np.ndarray:
    """Inner counts that all tables together place where the policy says that nobody can be, bool (inner,)."""
    found = np.zeros(size, bool)
    for combination in policy.get("structural_zeros", ()):
        here = np.ones(size, bool)
        for name, codes in combination.items():
            at = np.zeros(size, bool)
            for table, own in zip(tables, every_place, strict=True):
                for number, axis in enumerate(table.axes):
                    if axis.name == name:
                        at |= (own[:, number] >= 0) & at_or_below(axis, codes)[own[:, number]]
            here &= at
        found |= here
    return found


def earlier(folder: Path) -> list[PublishedTable]:
    """Tables that were released before, as they were; none where nothing is remembered. Each counts other
    people than any other."""
    if not (folder / "earlier").is_dir():
        return []
    tables = json.loads((folder / "earlier" / "tables.json").read_text(encoding="utf-8"))["tables"]
    return [replace(published(folder / "earlier", about), population=about["table"]) for about in tables]


def _no_zeros(matrix: sparse.spmatrix) -> sparse.csr_matrix:
    made = matrix.tocsr()
    made.eliminate_zeros()
    return made


def above(table: PublishedTable, places: np.ndarray) -> sparse.csr_matrix:
    """Which inner counts each cell of a table adds up, int64 (cells, inner).

    `places`: int64 (inner, axes), -1 where a count is in none. Raises ValueError where a place is none of the
    table.
    """
    shape = [len(axis.codes) for axis in table.axes]
    if ((places < 0).any(axis=1) != (places == -1).all(axis=1)).any() or (places >= np.array(shape)).any():
        raise ValueError("a place is none of the table")
    inner = np.flatnonzero(places[:, 0] >= 0)
    cells = np.zeros(len(inner), np.int64)
    for number, axis in enumerate(table.axes):
        chains = [_chain(axis, place) for place in range(len(axis.codes))]
        lengths = np.array([len(chain) for chain in chains])[places[inner, number]]
        ups = np.concatenate(
            [np.empty(0, np.int64), *(chains[place] for place in places[inner, number].tolist())]
        )
        cells, inner = np.repeat(cells, lengths) * len(axis.codes) + ups, np.repeat(inner, lengths)
    return sparse.csr_matrix((np.ones(len(cells), np.int64), (cells, inner)), (prod(shape), len(places)))


def _chain(axis: Axis, place: int) -> np.ndarray:
    """A position and all above it."""
    chain = [place]
    while axis.parents[chain[-1]] >= 0:
        chain.append(axis.parents[chain[-1]])
    return np.array(chain, np.int64)
