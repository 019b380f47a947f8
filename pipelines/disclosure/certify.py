"""The certificate of a suppression, for the project alone: true inner numbers, and moves, which lead to
others that agree with what is shown."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.cubes.cube import Cube
from pipelines.disclosure import output
from pipelines.disclosure.memory.joint import Earlier
from pipelines.disclosure.problem import Problem
from pipelines.disclosure.suppression.moves import Move
from pipelines.files import documents
from pipelines.files.plain import harmless


def certify(
    problem: Problem,
    moves: Sequence[Move],
    values: np.ndarray,
    folder: Path,
    behind: Mapping[str, dict[str, np.ndarray | list[str]]] | None = None,
) -> None:
    """Write inner numbers that are not 0 or that a move changes, with their place in each table, and the
    moves as changes of these.

    `values`: int64 (variables,), what is certified of each. `behind`: int64 (k,) columns, or of k texts, of
    further files about the rows of the certificate, by the files' names; of each file the column `inner`
    names a row of `problem.tied.atoms`.
    """
    tied, size = problem.tied, problem.system.size
    needed = np.zeros(size, bool)
    needed[tied.atoms[values[tied.atoms] > 0]] = True
    for move in moves:
        needed[move.variables] = True
    rows = np.flatnonzero(needed[tied.atoms])
    row_of = np.full(size, -1, np.int64)
    row_of[tied.atoms[rows]] = np.arange(len(rows))
    inner: dict[str, object] = {"count": values[tied.atoms[rows]]}
    if problem.inner.weighted and tied.of_inner is not None:
        weighted = np.zeros(len(tied.atoms), np.int64)
        np.add.at(weighted, tied.of_inner, problem.inner.weighted.total)
        inner["weighted"] = weighted[rows]
    placed = [
        (cube.table, cube.dimensions, places) for cube, places in zip(problem.cubes, tied.places, strict=True)
    ]
    for table, dimensions, places in [
        *placed,
        *((each.name, each.dimensions, each.places) for each in tied.earlier),
    ]:
        for axis, dimension in enumerate(dimensions):
            inner[f"{table}/{harmless(dimension.name)}"] = places[rows, axis].astype(np.int32)
    frames: dict[str, dict[str, object]] = {"inner": inner, "moves": _moves(moves, row_of)}
    place_of = np.full(len(tied.atoms), -1, np.int64)
    place_of[rows] = np.arange(len(rows))
    for kind, pairs in {**tied.behind, **(behind or {})}.items():
        frames[kind] = {**pairs, "inner": place_of[pairs["inner"]]}
    output.write_secret(frames, folder)
    _earlier(tied.earlier, folder / output.EARLIER)


def _moves(moves: Sequence[Move], row_of: np.ndarray) -> dict[str, object]:
    changed = [(row_of[move.variables] >= 0, move) for move in moves]
    return {
        "move": np.repeat(np.arange(len(changed), dtype=np.int32), [int(kept.sum()) for kept, _ in changed]),
        "inner": np.concatenate(
            [
                np.empty(0, np.int32),
                *(row_of[move.variables[kept]].astype(np.int32) for kept, move in changed),
            ]
        ),
        "change": np.concatenate([np.empty(0, np.int64), *(move.changes[kept] for kept, move in changed)]),
    }


def _earlier(earlier: Sequence[Earlier], folder: Path) -> None:
    """Each table that was released before, as it was, for the verifier."""
    shutil.rmtree(folder, ignore_errors=True)
    if not earlier:
        return
    cubes = [
        Cube(
            table=each.name,
            title="",
            population="",
            dimensions=each.dimensions,
            measures={"persons": each.values},
            additive={"persons": (True,) * len(each.dimensions)},
        )
        for each in earlier
    ]
    made = [
        output.columns(cube, each.values.tolist(), each.hidden)
        for cube, each in zip(cubes, earlier, strict=True)
    ]
    folder.mkdir(mode=0o700)
    output.write_tables(folder, made, cubes)
    tables = [output.announced(cube, each.hidden) for cube, each in zip(cubes, earlier, strict=True)]
    documents.write_json({"tables": tables}, folder / "tables.json")
