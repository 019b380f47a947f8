"""The studies' tables over time: after corrections, after a kill, under another key, and without a permit in
force they are counted as from nothing, or not at all."""

from __future__ import annotations

import csv
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from pipelines.aggregation.stage import aggregate
from pipelines.compute.workers import LocalWorkers
from pipelines.cubes.cube import Cube
from pipelines.cubes.files import cubes_hash, read_cubes
from pipelines.errors import PermitError, SettingsError, UttagError
from pipelines.files import documents
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from tests import sites
from tests.studies.conftest import LIFETABLE, PERMITS
from workflows.stages import Call, run


def corrected(
    root: Path, source: str, table: str, separator: str, encoding: str, column: str, date: str
) -> None:
    """The source delivers again: of one file the first rows are gone, of one person or few, and the next have
    another date."""
    old = root / "deliveries" / source / "2025-09-01"
    new = old.with_name("2025-10-01")
    shutil.copytree(old, new)
    announced = (new / "delivery.yaml").read_text(encoding="utf-8")
    announced = announced.replace("2025-09-01", "2025-10-01") + "\nreplaces: '2025-09-01'\n"
    (new / "delivery.yaml").write_text(announced, encoding="utf-8")
    path = sorted(new.glob(f"{table}*.csv"))[0]
    with path.open(encoding=encoding, newline="") as file:
        head, *rows = csv.reader(file, delimiter=separator)
    for row in rows[3:6]:
        row[head.index(column)] = date
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=separator).writerows([head, *rows[3:]])


def night(root: Path) -> None:
    plan = sites.refreshed(root)
    assert sorted(plan.deliveries) == ["folkbokforing/2025-10-01", "journal_a/2025-10-01"]
    for permit in PERMITS:
        run("cohort", Call(root, permit=permit, snapshot=current(Site.load(root))))


def counted(root: Path, permit: str) -> tuple[list[Cube], dict[str, int]]:
    """The raw cubes of a permit, and how many shards were counted for them."""
    project = Project.open(Site.load(root), permit)
    told = aggregate(project, LocalWorkers(1))
    return read_cubes(project.folder / "raw", project.zone), told["shards"]


def test_after_corrections_every_table_is_as_counted_from_nothing(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    before = {permit: cubes_hash(counted(root, permit)[0]) for permit in PERMITS}
    corrected(root, "journal_a", "diagnoses", ",", "utf-8", "Date", "2021-06-01")
    corrected(root, "folkbokforing", "boende", ";", "latin-1", "TillDatum", "20210601")
    night(root)
    changed, kept = 0, 0
    bare = sites.copy_of(root, tmp_path / "bare")
    shutil.rmtree(bare / "projects")
    for permit in PERMITS:
        run("cohort", Call(bare, permit=permit, snapshot=current(Site.load(bare))))
        cubes, shards = counted(root, permit)
        assert cubes_hash(cubes) == cubes_hash(counted(bare, permit)[0]), permit
        changed += cubes_hash(cubes) != before[permit]
        kept += shards["kept"]
    assert changed and kept, (changed, kept)


def counting(root: Path, permit: str) -> None:
    counted(root, permit)


def test_a_run_that_is_killed_while_it_counts_ends_as_if_nothing_had_been(
    region: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    project = Project.open(Site.load(root), "adults")
    whole = cubes_hash(counted(root, "adults")[0])
    counts = project.site.projects / "adults" / "counts"
    shutil.rmtree(counts)
    shutil.rmtree(project.folder / "raw")
    process = multiprocessing.get_context("spawn").Process(target=counting, args=(root, "adults"))
    process.start()
    deadline = time.monotonic() + sites.PATIENCE
    while len(list(counts.glob("*.parquet"))) < 5:
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert not (project.folder / "raw").exists()
    done = len(list(counts.glob("*.parquet")))
    cubes, shards = counted(root, "adults")
    assert cubes_hash(cubes) == whole
    assert 0 < done < len(list(counts.glob("*.parquet"))) and shards["computed"]


@pytest.mark.parametrize("permit", ["adults", "users"])
def test_under_another_key_nothing_that_was_kept_is_taken_for_a_count(
    permit: str, region: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    (key,) = (root / "keys").rglob(f"project-{permit}*")
    before = key.read_bytes()
    other = next(path for path in (root / "keys").rglob("project-*") if path != key)
    key.write_bytes(other.read_bytes())
    with pytest.raises(UttagError) as told:
        counted(root, permit)
    assert "parquet" in str(told.value) and "key" in str(told.value).lower()
    key.write_bytes(before)
    counted(root, permit)


def test_without_a_signature_or_with_another_life_table_nothing_is_counted(
    region: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    table = root / "definitions" / LIFETABLE.name
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("Men,60,", "Men,060,"), encoding="utf-8")
    with pytest.raises(SettingsError, match="is not the life table that the permit names"):
        counted(root, "adults")
    table.write_text(text, encoding="utf-8")
    signatures = root / "permits" / "adults.signatures.json"
    signed = documents.read_object(signatures)
    documents.write_json({**signed, "Socialstyrelsen": ""}, signatures)
    with pytest.raises(PermitError, match="has not signed it as it stands"):
        counted(root, "adults")
    documents.write_json(signed, signatures)
    permit = root / "permits" / "adults.yaml"
    said = permit.read_text(encoding="utf-8")
    permit.write_text(said.replace("valid_to: 2099-12-31", "valid_to: 2025-12-31"), encoding="utf-8")
    with pytest.raises(PermitError, match="has passed"):
        counted(root, "adults")
