"""What all plots share: a canvas, a legend above it, and a picture whose bytes are the same for the same
numbers.

No date, fixed identifiers, text as paths of the font that matplotlib brings.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from pipelines.cubes.figures import Columns, Plot

COLOURS = ("#1f5a7a", "#c2571a", "#5b8c3a", "#7a4a8c")
GREY = "#666"


def canvas(height: float) -> tuple[Figure, Axes]:
    """A figure of that height in inches, and its axes."""
    figure = Figure(figsize=(6.4, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """No frame above and to the right."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def legend(figure: Figure, axes: Axes) -> None:
    """Above the picture, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=min(len(labels), 4), frameon=False, fontsize=9
    )


def thousands(value: float, _place: object) -> str:
    """A number on an axis."""
    return f"{value:,.0f}"


def finished(figure: Figure, of: str, title: str, said: str, data: Columns) -> Plot:
    """The plot of a table called `of`. `said`: what is in it, in a sentence or two, for those who hear it."""
    alt = f"{of}: {title}. {said}; the numbers stand beside it."
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "uttag", "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return Plot(title, alt, _described(out.getvalue(), f"{of}: {title}", alt), data)


def _described(svg: str, title: str, alt: str) -> str:
    """The picture with a name and a description for those who hear it."""
    start = svg.index("<svg ")
    end = svg.index(">", start) + 1
    words = f'\n <title id="t">{escape(title)}</title>\n <desc id="d">{escape(alt)}</desc>'
    return svg[: end - 1] + ' role="img" aria-labelledby="t d">' + words + svg[end:]


def number(value: float) -> str:
    """A number as it stands beside a plot: whole, or with two decimals; nothing for NaN."""
    return "" if np.isnan(value) else (f"{value:.0f}" if value == round(value) else f"{value:.2f}")


def numbers(values: np.ndarray | Sequence[float], decimals: int | None = None) -> tuple[str, ...]:
    """Numbers beside a plot or in a column, "" for NaN. `values`: float64 (n,). `decimals`: as many; None for
    as many as `number` gives."""
    if decimals is None:
        return tuple(number(float(value)) for value in values)
    return tuple("" if np.isnan(value) else f"{value:.{decimals}f}" for value in values)


def short(label: str) -> str:
    """A label that leaves room for the picture."""
    return label if len(label) <= 42 else label[:41] + "…"
