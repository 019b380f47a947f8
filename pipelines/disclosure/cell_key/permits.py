"""Cell keys for the tables of a permit (Fraser and Wooton 2005): the key of a cell is the sum of the keys of
the people in it, and theirs are the site's, so that the same people are changed alike in every table, permit
and version.

People become what the table of transitions gives for their number and their key. Of a count that is never
less than the people behind it, what it exceeds them by is changed likewise, under a key of its own; so it
still is no less. Any other count is changed by itself. What is no count (days, sums of values) is scaled as
the count that it goes along with was changed; where that is not there, as people were, and then changed by
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kernels.cell_key import MODULUS, add_keys, look_up
from kernels.hashing import hash_integers
from pipelines.cubes.cube import Cube, ProtectedCube, time_table
from pipelines.cubes.design_effects import LEAST, told
from pipelines.cubes.perturbation import CellKeys, Perturbation, based_on
from pipelines.cubes.standing import Standing
from pipelines.disclosure.cell_key import entropy
from pipelines.disclosure.cell_key.transitions import Transitions
from pipelines.disclosure.standing import standing
from pipelines.errors import DisclosureError

Secret = Callable[[str], bytes]  # of a purpose, 16 bytes
PEOPLE = "cell keys"  # the purpose of people's keys


def of_measure(name: str) -> str:
    """The purpose of the keys of a measure that is changed by itself."""
    return f"{PEOPLE} of {name}"


def table_of(method: CellKeys, minimum: int) -> Transitions:
    """The table of transitions: what comes out is 0 or no less than `minimum`."""
    return entropy.nearest(method.largest(minimum), method.variance, minimum - 1)


def public(method: CellKeys, table: Transitions) -> Perturbation:
    """What anybody may know of it."""
    spread = [sum(chance * change**2 for change, chance in zip(*row, strict=True)) for row in table.rows]
    few = max(method.variance, *spread[1:])
    return Perturbation(table.most, method.variance, round(few, 2), table.hidden)


def changed(
    cubes: Sequence[Cube],
    standings: Mapping[str, Standing],
    table: Transitions,
    perturbation: Perturbation,
    secret: Secret,
) -> list[ProtectedCube]:
    """Every cube as it is to be shown. `standings`: who stands in the cells of each, by table.

    Raises `DisclosureError` where these are not the people that a cube counts.
    """
    cell_key = {cube.table: _keys(cube, standings[cube.table], secret(PEOPLE)) for cube in cubes}
    measures = {cube.table: _measures(cube, cell_key[cube.table], table, secret) for cube in cubes}
    persons = {name: each["persons"] for name, each in measures.items()}
    return [
        ProtectedCube(
            table=cube.table,
            title=cube.title,
            population=cube.population,
            dimensions=cube.dimensions,
            measures=measures[cube.table],
            hidden=np.zeros(cube.cells, bool),
            additive={name: (False,) * len(cube.dimensions) for name in cube.measures},
            at_least=cube.at_least,
            notes=dict(cube.notes),
            design_effects=effects(cube, persons[cube.table], persons.get(time_table(cube.table))),
            perturbed=perturbation,
        )
        for cube in cubes
    ]


def effects(cube: Cube, persons: np.ndarray, at_risk: np.ndarray | None) -> dict[str, np.ndarray]:
    """The design effects that may leave, by name int64 (cells,): those of cells that show so many people that
    they are told of no few. `persons`, `at_risk`: int64 (cells,), as they are shown."""
    few = persons < 2 * LEAST
    nobody = np.zeros(cube.cells, bool) if at_risk is None else at_risk == 0
    return {name: np.where(few, 0, each) for name, each in told(cube, persons == 0, nobody).items()}


def _keys(cube: Cube, people: Standing, key: bytes) -> np.ndarray:
    """The key of each cell: int64 (cells,). Raises `DisclosureError` where others stand there than are
    counted."""
    places = np.stack(np.unravel_index(people.cell, cube.shape), axis=1).astype(np.int32)
    ids, person = np.unique(people.person, return_inverse=True)
    cells, rows = standing(cube.dimensions, places)
    once = np.unique(cells * max(len(ids), 1) + person[rows])  # a person counts once in a cell
    cells, person = once // max(len(ids), 1), once % max(len(ids), 1)
    if not np.array_equal(np.bincount(cells, minlength=cube.cells), cube.measures["persons"]):
        raise DisclosureError(
            f"cube {cube.table}",
            "the people who stand in its cells are not as many as it counts",
            "remove the run's folder and run the permit again",
        )
    keys = hash_integers(ids, key) % MODULUS
    return add_keys(keys[person], np.arange(len(cells) + 1), cells, cube.cells)


def _measures(cube: Cube, keys: np.ndarray, table: Transitions, secret: Secret) -> dict[str, np.ndarray]:
    """Each measure as it is shown: int64 (cells,)."""
    persons = look_up(cube.measures["persons"], keys, *table.arrays())
    above = {larger for larger, smaller in cube.at_least if smaller == "persons"}
    shown = {"persons": persons}
    for name in (name for name in cube.measures if name != "persons" and based_on(name) is None):
        least = (cube.measures["persons"], persons) if name in above else (0, 0)
        rest = cube.measures[name] - least[0]
        own = _of_count(rest, keys, secret(of_measure(name)))
        shown[name] = np.where(persons > 0, least[1] + look_up(rest, own, *table.arrays()), 0)
    for name in (name for name in cube.measures if name not in shown):
        base = based_on(name) or ""
        if base in shown:
            shown[name] = scaled(cube.measures[name], shown[base], cube.measures[base])
        else:  # nothing hides how few there are of its own
            amount = scaled(cube.measures[name], persons, cube.measures["persons"])
            own = _of_count(cube.measures[name], keys, secret(of_measure(name)))
            shown[name] = np.where(persons > 0, look_up(amount, own, *table.arrays()), 0)
    return {name: shown[name] for name in cube.measures}


def _of_count(count: np.ndarray, keys: np.ndarray, key: bytes) -> np.ndarray:
    """A key of each cell, from those of its people and what is counted: int64 (cells,)."""
    return hash_integers(hash_integers(keys, key) ^ count, key) % MODULUS


def scaled(amount: np.ndarray, shown: np.ndarray, true: np.ndarray) -> np.ndarray:
    """An amount as its count was changed, to the nearest whole number, halves up: int64 (n,) each, 0 where
    the count is shown as 0."""
    return np.array(
        [
            (2 * a * s + t) // (2 * t) if s and t else 0
            for a, s, t in zip(amount.tolist(), shown.tolist(), true.tolist(), strict=True)
        ],
        np.int64,
    )
