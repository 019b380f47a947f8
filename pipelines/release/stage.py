"""The release stage: the proof checked once more, the bundle built beside, attacked, signed, and only then published by one rename."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import storage, verifier
from pipelines.cube_files import read_cubes, read_protected
from pipelines.cubes import Cube, ProtectedCube
from pipelines.disclosure import CERTIFICATE
from pipelines.errors import VerificationError
from pipelines.figures import read_figures
from pipelines.project import Project
from pipelines.release import pages
from pipelines.release.bundle import MANIFEST, Content, versions, write_bundle
from pipelines.site import Site
from pipelines.verifier.tables import Axis, Table


def release(project: Project) -> dict[str, Any]:
    """Publish the project's protected tables, unless the same bytes are out already. Raises `VerificationError` if any claim fails."""
    site, case = project.site, project.permit.permit
    protected = read_protected(project.folder / "protected", project.zone)
    _audit(project, protected)
    with _beside(site) as folder:
        write_bundle(_content(project, protected), site.keys / "release.ed25519", folder)
        _stop_unless(verifier.verify_bundle(folder), case)
        bundle = _publish(site, case, folder)
    _write_catalogue(site)
    return {"bundle": bundle.relative_to(site.root).as_posix(), "manifest": storage.file_digest(bundle / MANIFEST)}


def _audit(project: Project, protected: Sequence[ProtectedCube]) -> None:
    """The certificates, checked against the true numbers by code that did not make them."""
    raw = {cube.table: cube for cube in read_cubes(project.folder / "raw", project.zone)}
    if set(raw) != {cube.table for cube in protected}:
        raise VerificationError(
            project.permit.permit, "the protected tables are not those that were counted", "run the disclosure stage again"
        )
    frame = storage.read(project.folder / "proof" / "certificate.parquet", CERTIFICATE, project.zone)
    move, table, cell, change = (np.asarray(frame[name], np.int64) for name in CERTIFICATE)
    policy = project.permit.policy
    tables = [_as_table(raw[cube.table], cube.hidden) for cube in protected]
    _stop_unless(verifier.audit(tables, (move, table, cell, change), policy.minimum, policy.zeros == "open"), project.permit.permit)
    for cube in protected:
        for name, values in cube.measures.items():
            if not np.array_equal(values, np.where(cube.hidden, 0, raw[cube.table].measures[name])):
                raise VerificationError(project.permit.permit, "a shown cell is not what was counted", "run the disclosure stage again")


def _as_table(cube: Cube, hidden: np.ndarray) -> Table:
    axes = tuple(Axis(dimension.name, dimension.codes, dimension.parents) for dimension in cube.dimensions)
    return Table(cube.table, cube.population, axes, cube.measures, hidden, cube.additive, cube.at_least)


def _stop_unless(claims: Sequence[verifier.Claim], case: str) -> None:
    if broken := [claim.text for claim in claims if not claim.holds]:
        raise VerificationError(case, f"does not hold: {broken[0]}", "nothing has been released; report this")


def _content(project: Project, protected: Sequence[ProtectedCube]) -> Content:
    figures = tuple(read_figures(project.folder / "measures", cube.table, project.zone) for cube in protected)
    proof = storage.read_json(project.folder / "proof" / "proof.json")
    return Content(project.permit, project.definition.title, tuple(protected), figures, proof)


@contextlib.contextmanager
def _beside(site: Site) -> Iterator[Path]:
    """A folder of this attempt's own; gone in the end unless it was published."""
    site.release.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".making-", dir=site.release))
    try:
        yield folder
    except OSError as fault:
        raise storage.space_or(fault, site.release) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(site: Site, case: str, folder: Path) -> Path:
    """The bundle's place: the latest version where that has the same bytes, else the next number."""
    earlier = versions(site, case)
    if earlier and (earlier[-1] / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes():
        return earlier[-1]
    target = site.release / case / str(1 + int(earlier[-1].name) if earlier else 1)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    folder.rename(target)
    return target


def _write_catalogue(site: Site) -> None:
    cases = []
    for folder in sorted(path for path in site.release.iterdir() if path.is_dir() and not path.name.startswith(".")):
        *older, newest = versions(site, folder.name)
        manifest, described = storage.read_json(newest / MANIFEST), storage.read_json(newest / "tables.json")
        cases.append({
            "name": folder.name, "title": manifest["title"], "version": newest.name, "href": f"{folder.name}/{newest.name}",
            "older": [{"version": path.name, "href": f"{folder.name}/{path.name}"} for path in older], "tables": described,
        })  # fmt: skip
    with storage.atomic(site.release / "index.html") as beside:
        beside.write_text(pages.catalogue_page(cases), encoding="utf-8")
