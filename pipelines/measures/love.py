"""Love plots (after T. E. Love): how far each group lies from the one that all are compared with, a dot for
each class of each characteristic."""

from __future__ import annotations

import numpy as np

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Plot
from pipelines.measures.baseline import Baseline
from pipelines.measures.drawing import COLOURS, GREY, canvas, finished, legend, numbers, short
from pipelines.measures.parts import with_role

_MOST_ROWS = 60
_LARGE = 0.1
_LEAST_REACH = 0.25


def love(title: str, parts: list[tuple[ProtectedCube, Baseline]]) -> Plot:
    """The plot of some parts of one baseline, all with a group that others are compared with. `title`: of the
    baseline."""
    axis = with_role(parts[0][0], "compared") or 0
    groups = parts[0][0].dimensions[axis]
    rows = [(cube, found, place) for cube, found in parts for place in range(1, len(cube.dimensions[-1]))][
        :_MOST_ROWS
    ]
    names = [_name(cube, place) for cube, _, place in rows]
    figure, panel = canvas(1.4 + 0.22 * len(rows))
    panel.axvline(0, color=GREY, linewidth=1)
    for edge in (-_LARGE, _LARGE):
        panel.axvline(edge, color=GREY, linewidth=0.8, linestyle=":")
    data: dict[str, tuple[str, ...]] = {"characteristic": tuple(names)}
    others = [k for k in range(1, len(groups)) if groups.parents[k] == 0 and not groups.values[k]]
    drawn = [k for k in others if any(not np.isnan(_at(each, axis, k)) for each in rows)]
    for colour, place in zip(COLOURS, drawn, strict=False):
        values = np.array([_at(each, axis, place) for each in rows])
        panel.plot(
            values,
            np.arange(len(rows)),
            linestyle="",
            marker="o",
            color=colour,
            markersize=4.5,
            label=groups.labels[place],
        )
    for place in drawn:
        label = groups.labels[place]
        data[f"{label}: smd"] = numbers([_at(each, axis, place) for each in rows], 3)
    for place in (groups.values.index(1), *drawn):
        data[f"{groups.labels[place]}: percent"] = numbers(
            [float(found.percent[_place(cube, axis, place, row)]) for cube, found, row in rows], 2
        )
    panel.set_yticks(range(len(rows)), [short(name) for name in names], fontsize=8)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    known = np.abs([value for place in drawn for value in (_at(each, axis, place) for each in rows)] or [0.0])
    reach = max(_LEAST_REACH, 1.1 * float(np.nanmax(known)))
    panel.set_xlim(-reach, reach)
    panel.set_xlabel(f"Standardised mean difference from {short(groups.about)}; dotted: 0.1 either way")
    if drawn:
        legend(figure, panel)
    gone = int(np.isnan(known).sum())
    said = f"{len(rows)} classes" + (f", {gone} differences left out" if gone else "")
    return finished(figure, title, f"Standardised mean differences from {groups.about}", said, data)


def _name(cube: ProtectedCube, place: int) -> str:
    row = cube.dimensions[-1]
    return f"{row.title}: {row.labels[place]}"


def _place(cube: ProtectedCube, axis: int, group: int, row: int) -> tuple[int, ...]:
    """Totals but for the group and the row."""
    last = len(cube.dimensions) - 1
    return tuple({axis: group, last: row}.get(each, 0) for each in range(last + 1))


def _at(row: tuple[ProtectedCube, Baseline, int], axis: int, group: int) -> float:
    cube, found, place = row
    return float(found.smd[_place(cube, axis, group, place)])
