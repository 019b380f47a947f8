"""The measures stage: protected cubes in, figures and plots out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.cube_files import read_protected
from pipelines.cubes import ProtectedCube
from pipelines.figures import Figures, write_figures
from pipelines.measures.plots import plot
from pipelines.measures.rates import MEANINGS, figures
from pipelines.project import Project
from pipelines.sealing import Zone


def measure(project: Project) -> dict[str, Any]:
    """Derive what can be derived of `<run>/protected/`, into `<run>/measures/`."""
    return measure_files(project.folder / "protected", project.folder / "measures", project.zone)


def measure_files(protected: Path, out: Path, zone: Zone) -> dict[str, Any]:
    """Derive figures and a plot from each protected cube."""
    cubes = read_protected(protected, zone)
    for cube in cubes:
        write_figures(derive(cube), out, zone)
    return {"tables": [{"table": cube.table, "figures": list(figures(cube))} for cube in cubes]}


def derive(cube: ProtectedCube) -> Figures:
    """Figures and plot of one protected cube."""
    columns = figures(cube)
    return Figures(cube.table, columns, {name: MEANINGS[name] for name in columns}, plot(cube))
