"""One plot for each table, chosen by its dimensions: an age pyramid, a curve over years, a map, or bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.cubes.cube import Dimension, ProtectedCube
from pipelines.cubes.figures import Plot
from pipelines.measures.drawing import COLOURS, GREY, canvas, finished, legend, numbers, short, thousands
from pipelines.measures.parts import with_role
from pipelines.measures.rates import rates
from pipelines.measures.tiles import tile_map

_MOST_BARS = 30

# What is drawn, in words; float64 (cells,), NaN where there is none; bool (cells,), is it hidden?
Outcome = tuple[str, np.ndarray, np.ndarray]


def plot(cube: ProtectedCube, time: ProtectedCube | None = None) -> Plot:
    """The plot that suits the cube's dimensions: of rates where the `time` at risk is known."""
    outcome = _outcome(cube, time)
    names = {dimension.name: axis for axis, dimension in enumerate(cube.dimensions)}
    if "year" in names or "day" in names:
        return _curve(cube, outcome, names["day" if "day" in names else "year"], names.get("sex"))
    if {"sex", "age_group"} <= set(names):
        return _pyramid(cube, outcome, names["sex"], names["age_group"])
    if (places := with_role(cube, "places")) is not None:
        return tile_map(cube, places, *outcome)
    if "follow_up" in names:
        return _bars(cube, outcome, names["follow_up"], largest_first=False)
    wanted = next((names[name] for name in ("diagnosis", "chapter") if name in names), 0)
    return _bars(cube, outcome, wanted)


# ---- the three forms ---------------------------------------------------------------------------------------


