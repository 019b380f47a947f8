"""Plots of more than counts: survival with numbers at risk, a series with its forecast, a funnel of care
units, rates as points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.figure import Figure

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns, Plot
from pipelines.cubes.standard_axes import StandardAxes
from pipelines.measures import units
from pipelines.measures.curves import Axes, Follow
from pipelines.measures.drawing import (
    COLOURS,
    GREY,
    canvas,
    finished,
    legend,
    numbers,
    plain,
    short,
    thousands,
)
from pipelines.measures.net_figures import Net
from pipelines.measures.parts import at_totals, name_of, one_at_a_time, shown
from pipelines.measures.series import Outlook, Series
from pipelines.measures.standardised import Standardised

_MOST_CURVES, _MOST_POINTS, _TICKS = 4, 30, 7


# ---- survival ----------------------------------------------------------------------------------------------


def survival(
    cube: ProtectedCube,
    axes: Axes,
    curves: dict[tuple[int, ...], Follow],
    net: dict[tuple[int, ...], Net] | None = None,
) -> Plot:
    """Steps with 95 % limits for all and for the first groups, and below them the numbers at risk: of the
    share without any event, or, where something competes, of the share with the event, or of net survival
    where it is asked for."""
    strata = [at_totals(index) for index in one_at_a_time(cube, axes.band, axes.outcome)]
    wanted = [index for index in strata if len(curves[index])]
    wanted = wanted[:_MOST_CURVES]
    competing = len(axes.causes) > 1
    figure, panel = _with_table(len(wanted))
    below = figure.axes[1]
    edges = np.concatenate([[0], axes.ends]).astype(int)
    data: Columns = {"day": tuple(str(day) for day in edges)}
    for row, (index, colour) in enumerate(zip(wanted, COLOURS, strict=False)):
        each, name = curves[index], name_of(cube.dimensions, index)
        first, share = (0.0, each.causes[0].share) if competing else (1.0, each.curve.surv)
        low, high = each.limits(0 if competing else None)
        if net is not None:
            share, low, high = net[index].net, net[index].low, net[index].high
        line, bottom, top = (np.concatenate([[first], part]) for part in (share, low, high))
        known = np.concatenate([[0], each.places + 1])
        days = edges[known]
        _steps(panel, days, (line, bottom, top), each.within, colour, name)
        risk = _at_risk(each, len(edges))
        _risk_row(below, edges, risk, row, colour)
        padded = {"share": line, "low": bottom, "high": top}
        data |= {
            f"{name}: {what}": numbers(_at(part, known, len(edges)), 4) for what, part in padded.items()
        } | {f"{name}: at risk": numbers(risk, 0)}
    free = competing or net is not None
    _finish_survival(panel, below, edges, [name_of(cube.dimensions, index) for index in wanted], free)
    legend(figure, panel)
    about = cube.dimensions[axes.outcome].about
    which = f"Share {'with' if competing else 'without'} the {about}"
    which = "Net survival, relative to the population" if net is not None else which
    title = f"{which}, by {cube.dimensions[axes.band].title.lower()}"
    cut = [
        f"{name_of(cube.dimensions, index)} {text}"
        for index in wanted
        for text in (curves[index].joined, curves[index].why, net[index].why if net is not None else "")
        if text
    ]
    return finished(
        figure, cube.title, title, f"{len(wanted)} curves{''.join(f', {text}' for text in cut)}", data
    )


def _steps(
    panel: Panel,
    days: np.ndarray,
    lines: tuple[np.ndarray, np.ndarray, np.ndarray],
    within: tuple[int, int] | None,
    colour: str,
    name: str,
) -> None:
    """A curve in steps with its limits; across bands that are put together a dotted line, since nobody is
    told when in them it falls. `lines`: float64 (n,) each, the curve and its limits; `within`: first day of
    those bands and the one after the last."""
    runs = [np.arange(len(days))]
    if within is not None and within[1] in days:
        cut = int(np.flatnonzero(days == within[1])[0])
        runs = [np.arange(cut), np.arange(cut, len(days))]
        panel.plot(
            days[cut - 1 : cut + 1], lines[0][cut - 1 : cut + 1], color=colour, linestyle=":", linewidth=1.6
        )
    for place, run in enumerate(runs):
        line, bottom, top = (each[run] for each in lines)
        panel.step(days[run], line, where="post", color=colour, linewidth=1.6, label="" if place else name)
        panel.fill_between(days[run], bottom, top, step="post", color=colour, alpha=0.15, linewidth=0)


def _with_table(rows: int) -> tuple[Figure, Panel]:
    """A canvas with a second panel below for a table of so many rows."""
    figure = canvas(3.6 + 0.28 * rows)[0]
    figure.clf()
    panel = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 0.35 + 0.28 * rows])[0]
    plain(panel)
    return figure, panel


def _at_risk(each: Follow, size: int) -> np.ndarray:
    """At risk at the beginning of each band and, where it is known, after the last: float64 (size,)."""
    begin = np.concatenate([[0], each.places[:-1] + 1]) if len(each) else np.empty(0, np.int64)
    risk = _at(each.at_risk.astype(float), begin, size)
    if len(each) and each.places[-1] + 2 == size:
        risk[-1] = each.at_risk[-1] - each.leaving[-1]
    return risk


def _at(values: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """Values at their places among `size`, NaN elsewhere: float64 (size,)."""
    found = np.full(size, np.nan)
    found[places] = values
    return found


def _risk_row(below: Panel, edges: np.ndarray, risk: np.ndarray, row: int, colour: str) -> None:
    every = max(1, -(-len(edges) // _TICKS))
    for place in range(0, len(risk), every):
        if not np.isnan(risk[place]):
            below.text(
                edges[place], -row, f"{risk[place]:,.0f}", ha="center", va="center", fontsize=8, color=colour
            )


def _finish_survival(panel: Panel, below: Panel, edges: np.ndarray, names: list[str], free: bool) -> None:
    panel.set_ylim(0, None if free else 1.02)
    panel.set_ylabel("Share")
    panel.tick_params(labelbottom=True)
    panel.set_xticks(edges[:: max(1, -(-len(edges) // _TICKS))])
    below.set_ylim(-len(names) + 0.4, 0.6)
    below.set_yticks([-row for row in range(len(names))], [short(name) for name in names], fontsize=8)
    below.tick_params(length=0, labelbottom=False)
    below.set_title("At risk", loc="left", fontsize=8)
    for side in below.spines.values():
        side.set_visible(False)


def _padded(values: np.ndarray, size: int, decimals: int) -> tuple[str, ...]:
    return numbers(np.concatenate([values, np.full(size - len(values), np.nan)]), decimals)


# ---- a series and its forecast -----------------------------------------------------------------------------


def forecast(cube: ProtectedCube, found: Series, ahead: Outlook | str, role: str) -> Plot:
    """Counts by period, and those ahead with their 95 % band."""
    figure, panel = canvas(4.2)
    places = np.arange(len(found.codes))
    panel.plot(
        places[found.whole],
        found.counts[found.whole],
        color=COLOURS[0],
        linewidth=1.0,
        label=f"{found.words} a {role}",
    )
    gone = places[np.isnan(found.counts)]
    panel.plot(gone, [0] * len(gone), linestyle="", marker="x", color=GREY, markersize=4)
    codes = list(found.codes)
    data = {"observed": found.counts, "forecast": np.array([]), "low": np.array([]), "high": np.array([])}
    hidden = f"{len(gone)} periods hidden, " if len(gone) else ""
    title = f"{found.words.capitalize()} a {role}"
    said = f"{len(codes)} periods, {hidden}{ahead if isinstance(ahead, str) else ''}".strip(", ")
    if isinstance(ahead, Outlook):
        codes = codes[: ahead.end] + list(ahead.codes)
        data = _ahead(panel, found, ahead)
        title += f", and {len(ahead.codes)} {role}s ahead by {ahead.forecast.method}"
        said += f", forecast between {min(ahead.forecast.low):,.0f} and {max(ahead.forecast.high):,.0f}"
        said += f", mean absolute error {ahead.chosen.error:.1f} in the backtest, where the limits held "
        said += f"{100 * ahead.chosen.inside:.0f} % of the counts"
    every = max(1, -(-len(codes) // _TICKS))
    panel.set_xticks(range(0, len(codes), every), codes[::every], fontsize=8)
    panel.set_ylim(bottom=0)
    panel.yaxis.set_major_formatter(thousands)
    panel.set_ylabel(found.words.capitalize())
    legend(figure, panel)
    size = len(codes)
    return finished(
        figure,
        cube.title,
        title,
        said,
        {role: tuple(codes)} | {n: _padded(each[:size], size, 1) for n, each in data.items()},
    )


def _ahead(panel: Panel, found: Series, ahead: Outlook) -> dict[str, np.ndarray]:
    each, places = ahead.forecast, ahead.end + np.arange(len(ahead.codes))
    panel.plot(places, each.mean, color=COLOURS[1], linewidth=1.4, label="forecast")
    panel.fill_between(
        places,
        np.maximum(each.low, 0),
        each.high,
        color=COLOURS[1],
        alpha=0.2,
        linewidth=0,
        label="95 % limits",
    )
    before = np.full(ahead.end, np.nan)
    columns = {"forecast": each.mean, "low": np.maximum(each.low, 0), "high": each.high}
    if ahead.room is not None:
        known = found.capacity_of(found.codes[: ahead.end])
        before_and_after = np.concatenate([known, ahead.room])
        panel.step(
            np.arange(len(before_and_after)),
            before_and_after,
            where="mid",
            color=GREY,
            linestyle="--",
            linewidth=1,
            label=f"room for {found.capacity:,} a day",
        )
        columns["room"] = ahead.room
    return {
        "observed": found.counts[: ahead.end],
        **{name: np.concatenate([before, values]) for name, values in columns.items()},
    }


# ---- a funnel ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Unit:
    name: str
    of: float
    share: float
    outside: str


def funnel(cube: ProtectedCube, time: ProtectedCube, axis: int) -> Plot:
    """Each unit's share by how many were at risk there, about the share of all, with limits of 95 and 99.8
    per cent; units outside of any are named."""
    at = tuple(slice(None) if each == axis else 0 for each in range(len(cube.shape)))
    having, of = shown(cube, "persons")[at], shown(time, "persons")[at]
    labels, share = cube.dimensions[axis].labels, 100 * having / np.where(of > 0, of, np.nan)
    cells = np.arange(cube.cells).reshape(cube.shape)[at]
    beyond = units.figures(cube, time, axis)["outside"]
    outside = [beyond[cell] for cell in cells]
    known = [
        _Unit(labels[place], of[place], share[place], outside[place])
        for place in range(1, len(of))
        if not np.isnan(share[place])
    ]
    hidden = int((np.isnan(having) | np.isnan(of))[1:].sum())
    figure, panel = canvas(4.4)
    sizes = np.unique(
        np.geomspace(
            max(1, min([u.of for u in known] + [20])), max([u.of for u in known] + [20]) * 1.15, 80
        ).astype(int)
    )
    if not np.isnan(share[0]):
        panel.axhline(share[0], color=GREY, linewidth=1, label=f"all: {share[0]:.1f} %")
        for (_, level), style in zip(units.LEVELS.items(), ("--", ":"), strict=True):
            low, high = units.limits(sizes.astype(float), share[0] / 100, level)
            panel.plot(
                sizes, low, color=COLOURS[0], linestyle=style, linewidth=1, label=f"{100 * level:g} % limits"
            )
            panel.plot(sizes, high, color=COLOURS[0], linestyle=style, linewidth=1)
    panel.plot(
        [u.of for u in known],
        [u.share for u in known],
        linestyle="",
        marker="o",
        color=COLOURS[1],
        markersize=5,
        label="care unit",
    )
    for unit in [unit for unit in known if unit.outside]:
        panel.annotate(
            short(unit.name),
            (unit.of, unit.share),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=6.5,
            color=GREY,
        )
    panel.set_ylim(0, None)
    panel.set_xlabel("Persons at risk")
    panel.set_ylabel("Per cent with an event")
    legend(figure, panel)
    return finished(
        figure,
        cube.title,
        "Per cent with an event, by persons at risk",
        f"{len(known)} care units, {hidden} hidden",
        _funnel_data(known),
    )


def _funnel_data(known: list[_Unit]) -> Columns:
    return {
        "care unit": tuple(unit.name for unit in known),
        "at risk": numbers([unit.of for unit in known], 0),
        "per cent": numbers([unit.share for unit in known], 2),
        "outside": tuple(unit.outside for unit in known),
    }


# ---- standardised rates ------------------------------------------------------------------------------------


def points(cube: ProtectedCube, standard: StandardAxes, rates: Standardised, crude: np.ndarray) -> Plot:
    """Standardised rates with their limits: of all, and of each group of the other dimensions; the crude rate
    as an open mark.

    `crude`: float64 (cells,), per 100,000 person-years, NaN where there is none.
    """
    cells = np.arange(cube.cells).reshape(cube.shape)
    chosen = [
        (name_of(cube.dimensions, index), int(cells[at_totals(index)]))
        for index in one_at_a_time(cube, *standard.axes)
    ][:_MOST_POINTS]
    figure, panel = canvas(1.6 + 0.26 * len(chosen))
    for row, (_, cell) in enumerate(chosen):
        if np.isnan(rates.rate[cell]):
            panel.text(
                0,
                row,
                " hidden" if "hidden" in rates.why[cell] else " nobody at risk",
                va="center",
                fontsize=7,
                color=GREY,
            )
            continue
        panel.plot([rates.low[cell], rates.high[cell]], [row, row], color=COLOURS[0], linewidth=1.6)
    rows, at = np.arange(len(chosen)), [cell for _, cell in chosen]
    panel.plot(
        rates.rate[at],
        rows,
        linestyle="",
        marker="o",
        color=COLOURS[0],
        markersize=5,
        label="standardised, 95 % limits",
    )
    panel.plot(
        crude[at],
        rows,
        linestyle="",
        marker="o",
        markerfacecolor="none",
        color=COLOURS[1],
        markersize=5,
        label="crude",
    )
    panel.set_yticks(rows, [short(name) for name, _ in chosen], fontsize=9)
    panel.invert_yaxis()
    panel.set_xlim(left=0)
    panel.xaxis.set_major_formatter(thousands)
    panel.set_xlabel("Events per 100,000 person-years")
    legend(figure, panel)
    gone = int(np.isnan(rates.rate[at]).sum())
    said = f"{len(chosen)} groups{f', {gone} of them without a standardised rate' if gone else ''}"
    columns = {"standardised": rates.rate, "low": rates.low, "high": rates.high, "crude": crude}
    data = {"group": tuple(name for name, _ in chosen)} | {
        name: numbers(values[at], 2) for name, values in columns.items()
    }
    return finished(figure, cube.title, "Standardised and crude events per 100,000 person-years", said, data)
