"""The report of a method that gives cells other numbers: how far they lie from the truth, before and after,
for the project zone alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.disclosure.altered import Altered
from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.page import write_page
from pipelines.disclosure.problem import Problem

_MOST_DOTS: Final = 1500
_MOST_BINS: Final = 41
_SIDE: Final = 300

_PAGE: Final = """<h1>Protection report: {{ method }}</h1>
<p class="warn">For the project zone alone: this page holds true numbers.</p>
{% if parameters %}<p>\
{% for name, value in parameters %}{{ name }} {{ value }}{{ "" if loop.last else ", " }}{% endfor %}</p>\
{% endif %}
{% for note in notes %}<p>{{ note }}</p>{% endfor %}
{% for table in tables %}
<h2>{{ table.told.table }}</h2>
<table>
<tr><th>cells</th><th class="n">number</th><th class="n">share</th></tr>
{% for what, number in table.told.reasons.items() %}
<tr><td>{{ what }}</td><td class="n">{{ "{:,}".format(number) }}</td>
<td class="n">{{ "%.1f %%"|format(100 * number / table.told.cells) }}</td></tr>
{% endfor %}
</table>
<p>{{ "{:,}".format(table.told.small) }} cells are small. Hidden with their cells: \
{{ "{:,}".format(table.told.value_hidden) }} of
{{ "{:,}".format(table.told.value) }} persons, counted once in each cell.</p>
<table>
<tr><th>error of what is shown</th><th class="n">cells</th><th class="n">most</th><th class="n">mean</th>\
<th class="n">bias</th></tr>
{% for what in ("margins", "inner") %}
<tr><td>{{ what }}</td><td class="n">{{ "{:,}".format(table.told[what].cells) }}</td>\
<td class="n">{{ table.told[what].most }}</td>
<td class="n">{{ "%.2f"|format(table.told[what].mean) }}</td>\
<td class="n">{{ "%.2f"|format(table.told[what].bias) }}</td></tr>
{% endfor %}
</table>
<h3>Error</h3>
<svg viewBox="0 0 {{ 40 * 15 }} 150" role="img" aria-label="How many cells have which error">
{% for bin in table.bins %}
<rect class="bin" x="{{ bin.x }}" width="{{ bin.width }}" y="{{ 120 - bin.height }}" \
height="{{ bin.height }}">
<title>{{ bin.label }}: {{ bin.cells }} cells</title></rect>
{% if bin.named %}<text x="{{ bin.x + bin.width / 2 }}" y="140" text-anchor="middle">{{ bin.label }}</text>\
{% endif %}
{% endfor %}
<line class="axis" x1="0" x2="600" y1="120" y2="120"/>
</svg>
<h3>Before and after</h3>
<svg viewBox="-45 -10 {{ side + 70 }} {{ side + 50 }}" role="img" \
aria-label="Each cell before and after, logarithmic"
style="max-width:26rem">
<line class="same" x1="0" y1="{{ side }}" x2="{{ side }}" y2="0"/>
{% for dot in table.dots %}
<circle class="dot" cx="{{ dot.x }}" cy="{{ dot.y }}" r="{{ dot.r }}"><title>{{ dot.label }}</title></circle>
{% endfor %}
{% for tick in table.ticks %}
<text x="{{ tick.at }}" y="{{ side + 16 }}" text-anchor="middle">{{ tick.label }}</text>
<text x="-6" y="{{ side - tick.at + 4 }}" text-anchor="end">{{ tick.label }}</text>
{% endfor %}
<line class="axis" x1="0" x2="{{ side }}" y1="{{ side }}" y2="{{ side }}"/>\
<line class="axis" x1="0" x2="0" y1="0" y2="{{ side }}"/>
<text x="{{ side / 2 }}" y="{{ side + 34 }}" text-anchor="middle">before</text>\
<text x="-42" y="-2">after</text>
</svg>
{% endfor %}
"""


def write_report(path: Path, problem: Problem, together: Atoms, made: Altered, told: dict[str, Any]) -> None:
    """One page. `told`: counts, as `uttag protect --json` prints them."""
    truth = together.split(together.sums(together.count))
    tables = [
        {"told": each, "bins": _bins((values - true)[~hidden]), **_plot(true[~hidden], values[~hidden])}
        for each, true, values, hidden in zip(
            told["tables"], truth, together.split(made.values), together.split(made.hidden), strict=True
        )
    ]
    write_page(
        path,
        _PAGE,
        tables=tables,
        method=told["method"].replace("_", " "),
        notes=made.notes,
        parameters=list(made.parameters.items()),
        side=_SIDE,
    )


def _bins(error: np.ndarray) -> list[dict[str, Any]]:
    """Bars of a histogram of errors, 0 in the middle."""
    most = int(np.abs(error).max(initial=1))
    step = -(-(2 * most + 1) // _MOST_BINS)
    half = -(-most // step)
    numbers = np.bincount(np.round(error / step).astype(np.int64) + half, minlength=2 * half + 1)
    width = 600 / len(numbers)
    return [
        {
            "x": round(place * width, 1),
            "width": round(0.85 * width, 1),
            "height": round(110 * number / max(1, int(numbers.max())), 1),
            "label": f"{(place - half) * step:+d}" if place != half else "0",
            "cells": f"{number:,}",
            "named": (place - half) % max(1, len(numbers) // 20) == 0,
        }
        for place, number in enumerate(numbers.tolist())
    ]


def _plot(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Dots, larger where many cells have the same two numbers, and the ticks of both axes."""
    pairs, number = np.unique(np.stack([before, after], axis=1), axis=0, return_counts=True)
    highest = max(10, int(pairs.max(initial=0)))
    chosen = (
        np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), _MOST_DOTS)).astype(np.int64))
        if len(pairs)
        else np.empty(0, np.int64)
    )

    def scale(value: float) -> float:
        return round(float(_SIDE * np.log1p(max(value, 0)) / np.log1p(highest)), 1)

    dots = [
        {
            "x": scale(pairs[place, 0]),
            "y": _SIDE - scale(pairs[place, 1]),
            "r": round(2 + 1.5 * float(np.log10(number[place])), 1),
            "label": f"{pairs[place, 0]:,} → {pairs[place, 1]:,}: {number[place]:,} cells",
        }
        for place in chosen.tolist()
    ]
    ticks = [0, *(10**power for power in range(9) if 10**power <= highest)]
    return {"dots": dots, "ticks": [{"at": scale(tick), "label": f"{tick:,}"} for tick in ticks]}
