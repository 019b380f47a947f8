"""python -m benchmarks.disclosure.generated [--tables N]: drawn tables, protected and then attacked by plain
and exact means of its own.

Two to five dimensions, with hierarchies, many zeros and people alone, one table or two that share margins.
The attacker solves published sums in fractions; where the rule is known, linear programmes add that a hidden
cell counts somebody; where people are alone, their cells.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

from pipelines.cubes.cube import TOTAL, Cube, Dimension
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.protect import found
from pipelines.disclosure.suppression.system import build
from pipelines.errors import DisclosureError

_TREES = ((-1, 0, 0), (-1, 0, 0, 0), (-1, 0, 0, 1, 1, 2, 2), (-1, 0, 1, 1, 0), (-1, 0, 0, 0, 0))
_ALIKE = 1e-6


def drawn(seed: int) -> list[Cube]:
    """One cube, or two that share all dimensions but their last."""
    random = np.random.default_rng(seed)
    axes = int(random.choice([2, 2, 3, 3, 4, 5]))
    trees = [_TREES[k] for k in random.integers(0, {4: 2, 5: 1}.get(axes, len(_TREES)), axes)]
    dimensions = [_dimension(f"d{axis}", tree) for axis, tree in enumerate(trees)]
    inner = [each.leaves for each in dimensions]
    mean = np.exp(random.normal(1.5, 1.2, [len(each) for each in inner]))
    counts = random.poisson(mean) * (random.random(mean.shape) > random.choice([0.0, 0.2, 0.5]))
    if random.random() < 0.75 or axes >= 4:
        return [_cube("one", dimensions, counts)]
    other = _dimension("other", _TREES[0])
    split = random.binomial(counts.sum(axis=-1), 0.4)
    return [
        _cube("one", dimensions, counts),
        _cube("two", [*dimensions[:-1], other], np.stack([split, counts.sum(axis=-1) - split], axis=-1)),
    ]


def _dimension(name: str, parents: tuple[int, ...]) -> Dimension:
    codes = (TOTAL, *(f"{name}.{place}" for place in range(1, len(parents))))
    return Dimension(name, name, codes, codes, parents)


def _cube(table: str, dimensions: list[Dimension], counts: np.ndarray) -> Cube:
    for axis, each in enumerate(dimensions):
        above = np.zeros((len(each), len(each.leaves)), np.int64)
        for column, leaf in enumerate(each.leaves):
            while leaf >= 0:
                above[leaf, column], leaf = 1, each.parents[leaf]
        counts = np.moveaxis(np.tensordot(above, counts, axes=(1, axis)), 0, axis)
    return Cube(
        table=table,
        title=table,
        population="all",
        dimensions=tuple(dimensions),
        measures={"persons": counts.ravel()},
        additive={"persons": (True,) * len(dimensions)},
    )


class Published:
    """What the tables show: `equations`, each the hidden cells of one sum with their signs, and its total."""

    def __init__(self, cubes: list[Cube], hidden: list[np.ndarray]) -> None:
        """`hidden`: for each cube bool (cells,)."""
        self.true: dict[tuple[str, ...], int] = {}
        secret: dict[tuple[str, ...], bool] = {}
        self.equations: list[tuple[dict[tuple[str, ...], int], int]] = []
        for cube, mask in zip(cubes, hidden, strict=True):
            keys = [
                tuple(sorted(c for c in codes if c != TOTAL))
                for codes in itertools.product(*(each.codes for each in cube.dimensions))
            ]
            values = cube.measures["persons"].tolist()
            self.true.update(zip(keys, values, strict=True))
            secret.update(zip(keys, mask.tolist(), strict=True))
            places = np.arange(len(keys)).reshape(cube.shape)
            for axis, dimension in enumerate(cube.dimensions):
                for parent in range(len(dimension)):
                    if children := dimension.children(parent):
                        lines = np.moveaxis(
                            np.take(places, [*children, parent], axis=axis), axis, -1
                        ).reshape(-1, len(children) + 1)
                        for line in lines.tolist():
                            signs = {keys[cell]: 1 if cell != line[-1] else -1 for cell in line}
                            known = -sum(
                                sign * self.true[key] for key, sign in signs.items() if not secret[key]
                            )
                            self.equations.append(
                                ({key: sign for key, sign in signs.items() if secret[key]}, known)
                            )
        self.hidden = sorted(key for key, gone in secret.items() if gone)

    def determined(self, known: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
        """Hidden cells that the equations settle for whoever knows some of them besides: elimination in
        fractions."""
        rows = [
            {key: Fraction(sign) for key, sign in signs.items() if key not in known}
            for signs, _ in self.equations
        ]
        pivots: dict[tuple[str, ...], dict[tuple[str, ...], Fraction]] = {}
        for row in rows:
            for key in [each for each in row if each in pivots]:
                row = _less(row, pivots[key], row.get(key, Fraction(0)))
            if row:
                pivot = min(row)
                row = {key: value / row[pivot] for key, value in row.items()}
                pivots = {
                    key: _less(other, row, other.get(pivot, Fraction(0))) for key, other in pivots.items()
                }
                pivots[pivot] = row
        return {key for key, row in pivots.items() if len(row) == 1}

    def pinned(self, known: set[tuple[str, ...]], cells: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Which of `cells` have one possible value for whoever knows that every hidden cell counts somebody,
        and some of them exactly."""
        place = {key: number for number, key in enumerate(self.hidden)}
        matrix = np.zeros((len(self.equations), len(self.hidden)))
        right = np.array([total for _, total in self.equations], float)
        for number, (signs, _) in enumerate(self.equations):
            for key, sign in signs.items():
                matrix[number, place[key]] = sign
        bounds = [(self.true[key], self.true[key]) if key in known else (1, None) for key in self.hidden]
        found = []
        for key in cells:
            if key in known:
                continue
            way, ends = np.zeros(len(self.hidden)), []
            for sign in (1.0, -1.0):
                way[place[key]] = sign
                solved = linprog(way, A_eq=matrix, b_eq=right, bounds=bounds)
                ends.append(sign * solved.fun if solved.status == 0 else sign * -np.inf)
            if ends[1] - ends[0] < 1 - _ALIKE:
                found.append(key)
        return found


