"""What holds between the variables of cubes: parents and children that add up, or bound one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.cubes.cube import Cube
from pipelines.disclosure.suppression.bounds import UNBOUNDED
from pipelines.errors import DataError


class Relations:
    """Collects relations as flat arrays; `families`: pairs (child, parent) by line."""

    def __init__(self) -> None:
        self.blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        self.families: list[np.ndarray] = []

    def add(self, columns: np.ndarray, signs: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> None:
        """Relations of one form. `columns`: int64 (relations, width), variables; `signs`: int64 (width,),
        their coefficients; `lowest`, `highest`: int64 (relations,), bounds of each sum."""
        self.blocks.append((columns, np.broadcast_to(signs, columns.shape), lowest, highest))

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """`rows`, `columns`, `signs`, `lowest` and `highest` of `System`: int64 (entries,) three times, int64
        (relations,) twice."""
        rows, first = [np.empty(0, np.int64)], 0
        for columns, _, _, _ in self.blocks:
            rows.append(np.repeat(np.arange(first, first + len(columns)), columns.shape[1]))
            first += len(columns)

        def flat(part: int) -> np.ndarray:
            return np.concatenate([np.empty(0, np.int64), *(block[part].ravel() for block in self.blocks)])

        return np.concatenate(rows), flat(0), flat(1), flat(2), flat(3)


def relate(cube: Cube, variables: np.ndarray, relations: Relations) -> None:
    """Add what ties parents to children along each dimension of `cube`.

    `variables`: int64 (cells,), the variable of each cell. Raises DataError where a measure does not add up,
    or leaves its bounds.
    """
    grid = variables.reshape(cube.shape)
    for axis, dimension in enumerate(cube.dimensions):
        for parent in range(len(dimension)):
            children = dimension.children(parent)
            if not children:
                continue
            family = np.take(grid, [*children, parent], axis=axis)
            columns = np.moveaxis(family, axis, -1).reshape(-1, len(children) + 1)
            relations.families.append(columns)
            _relate_line(cube, axis, parent, children, columns, relations)


def _relate_line(
    cube: Cube, axis: int, parent: int, children: list[int], columns: np.ndarray, relations: Relations
) -> None:
    signs = np.array([1] * len(children) + [-1], np.int64)
    slack_sum: np.ndarray | None = None
    slack_child = np.full((len(columns), len(children)), UNBOUNDED, np.int64)
    adds_up = False
    for name, values in cube.measures.items():
        line = np.moveaxis(
            np.take(values.reshape(cube.shape), [*children, parent], axis=axis), axis, -1
        ).reshape(-1, len(children) + 1)
        over = line @ signs
        if cube.additive[name][axis]:
            adds_up = True
            if over.any():
                raise DataError(
                    f"cube {cube.table}",
                    f"measure {name} does not add up along {cube.dimensions[axis].name}",
                    "rebuild the cube",
                )
            continue
        room = line[:, -1:] - line[:, :-1]
        if (over < 0).any() or (room < 0).any():
            raise DataError(
                f"cube {cube.table}",
                f"measure {name} leaves its bounds along {cube.dimensions[axis].name}",
                "rebuild the cube",
            )
        slack_sum = over if slack_sum is None else np.minimum(slack_sum, over)
        slack_child = np.minimum(slack_child, room)
    if adds_up:
        zero = np.zeros(len(columns), np.int64)
        relations.add(columns, signs, zero, zero)
    elif slack_sum is not None:
        relations.add(columns, signs, -slack_sum, np.full(len(columns), UNBOUNDED, np.int64))
    if slack_sum is not None:
        pairs = np.stack([columns[:, :-1].ravel(), np.repeat(columns[:, -1], len(children))], 1)
        close = slack_child.ravel() < UNBOUNDED
        relations.add(
            pairs[close],
            np.array([1, -1], np.int64),
            np.full(close.sum(), -UNBOUNDED, np.int64),
            slack_child.ravel()[close],
        )


def same_person(counts: Sequence[np.ndarray], families: Sequence[np.ndarray]) -> np.ndarray:
    """int64 (n,): numbers shared by variables of one person that hold one another, -1 for all others: parent
    and child of 1 count the same person.

    `counts`: int64 (n,) each, the counts of people; `families`: int64 (lines, children + 1) each, the last of
    a line the parent.
    """
    pairs = [
        np.stack([family[:, :-1].ravel(), np.repeat(family[:, -1], family.shape[1] - 1)])
        for family in families
    ]
    child, parent = np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1)
    both = np.logical_or.reduce([(count[child] == 1) & (count[parent] == 1) for count in counts])
    child, parent = child[both], parent[both]
    alone = np.logical_or.reduce([count == 1 for count in counts])
    same = np.where(alone, np.arange(len(alone)), -1)
    while True:
        lowest = same.copy()
        np.minimum.at(lowest, child, same[parent])
        np.minimum.at(lowest, parent, same[child])
        if np.array_equal(lowest, same):
            return same
        same = lowest
