"""Linkage and store as real MPI programs: the same bytes on one rank, two and four."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.compute.ranks import Ranks
from pipelines.files import documents
from pipelines.linkage import link
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot
from pipelines.store import build
from tests import sites
from tests.made_region import region
from tests.nights import deliver, events, identities, make_site

MPIEXEC = Path(sys.executable).parent / "mpiexec"
DRIVER = """
import os, sys
from pathlib import Path
os.umask(0o077)
from pipelines.compute.ranks import ranks
from pipelines.linkage import link
from pipelines.site.site import Site
from pipelines.store import build
with ranks() as each:
    if each.size != int(sys.argv[2]):
        sys.exit("not as many ranks as asked for")
    link(Site.load(Path(sys.argv[1])), each)
    build(Site.load(Path(sys.argv[1])), each)
"""


def night(root: Path) -> Site:
    site = make_site(root, shards=3)
    for source, rows in region(3, 150).rows.items():
        happened = [
            {"ref": row["ref"], "kind": "visit", "start": "2020-01-01", "concept": "VISIT/X"} for row in rows
        ]
        deliver(
            site,
            source,
            "d1",
            "2025-01-01",
            identities(source, rows),
            events(source, happened),
            parts=2,
            no_reidentify=source == "lakemedel",
        )
    return site


def outcome(site: Site) -> list[Any]:
    shards = [documents.read_json(shard.path / "shard.json") for shard in Snapshot.load(site).shards]
    return [documents.read_json(site.receipt("linkage")), documents.read_json(site.receipt("store")), shards]


@pytest.mark.skipif(not MPIEXEC.exists(), reason="there is no mpiexec beside this Python")
@pytest.mark.parametrize("size", [2, 4])
def test_mpi_ranks_give_the_bytes_of_one_process(tmp_path: Path, size: int) -> None:
    one, many = night(tmp_path / "one"), night(tmp_path / "many")
    link(one, Ranks())
    build(one, Ranks())
    command = [
        MPIEXEC,
        "-launcher",
        "fork",
        "-n",
        str(size),
        sys.executable,
        "-c",
        DRIVER,
        many.root,
        str(size),
    ]
    done = subprocess.run(
        command,
        env={**os.environ, "NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=sites.PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert outcome(many) == outcome(one)


@pytest.mark.skipif(not MPIEXEC.exists(), reason="there is no mpiexec beside this Python")
def test_a_fault_on_one_rank_ends_all_with_its_exit_code(tmp_path: Path) -> None:
    site = night(tmp_path)
    damaged = sorted((site.identity / "accepted" / "journal_a").rglob("*.parquet"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-40])
    command = [MPIEXEC, "-launcher", "fork", "-n", "2", sys.executable, "-c", DRIVER, site.root, "2"]
    done = subprocess.run(
        command,
        env={**os.environ, "NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=sites.PATIENCE,
        check=False,
    )
    assert done.returncode == 14, done.stderr
    assert "Traceback" not in done.stderr
    assert not site.receipt("linkage").exists()
