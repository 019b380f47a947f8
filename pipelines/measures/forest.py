"""Forest plots: the ratio of each group with its limits, one below the other, about the line of no
difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns, Plot
from pipelines.cubes.standard_axes import StandardAxes
from pipelines.measures.compared import Compared
from pipelines.measures.drawing import COLOURS, GREY, canvas, finished, legend, number, numbers, short
from pipelines.measures.indirect import Ratios
from pipelines.measures.parts import at_totals, name_of, one_at_a_time

_MOST_ROWS = 40
_LEAST_REACH = 2.2  # the axis goes at least so many times up and down from 1
_TICKS = [digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5)]
_FAR = "99.8 %"


@dataclass(frozen=True)
class _Lines:
    """What is drawn of each group, all of one length. `ratio`, `low`, `high`: float64, NaN where there is
    none; `why`: why there is none; `beside`: what stands to the right; `far`: bool, is it marked?"""

    names: list[str]
    ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray
    why: list[str]
    beside: list[str]
    far: np.ndarray


def standardised(cube: ProtectedCube, standard: StandardAxes, found: Ratios) -> Plot:
    """Standardised ratios: of each group of the other dimensions, and of all where they are not the
    reference. `standard`: what is standardised over."""
    cells = np.arange(cube.cells).reshape(cube.shape)
    chosen = [
        (name_of(cube.dimensions, index), int(cells[at_totals(index)]))
        for index in one_at_a_time(cube, *standard.axes)
    ]
    chosen = [each for each in chosen if each[1] or not found.itself][:_MOST_ROWS]
    at = [cell for _, cell in chosen]
    beside = [f"{number(found.observed[cell])} / {found.expected[cell]:.1f}" for cell in at]
    lines = _Lines(
        names=[name for name, _ in chosen],
        ratio=found.smr[at],
        low=found.low[at],
        high=found.high[at],
        why=list(found.why[at]),
        beside=beside,
        far=found.outside[at] == _FAR,
    )
    figure = _drawn(lines, "as expected", "Observed by expected events (logarithmic)", "seen / expected")
    beyond = [name for name, far in zip(lines.names, lines.far, strict=True) if far]
    said = f"{_counted(lines)}; {', '.join(beyond) or 'none'} beyond the limits of {_FAR} about 1"
    data = {
        "group": tuple(lines.names),
        "observed": numbers(found.observed[at], 0),
        "expected": numbers(found.expected[at], 2),
        **_columns(lines, "smr"),
        "outside": tuple(str(found.outside[cell]) for cell in at),
    }
    return finished(figure, cube.title, "Observed by expected events, indirectly standardised", said, data)


def compared(cube: ProtectedCube, axis: int, found: Compared) -> Plot:
    """Rate ratios: of each group beside the one that all are compared with, of all and of each place of the
    other dimensions. `axis`: of the groups."""
    cells, groups = np.arange(cube.cells).reshape(cube.shape), cube.dimensions[axis]
    chosen = []
    for index in one_at_a_time(cube, axis):
        within = name_of(cube.dimensions, index)
        for place in range(1, len(groups)):
            cell = int(cells[(*at_totals(index)[:axis], place, *at_totals(index)[axis + 1 :])])
            if groups.parents[place] == 0 and found.tried[cell]:
                chosen.append(
                    (groups.labels[place] if within == "All" else f"{groups.labels[place]}, {within}", cell)
                )
    chosen = chosen[:_MOST_ROWS]
    at = [cell for _, cell in chosen]
    beside = [_ratio(found.ratio[cell], found.low[cell], found.high[cell]) for cell in at]
    lines = _Lines(
        names=[name for name, _ in chosen],
        ratio=found.ratio[at],
        low=found.low[at],
        high=found.high[at],
        why=list(found.why[at]),
        beside=beside,
        far=np.zeros(len(at), bool),
    )
    figure = _drawn(
        lines,
        f"as {found.against}",
        f"Rate beside that of {short(found.against)} (logarithmic)",
        "ratio (95 % limits)",
    )
    data = {"group": tuple(lines.names), **_columns(lines, "ratio")}
    return finished(figure, cube.title, f"Rate ratios, beside {found.against}", _counted(lines), data)


def _ratio(ratio: float, low: float, high: float) -> str:
    return f"{ratio:.2f} ({'no limits' if np.isnan(low) else f'{low:.2f} to {high:.2f}'})"


def _counted(lines: _Lines) -> str:
    gone = int(np.isnan(lines.ratio).sum())
    return f"{len(lines.names)} groups" + (f", {gone} of them without a ratio" if gone else "")


def _columns(lines: _Lines, name: str) -> Columns:
    return {name: numbers(lines.ratio, 3), "low": numbers(lines.low, 3), "high": numbers(lines.high, 3)}


def _drawn(lines: _Lines, line: str, axis: str, head: str) -> Figure:
    figure, panel = canvas(1.7 + 0.26 * len(lines.names))
    least, most = _reach(lines)
    panel.axvline(1, color=GREY, linewidth=1, label=line)
    for row in range(len(lines.names)):
        _row(panel, row, lines, least)
    for far, marker, colour in ((False, "o", COLOURS[0]), (True, "D", COLOURS[1])):
        rows = np.flatnonzero((lines.ratio >= 0) & (lines.far == far))
        if len(rows) or not far:
            label = f"beyond {_FAR} about 1" if far else "ratio, 95 % limits"
            at = np.maximum(lines.ratio[rows], least)
            panel.plot(
                at, rows, linestyle="", marker=marker, color=colour, markersize=5, label=label, clip_on=False
            )
    panel.text(1.01, -0.9, head, va="center", fontsize=7, color=GREY, transform=panel.get_yaxis_transform())
    panel.set_yticks(range(len(lines.names)), [short(name) for name in lines.names], fontsize=9)
    panel.set_ylim(len(lines.names) - 0.4, -0.6)
    panel.set_xscale("log")
    panel.set_xlim(least, most)
    ticks = [tick for tick in _TICKS if least <= tick <= most]
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_xticks([], minor=True)
    panel.set_xlabel(axis)
    legend(figure, panel)
    return figure


def _reach(lines: _Lines) -> tuple[float, float]:
    """Ends of the axis: a little beyond the limits that are there, but for lower ones of 0."""
    bounds = np.concatenate([lines.ratio, lines.low, lines.high])
    known = np.append(bounds[bounds > 0], 1.0)
    return min(float(known.min()) / 1.15, 1 / _LEAST_REACH), max(float(known.max()) * 1.15, _LEAST_REACH)


def _row(panel: Axes, row: int, lines: _Lines, least: float) -> None:
    """The line of a row's limits, and beside the panel what belongs to it; or why there is no ratio."""
    if np.isnan(lines.ratio[row]):
        words = "hidden" if "hidden" in lines.why[row] else "none"
        panel.text(
            0.01, row, words, va="center", fontsize=7, color=GREY, transform=panel.get_yaxis_transform()
        )
        return
    colour = COLOURS[1] if lines.far[row] else COLOURS[0]
    panel.plot([max(lines.low[row], least), lines.high[row]], [row, row], color=colour, linewidth=1.6)
    panel.text(
        1.01,
        row,
        lines.beside[row],
        va="center",
        fontsize=7,
        color=GREY,
        transform=panel.get_yaxis_transform(),
    )
