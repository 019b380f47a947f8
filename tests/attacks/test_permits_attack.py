"""Two or three permits over nearly the same people, attacked with all that they publish, by somebody who
knows every definition: nothing small, and no small difference, can be worked out.

The attacker's unknowns are the persons of every combination of sex, five years of age, municipality and who
is in which permit; every shown cell is a sum of them, and a hidden one is of somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.optimize import linprog

from kernels.cells import count_distinct, spread
from pipelines.cubes.cube import Cube, Dimension
from pipelines.cubes.policy import Policy
from pipelines.cubes.standing import stood
from pipelines.disclosure.history.pairs import Counted
from pipelines.disclosure.history.together import Released, system_of
from pipelines.disclosure.suppression.protect import found
from pipelines.errors import DisclosureError
from tests import amount

Who = Callable[["Region"], np.ndarray]
_COUNTIES, _EACH = 3, 4


class Region:
    """5,000 made-up people. `sick`: bool, those a permit is about."""

    def __init__(self, seed: int, persons: int = 5000) -> None:
        random = np.random.default_rng(seed)
        self.sex = random.integers(0, 2, persons)
        self.age = random.integers(0, 90, persons)
        shares = np.array([0.3, 0.2, 0.1, *[0.4 / 9] * 9])
        self.place = random.choice(len(shares), persons, p=shares)
        self.sick = random.random(persons) < 0.18 * np.minimum(1, self.age / 60)
        self.clause = random.random(persons) < 0.97


def _dimension(name: str, groups: Sequence[tuple[str, Sequence[str]]]) -> Dimension:
    codes, parents = [""], [-1]
    for top, below in groups:
        place = len(codes)
        codes += [top, *below]
        parents += [0, *[place] * len(below)]
    return Dimension(name, name, tuple(codes), ("Total", *codes[1:]), tuple(parents))


@dataclass(frozen=True)
class Asked:
    """A permit: `who` is in it, which tables it has, by which bands of age and with which minimum."""

    who: Who
    tables: tuple[tuple[str, ...], ...]
    band: int = 15
    minimum: int = 5

    def dimension(self, name: str) -> Dimension:
        if name == "sex":
            return _dimension(name, [("men", ()), ("women", ())])
        if name == "age_group":
            return _dimension(name, [(f"{at}-{at + self.band - 1}", ()) for at in range(0, 90, self.band)])
        return _dimension(
            name, [(f"c{each}", [f"m{each}{k}" for k in range(_EACH)]) for each in range(_COUNTIES)]
        )

    def place(self, name: str, sex: int, age: int, place: int) -> int:
        if name == "sex":
            return sex + 1
        if name == "age_group":
            return age // self.band + 1
        return 1 + place // _EACH * (_EACH + 1) + 1 + place % _EACH

    def counted(self, region: Region) -> list[Counted]:
        who = np.flatnonzero(self.who(region))
        made = []
        for names in self.tables:
            dimensions = tuple(self.dimension(name) for name in names)
            places = np.array(
                [
                    [self.place(name, *each) for name in names]
                    for each in zip(
                        region.sex[who].tolist(),
                        region.age[who].tolist(),
                        region.place[who].tolist(),
                        strict=True,
                    )
                ],
                np.int32,
            )
            cells = int(np.prod([len(each) for each in dimensions]))
            persons = count_distinct(
                np.arange(len(who)), places, *spread([each.parents for each in dimensions]), cells
            )
            cube = Cube(
                "-".join(names), "", "p", dimensions, {"persons": persons}, {"persons": (True,) * len(names)}
            )
            made.append(Counted(cube, stood(who.astype(np.int64), places, None, dimensions), "members"))
        return made


@dataclass
class Site:
    """What has been released of a region. `memory`: are earlier releases remembered?"""

    region: Region
    memory: bool

    def __post_init__(self) -> None:
        self.out: list[tuple[Asked, list[Counted], list[np.ndarray]]] = []
        self.past: list[Released] = []

    def release(self, asked: Asked) -> bool:
        """False where no pattern is found beside what is out."""
        tables = asked.counted(self.region)
        try:
            system = system_of(tables, self.past if self.memory else [], Policy(minimum=asked.minimum))
            search = found(system, lambda _text: None, attempts=2)
        except DisclosureError:
            return False
        hidden = [search.hidden[own] for own in system.cells]
        number = len(self.out) + 1
        self.past += [
            Released(each, number, mask, system.needed[own])
            for each, mask, own in zip(tables, hidden, system.cells, strict=True)
        ]
        self.out.append((asked, tables, hidden))
        return True


class Attack:
    """All that is published, as one linear programme."""

    def __init__(self, site: Site) -> None:
        self.site, region = site, site.region
        ages = range(0, 90, 5)
        self.classes = sorted({*zip(*(asked.who(region).tolist() for asked, _, _ in site.out), strict=True)})
        self.classes = [each for each in self.classes if any(each)]
        self.inner = list(product(self.classes, (0, 1), ages, range(_COUNTIES * _EACH)))
        self.rows: list[tuple[np.ndarray, np.ndarray]] = []
        equal: list[np.ndarray] = []
        value: list[int] = []
        least: list[np.ndarray] = []
        self.cells: list[tuple[int, int, np.ndarray, int, bool]] = []
        for number, (asked, tables, hidden) in enumerate(site.out):
            for table, gone in zip(tables, hidden, strict=True):
                persons = table.cube.measures["persons"]
                for cell, columns in enumerate(self._of_cells(number, asked, table.cube)):
                    (least if gone[cell] else equal).append(columns)
                    if not gone[cell]:
                        value.append(int(persons[cell]))
                    self.cells.append((number, cell, columns, int(persons[cell]), bool(gone[cell])))
        self.equal, self.value = self._matrix(equal), np.array(value, float)
        self.least = self._matrix(least)

    def _of_cells(self, number: int, asked: Asked, cube: Cube) -> list[np.ndarray]:
        chains = []
        for each in cube.dimensions:
            own = np.array([asked.place(each.name, sex, age, place) for _, sex, age, place in self.inner])
            under = [own]
            parents = np.array(each.parents)
            while (under[-1] > 0).any():
                under.append(np.where(under[-1] > 0, parents[under[-1]], -1))
            chains.append(under)
        inside = np.array([each[0][number] for each in self.inner])
        found: list[list[int]] = [[] for _ in range(cube.cells)]
        for places in product(*chains):
            valid = inside & np.logical_and.reduce([place >= 0 for place in places])
            for column, cell in zip(
                np.flatnonzero(valid).tolist(),
                np.ravel_multi_index(tuple(place[valid] for place in places), cube.shape).tolist(),
                strict=True,
            ):
                found[cell].append(column)
        return [np.unique(each).astype(np.int64) for each in found]

    def _matrix(self, rows: Sequence[np.ndarray]) -> sparse.csr_matrix:
        row = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
        column = np.concatenate([np.empty(0, np.int64), *rows])
        return sparse.csr_matrix((np.ones(len(row)), (row, column)), (len(rows), len(self.inner)))

    def range_of(self, target: np.ndarray) -> tuple[float, float]:
        """Least and greatest value of a sum of unknowns, float (unknowns,), that agree with all."""
        ends = []
        for sign in (1.0, -1.0):
            solved = linprog(
                sign * target,
                A_ub=-self.least,
                b_ub=-np.ones(self.least.shape[0]),
                A_eq=self.equal,
                b_eq=self.value,
                bounds=(0, None),
                method="highs",
            )
            assert solved.status in (0, 3), solved.message
            ends.append(sign * solved.fun if solved.status == 0 else -sign * np.inf)
        return ends[0], ends[1]

    @cached_property
    def targets(self) -> list[tuple[str, np.ndarray, int]]:
        """Small hidden cells, and small differences of cells of two permits of which one lies within the
        other: a name, the sum of unknowns and its true value."""
        wanted = []
        for number, cell, columns, true, gone in self.cells:
            if gone and 0 < true < 5:
                wanted.append((f"cell {cell} of {number}", self._sum(columns), true))
        for one, other in product(range(len(self.site.out)), repeat=2):
            if one != other:
                theirs = {tuple(c[2].tolist()) for c in self.cells if c[0] == other}
                for _, cell, columns, _, _ in (c for c in self.cells if c[0] == one):
                    inner = np.array([k for k in columns if self.inner[k][0][other]], np.int64)
                    rest = np.setdiff1d(columns, inner)
                    if len(rest) and tuple(inner.tolist()) in theirs:
                        few = self._true(rest)
                        if 0 < few < 5:
                            wanted.append((f"difference {cell} of {one} and {other}", self._sum(rest), few))
        return wanted

    def _sum(self, columns: np.ndarray) -> np.ndarray:
        target = np.zeros(len(self.inner))
        target[columns] = 1.0
        return target

    def _true(self, columns: np.ndarray) -> int:
        return int(self.truth[columns].sum())

    @cached_property
    def truth(self) -> np.ndarray:
        region = self.site.region
        member = list(zip(*(asked.who(region).tolist() for asked, _, _ in self.site.out), strict=True))
        number = {each: place for place, each in enumerate(self.inner)}
        counts = np.zeros(len(self.inner), np.int64)
        for who, sex, age, place in zip(
            member, region.sex.tolist(), region.age.tolist(), region.place.tolist(), strict=True
        ):
            if any(who):
                counts[number[who, sex, age // 5 * 5, place]] += 1
        return counts

    def pinned(self, most: int) -> list[str]:
        """Which of the targets have one whole value alone; of many a sample."""
        targets = self.targets
        if len(targets) > most:
            chosen = np.random.default_rng(1).choice(len(targets), most, replace=False)
            targets = [targets[k] for k in sorted(chosen.tolist())]
        found = []
        for name, target, true in targets:
            low, high = self.range_of(target)
            assert low - 1e-6 <= true <= high + 1e-6
            if np.floor(high + 1e-6) - np.ceil(low - 1e-6) < 1:
                found.append(name)
        return found


def sick(region: Region) -> np.ndarray:
    return region.sick


def older(least: int) -> Who:
    return lambda region: region.sick & (region.age >= least)


def women(region: Region) -> np.ndarray:
    return region.sick & (region.sex == 1)


def men(region: Region) -> np.ndarray:
    return region.sick & (region.sex == 0)


def without(region: Region) -> np.ndarray:
    """One more clause, which leaves few out."""
    return region.sick & region.clause


HELD = ("other bands",)  # beside the first of these no pattern is found for the next
MOST = 80 if amount.LONG else 30  # targets that are attacked
ALL = ("age_group", "municipality", "sex")
FEW = ("municipality", "sex")
CASES: dict[str, tuple[Asked, ...]] = {
    "from another age": (Asked(older(18), (ALL, FEW)), Asked(older(20), (ALL, FEW))),
    "the other way round": (Asked(older(20), (ALL, FEW)), Asked(older(18), (ALL, FEW))),
    "one more clause": (Asked(sick, (ALL,)), Asked(without, (ALL,))),
    "the very same people": (Asked(sick, (ALL, ("age_group",))), Asked(sick, (("sex", "municipality"), ALL))),
    "fewer tables": (Asked(sick, (ALL, FEW, ("age_group", "sex"))), Asked(sick, (ALL,))),
    "another minimum": (Asked(sick, (ALL,)), Asked(sick, (ALL,), minimum=3)),
    "other bands": (Asked(sick, (ALL,), band=15), Asked(sick, (ALL,), band=10)),
    "women alone": (Asked(sick, (ALL,)), Asked(women, (("age_group", "municipality"),))),
    "women, men, all": tuple(Asked(each, (("age_group", "municipality"),)) for each in (women, men, sick)),
    "three": (Asked(older(18), (ALL,)), Asked(older(20), (ALL,)), Asked(older(25), (ALL,))),
}


SHORT = ("from another age", "one more clause", "another minimum", "women alone", "women, men, all")


@pytest.mark.parametrize("case", CASES if amount.LONG else SHORT)
def test_nothing_small_and_no_small_difference_is_pinned(case: str) -> None:
    site = Site(Region(7), memory=True)
    released = [site.release(asked) for asked in CASES[case]]
    assert all(released) or case in HELD
    if len(site.out) > 1:
        assert not Attack(site).pinned(MOST)


def test_without_memory_the_attack_wins() -> None:
    site = Site(Region(7), memory=False)
    assert all(site.release(asked) for asked in CASES["from another age"])
    assert Attack(site).pinned(MOST)
