"""The disclosure stage: raw cubes in, protected cubes and their proof out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.cubes.files import read_cubes, write_protected
from pipelines.cubes.policy import Policy
from pipelines.disclosure.keyed import change_files
from pipelines.disclosure.suppression.protect import CERTIFICATE, protect
from pipelines.files import described
from pipelines.files.sealing import Zone
from pipelines.site.project import Project


def disclose(project: Project, progress: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Protect `<run>/raw/` by the permit's method: cubes to `<run>/protected/`, public summary and what the
    gate checks to `<run>/proof/`. The receipt counts what is hidden or changed."""
    if (keys := project.permit.cell_keys) is not None:
        secret = project.site.zone("memory").derived
        return change_files(
            project.folder / "raw", project.folder, project.permit.policy, keys, project.zone, secret
        )
    return disclose_files(
        project.folder / "raw", project.folder, project.permit.policy, project.zone, progress
    )


def disclose_files(
    raw: Path, out: Path, policy: Policy, zone: Zone, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Protect the cubes of `raw` into `out`; nothing is written unless all of them are certified."""
    protection = protect(read_cubes(raw, zone), policy, progress)
    for cube in protection.cubes:
        write_protected(cube, out / "protected", zone)
    proof = out / "proof"
    described.write(
        protection.certificate,
        proof / "certificate.parquet",
        CERTIFICATE,
        zone,
        protection.proof,
        proof / "proof.json",
    )
    return {"tables": protection.counts, "policy": policy.model_dump(mode="json")}
