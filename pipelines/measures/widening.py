"""Limits of figures whose numbers were changed: as much wider as the changes are uncertain.

The figures are made again of numbers that are changed once more, at random, with the public variance; how
much each figure then varies is added to its limits, as the variance of one who does not know the changes
(multiple imputation has the same sum of variances: Rubin 1987). Rates and ratios are widened on the scale of
their logarithm, shares on that of their logit. What looks drawn is a keyed hash of the cell, the same in
every run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import chi2

from kernels.hashing import hash_integers
from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.cubes.perturbation import Perturbation, based_on
from pipelines.measures.intervals import z_of

DRAWS: Final = 20
NOTE: Final = (
    "limits of rates, ratios, differences and shares, and of medians, are wider by what the changes of the "
    f"numbers make uncertain, from {DRAWS} more changes of the same variance; limits about a common value, "
    "and those that the picture shows, are not"
)


class _Limits(NamedTuple):
    of: str  # the figure's column
    scale: str
    per: float = 1.0  # what a share of all is


_LIMITS: Final = {
    "rate": _Limits("rate", "log"),
    "standardised": _Limits("standardised_rate", "log"),
    "smr": _Limits("smr", "log"),
    "rate_ratio": _Limits("rate_ratio", "log"),
    "rate_difference": _Limits("rate_difference", "whole"),
    "percent": _Limits("percent_of_at_risk", "logit", 100.0),
    "share": _Limits("share", "logit", 1.0),
    "smd": _Limits("smd", "whole"),
    "median": _Limits("median_days", "range"),
}


def limits_in(columns: Columns) -> list[str]:
    """The figures among the columns whose limits can be widened."""
    return [
        name for name, about in _LIMITS.items() if {about.of, f"{name}_low", f"{name}_high"} <= {*columns}
    ]


def drawn(cubes: Sequence[ProtectedCube]) -> Iterator[list[ProtectedCube]]:
    """The same cubes with every number changed once more, as often as there are draws."""
    for number in range(DRAWS):
        yield [_changed(cube, number) for cube in cubes]


def _changed(cube: ProtectedCube, number: int) -> ProtectedCube:
    by = cube.perturbed
    if by is None:
        return cube
    true = cube.measures
    persons = _moved(true["persons"], by, f"{cube.table} persons", number)
    above = {larger for larger, smaller in cube.at_least if smaller == "persons"}
    made = {"persons": persons}
    for name in (name for name in true if name != "persons" and based_on(name) is None):
        least = (true["persons"], persons) if name in above else (0, 0)
        rest = _moved(true[name] - least[0], by, f"{cube.table} {name}", number)
        made[name] = np.where(persons > 0, rest + least[1], 0)
    for name in (name for name in true if name not in made):
        base = based_on(name) or "persons"
        base = base if base in made else "persons"
        ratio = made[base] / np.maximum(true[base], 1)
        made[name] = np.rint(true[name] * ratio).astype(np.int64)
    return replace(cube, measures={name: made[name] for name in true})


def _moved(shown: np.ndarray, by: Perturbation, what: str, number: int) -> np.ndarray:
    """Counts with as much uncertainty as they have: int64 (n,), never negative; 0 stays 0.

    The least count that is shown stands for true ones of 1 in as many, so that its variance is theirs, over
    how rarely they are shown at all.
    """
    least = by.hidden + 1
    variance = np.where(shown < 2 * by.most, by.variance_of_few, by.variance)
    variance = np.where(shown < least + 2, max(least * (least - 1), by.variance_of_few), variance)
    key = hashlib.blake2b(what.encode(), digest_size=16).digest()
    place = np.arange(len(shown), dtype=np.int64) * DRAWS + number
    normal = ndtri((hash_integers(place, key) + 0.5) / 2.0**63)
    moved = np.maximum(np.rint(shown + np.sqrt(variance) * normal), 0).astype(np.int64)
    return np.where(shown > 0, moved, 0)


def widened(columns: Columns, again: Sequence[Columns], by: Perturbation) -> Columns:
    """The columns with wider limits. `again`: those of each draw."""
    made = dict(columns)
    for name in limits_in(columns):
        about, low, high = _LIMITS[name], f"{name}_low", f"{name}_high"
        point, below, above = (_numbers(columns[each]) / about.per for each in (about.of, low, high))
        draws = np.stack([_numbers(each[about.of]) for each in again]) / about.per
        if about.scale == "range":
            ends = [np.stack([_numbers(each[end]) for each in again]) / about.per for end in (low, high)]
            both = np.fmin(below, np.fmin.reduce(ends[0])), np.fmax(above, np.fmax.reduce(ends[1]))
            both = np.where(np.isnan(below), np.nan, both[0]), np.where(np.isnan(above), np.nan, both[1])
        else:
            both = _wider(point, below, above, draws, about.scale, by)
        for column, values in ((low, both[0]), (high, both[1])):
            made[column] = tuple(
                _like(value * about.per, text) for value, text in zip(values, columns[column], strict=True)
            )
    return made


def _wider(
    point: np.ndarray, low: np.ndarray, high: np.ndarray, draws: np.ndarray, scale: str, by: Perturbation
) -> tuple[np.ndarray, np.ndarray]:
    """Limits with the variance of the draws in them: float64 (n,) twice. `point`, `low`, `high`: float64
    (n,), NaN for none; `draws`: float64 (draws, n)."""
    to, back, slope = _SCALES[scale]
    with np.errstate(all="ignore"):
        counted = np.maximum(np.sum(~np.isnan(draws), axis=0), 1)
        mean = np.nansum(draws, axis=0) / counted
        variance = np.nansum((draws - mean) ** 2, axis=0) / np.maximum(counted - 1, 1)
        spread = z_of(0.95) ** 2 * variance * slope(point) ** 2
        down = back(to(point) - np.sqrt((to(point) - to(low)) ** 2 + spread))
        up = back(to(point) + np.sqrt((to(high) - to(point)) ** 2 + spread))
        if scale != "whole":  # a figure of 0, or of all, may be of as many as are never shown
            least = chi2.ppf(0.975, 2 * (by.hidden + 1)) / chi2.ppf(0.975, 2)
            down = np.where(point == 0, low, down)
            up = np.where(point == 0, high * least, up)
        if scale == "logit":
            down = np.where(point >= 1, 1 - (1 - low) * least, down)
            up = np.where(point >= 1, high, up)
            down, up = np.maximum(down, 0), np.minimum(up, 1)
    return np.where(np.isnan(down), low, np.minimum(down, low)), np.where(
        np.isnan(up), high, np.maximum(up, high)
    )


_Function = Callable[[np.ndarray], np.ndarray]
_SCALES: Final[dict[str, tuple[_Function, _Function, _Function]]] = {
    "log": (np.log, np.exp, lambda x: 1 / x),
    "logit": (lambda p: np.log(p / (1 - p)), lambda x: 1 / (1 + np.exp(-x)), lambda p: 1 / (p * (1 - p))),
    "whole": (lambda x: x, lambda x: x, np.ones_like),
}


def _numbers(texts: Sequence[str]) -> np.ndarray:
    return np.array([float(text) if text else np.nan for text in texts])


def _like(value: float, text: str) -> str:
    """A number with as many decimals as the text that it is in place of; "" for none."""
    if not text or np.isnan(value):
        return text
    return f"{value:.{len(text.partition('.')[2])}f}"