def _less(
    row: dict[tuple[str, ...], Fraction], other: dict[tuple[str, ...], Fraction], times: Fraction
) -> dict[tuple[str, ...], Fraction]:
    mixed = (
        {key: row.get(key, Fraction(0)) - times * other.get(key, Fraction(0)) for key in {*row, *other}}
        if times
        else row
    )
    return {key: value for key, value in mixed.items() if value}


def attacked(seed: int, attackers: Attackers) -> str:
    """What came of one drawn table: `nothing small`, `refused`, `withstood`; or `BROKEN` and how."""
    cubes = drawn(seed)
    system = build(cubes, Policy(minimum=5, zeros="open"))
    if not system.primary.any():
        return "nothing small"
    try:
        search = found(system, lambda _text: None, attackers)
    except DisclosureError:
        return "refused"
    published = Published(cubes, [search.hidden[own] for own in system.cells])
    small = [key for key in published.hidden if 0 < published.true[key] < 5]
    if any(0 < count < 5 and key not in published.hidden for key, count in published.true.items()):
        return "BROKEN: a small cell is shown"
    if published.determined(set()) & set(small):
        return "BROKEN: sums"
    if attackers.knows == "rule" and published.pinned(set(), small):
        return "BROKEN: rule"
    if attackers.singletons:
        for own in {frozenset(_of_one(published, key)) for key in small if published.true[key] == 1}:
            others = [key for key in small if key not in own]
            if published.determined(set(own)) & set(others) or (
                attackers.knows == "rule" and published.pinned(set(own), others)
            ):
                return "BROKEN: someone alone"
    return "withstood"


def _of_one(published: Published, key: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Cells of 1 that hold one another in a sum, from `key` on."""
    reached, waiting = {key}, [key]
    while waiting:
        one = waiting.pop()
        for signs, _ in published.equations:
            whole = [each for each, sign in signs.items() if sign < 0]
            if one in signs and whole and published.true[whole[0]] == 1:
                more = {each for each in signs if published.true[each] == 1} - reached
                reached |= more
                waiting += more
    return reached


def main() -> None:
    """Print how many withstood. Raises SystemExit, with 1 where one did not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disclosure.generated", description=__doc__)
    parser.add_argument("--tables", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    kinds = (Attackers("sums", singletons=False), Attackers("rule", singletons=False), Attackers())
    told = Counter[str]()
    for seed in range(given.seed, given.seed + given.tables):
        outcome = attacked(seed, kinds[seed % len(kinds)])
        told[outcome] += 1
        if outcome.startswith("BROKEN"):
            print(seed, outcome)
    print(", ".join(f"{count:,} {outcome}" for outcome, count in sorted(told.items())))
    raise SystemExit(any(outcome.startswith("BROKEN") for outcome in told))


if __name__ == "__main__":
    main()
