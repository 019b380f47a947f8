"""Net survival of a protected survival table: survival beside that of a population, by the second method of
Ederer (Ederer and Heise 1959)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.expected_deaths import BILLION, EXPECTED
from pipelines.cubes.figures import Columns
from pipelines.measures.curves import Axes, Follow
from pipelines.measures.drawing import numbers
from pipelines.measures.parts import joined

MEANINGS = {
    "population_share": "share that would be alive if members died as people of their sex, age and calendar "
    "year in the population do (second method of Ederer, Ederer and Heise 1959; each band's mean chance of "
    "dying is rounded to steps of 2.9 %)",
    "net": "net survival: the share alive by that of the population, as a ratio (relative survival)",
    "net_low": "lower 95 % limit of the net survival: that of the share, by that of the population, which is "
    "taken as known",
    "net_high": "upper 95 % limit of the net survival (likewise)",
}
SHOWN = ("net", "net_low", "net_high")
POPULATION = "population"  # the note that names it
NOTE = (
    "net survival: relative to {}, by the second method of Ederer; it is survival if the disease alone could "
    "kill, where the disease is no part of what the population dies of, and groups are alike in age"
)
_WHY = "no net survival from day {} on: who is at risk there is hidden, or too few are"


@dataclass(frozen=True)
class Net:
    """Of one stratum, at the bands that its curve has: float64 (bands known,) each. `population`: the share
    that the population would have; `net` and its limits, NaN where that is not told. `why`: from where on it
    is not, or ""."""

    population: np.ndarray
    net: np.ndarray
    low: np.ndarray
    high: np.ndarray
    why: str


def is_net(cube: ProtectedCube) -> bool:
    """Is survival to be set beside that of a population?"""
    return EXPECTED in cube.design_effects


def net(cube: ProtectedCube, axes: Axes, curves: dict[tuple[int, ...], Follow]) -> dict[tuple[int, ...], Net]:
    """Of each stratum that has a curve, by its index."""
    grid = cube.design_effects[EXPECTED].reshape(cube.shape)
    held = np.moveaxis(grid, (axes.outcome, axes.band), (-2, -1))[..., 0, :]
    out = {}
    for index, each in curves.items():
        others = tuple(place for k, place in enumerate(index) if k not in (axes.band, axes.outcome))
        chance = held[others][axes.bands] / BILLION
        told = ~np.logical_or.accumulate(chance == 0)
        alive = np.where(told, np.cumprod(1 - chance), np.nan)[each.places]
        low, high = each.limits()
        gone = np.flatnonzero(np.isnan(alive))
        begin = 0 if not len(gone) or not gone[0] else int(axes.ends[each.places[gone[0] - 1]])
        why = _WHY.format(begin) if len(gone) else ""
        out[index] = Net(alive, each.curve.surv / alive, low / alive, high / alive, why)
    return out


def with_net(
    columns: Columns,
    cube: ProtectedCube,
    axes: Axes,
    curves: dict[tuple[int, ...], Follow],
    found: dict[tuple[int, ...], Net],
) -> Columns:
    """The figures of a survival table with those of net survival, in the rows of all outcomes."""
    grids = {name: np.full(cube.shape, np.nan) for name in MEANINGS}
    why = np.array(columns["why_empty"], object).reshape(cube.shape)
    for index, each in found.items():
        places = {known: place for place, known in enumerate(curves[index].places.tolist())}
        for known, band in enumerate(axes.bands):
            where = {axes.band: band, axes.outcome: 0}
            here = tuple(where.get(axis, position) for axis, position in enumerate(index))
            if known not in places:
                why[here] = joined((str(why[here]), "no net survival where there is no share"))
                continue
            values = (each.population, each.net, each.low, each.high)
            for name, line in zip(MEANINGS, values, strict=True):
                grids[name][here] = line[places[known]]
            if np.isnan(each.net[places[known]]):
                why[here] = joined((str(why[here]), each.why))
    out = {name: texts for name, texts in columns.items() if name != "why_empty"}
    out |= {name: numbers(grid.ravel(), 4) for name, grid in grids.items()}
    return {**out, "why_empty": tuple(str(text) for text in why.ravel())}
