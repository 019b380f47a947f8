"""python -m benchmarks.disclosure.optimum [--instances N]: persons in cells hidden besides small ones, beside
the least that there can be.

Small two-way tables with a level of regions, drawn from a seed. The least is proven by HiGHS: whole 0-1
variables say what is hidden, and for each small cell a change of one unit of it, of hidden cells alone, keeps
all sums; so nobody who solves these works it out.
"""

from __future__ import annotations

import argparse
import itertools
import time

import highspy
import numpy as np

from pipelines.cubes.cube import TOTAL, Cube, Dimension
from pipelines.cubes.policy import Policy
from pipelines.disclosure.solver import Solver
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.protect import found
from pipelines.disclosure.suppression.system import System, build

SEED = 41
_REACH = 4.0  # units that another cell may change where a small cell changes by one
_SECONDS = 60.0


def instance(seed: int) -> System:
    """A table of some 40 cells: municipalities within two counties by three to five diagnoses."""
    random = np.random.default_rng(seed)
    municipalities, diagnoses = int(random.integers(4, 7)), int(random.integers(3, 6))
    region = _dimension("region", (-1, 0, 0, *(1 + k * 2 // municipalities for k in range(municipalities))))
    diagnosis = _dimension("diag", (-1, *[0] * diagnoses))
    counts = random.poisson(
        np.outer(random.lognormal(0, 0.8, municipalities), random.lognormal(0, 0.8, diagnoses)) * 9
    )
    grid = np.zeros((3 + municipalities, 1 + diagnoses), np.int64)
    grid[3:, 1:] = counts
    grid[3:, 0] = counts.sum(axis=1)
    for county in (1, 2):
        grid[county] = grid[
            [place for place in range(3, 3 + municipalities) if region.parents[place] == county]
        ].sum(axis=0)
    grid[0] = grid[1] + grid[2]
    cube = Cube(
        table="table",
        title="",
        population="all",
        dimensions=(region, diagnosis),
        measures={"persons": grid.ravel()},
        additive={"persons": (True, True)},
    )
    return build([cube], Policy(minimum=5, zeros="open"))


def _dimension(name: str, parents: tuple[int, ...]) -> Dimension:
    codes = (TOTAL, *(f"{name}{place}" for place in range(1, len(parents))))
    return Dimension(name, name, codes, codes, parents)


def least(system: System, seconds: float = _SECONDS) -> float | None:
    """Persons in the cells hidden besides small ones in the best pattern, None where it is not proven in so
    many seconds."""
    size, small = system.size, np.flatnonzero(system.primary)
    matrix = system.matrix.tocoo()
    free = (system.wide.lower < 0) | (system.wide.upper > 0)
    highs = Solver(random_seed=1, time_limit=seconds, mip_rel_gap=0.0)
    columns = size * (1 + len(small))
    model = highspy.HighsLp()
    model.num_col_ = columns
    model.col_cost_ = np.concatenate(
        [np.where(system.primary, 0, system.persons).astype(float), np.zeros(columns - size)]
    )
    lower = np.concatenate([np.where(system.primary, 1.0, 0.0), np.full(columns - size, -_REACH)])
    upper = np.concatenate([np.where(free, 1.0, 0.0), np.full(columns - size, _REACH)])
    kinds = [highspy.HighsVarType.kInteger] * size + [highspy.HighsVarType.kContinuous] * (columns - size)
    model.integrality_ = kinds
    rows: list[tuple[float, float, list[tuple[int, float]]]] = []
    lines: dict[int, list[tuple[int, float]]] = {}
    for row, column, value in zip(
        matrix.row.tolist(), matrix.col.tolist(), matrix.data.tolist(), strict=True
    ):
        lines.setdefault(row, []).append((column, float(value)))
    for number, cell in enumerate(small.tolist()):
        first = size * (1 + number)
        lower[first + cell] = upper[first + cell] = 1.0
        rows += [(0.0, 0.0, [(first + column, value) for column, value in line]) for line in lines.values()]
        for other in range(size):
            rows += [
                (-highspy.kHighsInf, 0.0, [(first + other, sign), (other, -_REACH)]) for sign in (1.0, -1.0)
            ]
    model.col_lower_, model.col_upper_ = lower, upper
    model.num_row_ = len(rows)
    model.row_lower_ = np.array([row[0] for row in rows])
    model.row_upper_ = np.array([row[1] for row in rows])
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.cumsum([0, *(len(row[2]) for row in rows)])
    model.a_matrix_.index_ = np.array([column for row in rows for column, _ in row[2]])
    model.a_matrix_.value_ = np.array([value for row in rows for _, value in row[2]])
    highs.passModel(model)
    highs.run()
    proven = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(highs.getInfo().objective_function_value) if proven else None


def ours(system: System) -> int:
    """The same of the engine's pattern."""
    hidden = found(system, lambda _text: None, Attackers("sums", singletons=False)).hidden
    return int(system.persons[hidden & ~system.primary].sum())


def compare(instances: int, seed: int = SEED) -> list[tuple[int, float]]:
    """The engine's and the least, for the first so many drawn tables whose small cells do not suffice and
    whose least is proven."""
    pairs: list[tuple[int, float]] = []
    for number in itertools.count(seed):
        if len(pairs) == instances:
            return pairs
        system = instance(number)
        if system.primary.any() and (best := least(system)):
            pairs.append((ours(system), best))
    return pairs


def main() -> None:
    """Print how far from the least."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disclosure.optimum", description=__doc__)
    parser.add_argument("--instances", type=int, default=50)
    given = parser.parse_args()
    begun = time.perf_counter()
    pairs = compare(given.instances)
    mine, best = (sum(each) for each in zip(*pairs, strict=True))
    optimal = sum(one <= other + 0.5 for one, other in pairs)
    seconds = time.perf_counter() - begun
    print(
        f"{len(pairs)} tables: {mine:,} persons, {best:,.0f} at least ({mine / best - 1:+.1%}); {optimal} "
        f"best; {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