def _curve(cube: ProtectedCube, outcome: Outcome, year: int, sex: int | None) -> Plot:
    along, groups = _first_level(cube.dimensions[year]), _groups(cube, sex)
    unit, values, _ = outcome
    figure, axes = canvas(4.2)
    lines = {label: _line(cube, values, year, along, sex, place) for label, place in groups}
    labels = [cube.dimensions[year].labels[place] for place in along]
    for (label, line), colour in zip(lines.items(), COLOURS, strict=False):
        axes.plot(range(len(along)), line, color=colour, marker="o", markersize=4, linewidth=1.6, label=label)
        _mark_hidden(axes, line, range(len(along)))
    axes.set_xticks(range(len(along)), labels, rotation=45 if len(along) > 8 else 0, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(thousands)
    axes.set_ylabel(unit)
    legend(figure, axes)
    title = f"{unit} by {cube.dimensions[year].title.lower()}" + (" and sex" if sex is not None else "")
    return _finished(figure, cube, title, labels, lines)


def _pyramid(cube: ProtectedCube, outcome: Outcome, sex: int, age: int) -> Plot:
    along = _first_level(cube.dimensions[age])
    groups = _groups(cube, sex)[:2]
    unit, values, _ = outcome
    figure, axes = canvas(1.6 + 0.26 * len(along))
    lines = {label: _line(cube, values, age, along, sex, place) for label, place in groups}
    labels = [cube.dimensions[age].labels[place] for place in along]
    for (label, line), colour, side in zip(lines.items(), COLOURS, (-1, 1), strict=False):
        axes.barh(range(len(along)), side * np.nan_to_num(line), color=colour, height=0.8, label=label)
        for place in np.flatnonzero(np.isnan(line)).tolist():
            axes.text(
                0,
                place,
                " hidden " if side > 0 else "hidden ",
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=7,
                color=GREY,
            )
    axes.set_yticks(range(len(along)), labels, fontsize=9)
    axes.axvline(0, color="black", linewidth=0.8)
    reach = max([float(np.nanmax(line)) for line in lines.values() if not np.isnan(line).all()] + [1.0])
    axes.set_xlim(-1.12 * reach, 1.12 * reach)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{abs(value):,.0f}")
    axes.set_xlabel(unit)
    legend(figure, axes)
    return _finished(figure, cube, f"{unit} by age and sex", labels, lines)


def _bars(cube: ProtectedCube, outcome: Outcome, axis: int, largest_first: bool = True) -> Plot:
    dimension = cube.dimensions[axis]
    unit, values, gone = outcome
    leaves = _first_level(dimension)
    line = _line(cube, values, axis, leaves, None, 0)
    order = sorted(
        range(len(leaves)), key=lambda place: (-np.nan_to_num(line[place]) * largest_first, place)
    )[:_MOST_BARS]
    hidden = _line(cube, gone, axis, leaves, None, 0)[order]
    figure, axes = canvas(1.2 + 0.24 * len(order))
    labels, shown = [dimension.labels[leaves[place]] for place in order], line[order]
    axes.barh(range(len(order)), np.nan_to_num(shown), color=COLOURS[0], height=0.75)
    for place in np.flatnonzero(np.isnan(shown)).tolist():
        axes.text(
            0, place, " hidden" if hidden[place] else " nobody at risk", va="center", fontsize=7, color=GREY
        )
    axes.set_yticks(range(len(order)), [short(label) for label in labels], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(thousands)
    axes.set_xlabel(unit)
    return _finished(figure, cube, f"{unit} by {dimension.title.lower()}", labels, {unit: shown})


# ---- parts of them -----------------------------------------------------------------------------------------


def _outcome(cube: ProtectedCube, time: ProtectedCube | None) -> Outcome:
    """A rate if there is one, or a share of those at risk, else persons."""
    persons = np.where(cube.hidden, np.nan, cube.measures["persons"])
    if time is not None and "person_days" not in time.measures:
        of, gone = time.measures["persons"], cube.hidden | time.hidden
        return (
            "Per cent of those followed",
            np.where(gone, np.nan, 100 * persons / np.where(of > 0, of, np.nan)),
            gone,
        )
    if time is None or "events" not in cube.measures:
        return "Persons", persons, cube.hidden
    rate = rates(cube.measures["events"], time.measures["person_days"])[0]
    hidden = cube.hidden | time.hidden
    return "Events per 100,000 person-years", np.where(hidden, np.nan, rate), hidden


def _line(
    cube: ProtectedCube, values: np.ndarray, axis: int, along: Sequence[int], group: int | None, place: int
) -> np.ndarray:
    """Values along one axis, at `place` of the axis `group`, at the total of all others."""
    index: list[int | list[int]] = [0] * len(cube.dimensions)
    index[axis] = list(along)
    if group is not None:
        index[group] = place
    return np.asarray(values.reshape(cube.shape)[tuple(index)])


def _first_level(dimension: Dimension) -> list[int]:
    return dimension.children(0)


def _groups(cube: ProtectedCube, axis: int | None) -> list[tuple[str, int]]:
    """Groups that somebody is in, or is hidden in."""
    if axis is None:
        return [("All", 0)]
    dimension = cube.dimensions[axis]
    grid, hidden = cube.measures["persons"].reshape(cube.shape), cube.hidden.reshape(cube.shape)

    def inhabited(place: int) -> bool:
        return bool(np.take(grid, place, axis).any() or np.take(hidden, place, axis).any())

    return [(dimension.labels[place], place) for place in _first_level(dimension) if inhabited(place)]


def _mark_hidden(axes: Axes, line: np.ndarray, places: Sequence[int]) -> None:
    gone = [place for place, value in zip(places, line, strict=True) if np.isnan(value)]
    axes.plot(gone, [0] * len(gone), linestyle="", marker="x", color=GREY, markersize=5)


def _finished(
    figure: Figure, cube: ProtectedCube, title: str, labels: Sequence[str], lines: dict[str, np.ndarray]
) -> Plot:
    hidden = sum(int(np.isnan(line).sum()) for line in lines.values())
    gaps = f", {hidden} values hidden or undefined" if hidden else ""
    data = {"group": tuple(labels)} | {label: numbers(line) for label, line in lines.items()}
    return finished(figure, cube.title, title, f"{len(labels)} groups{gaps}", data)
