"""Survival from a protected grid of bands and outcomes: shares with and without the event, numbers at risk,
median and mean.

Time is known by band, so an event or a censoring counts at the band's end, the event before the censoring.
Numbers at risk are cumulated from the first band on; a curve ends before the first band that touches a hidden
cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.measures.competing import Incidence, aalen_johansen
from pipelines.measures.parts import at_totals, shown, strata
from pipelines.measures.survival import Curve, LifeTable, Limits, kaplan_meier


@dataclass(frozen=True)
class Follow:
    """The curve of one stratum. `at_risk`: int64 (bands known,); `curve`: without any event, by the end of
    each band; `causes`: with the event and, if anything competes, with that. `why`: why it ends before the
    last band, "" if it does not. `repeated`: are there times of one person among them, which are not
    independent, so that no limits hold?"""

    at_risk: np.ndarray
    curve: Curve
    causes: tuple[Incidence, ...]
    why: str
    repeated: bool = False

    def limits(self, cause: int | None = None) -> Limits:
        """Of the share without any event, or with one of `causes`: float64 (bands known,) twice."""
        if self.repeated:
            none = np.full(len(self), np.nan)
            return none, none
        return self.curve.limits() if cause is None else self.causes[cause].limits("cloglog")

    def __len__(self) -> int:
        return len(self.at_risk)


@dataclass(frozen=True)
class Axes:
    """Where a cube has its bands and outcomes. `bands`: positions of the closed bands; `ends`: int64, the
    first day after each; `causes`: positions of the event and of what competes."""

    band: int
    outcome: int
    bands: list[int]
    ends: np.ndarray
    causes: list[int]

    @staticmethod
    def of(cube: ProtectedCube) -> Axes:
        roles = [each.role for each in cube.dimensions]
        band, outcome = roles.index("follow_up"), roles.index("outcome")
        values = np.array(cube.dimensions[band].values)
        bands = np.flatnonzero(values).tolist()
        return Axes(band, outcome, bands, values[bands], list(range(1, len(cube.dimensions[outcome]) - 1)))


def follow(cube: ProtectedCube, axes: Axes) -> dict[tuple[int, ...], Follow]:
    """The curve of each stratum of the other dimensions, by its index with totals on the two axes."""
    persons, grid = (
        np.moveaxis(shown(cube, name), (axes.band, axes.outcome), (-2, -1))
        for name in ("persons", counted(cube))
    )
    out: dict[tuple[int, ...], Follow] = {}
    for index in strata(cube, axes.band, axes.outcome):
        others = tuple(place for place in index if isinstance(place, int))
        repeated = not np.array_equal(persons[others], grid[others], equal_nan=True)
        out[at_totals(index)] = _follow(grid[others], axes, repeated)
    return out


def counted(cube: ProtectedCube) -> str:
    """The measure that curves are made of: members, or the times of which a member may have several."""
    return "intervals" if "intervals" in cube.measures else "persons"


def _follow(counts: np.ndarray, axes: Axes, repeated: bool) -> Follow:
    """`counts`: float64 (bands, outcomes), totals first, NaN where hidden."""
    leaving, by_cause = counts[axes.bands, 0], counts[np.ix_(axes.bands, axes.causes)].T
    at_risk = counts[0, 0] - np.concatenate([[0.0], np.cumsum(leaving)[:-1]])
    gone = np.isnan(at_risk) | np.isnan(by_cause).any(axis=0)
    empty = at_risk == 0
    stop = np.flatnonzero(gone | empty)
    known = int(stop[0]) if len(stop) else len(axes.bands)
    start = int(axes.ends[known - 1]) if known else 0
    why = (
        ""
        if not len(stop)
        else f"hidden from day {start} on"
        if gone[known]
        else f"nobody is at risk from day {start} on"
    )
    risk, events = at_risk[:known].astype(np.int64), by_cause[:, :known].astype(np.int64)
    times = axes.ends[:known].astype(float)
    # Of the last known band the total may be hidden: who leaves it uncounted is at risk nowhere any more.
    censored = np.maximum(np.nan_to_num(leaving[:known]).astype(np.int64) - events.sum(axis=0), 0)
    curve = kaplan_meier(LifeTable(times, risk, events.sum(axis=0), censored))
    return Follow(risk, curve, tuple(aalen_johansen(times, risk, events)), why, repeated)
