"""A forest plot: the ratio of each group with its limits, one below the other, about the line of no difference."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pipelines.cubes import ProtectedCube
from pipelines.figures import Plot
from pipelines.measures.drawing import COLOURS, GREY, canvas, finished, legend, number, numbers, short
from pipelines.measures.indirect import Ratios
from pipelines.measures.parts import at_totals, name_of, one_at_a_time

_MOST_ROWS = 40
_LEAST_REACH = 2.2  # the axis goes at least so many times up and down from 1
_TICKS = [digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5)]
_FAR = "99.8 %"


def forest(cube: ProtectedCube, axis: int, found: Ratios) -> Plot:
    """Standardised ratios with their limits, on a logarithmic axis: of each group of the other dimensions, and of all where they are not
    the reference. `axis`: of the ages."""
    cells = np.arange(cube.cells).reshape(cube.shape)
    chosen = [(name_of(cube.dimensions, index), int(cells[at_totals(index)])) for index in one_at_a_time(cube, axis)]
    chosen = [each for each in chosen if each[1] or not found.itself][:_MOST_ROWS]
    names, at = [name for name, _ in chosen], [cell for _, cell in chosen]
    figure, panel = canvas(1.7 + 0.26 * len(chosen))
    least, most = _reach(found, at)
    panel.axvline(1, color=GREY, linewidth=1, label="as expected")
    for row, cell in enumerate(at):
        _row(panel, row, cell, found, least)
    for far, marker, colour in ((False, "o", COLOURS[0]), (True, "D", COLOURS[1])):
        rows = [(max(found.smr[cell], least), row) for row, cell in enumerate(at) if found.smr[cell] >= 0 and _far(found, cell) == far]
        label = f"beyond {_FAR} about 1" if far else "ratio, 95 % limits"
        panel.plot(
            [x for x, _ in rows], [y for _, y in rows], linestyle="", marker=marker, color=colour, markersize=5, label=label, clip_on=False
        )
    panel.text(1.01, -0.9, "seen / expected", va="center", fontsize=7, color=GREY, transform=panel.get_yaxis_transform())
    panel.set_yticks(range(len(chosen)), [short(name) for name in names], fontsize=9)
    panel.set_ylim(len(chosen) - 0.4, -0.6)
    panel.set_xscale("log")
    panel.set_xlim(least, most)
    ticks = [tick for tick in _TICKS if least <= tick <= most]
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("Observed by expected events (logarithmic)")
    legend(figure, panel)
    gone = sum(bool(found.why[cell]) for cell in at)
    beyond = [name for name, cell in chosen if _far(found, cell)]
    said = f"{len(chosen)} groups" + (f", {gone} of them without a ratio" if gone else "")
    said += f"; beyond the limits of {_FAR} about 1: {', '.join(beyond)}" if beyond else f"; none beyond the limits of {_FAR} about 1"
    columns = {"smr": found.smr, "low": found.low, "high": found.high}
    data = {
        "group": tuple(names), "observed": numbers(found.observed[at], 0), "expected": numbers(found.expected[at], 2),
        **{name: numbers(values[at], 3) for name, values in columns.items()}, "outside": tuple(str(found.outside[cell]) for cell in at),
    }  # fmt: skip
    return finished(figure, cube.title, "Observed by expected events, indirectly standardised", said, data)


def _reach(found: Ratios, at: list[int]) -> tuple[float, float]:
    """Ends of the axis: a little beyond the limits that are there, but for lower ones of 0."""
    bounds = np.concatenate([found.smr[at], found.low[at], found.high[at]])
    known = np.append(bounds[bounds > 0], 1.0)
    return min(float(known.min()) / 1.15, 1 / _LEAST_REACH), max(float(known.max()) * 1.15, _LEAST_REACH)


def _far(found: Ratios, cell: int) -> bool:
    return bool(found.outside[cell] == _FAR)


def _row(panel: Axes, row: int, cell: int, found: Ratios, least: float) -> None:
    """The line of a row's limits, and beside the panel how many events were seen and expected; or why there is no ratio."""
    beside = panel.get_yaxis_transform()
    if found.why[cell]:
        panel.text(
            0.01, row, "hidden" if "hidden" in found.why[cell] else "none expected", va="center", fontsize=7, color=GREY, transform=beside
        )
        return
    colour = COLOURS[1] if _far(found, cell) else COLOURS[0]
    panel.plot([max(found.low[cell], least), found.high[cell]], [row, row], color=colour, linewidth=1.6)
    words = f"{number(found.observed[cell])} / {found.expected[cell]:.1f}"
    panel.text(1.01, row, words, va="center", fontsize=7, color=GREY, transform=beside)
