"""A table's cells: its dimensions, its measures, and where a row falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kernels.cells import spread
from pipelines.aggregation import intervals, prevalence, survival, transitions, values
from pipelines.aggregation.classifications import classification
from pipelines.aggregation.dimensions import Classification, Occurrences, People
from pipelines.aggregation.periods import months, weeks
from pipelines.cubes.cube import Dimension
from pipelines.cubes.standard_axes import StandardAxes
from pipelines.errors import SettingsError
from pipelines.site.permit import Table
from pipelines.study.days import Study
from pipelines.study.table import MEASURES

TIME_MEASURES = ("at_risk", "person_days")
LARGEST = ("largest", "second")
PRODUCTS = ("event_squares", "event_days", "day_squares")
EXPECTED_SUMS = ("expected_of", "expected", "expected_squares")
# measures that such a table always has, beside persons
ALWAYS = {"values": ("values",), "intervals": ("intervals",), "exposure": ("days_covered",)}
_GRIDS: dict[str, Callable[[Table], tuple[Dimension, ...]]] = {
    "survival": survival.grid,
    "transitions": transitions.grid,
    "values": values.grid,
    "prevalence": prevalence.grid,
    "intervals": intervals.grid,
}


@dataclass(frozen=True)
class Layout:
    """A table's classifications and what their margins add up to. `grid`: dimensions that stand before them,
    of what is counted itself."""

    table: Table
    classifications: tuple[Classification, ...]
    grid: tuple[Dimension, ...] = ()

    @staticmethod
    def of(table: Table, study: Study) -> Layout:
        """Raises `SettingsError` for a dimension or measure that does not go with what the table counts."""
        classifications = [classification(name, table, study) for name in table.dimensions]
        if table.count in ("weekly", "monthly"):
            classifications = [weeks(study) if table.count == "weekly" else months(study), *classifications]
        layout = Layout(
            table, tuple(classifications), _GRIDS[table.count](table) if table.count in _GRIDS else ()
        )
        prevalence.check(table, study)
        allowed = MEASURES[table.count]
        where = f"table {table.table}: measures"
        if unknown := [name for name in table.measures if name not in allowed]:
            raise SettingsError(
                where, f"{unknown[0]} cannot be counted by {table.count}", f"choose from {', '.join(allowed)}"
            )
        if table.is_followed and (
            whole := [each for each in layout.classifications if not (each.at_risk and each.per_day)]
        ):
            name = whole[0].dimension.name
            raise SettingsError(
                where,
                f"days of follow-up are not counted by {name}",
                f"leave out person_days, or count without {name}",
            )
        return layout

    @property
    def measures(self) -> tuple[str, ...]:
        """What is counted of events: what is asked for, and the persons behind it, by whom the small cells
        are known."""
        asked = ("persons", *ALWAYS.get(self.table.count, ()), *self.table.measures)
        return tuple(name for name in MEASURES[self.table.count] if name in asked and name != "person_days")

    @property
    def time_measures(self) -> tuple[str, ...]:
        """What is counted of follow-up, where days at risk are asked for."""
        if self.table.count == "prevalence":
            return ("at_risk",)
        return TIME_MEASURES if self.table.is_followed else ()

    @property
    def ranked(self) -> tuple[str, ...]:
        """The two largest contributions to a sum of values, by which it is known how much of it one person
        is."""
        return LARGEST if "sum" in self.measures else ()

    @property
    def products(self) -> tuple[str, ...]:
        """Sums over persons of squares and products of their events and days, by which it is known how
        unevenly events that may be repeated lie on persons; where the table is standardised, of each pair of
        places that are standardised over."""
        if self.table.first or not {"events", "person_days"} <= {*self.measures, *self.time_measures}:
            return ()
        standard = StandardAxes.of(self.dimensions)
        if standard is None:
            return PRODUCTS
        return tuple(f"{name}_{place}" for name in PRODUCTS for place in range(standard.size))

    @property
    def expectation(self) -> tuple[str, ...]:
        """Sums over persons of how likely a population's life table makes them to die, where survival is set
        beside it."""
        return EXPECTED_SUMS if self.table.net is not None else ()

    @cached_property
    def coordinates(self) -> np.ndarray:
        """int32 (cells, dimensions): position of each cell in each dimension."""
        sizes = [len(each) for each in self.dimensions]
        return np.indices(sizes, np.int32).reshape(len(sizes), -1).T

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Of the cube, in order."""
        return (*self.grid, *(each.dimension for each in self.classifications))

    @cached_property
    def spread(self) -> tuple[np.ndarray, np.ndarray]:
        """What each position adds to a cell's number, as `kernels.cells.spread` says: int64 (dimensions,
        positions, levels) and int64 (dimensions, positions)."""
        return spread([each.parents for each in self.dimensions])

    @property
    def cells(self) -> int:
        """Cells of the cube, margins among them."""
        return int(np.prod([len(each) for each in self.dimensions]))

    def positions(self, people: People, rows: Occurrences, *before: np.ndarray) -> np.ndarray:
        """int32 (n, dimensions): where each row falls. `before`: int32 (n,), its positions in each dimension
        of `grid`."""
        located = [*before, *(each.locate(people, rows) for each in self.classifications)]
        return np.ascontiguousarray(np.stack(located, axis=1), np.int32)
