"""Small cubes made from rows, for the tests of disclosure, measures and release."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.cubes.cube import Cube, Dimension

Tree = Mapping[str, Sequence[str]]  # groups and their members; a group without members is a leaf


def dimension(name: str, tree: Tree) -> Dimension:
    """A classification of one or two levels under the total."""
    codes, parents = [""], [-1]
    for group, members in tree.items():
        codes.append(group)
        parents.append(0)
        above = len(codes) - 1
        for member in members:
            codes.append(member)
            parents.append(above)
    return Dimension(name, name.title(), tuple(codes), ("Total", *codes[1:]), tuple(parents), ("Total", name))


def flat(name: str, *codes: str) -> Dimension:
    """A classification of one level under the total."""
    return dimension(name, dict.fromkeys(codes, ()))


def count(
    table: str,
    dimensions: Sequence[Dimension],
    rows: Sequence[tuple[int, Sequence[str]]],
    population: str = "all",
) -> Cube:
    """A cube of persons and events. `rows`: the person, and a leaf of each dimension, once for each event."""
    shape = [len(each) for each in dimensions]
    people: list[set[int]] = [set() for _ in range(int(np.prod(shape)))]
    events = np.zeros(len(people), np.int64)
    for person, leaves in rows:
        paths = [_path(each, leaf) for each, leaf in zip(dimensions, leaves, strict=True)]
        for cell in itertools.product(*paths):
            at = int(np.ravel_multi_index(cell, shape))
            people[at].add(person)
            events[at] += 1
    persons = np.array([len(each) for each in people], np.int64)
    additive = tuple(_once(rows, axis) for axis in range(len(dimensions)))
    measures = {"persons": persons, "events": events}
    flags = {"persons": additive, "events": (True,) * len(dimensions)}
    return Cube(
        table, table.title(), population, tuple(dimensions), measures, flags, (("events", "persons"),)
    )


def counts_only(cube: Cube) -> Cube:
    """The same cube with persons alone."""
    return Cube(
        cube.table,
        cube.title,
        cube.population,
        cube.dimensions,
        {"persons": cube.measures["persons"]},
        {"persons": cube.additive["persons"]},
    )


def from_frequencies(
    table: str, dimensions: Sequence[Dimension], cells: Sequence[tuple[Sequence[str], int]]
) -> Cube:
    """A cube of persons, each counted once, from the number in each cell of leaves."""
    rows = [(leaves, number) for leaves, number in cells if number]
    shape = [len(each) for each in dimensions]
    persons = np.zeros(int(np.prod(shape)), np.int64)
    for leaves, number in rows:
        paths = [_path(each, leaf) for each, leaf in zip(dimensions, leaves, strict=True)]
        for cell in itertools.product(*paths):
            persons[int(np.ravel_multi_index(cell, shape))] += number
    return Cube(
        table,
        table.title(),
        "all",
        tuple(dimensions),
        {"persons": persons},
        {"persons": (True,) * len(dimensions)},
    )


def random_cubes(seed: int) -> list[Cube]:
    """Two linked tables of a few dozen people: a hierarchy, several events each, empty groups and people who
    are alone."""
    random = np.random.default_rng(seed)
    region = dimension("region", {"N": ("N1", "N2"), "S": ("S1", "S2", "S3")})
    sex, age, year = flat("sex", "m", "w"), flat("age", "young", "old", "oldest"), flat("year", "1", "2", "3")
    leaves = [region.codes[place] for place in region.leaves]
    rows_a, rows_b = [], []
    for person in range(int(random.integers(25, 160))):
        home = leaves[min(len(leaves) - 1, int(random.exponential(1.3)))]
        who = sex.codes[1 + int(random.integers(2))], age.codes[1 + int(random.integers(3))]
        for _ in range(int(random.integers(1, 4))):
            rows_a.append((person, (home, who[0], who[1])))
            rows_b.append((person, (home, who[0], year.codes[1 + int(random.integers(3))])))
    return [count("a", (region, sex, age), rows_a), count("b", (region, sex, year), rows_b)]


def cell(cube: Cube, *codes: str) -> int:
    """Position of the cell with these codes, "" for a total."""
    places = [each.codes.index(code) for each, code in zip(cube.dimensions, codes, strict=True)]
    return int(np.ravel_multi_index(places, cube.shape))


def _path(dimension: Dimension, leaf: str) -> list[int]:
    places = [dimension.codes.index(leaf)]
    while places[-1]:
        places.append(dimension.parents[places[-1]])
    return places


def _once(rows: Sequence[tuple[int, Sequence[str]]], axis: int) -> bool:
    """Does each person stand at one place of the axis?"""
    places: dict[int, set[str]] = {}
    for person, leaves in rows:
        places.setdefault(person, set()).add(leaves[axis])
    return all(len(each) == 1 for each in places.values())
