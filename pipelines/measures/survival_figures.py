"""The figures of a survival table, each in a row of its grid: shares by band and outcome, median and mean in
the row of all bands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns
from pipelines.measures.curves import Axes, Follow
from pipelines.measures.drawing import numbers

MEANINGS = {
    "at_risk": "members who are followed at the beginning of the band, neither with an event nor censored "
    "before",
    "share": "by the end of the band: in rows of all outcomes the share without any event (Kaplan and Meier "
    "1958), in rows of an outcome "
    "the share with it (Aalen and Johansen 1978); by whole bands, events before censorings",
    "share_low": "lower 95 % limit of the share (variance of Greenwood 1926, on the scale of log(-log))",
    "share_high": "upper 95 % limit of the share (likewise)",
    "quartile_1_days": "days by which a quarter have had an event, as the end of a band",
    "median_days": "days by which half have had an event, as the end of a band",
    "median_low": "lower 95 % limit of the median (Brookmeyer and Crowley 1982)",
    "median_high": "upper 95 % limit of the median (likewise)",
    "quartile_3_days": "days by which three quarters have had an event, as the end of a band",
    "mean_days": "mean days without an event up to the end of the last band",
    "why_empty": "why figures are left out: hidden or nobody at risk, and from which day on; or none belong "
    "in this row",
}
At = Callable[[int, int], tuple[int, ...]]  # the cell of a stratum at a band and an outcome
SHOWN = ("at_risk", "share", "share_low", "share_high", "median_days")
NOTES = (
    "shares and numbers at risk: from counts by whole bands of days, events before censorings; bands from "
    "the first to the last that is hidden are put together where the totals give their sum; where they do "
    "not, a curve ends",
)
_REPEATED = "no limits: a member may have several times, which are not independent"
NO_FIGURE = "none in this row"


def figures(cube: ProtectedCube, axes: Axes, curves: dict[tuple[int, ...], Follow]) -> Columns:
    """Every figure that the grid allows, one text for each cell."""
    found = {name: np.full(cube.shape, np.nan) for name in MEANINGS if name != "why_empty"}
    why = np.full(cube.shape, NO_FIGURE, object)
    for index, each in curves.items():

        def at(band: int, outcome: int, index: tuple[int, ...] = index) -> tuple[int, ...]:
            places = {axes.band: band, axes.outcome: outcome}
            return tuple(places.get(axis, place) for axis, place in enumerate(index))

        _of_stratum(each, axes, at, found, why)
    why = np.where(cube.hidden.reshape(cube.shape) & (why == NO_FIGURE), "hidden", why)
    decimals = {"share": 4, "share_low": 4, "share_high": 4, "mean_days": 1}
    columns = {name: numbers(values.ravel(), decimals.get(name, 0)) for name, values in found.items()}
    return {**columns, "why_empty": tuple(str(text) for text in why.ravel())}


def _of_stratum(each: Follow, axes: Axes, at: At, found: dict[str, np.ndarray], why: np.ndarray) -> None:
    lines = [(0, each.curve.surv, each.limits())]
    for place, (cause, incidence) in enumerate(zip(axes.causes, each.causes, strict=True)):
        lines.append((cause, incidence.share, each.limits(place)))
    for outcome, share, (low, high) in lines:
        for band in axes.bands:
            why[at(band, outcome)] = each.why or each.joined
        for place, known in enumerate(each.places.tolist()):
            here = at(axes.bands[known], outcome)
            found["at_risk"][here] = each.at_risk[place]
            found["share"][here] = share[place]
            found["share_low"][here] = low[place]
            found["share_high"][here] = high[place]
            none = _REPEATED if each.repeated else "no limits: nobody, or everybody, has had it"
            why[here] = none if np.isnan(low[place]) else ""
    _summary(each, axes, at(0, 0), found, why)


def _summary(
    each: Follow, axes: Axes, here: tuple[int, ...], found: dict[str, np.ndarray], why: np.ndarray
) -> None:
    """Median and mean; the mean needs the whole curve, unless nobody is left."""
    if not len(each):
        why[here] = each.why
        return
    found["at_risk"][here] = each.at_risk[0]
    for name, share in (("quartile_1_days", 0.25), ("median_days", 0.5), ("quartile_3_days", 0.75)):
        found[name][here] = each.curve.quantile(share)
    if not each.repeated:
        found["median_low"][here], found["median_high"][here] = each.curve.quantile_limits()
    if not each.why or each.curve.surv[-1] == 0:
        found["mean_days"][here] = each.curve.restricted_mean(float(axes.ends[-1]))[0]
    reached = "" if not np.isnan(found["median_days"][here]) else "the median is not reached"
    several = _REPEATED if each.repeated else ""
    why[here] = "; ".join(text for text in (reached, each.why, each.joined, several) if text)
