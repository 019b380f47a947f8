"""A map of equal squares, one for each place: no border is drawn, and a small place is as easy to see as a
large one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.patches import Patch, Rectangle

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Plot
from pipelines.measures.drawing import GREY, canvas, finished, number, numbers

_SHADES = ("#e4eef4", "#b5d0de", "#7fadc4", "#43809f", "#1f5a7a")
_HIDDEN = "#f2f2f2"


def tile_map(cube: ProtectedCube, axis: int, unit: str, values: np.ndarray, hidden: np.ndarray) -> Plot:
    """Each place's value at the totals of all other dimensions, in five classes of equal width. `values`:
    float64 (cells,), NaN where there is none; `hidden`: bool (cells,), is that why? `unit`: what they are, in
    words."""
    dimension = cube.dimensions[axis]
    at = tuple(slice(None) if each == axis else 0 for each in range(len(cube.shape)))
    line, gone = values.reshape(cube.shape)[at], hidden.reshape(cube.shape)[at]
    places = [place for place, tile in enumerate(dimension.values) if tile]
    ends = _ends(line[places])
    rows, columns = zip(*(divmod(dimension.values[place] - 1, 100) for place in places), strict=True)
    figure, panel = canvas(1.0 + 0.82 * (max(rows) - min(rows) + 1))
    for place, row, column in zip(places, rows, columns, strict=True):
        value = float(line[place])
        shade = int(np.clip(np.searchsorted(ends, value, "right") - 1, 0, len(_SHADES) - 1))
        nothing = np.isnan(value)
        colour, text = (_HIDDEN, GREY) if nothing else (_SHADES[shade], "white" if shade > 2 else "black")
        panel.add_patch(
            Rectangle(
                (column, row),
                0.96,
                0.96,
                facecolor=colour,
                edgecolor=GREY,
                linewidth=0.4,
                linestyle="--" if nothing else "-",
            )
        )
        shown = (
            ("hidden" if gone[place] else "none")
            if nothing
            else f"{value:,.0f}"
            if value >= 100
            else number(value)
        )
        for words, height in ((_broken(dimension.labels[place]), 0.36), (shown, 0.78)):
            panel.text(
                column + 0.48,
                row + height,
                words,
                ha="center",
                va="center",
                fontsize=7,
                color=text,
                linespacing=0.95,
            )
    panel.set_xlim(min(columns) - 0.05, max(columns) + 1.01)
    panel.set_ylim(max(rows) + 1.01, min(rows) - 0.05)
    panel.set_aspect("equal")
    panel.set_axis_off()
    figure.legend(
        handles=_key(ends),
        loc="outside upper left",
        ncols=3,
        frameon=False,
        fontsize=7.5,
        title=unit,
        title_fontsize=9,
    )
    gaps = int(np.isnan(line[places]).sum())
    said = (
        f"a square for each of {len(places)} places{f', {gaps} of them hidden or undefined' if gaps else ''}"
    )
    data = {
        "place": tuple(dimension.labels[place] for place in places),
        "row": tuple(str(row) for row in rows),
        "column": tuple(str(column) for column in columns),
        unit: numbers(line[places]),
    }
    return finished(
        figure, cube.title, f"{unit} by {dimension.title.lower()}, as a map of squares", said, data
    )


def _ends(values: np.ndarray) -> np.ndarray:
    """Where each class begins, and where the last ends: float64 (classes + 1,)."""
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    return np.linspace(low, high if high > low else low + 1, len(_SHADES) + 1)


def _key(ends: np.ndarray) -> Sequence[Patch]:
    spans = [f"{low:,.0f}-{high:,.0f}" for low, high in pairwise(ends)]
    shades = [
        Patch(facecolor=shade, edgecolor=GREY, linewidth=0.4, label=span)
        for shade, span in zip(_SHADES, spans, strict=True)
    ]
    return [*shades, Patch(facecolor=_HIDDEN, edgecolor=GREY, linewidth=0.4, linestyle="--", label="hidden")]


def _broken(label: str) -> str:
    """A name in two lines where it has two words."""
    head, mark, tail = label.partition("-") if "-" in label else label.partition(" ")
    return f"{head}{mark.strip()}\n{tail}" if tail else label
