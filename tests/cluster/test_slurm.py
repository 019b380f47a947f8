"""The whole way on Slurm: real jobs, ranks and workers over TLS, and the same bytes as on one machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.site import audit
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from tests import sites

pytestmark = pytest.mark.cluster

PERMIT = "diabetes"


def accounted(root: Path) -> str:
    """What the virtual cluster has noted of every job of a site: names, nodes, folders."""
    log = Path("/var/lib/uttag-cluster/jobs.log")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(line for line in lines if f"WorkDir={root} " in f"{line} ")


@pytest.fixture(scope="module")
def on_slurm(region: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The region run on Slurm as a large one is, its driver killed in the middle and the same command given
    again; and the jobs that this took."""
    root = sites.copy_of(region, tmp_path_factory.mktemp("slurm") / "site")
    (root / "cluster.yaml").write_text("small: 0\n", encoding="utf-8")
    sites.killed_in("linkage", root, "night", root, "--on", "slurm")
    sites.uttag("night", root, "--on", "slurm")
    return root, accounted(root)


def test_the_bundle_is_the_same_bytes_as_on_one_machine(
    on_slurm: tuple[Path, str], first_night: Path
) -> None:
    root, _ = on_slurm
    assert current(Site.load(root)) == current(Site.load(first_night))
    assert sites.bundle_bytes(root, PERMIT) == sites.bundle_bytes(first_night, PERMIT)


def test_linkage_ran_on_four_ranks_over_four_nodes(on_slurm: tuple[Path, str]) -> None:
    root, jobs = on_slurm
    entries = [json.loads(line) for line in audit.log_file(Site.load(root)).read_bytes().splitlines()]
    assert [entry["about"]["ranks"] for entry in entries if entry["action"] == "stage linkage"][-1] == 4
    assert "NodeList=node[0-3] NodeCnt=4" in jobs


def test_workers_were_slurm_jobs_of_their_own(on_slurm: tuple[Path, str]) -> None:
    root, jobs = on_slurm
    assert "-worker JobState=" in jobs
    assert not (root / ".workers").exists() or not any((root / ".workers").iterdir()), (
        "a certificate was left behind"
    )


def test_no_planted_person_is_in_a_job_name_a_log_or_a_release(on_slurm: tuple[Path, str]) -> None:
    root, jobs = on_slurm
    words = sites.canaries(root)
    assert not [word for word in words if word in jobs.encode()]
    assert (
        sites.files_holding(
            words, *(root / name for name in ("release", "runs", "receipts", "audit", ".snakemake"))
        )
        == []
    )


def test_a_night_with_nothing_new_submits_no_job(on_slurm: tuple[Path, str]) -> None:
    root, _ = on_slurm
    before = accounted(root)
    assert before
    sites.uttag("night", root, "--on", "slurm")
    assert accounted(root) == before
    assert sites.stages_begun(root, "refresh") == []


_WITHOUT_A_CERTIFICATE = """
import sys
from distributed import Client
try:
    Client(sys.argv[1], timeout="5s").run_on_scheduler(lambda: None)
except (OSError, TypeError, ValueError):
    sys.exit(7)
"""


def test_a_client_without_the_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.compute.slurm import slurm_workers

    monkeypatch.chdir(tmp_path)
    with slurm_workers(1) as workers:
        assert workers.map(abs, [-1, -2]) == [1, 2]
        address = workers.address
        assert address.startswith("tls://")
        for way in (address, address.replace("tls://", "tcp://")):
            asked = subprocess.run(
                [sys.executable, "-c", _WITHOUT_A_CERTIFICATE, way],
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert asked.returncode == 7, asked.stderr[-500:]
