"""Figures of values: the share in each class, and what a whole histogram or a sum tells of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns, Plot
from pipelines.measures.drawing import COLOURS, GREY, canvas, finished, numbers, short
from pipelines.measures.histograms import grouped_mean, grouped_quantile, moments
from pipelines.measures.joining import hidden_span, put_together
from pipelines.measures.parts import at_totals, name_of, one_at_a_time, shown, strata

_SCALE = 10_000  # parts of a class's end to the unit
MEANINGS = {
    "percent": "values in the class per hundred of those that are usable",
    "mean": "mean of the usable values, each class at its middle",
    "sd": "standard deviation of the usable values, each class at its middle (n - 1)",
    "quartile_low": "value below which a quarter of the usable values lie, spread evenly within each class",
    "median": "value below which half of them lie (likewise)",
    "quartile_high": "value below which three quarters of them lie (likewise)",
    "why_empty": "why figures are left out: hidden, no values, or none belong in this row",
}
SHOWN = ("percent", "mean", "sd", "median")
NOTES = (
    "mean, standard deviation, median and quartiles: from the histogram that is shown, so as exact as its "
    "classes are narrow; classes from the first to the last that is hidden are put together where the total "
    "gives their sum",
)
SUM_MEANINGS = {
    "mean": "sum of the values divided by their number",
    "sd": "standard deviation of the values (n - 1), from their sum and the sum of their squares",
    "why_empty": "why figures are left out: hidden, or no values",
}
SUMS_SHOWN = ("mean", "sd")
_MOST_POINTS = 30
_MOST_JOINED = 0.1  # of the values, in classes that are put together, of which a mean is made


def ends(cube: ProtectedCube, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the classes, int64 (k,), and where they end, float64 (k + 1,), in the unit."""
    values = np.array(cube.dimensions[axis].values, float)
    places = np.flatnonzero(values[1:] > 0) + 1
    return places, np.concatenate([values[:1], values[places]]) / _SCALE


@dataclass(frozen=True)
class _Classes:
    """The usable values of a line as far as they are known. `counts`: float64 (k,), of classes, of which some
    may be put together; `edges`: float64 (k + 1,); `joined`: which of them is, or None."""

    counts: np.ndarray
    edges: np.ndarray
    joined: int | None = None


def _known(line: np.ndarray, places: np.ndarray, edges: np.ndarray) -> _Classes:
    """`line`: float64, all places of the dimension, NaN where hidden; `places`: of the classes."""
    span = hidden_span(np.isnan(line[places]))
    if span is None:
        return _Classes(line[places], edges)
    others = np.setdiff1d(np.arange(1, len(line)), places)  # not usable
    counts = put_together(line[places], span, line[0], line[others].sum())
    return _Classes(counts, np.delete(edges, np.arange(span.first + 1, span.last + 1)), span.first)


def figures(cube: ProtectedCube, axis: int) -> Columns:
    """Figures of each stratum: the whole histogram's in the row of all classes, the share in each class's."""
    places, edges = ends(cube, axis)
    counts = shown(cube, "values")
    found = {name: np.full(cube.shape, np.nan) for name in MEANINGS if name != "why_empty"}
    why = np.full(cube.shape, "none in this row", object)
    for index in strata(cube, axis):
        line, reason = counts[index], np.full(cube.shape[axis], "none in this row", object)
        reason[np.isnan(line)] = "hidden"
        known, top = _known(line, places, edges), at_totals(index)
        total = known.counts.sum()
        reason[0] = "a class is hidden" if np.isnan(total) else "no usable values" if total == 0 else ""
        if total > 0:
            share = np.full(len(line), np.nan)
            share[places] = 100 * line[places] / total
            reason[places[~np.isnan(line[places])]] = ""
            found["percent"][index] = share
            for name, value in _of_all(known).items():
                found[name][top] = value
            if known.joined is not None:
                said = _said(known, cube.dimensions[axis].about)
                reason[places[np.isnan(line[places])]] = f"hidden; {said}"
                reason[0] = said + _wide(known)
        why[index] = reason
    columns = {name: numbers(values.ravel(), 2) for name, values in found.items()}
    return {**columns, "why_empty": tuple(str(text) for text in why.ravel())}


def _of_all(known: _Classes) -> dict[str, float]:
    """Mean, deviation and quartiles, but for what lies in classes that are put together and hold much."""
    counts, edges, total = known.counts, known.edges, known.counts.sum()
    middle = (edges[:-1] + edges[1:]) / 2
    found = {}
    if not _holds_much(known):
        found["mean"] = grouped_mean(edges, counts)
        found["sd"] = moments(float(middle @ counts), float(middle**2 @ counts), int(total))[1]
    for name, quarter in (("quartile_low", 0.25), ("median", 0.5), ("quartile_high", 0.75)):
        value = grouped_quantile(edges, counts, quarter)
        inside = known.joined is not None and edges[known.joined] < value < edges[known.joined + 1]
        if not inside or not _holds_much(known):
            found[name] = value
    return found


