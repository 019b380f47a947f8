"""Steps between states: of those that leave a state, the share that leads to each."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Rectangle

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Columns, Plot
from pipelines.measures.drawing import COLOURS, GREY, canvas, finished, numbers

MEANINGS = {
    "percent_of_from": "steps to the state per hundred steps from the state before it; persons where no "
    "steps are counted",
    "why_empty": "why figures are left out: hidden, or no steps from the state",
}
SHOWN = ("percent_of_from",)
NOTES = (
    "a step leads from the state of one day to that of the next day with a state, and may lead to the same "
    "state",
)


def shares(cube: ProtectedCube, to: int) -> np.ndarray:
    """Per hundred of the row of all states after: float64 (sizes of the dimensions,), the cube's shape, NaN
    where hidden or undefined. `to`: axis of the latter."""
    what = "transitions" if "transitions" in cube.measures else "persons"
    counts = np.where(cube.hidden, np.nan, cube.measures[what]).reshape(cube.shape)
    whole = np.take(counts, [0], axis=to)
    return np.asarray(100 * counts / np.where(whole > 0, whole, np.nan))


def figures(cube: ProtectedCube, to: int) -> Columns:
    """The share of each cell."""
    share = shares(cube, to).ravel()
    why = np.where(
        cube.hidden,
        "hidden",
        np.where(np.isnan(share), "no steps from the state, or their number is hidden", ""),
    )
    return {"percent_of_from": numbers(share, 2), "why_empty": tuple(str(text) for text in why)}


def matrix(cube: ProtectedCube, before: int, to: int) -> Plot:
    """A square for each pair of states that somebody is in, darker the larger the share."""
    at = tuple(slice(None) if each in (before, to) else 0 for each in range(len(cube.shape)))
    grid, hidden, persons = (
        each.reshape(cube.shape)[at] for each in (shares(cube, to), cube.hidden, cube.measures["persons"])
    )
    some = (persons > 0) | hidden
    states = np.flatnonzero((some.any(axis=0) | some.any(axis=1))[1:]) + 1
    labels = [cube.dimensions[before].labels[place] for place in states]
    figure, panel = canvas(1.4 + 0.5 * len(labels))
    rows: list[tuple[str, str, float]] = []
    for row, one in enumerate(labels):
        for column, other in enumerate(labels):
            value = float(grid[states[row], states[column]])
            depth = 0.0 if np.isnan(value) else value / 100
            panel.add_patch(
                Rectangle(
                    (column, row),
                    0.97,
                    0.95,
                    facecolor=COLOURS[0],
                    alpha=0.08 + 0.9 * depth,
                    edgecolor="none",
                )
            )
            words, colour = (
                ("hidden or none", GREY)
                if np.isnan(value)
                else (f"{value:.1f} %", "white" if depth > 0.55 else "black")
            )
            panel.text(column + 0.485, row + 0.475, words, ha="center", va="center", fontsize=8, color=colour)
            rows.append((one, other, value))
    middle = np.arange(len(labels)) + 0.485
    panel.set_xticks(middle, [label.replace(" ", "\n") for label in labels], fontsize=8)
    panel.set_yticks(middle, labels, fontsize=8)
    panel.set_xlim(-0.03, max(1, len(labels)))
    panel.set_ylim(max(1, len(labels)), -0.03)
    panel.tick_params(length=0)
    panel.xaxis.tick_top()
    panel.xaxis.set_label_position("top")
    panel.set_xlabel("To")
    panel.set_ylabel("From")
    for side in ("left", "bottom"):
        panel.spines[side].set_visible(False)
    gone = sum(bool(np.isnan(value)) for _, _, value in rows)
    data = {
        "from": tuple(row[0] for row in rows),
        "to": tuple(row[1] for row in rows),
        "per cent": numbers([row[2] for row in rows], 2),
    }
    said = f"{len(labels)} states{f', {gone} pairs hidden or without a step' if gone else ''}"
    return finished(figure, cube.title, "Steps from each state, per cent", said, data)
