"""Attacks on protected tables, with nothing but what is published and the rule. They share no code with what
they attack."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from pipelines.cubes.cube import Cube, Dimension, ProtectedCube
from pipelines.cubes.policy import Policy, Values
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.protect import Protection, protect
from pipelines.verifier.attack import pinned
from pipelines.verifier.tables import Axis, PublishedTable
from tests.made_cubes import cell, counts_only, dimension, flat, from_frequencies, random_cubes

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "disclosure"
reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference data are not on this machine")


class Attack:
    """All that is known: one unknown for each hidden cell and measure of any table, equations and
    inequalities between them."""

    def __init__(self, cubes: list[ProtectedCube], zeros: str) -> None:
        self.unknown: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
        self.equal: list[tuple[dict[int, int], int]] = []
        self.above: list[tuple[dict[int, int], int]] = []
        for cube in cubes:
            self._learn(cube)
        self.least = [1 if zeros == "open" and measure == "persons" else 0 for measure, _ in self.unknown]

    def _learn(self, cube: ProtectedCube) -> None:
        places = list(np.ndindex(*cube.shape))
        for measure in cube.measures:
            for place in places:
                for axis, each in enumerate(cube.dimensions):
                    children = [
                        (*place[:axis], child, *place[axis + 1 :]) for child in each.children(place[axis])
                    ]
                    if children:
                        self._line(cube, measure, place, children, cube.additive[measure][axis])
        for larger, smaller in cube.at_least:
            for place in places:
                self._add(
                    self.above, [self._term(cube, larger, place, 1), self._term(cube, smaller, place, -1)]
                )

    def _line(
        self,
        cube: ProtectedCube,
        measure: str,
        parent: tuple[int, ...],
        children: list[tuple[int, ...]],
        adds_up: bool,
    ) -> None:
        whole = self._term(cube, measure, parent, -1)
        self._add(
            self.equal if adds_up else self.above,
            [*(self._term(cube, measure, child, 1) for child in children), whole],
        )
        for child in children:
            self._add(
                self.above, [self._term(cube, measure, parent, 1), self._term(cube, measure, child, -1)]
            )

    def _term(
        self, cube: ProtectedCube, measure: str, place: tuple[int, ...], sign: int
    ) -> tuple[int | None, int]:
        at = int(np.ravel_multi_index(place, cube.shape))
        if not cube.hidden[at]:
            return None, sign * int(cube.measures[measure][at])
        where = frozenset(
            (each.name, each.codes[p]) for each, p in zip(cube.dimensions, place, strict=True) if p
        )
        return self.unknown.setdefault((measure, where), len(self.unknown)), sign

    @staticmethod
    def _add(relations: list[tuple[dict[int, int], int]], terms: list[tuple[int | None, int]]) -> None:
        unknowns = {place: sign for place, sign in terms if place is not None}
        if unknowns:
            relations.append((unknowns, sum(number for place, number in terms if place is None)))

    def pinned(self, known: dict[int, int] | None = None, only: set[int] | None = None) -> list[int]:
        """Unknowns of which the least and the greatest possible value are closer than half a person. `known`:
        what one knows besides."""
        size = len(self.unknown)
        equations, fixed = self._matrix(self.equal)
        bounds, above = self._matrix(self.above)
        limits = [
            (known[place],) * 2 if known and place in known else (least, None)
            for place, least in enumerate(self.least)
        ]
        open_places = set(range(size)) if only is None else set(only)
        random, seen = np.random.default_rng(0), []
        for _ in range(8):  # most unknowns differ between a few random solutions
            seen.append(self._solve(random.standard_normal(size), equations, fixed, bounds, above, limits))
        free = np.ptp(np.array(seen), axis=0) > 0.5
        return [
            place
            for place in sorted(open_places)
            if not free[place] and not self._moves(place, equations, fixed, bounds, above, limits)
        ]

    def _moves(self, place: int, *programme: object) -> bool:
        unit = np.eye(len(self.unknown))[place]
        ends = [self._solve(sign * unit, *programme)[place] for sign in (1.0, -1.0)]
        return abs(ends[1] - ends[0]) > 0.5

    def _solve(self, objective: np.ndarray, equations, fixed, bounds, above, limits) -> np.ndarray:  # type: ignore[no-untyped-def]
        boxed = [(low, high if high is not None else 10_000) for low, high in limits]
        found = linprog(
            objective, A_ub=-bounds, b_ub=above, A_eq=equations, b_eq=-fixed, bounds=boxed, method="highs"
        )
        assert found.status == 0
        return np.asarray(found.x)

    def _matrix(self, relations: list[tuple[dict[int, int], int]]) -> tuple[np.ndarray, np.ndarray]:
        matrix = np.zeros((len(relations), len(self.unknown)))
        for row, (unknowns, _) in enumerate(relations):
            for place, sign in unknowns.items():
                matrix[row, place] += sign
        return matrix, np.array([number for _, number in relations], float)


def withstands(protection: Protection, zeros: str = "open") -> None:
    attack = Attack(list(protection.cubes), zeros)
    if attack.unknown:
        assert attack.pinned() == []


def only_small_hidden(cubes: list[Cube], minimum: int) -> list[ProtectedCube]:
    """What somebody would publish who hides small cells alone."""
    out = []
    for cube in cubes:
        hidden = (cube.measures["persons"] > 0) & (cube.measures["persons"] < minimum)
        shown = {name: np.where(hidden, 0, values) for name, values in cube.measures.items()}
        out.append(
            ProtectedCube(
                cube.table,
                cube.title,
                cube.population,
                cube.dimensions,
                shown,
                hidden,
                cube.additive,
                cube.at_least,
            )
        )
    return out


# ---- generated tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(24))
def test_linked_hierarchies_with_several_measures(seed: int) -> None:
    policy = Policy(minimum=3 + seed % 4, zeros="protected" if seed % 5 == 4 else "open")
    withstands(protect(random_cubes(seed), policy), policy.zeros)


@pytest.mark.parametrize("seed", range(0, 24, 3))
def test_moves_of_other_sizes_keep_what_no_sum_ties_and_can_be_excluded_by_nobody(seed: int) -> None:
    """Twice a move may break a bound that the move itself keeps, along dimensions where persons do not add
    up."""
    attackers = Attackers(interval=Values(values=3))
    withstands(protect(random_cubes(seed), Policy(), attackers=attackers), "open")


@pytest.mark.parametrize("seed", range(100))
def test_small_tables_of_three_dimensions(seed: int) -> None:
    withstands(protect([small_table(seed)], Policy(minimum=3 + seed % 3)))


@pytest.mark.parametrize("seed", range(8))
def test_four_dimensions(seed: int) -> None:
    random = np.random.default_rng(1000 + seed)
    dimensions = [flat(name, "1", "2") for name in "abcd"]
    cells = [([str(1 + bit) for bit in place], int(random.poisson(4))) for place in np.ndindex(2, 2, 2, 2)]
    withstands(protect([from_frequencies("t", dimensions, cells)], Policy()))


def test_the_attack_succeeds_where_small_cells_alone_are_hidden() -> None:
    """The attack can find something, or its silence would say nothing."""
    cubes = [counts_only(cube) for cube in random_cubes(3)]
    assert Attack(only_small_hidden(cubes, 5), "open").pinned()


def small_table(seed: int) -> Cube:
    random = np.random.default_rng(seed)
    dimensions = [
        dimension("place", {"N": ("N1", "N2"), "S": ("S1", "S2")}),
        flat("sex", "m", "w"),
        flat("age", "1", "2", "3"),
    ]
    spread = (0.8, 2.0, 5.0, 12.0)[seed % 4]
    leaves = [[each.codes[p] for p in each.leaves] for each in dimensions]
    return from_frequencies(
        "t",
        dimensions,
        [((a, b, c), int(random.poisson(spread))) for a in leaves[0] for b in leaves[1] for c in leaves[2]],
    )


# ---- one who is alone in a cell ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_who_is_alone_in_a_cell_learns_no_other_small_cell(seed: int) -> None:
    cube = small_table(4 * seed + 1)
    singletons_learn_nothing(cube, protect([cube], Policy()).cubes[0], 5)


@reference
def test_three_singletons_in_a_row() -> None:
    about = json.loads((REFERENCE / "singleton_issue135.json").read_text())
    rows, columns = [str(each) for each in about["var1"]], about["var2"]
    dimensions = (flat("row", *sorted(set(rows))), flat("column", *sorted(set(columns))))
    cube = from_frequencies(
        "t", dimensions, list(zip(zip(rows, columns, strict=True), about["values"], strict=True))
    )
    result = protect([cube], Policy(minimum=3)).cubes[0]
    assert result.hidden[(cube.measures["persons"] > 0) & (cube.measures["persons"] < 3)].all()
    singletons_learn_nothing(cube, result, 3)


def singletons_learn_nothing(cube: Cube, result: ProtectedCube, minimum: int) -> None:
    attack = Attack([result], "open")
    persons = cube.measures["persons"]
    place_of = {where: place for (_, where), place in attack.unknown.items()}
    at = {key(cube, position): position for position in range(cube.cells)}
    small = {place: at[where] for where, place in place_of.items() if 0 < persons[at[where]] < minimum}
    for place, position in small.items():
        if persons[position] != 1:
            continue
        mine = dict.fromkeys(
            one_person(cube, place, {each: at for each, at in small.items() if persons[at] == 1}), 1
        )
        others = set(small) - set(mine)
        assert attack.pinned(known=mine, only=others) == []


def one_person(cube: Cube, place: int, alone: dict[int, int]) -> set[int]:
    """All cells of 1 that hold one another: they count the same person."""
    mine = {place}
    while more := {
        other for other in set(alone) - mine if any(nested(cube, alone[other], alone[each]) for each in mine)
    }:
        mine |= more
    return mine


def key(cube: Cube, position: int) -> frozenset[tuple[str, str]]:
    places = np.unravel_index(position, cube.shape)
    return frozenset(
        (each.name, each.codes[int(p)]) for each, p in zip(cube.dimensions, places, strict=True) if p
    )


def nested(cube: Cube, one: int, other: int) -> bool:
    """Does one of the cells hold the other?"""
    pairs = list(
        zip(
            cube.dimensions,
            np.unravel_index(one, cube.shape),
            np.unravel_index(other, cube.shape),
            strict=True,
        )
    )
    return all(int(b) in above(each, int(a)) for each, a, b in pairs) or all(
        int(a) in above(each, int(b)) for each, a, b in pairs
    )


def above(each: Dimension, place: int) -> Iterator[int]:
    while place >= 0:
        yield place
        place = each.parents[place]


# ---- tables that others have protected ---------------------------------------------------------------------


@reference
def test_two_linked_tables_each_safe_alone() -> None:
    micro = json.loads((REFERENCE / "linked_issue136.json").read_text())["micro"]
    trees = [{}, {}]  # type: list[dict[str, list[str]]]
    for town, county, size, _ in micro:
        trees[0].setdefault(county, []).append(town)
        trees[1].setdefault(size, []).append(town)
    cells = [((town,), number) for town, _, _, number in micro]
    cubes = [
        from_frequencies(name, (dimension("town", tree),), cells)
        for name, tree in zip(("one", "two"), trees, strict=True)
    ]
    assert Attack(only_small_hidden(cubes, 4), "open").pinned()
    withstands(protect(cubes, Policy(minimum=4)))


@reference
@pytest.mark.parametrize(
    ("file", "number", "axes", "minimum"),
    [
        ("ssbtools_mun_accidents", "freq", (("mun", None), ("inj", None)), 4),
        ("ssbtools_z2", "ant", (("region", "fylke"), ("hovedint", None)), 4),
        ("ssbtools_d2", "freq", (("region", "county"), ("main_income", None)), 3),
        ("ssbtools_example1", "freq", (("age", None), ("geo", "eu"), ("year", None)), 3),
    ],
)
@pytest.mark.parametrize("zeros", ["open", "protected"])
def test_published_examples(
    file: str, number: str, axes: tuple[tuple[str, str | None], ...], minimum: int, zeros: str
) -> None:
    withstands(protect([read(file, number, axes)], Policy(minimum=minimum, zeros=zeros)), zeros)  # type: ignore[arg-type]


@reference
@pytest.mark.parametrize(
    ("file", "axes"),
    [
        ("t3_1e3", (("region", "county"), ("age", None), ("diag", "chapter"))),
        ("t4_1e3", (("region", "county"), ("age", None), ("sex", None), ("diag", "chapter"))),
    ],
)
def test_register_like_cubes(file: str, axes: tuple[tuple[str, str | None], ...]) -> None:
    cube = read(file, "freq", axes)
    result = protect([cube], Policy()).cubes[0]
    assert pinned([as_published(result)], zeros_shown=True) == 0
    assert result.hidden[cell(cube, *[""] * len(axes))] == 0


@reference
def test_a_large_table_is_attacked_in_its_interior_and_what_seems_settled_is_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cube = read("t3_1e3", "freq", (("region", "county"), ("age", None), ("diag", "chapter")))
    safe, bare = (
        as_published(protect([cube], Policy()).cubes[0]),
        as_published(only_small_hidden([cube], 5)[0]),
    )
    found = pinned([bare], zeros_shown=True)
    monkeypatch.setattr("pipelines.verifier.attack._LARGE", 0)
    assert pinned([safe], zeros_shown=True) == 0 and pinned([bare], zeros_shown=True) == found > 0


def as_published(cube: ProtectedCube) -> PublishedTable:
    axes = tuple(Axis(each.name, each.codes, each.parents) for each in cube.dimensions)
    return PublishedTable("t", "all", axes, cube.measures, cube.hidden, cube.additive, ())


def read(file: str, number: str, axes: tuple[tuple[str, str | None], ...]) -> Cube:
    with (REFERENCE / f"{file}.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    dimensions = []
    for leaf, group in axes:
        tree: dict[str, list[str]] = {}
        for row in rows:
            members = tree.setdefault(f"{group} {row[group]}" if group else row[leaf], [])
            if group and row[leaf] not in members:
                members.append(row[leaf])
        dimensions.append(dimension(leaf, tree))
    return from_frequencies(
        file, dimensions, [([row[leaf] for leaf, _ in axes], int(row[number])) for row in rows]
    )
