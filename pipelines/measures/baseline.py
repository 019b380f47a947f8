"""The table that papers begin with: shares of each group with a characteristic, and how far groups lie apart,
in standard deviations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np

from pipelines.cubes.cube import Dimension, ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.measures.drawing import numbers
from pipelines.measures.histograms import grouped_mean, grouped_quantile, moments
from pipelines.measures.intervals import z_of
from pipelines.measures.parts import shown, with_role
from pipelines.measures.value_figures import ends

MEANINGS = {
    "percent": "persons per hundred of their group",
    "percent_of_cases": "cases per hundred of all cases, beside those of controls",
    "smd": "standardised mean difference from the group that all are compared with: of a share or a mean, "
    "the difference by the root of the mean of both variances; in the row of all classes, of a "
    "characteristic of several classes without values, the distance of both distributions (Yang and Dalton "
    "2012)",
    "smd_low": "lower 95 % limit of it (large samples, Hedges and Olkin 1985)",
    "smd_high": "upper 95 % limit of it (likewise)",
    "mean": "mean of the values, each class at its middle",
    "sd": "standard deviation of the values, each class at its middle (n - 1)",
    "quartile_low": "value below which a quarter of the values lie, spread evenly within each class",
    "median": "value below which half of them lie (likewise)",
    "quartile_high": "value below which three quarters of them lie (likewise)",
    "why_empty": "why figures are left out",
}
_VALUES = ("mean", "sd", "quartile_low", "median", "quartile_high")
NOTES = (
    "standardised mean differences: from shares, or from means of classes at their middle; more than 0.1 in "
    "size is often taken for more than negligible (Austin 2009)",
)
_LARGE = 0.1


@dataclass(frozen=True)
class Baseline:
    """All of the cube's shape, float64, NaN where there is none: `percent`, `smd` with `low` and `high`, and
    what values are like, by name. `why`: str, why figures are left out. `compared`: is there a group that
    others are compared with, even if no difference is known?"""

    percent: np.ndarray
    smd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    values: dict[str, np.ndarray]
    why: np.ndarray
    compared: bool = False

    def columns(self) -> Columns:
        """A text for each cell."""
        three = {"smd": self.smd, "smd_low": self.low, "smd_high": self.high}
        compared = three if self.compared else {}
        found = {"percent": numbers(self.percent.ravel(), 2)}
        found |= {name: numbers(each.ravel(), 3) for name, each in compared.items()}
        found |= {name: numbers(each.ravel(), 2) for name, each in self.values.items()}
        blank = np.array([not all(texts) for texts in zip(*found.values(), strict=True)])
        why = np.where(blank & (self.why.ravel() == ""), "others belong in other rows", self.why.ravel())
        return {**found, "why_empty": tuple(str(text) for text in why)}


def describe(cube: ProtectedCube) -> Baseline:
    """Figures of a part of a baseline; its last dimension is the characteristic."""
    persons, row = shown(cube, "persons"), cube.dimensions[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = np.where(persons[..., :1] > 0, 100 * persons / persons[..., :1], np.nan)
    why = np.where(np.isnan(persons), "hidden", np.full(cube.shape, "", object))
    why = np.where((why == "") & np.isnan(percent), "the group is hidden, or nobody is in it", why)
    values = _of_values(persons, cube, why) if row.role == "classes" else {}
    smd, low, high = (np.full(cube.shape, np.nan) for _ in range(3))
    axis = with_role(cube, "compared")
    if axis is None or axis == len(cube.dimensions) - 1:
        return Baseline(percent, smd, low, high, values, why)
    found = Baseline(percent, smd, low, high, values, why, compared=True)
    _compare(found, persons, axis, cube.dimensions[axis].values.index(1), row)
    return found


def _of_values(persons: np.ndarray, cube: ProtectedCube, why: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, deviation and quartiles of each group, in the row of all classes."""
    places, edges = ends(cube, len(cube.shape) - 1)
    found = {name: np.full(cube.shape, np.nan) for name in _VALUES}
    for group in np.ndindex(*cube.shape[:-1]):
        part, here = persons[group][places], (*group, 0)
        if np.isnan(part).any() or not part.sum():
            why[here] = "; ".join(
                text for text in (why[here], "no mean: a class is hidden, or there are no values") if text
            )
            continue
        mean, sd = _moments(edges, part)
        found["mean"][here], found["sd"][here] = mean, sd
        for name, share in (("quartile_low", 0.25), ("median", 0.5), ("quartile_high", 0.75)):
            found[name][here] = grouped_quantile(edges, part, share)
    return found


def _moments(edges: np.ndarray, part: np.ndarray) -> tuple[float, float]:
    middle = (edges[:-1] + edges[1:]) / 2
    total = int(part.sum())
    return grouped_mean(edges, part), moments(float(middle @ part), float(middle**2 @ part), total)[1]


def _compare(found: Baseline, persons: np.ndarray, axis: int, to: int, row: Dimension) -> None:
    """Differences of each group from the one at place `to` of `axis`, in the same place of the others."""
    leaves = np.array(row.leaves)
    for group in np.ndindex(*persons.shape[:-1]):
        beside = (*group[:axis], to, *group[axis + 1 :])
        if group[axis] in (0, to):
            continue
        own, other = persons[group], persons[beside]
        for place, d, of in _differences(found, own, other, group, beside, leaves, row):
            here = (*group, place)
            n, m = of
            if np.isnan(d):
                if not found.why[here]:
                    found.why[here] = "no difference: a count that it needs is hidden, or nobody differs"
                continue
            reach = z_of(0.95) * sqrt((n + m) / (n * m) + d * d / (2 * (n + m)))
            found.smd[here], found.low[here], found.high[here] = d, d - reach, d + reach


def _differences(
    found: Baseline,
    own: np.ndarray,
    other: np.ndarray,
    group: tuple[int, ...],
    beside: tuple[int, ...],
    leaves: np.ndarray,
    row: Dimension,
) -> Iterator[tuple[int, float, tuple[float, float]]]:
    """Place of the row, difference, and the sizes of both groups: of each class, and of all of them."""
    of = float(own[0]), float(other[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = own / own[0], other / other[0]
        each = (p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    for place in range(1, len(own)):
        yield place, float(each[place]), of
    if row.role == "classes":
        one, two = ((*each, 0) for each in (group, beside))
        with np.errstate(divide="ignore", invalid="ignore"):
            pooled = np.sqrt((found.values["sd"][one] ** 2 + found.values["sd"][two] ** 2) / 2)
            apart = (found.values["mean"][one] - found.values["mean"][two]) / pooled
        usable = leaves[np.array(row.values)[leaves] > 0]
        yield 0, float(apart), (float(own[usable].sum()), float(other[usable].sum()))
    elif len(leaves) > 2:
        yield 0, distance(p[leaves], q[leaves]), of


def distance(p: np.ndarray, q: np.ndarray) -> float:
    """Of two distributions over the same classes, float64 (classes,) each: the root of (p - q)' S⁻¹ (p - q),
    S the mean of their covariances, the first class that anybody is in left out (Yang and Dalton 2012)."""
    if np.isnan(p + q).any():
        return float("nan")
    some = np.flatnonzero(p + q > 0)[1:]
    p, q = p[some], q[some]
    spread = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    apart = p - q
    return sqrt(max(float(apart @ np.linalg.pinv(spread, hermitian=True) @ apart), 0.0))
