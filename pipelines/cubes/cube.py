"""The one kind of thing that passes the gate: an integer cube, raw (secret) or protected.

A cube holds every cell of the product of its dimensions, margins included, as one row each, in row-major
order of its dimensions. Raw and protected cubes are different types on purpose: measures and release cannot
take a raw one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from pipelines.cubes.perturbation import Perturbation
from pipelines.errors import DataError

TOTAL = "Total"
ROLES = (
    "",  # a classification and no more
    "standard",  # groups with the weight of each in a standard population, 0 for margins
    # groups standardised indirectly to the rates of all: 1 for those that are compared, 0 for margins and
    # others
    "reference",
    # groups with the reference rate of each, events per 100,000 person-years in ten-thousandths; -1 for
    # margins and without
    "rates",
    # groups within each of which ages are standardised over; the values of the ages are then a row of them
    # for each of these groups
    "within",
    "compared",  # groups beside one of them: 1 for it, 0 for the others
    "week",
    "month",  # periods, with the days of each that lie in the study, 0 for margins
    # bands of days since entry, with the first day after each, 0 for the total and for the last band, which
    # is open
    "follow_up",
    "outcome",  # how a member's time ended: the event, perhaps what competes with it, and last neither
    "care_unit",  # units of care to be compared
    # of values, with the upper end of each in ten-thousandths, that of the total the lower end of the first;
    # 0: not usable
    "classes",
    "day",  # days on which somebody is followed
    "state",  # of which one leads to another
    # with where each stands in a map of squares: 1 + 100 times its row + its column, 0 for margins and places
    # unknown
    "places",
)
RATE_SCALE = 10_000  # parts of an event per 100,000 person-years that the values of `rates` count
PERSON_COUNTS = ("persons",)  # measures that count people: a cell is small if any of them is
PART_OF = "part of"  # the note that names the table that a cube is a part of


CONTROLS_OF = "controls of"  # the note that names the table of the cases that a cube's controls are for
RATIO = "at most for each case"  # the note that says how many controls a case may have


def time_table(table: str) -> str:
    """Name of the cube that holds the time at risk of a table: of it rates are made."""
    return f"{table}-time"


def places_of_few(ratio: int, minimum: int) -> int:
    """How many controls fewer cases than `minimum` have at most, or lack, where each may have `ratio`."""
    return ratio * (minimum - 1)


def controls_table(table: str) -> str:
    """Name of the cube of the controls beside a table of their cases."""
    return f"{table}-controls"


@dataclass(frozen=True)
class Dimension:
    """A classification with its margins. `labels[0]` is `TOTAL`; a parent stands before its children.

    `codes`, `labels`: str, one for each position. `parents`: int, position of each parent, -1 for the total.
    `levels`: str, name of each depth from the total down, e.g. ("Total", "county", "municipality"). `role`:
    what measures make of it, one of `ROLES`. `values`: int, one for each position or several rows of such, or
    none; what they are, the role says. `about`: more of it in words.
    """

    name: str
    title: str
    codes: tuple[str, ...]
    labels: tuple[str, ...]
    parents: tuple[int, ...]
    levels: tuple[str, ...] = ()
    role: str = ""
    values: tuple[int, ...] = ()
    about: str = ""

    def __post_init__(self) -> None:
        if not self.labels or self.labels[0] != TOTAL or self.parents[0] != -1:
            raise DataError(
                f"dimension {self.name}",
                "its first position is not the total",
                "mend the code that builds it",
            )
        if not len(self.codes) == len(self.labels) == len(self.parents):
            raise DataError(
                f"dimension {self.name}",
                "codes, labels and parents differ in number",
                "mend the code that builds it",
            )
        if self.role not in ROLES or len(self.values) % len(self.labels):
            raise DataError(
                f"dimension {self.name}", "its role or its values are none", "mend the code that builds it"
            )
        if any(not 0 <= parent < child for child, parent in enumerate(self.parents) if child):
            raise DataError(
                f"dimension {self.name}",
                "a parent does not stand before its child",
                "mend the code that builds it",
            )

    def __len__(self) -> int:
        return len(self.labels)

    def children(self, position: int) -> list[int]:
        """Positions whose parent is `position`."""
        return [
            child for child, parent in enumerate(self.parents) if parent == position and child != position
        ]

    def depth(self, position: int) -> int:
        """Steps up to the total."""
        return 0 if position == 0 else 1 + self.depth(self.parents[position])

    @property
    def leaves(self) -> list[int]:
        """Positions without children."""
        parents = set(self.parents)
        return [position for position in range(len(self)) if position not in parents]


class Grid:
    """Every cell of the product of `dimensions`, row by row."""

    dimensions: tuple[Dimension, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Positions of each dimension."""
        return tuple(len(dimension) for dimension in self.dimensions)

    @property
    def cells(self) -> int:
        """Number of cells, margins included."""
        return reduce(lambda product, size: product * size, self.shape, 1)

    def coordinates(self) -> np.ndarray:
        """int32 (cells, dimensions): position of each cell in each dimension."""
        return np.indices(self.shape, np.int32).reshape(len(self.shape), -1).T


@dataclass(frozen=True)
class Cube(Grid):
    """Raw counts: secret, never released.

    `population`: names who is counted (the cohort's hash); cells of two cubes with the same population,
    measure and coordinates outside the totals are the same number. `measures`: int64 (cells,) by name,
    "persons" always among them; `PERSON_COUNTS` say which cells are small. `additive`: for each measure one
    bool per dimension: do the children sum to their parent? Where they do not (a person may have several
    diagnoses), the parent lies between its largest child and their sum. `at_least`: pairs (a, b): measure a
    is never below measure b in any cell. `notes`: what each measure counts, in words, and under `decimals`
    how many of them sums of values have. `largest`: of a sum of values, int64 (cells, 2), what the two
    persons who add most to each cell add, or None; it is never released. `design_effects`: of figures of
    repeated events, by name int64 (cells,), as `pipelines/cubes/design_effects.py` says; of net survival how
    likely a population would make members to die, as `pipelines/cubes/expected_deaths.py` says.
    """

    table: str
    title: str
    population: str
    dimensions: tuple[Dimension, ...]
    measures: dict[str, np.ndarray]
    additive: dict[str, tuple[bool, ...]]
    at_least: tuple[tuple[str, str], ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    largest: np.ndarray | None = None
    design_effects: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.measures.items():
            if values.shape != (self.cells,) or values.dtype != np.int64:
                raise DataError(
                    f"cube {self.table}",
                    f"measure {name} is not int64 of {self.cells} cells",
                    "mend its maker",
                )


@dataclass(frozen=True)
class ProtectedCube(Grid):
    """What may be released: a hidden cell holds 0 in every measure and says nothing else.

    `hidden`: bool (cells,), primary and secondary alike. `perturbed`: what is public of how every number was
    changed, None where none was; nothing is hidden then, and nothing adds up. The rest as in `Cube`.
    """

    table: str
    title: str
    population: str
    dimensions: tuple[Dimension, ...]
    measures: dict[str, np.ndarray]
    hidden: np.ndarray
    additive: dict[str, tuple[bool, ...]]
    at_least: tuple[tuple[str, str], ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    design_effects: dict[str, np.ndarray] = field(default_factory=dict)
    perturbed: Perturbation | None = None

    def __post_init__(self) -> None:
        held = (*self.measures.values(), *self.design_effects.values())
        if any(values[self.hidden].any() for values in held):
            raise DataError(
                f"cube {self.table}", "a hidden cell still holds a value", "mend the disclosure stage"
            )
