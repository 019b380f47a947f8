"""The report of a protection, for whoever checks it before it leaves: what is hidden and why, and what that
loses. It stays in the project zone, for it tells small cells from the others; it needs no file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.cubes.cube import Cube
from pipelines.disclosure.page import write_page
from pipelines.disclosure.rules import REASONS

_MOST_BARS: Final = 40

_PAGE: Final = """<h1>Protection report</h1>
<p class="warn">For the project zone alone: this page tells small cells from those that protect them.</p>
<h2>Withstood</h2>
<ul>{% for each in withstands %}<li>{{ each }}</li>{% endfor %}</ul>
<p>{{ "{:,}".format(moves) }} moves certify every hidden cell.</p>
{% for table in tables %}
<h2>{{ table.table }}</h2>
<table>
<tr><th>cells</th><th class="n">number</th><th class="n">share</th><th class="n">{{ counted }} in them</th>\
<th class="n">share</th></tr>
{% for row in table.rows %}
<tr><td>{{ row.what }}</td><td class="n">{{ "{:,}".format(row.cells) }}</td>\
<td class="n">{{ "%.1f %%"|format(row.share) }}</td>
<td class="n">{{ "{:,}".format(row.value) }}</td>\
<td class="n">{{ "%.1f %%"|format(row.value_share) }}</td></tr>
{% endfor %}
</table>
<p>Why cells are small; one may have several reasons:</p>
<ul>{% for reason, cells in table.reasons %}<li>{{ reason }}: {{ "{:,}".format(cells) }} cells</li>\
{% endfor %}</ul>
<p class="key">Before and after, {{ counted }} in the finest cells by code: <i></i>shown\
<i class="g"></i>hidden</p>
{% for dimension in table.dimensions %}
<h3>{{ dimension.name }}</h3>
{% for bar in dimension.bars %}
<div class="bar"><span title="{{ bar.code }}">{{ bar.code }}</span>
<div><i style="width:{{ bar.shown }}%"></i><i style="width:{{ bar.hidden }}%"></i></div>
<span>{{ "%.0f %%"|format(bar.lost) }} hidden</span></div>
{% endfor %}
{% if dimension.more %}<p>… and {{ "{:,}".format(dimension.more) }} more codes.</p>{% endif %}
{% endfor %}
{% endfor %}
"""


def write_report(
    path: Path,
    cubes: Sequence[Cube],
    hidden: Sequence[np.ndarray],
    primary: Sequence[np.ndarray],
    told: dict[str, Any],
    counted: str = "persons",
) -> None:
    """One page. `hidden`, `primary`: bool (cells,) for each cube. `told`: counts, as `uttag protect --json`
    prints them.

    `counted`: what the cubes count.
    """
    tables = [
        {
            "table": cube.table,
            "rows": _rows(cube, gone, small),
            "reasons": _reasons(each["reasons"]),
            "dimensions": [_bars(cube, gone, axis) for axis in range(len(cube.dimensions))],
        }
        for cube, gone, small, each in zip(cubes, hidden, primary, told["tables"], strict=True)
    ]
    write_page(
        path, _PAGE, tables=tables, withstands=told["withstands"], moves=told["moves"], counted=counted
    )


def _reasons(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(REASONS.get(reason, reason), cells) for reason, cells in sorted(counts.items())]


def _rows(cube: Cube, hidden: np.ndarray, primary: np.ndarray) -> list[dict[str, Any]]:
    persons = cube.measures["persons"]
    kinds = (
        ("shown", ~hidden),
        ("hidden: small", hidden & primary),
        ("hidden: protects small ones", hidden & ~primary),
    )
    everyone = max(1, int(persons.sum()))
    return [
        {
            "what": what,
            "cells": int(mask.sum()),
            "share": 100 * mask.sum() / len(mask),
            "value": int(persons[mask].sum()),
            "value_share": 100 * persons[mask].sum() / everyone,
        }
        for what, mask in kinds
    ]


def _bars(cube: Cube, hidden: np.ndarray, axis: int) -> dict[str, Any]:
    """For each finest code, how many persons stand in finest cells that are shown and that are hidden."""
    leaves = [np.array(each.leaves) for each in cube.dimensions]
    grid, others = np.ix_(*leaves), tuple(place for place in range(len(leaves)) if place != axis)
    persons, gone = (values.reshape(cube.shape)[grid] for values in (cube.measures["persons"], hidden))
    lost, whole = (persons * gone).sum(axis=others), persons.sum(axis=others)
    most = max(1, int(whole.max()))
    codes = [cube.dimensions[axis].codes[place] for place in leaves[axis]]
    bars = [
        {
            "code": code,
            "shown": 100 * (every - out) / most,
            "hidden": 100 * out / most,
            "lost": 100 * out / max(1, every),
        }
        for code, every, out in zip(codes, whole.tolist(), lost.tolist(), strict=True)
    ]
    return {
        "name": cube.dimensions[axis].name,
        "bars": bars[:_MOST_BARS],
        "more": max(0, len(bars) - _MOST_BARS),
    }
