"""The measures stage: protected cubes in, figures and plots out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.cube_files import read_protected
from pipelines.cubes import ProtectedCube, time_table
from pipelines.figures import Figures, write_figures
from pipelines.measures.plots import plot
from pipelines.measures.rates import MEANINGS, figures
from pipelines.sealing import Zone


def measure(protected: Path, out: Path, zone: Zone) -> dict[str, Any]:
    """Derive figures and a plot from each protected cube of a folder. It is given no more than that, so that it can see no more."""
    cubes = {cube.table: cube for cube in read_protected(protected, zone)}
    derived = [derive(cube, cubes.get(time_table(cube.table))) for cube in cubes.values()]
    for each in derived:
        write_figures(each, out, zone)
    return {"tables": [{"table": each.table, "figures": list(each.columns)} for each in derived]}


def derive(cube: ProtectedCube, time: ProtectedCube | None = None) -> Figures:
    """Figures and plot of one protected cube. `time`: the cube of its time at risk, of the same cells, if that was counted."""
    columns = figures(cube, time)
    return Figures(cube.table, columns, {name: MEANINGS[name] for name in columns}, plot(cube, time))
