"""`uttag linkage-error`: the tables of a permit counted again under draws of the linkage, in the project's
zone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.errors import DataError
from pipelines.site import audit
from pipelines.site.project import Project
from pipelines.site.site import Site
from workflows.linkage_draws import Spread, linkage_error


def run(site: Site, permit: str, draws: int) -> Iterator[str]:
    """Lines about each measure: how far draws of the linkage move its cells. The cells themselves stay
    sealed.

    Raises DataError where the permit's tables have not been made.
    """
    project = Project.open(site, permit)
    if not (project.folder / "raw").is_dir():
        raise DataError(
            project.folder / "raw", "is not there", f"uttag run {site.root}/permits/{permit}.yaml first"
        )
    spreads = linkage_error(project, draws)
    audit.note(site, "linkage-error", permit=permit, draws=draws)
    for table, measures in spreads.items():
        for name, spread in measures.items():
            yield f"{table}, {name}: {_said(spread)}"
    if any(table.controls for table in project.permit.tables):
        yield "tables of controls are left out: who is a control hangs on all people"
    yield f"sealed in {_folder(project)}; nothing of it is released"


def _said(spread: Spread) -> str:
    moved = spread.sd > 0
    share = spread.sd[moved] / np.maximum(spread.mean[moved], 1)
    worst = f", by {100 * float(np.median(share)):.1f} % in the middle of these" if moved.any() else ""
    return f"{int(moved.sum()):,} of {len(moved):,} cells differ between draws{worst}"


def _folder(project: Project) -> Path:
    return project.folder / "linkage-error"