def _holds_much(known: _Classes) -> bool:
    return known.joined is not None and known.counts[known.joined] > _MOST_JOINED * known.counts.sum()


def _said(known: _Classes, unit: str) -> str:
    place = known.joined or 0
    low, high, share = known.edges[place], known.edges[place + 1], known.counts[place] / known.counts.sum()
    return f"classes from {low:g} to {high:g} {unit} are put together, {100 * share:.1f} % of the values"


def _wide(known: _Classes) -> str:
    return ", too many for a mean, or a quartile among them" if _holds_much(known) else ""


def sum_figures(cube: ProtectedCube) -> Columns:
    """Mean of each cell, and standard deviation where squares are summed."""
    mean, sd = means(cube)
    with_sd = {"sd": numbers(sd, 3)} if "squares" in cube.measures else {}
    why = np.where(cube.hidden, "hidden", np.where(np.isnan(mean), "no values", ""))
    return {"mean": numbers(mean, 3), **with_sd, "why_empty": tuple(str(text) for text in why)}


def means(cube: ProtectedCube) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each cell, float64 (cells,) each, NaN where hidden or of no values."""
    scale = 10 ** int(cube.notes.get("decimals", "0"))
    squares = cube.measures.get("squares", np.zeros(cube.cells, np.int64))
    both = [
        moments(int(total) / scale, int(square) / scale**2, 0 if hidden else int(count))
        for total, square, count, hidden in zip(
            cube.measures["sum"], squares, cube.measures["values"], cube.hidden, strict=True
        )
    ]
    return np.array([each[0] for each in both]), np.array([each[1] for each in both])


def histogram(cube: ProtectedCube, axis: int) -> Plot:
    """Values of all others together, a bar for each class; its area is their number, so that wide classes do
    not look full."""
    places, edges = ends(cube, axis)
    unit = cube.dimensions[axis].about
    counts = shown(cube, "values")[tuple(places if each == axis else 0 for each in range(len(cube.shape)))]
    figure, panel = canvas(3.4)
    width = np.diff(edges)
    panel.bar(
        edges[:-1],
        np.nan_to_num(counts / width),
        width,
        align="edge",
        color=COLOURS[0],
        edgecolor="white",
        linewidth=0.6,
    )
    for place in np.flatnonzero(np.isnan(counts)).tolist():
        panel.text(
            edges[place] + width[place] / 2,
            0,
            "hidden",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=7,
            color=GREY,
        )
    panel.set_xlabel(unit)
    panel.set_ylabel(f"Values for each {unit}")
    labels = tuple(cube.dimensions[axis].labels[place] for place in places)
    gone = int(np.isnan(counts).sum())
    said = f"{len(places)} classes{f', {gone} of them hidden' if gone else ''}"
    return finished(
        figure, cube.title, f"Values by class, {unit}", said, {"class": labels, "values": numbers(counts)}
    )


def mean_points(cube: ProtectedCube) -> Plot:
    """Means of all and of each group, with a line of one standard deviation either way where known."""
    mean, sd = means(cube)
    cells = np.arange(cube.cells).reshape(cube.shape)
    chosen = [
        (name_of(cube.dimensions, index), int(cells[at_totals(index)])) for index in one_at_a_time(cube)
    ][:_MOST_POINTS]
    figure, panel = canvas(1.2 + 0.26 * len(chosen))
    for row, (_, cell) in enumerate(chosen):
        if np.isnan(mean[cell]):
            panel.text(
                0, row, " hidden" if cube.hidden[cell] else " no values", va="center", fontsize=7, color=GREY
            )
        elif "squares" in cube.measures and not np.isnan(sd[cell]):
            panel.plot(
                [mean[cell] - sd[cell], mean[cell] + sd[cell]], [row, row], color=COLOURS[0], linewidth=1.6
            )
    at, rows = [cell for _, cell in chosen], np.arange(len(chosen))
    panel.plot(mean[at], rows, linestyle="", marker="o", color=COLOURS[0], markersize=5)
    panel.set_yticks(rows, [short(name) for name, _ in chosen], fontsize=9)
    panel.invert_yaxis()
    panel.set_xlim(left=0)
    panel.set_xlabel("Mean, and a standard deviation either way" if "squares" in cube.measures else "Mean")
    data = {"group": tuple(name for name, _ in chosen), "mean": numbers(mean[at], 3)}
    if "squares" in cube.measures:
        data["sd"] = numbers(sd[at], 3)
    return finished(
        figure, cube.title, "Means", f"{len(chosen)} groups, {int(cube.hidden[at].sum())} hidden", data
    )
