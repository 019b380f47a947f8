"""Dask workers as Slurm jobs, as far as no Slurm is needed: what jobs are told, and who could read it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipelines.compute import slurm
from pipelines.compute.cluster import Cluster
from pipelines.errors import ClusterError
from pipelines.files.version import kernels_hash


def test_one_item_needs_no_worker() -> None:
    def start() -> object:
        raise AssertionError("nothing must be started")

    workers = slurm.SlurmWorkers(start)
    assert workers.map(abs, [-1]) == [1]
    assert workers.map(abs, []) == []
    assert workers.address == ""


def test_without_slurm_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="sbatch is not on the path"), slurm.slurm_workers(2):
        pass


def test_certificate_and_key_are_new_each_time_and_closed_to_others(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        security = slurm.credentials(tmp_path / name)
        assert security.require_encryption
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / name).iterdir()} == {0o600}
        keys.append((tmp_path / name / "tls_key.pem").read_bytes())
    assert keys[0] != keys[1]


def test_a_job_inside_a_job_forgets_the_outer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", "/somewhere/slurm.conf")
    for name in ("SLURM_JOB_ID", "SLURM_MEM_PER_CPU", "SBATCH_EXPORT", "SRUN_DEBUG", "PMI_RANK"):
        monkeypatch.setenv(name, "1")
    slurm._forget_surrounding_job()
    assert [name for name in os.environ if name.startswith(("SLURM_", "SBATCH_", "SRUN_", "PMI_"))] == [
        "SLURM_CONF"
    ]


def numba_cache(scratch: Path) -> Path:
    """Where a worker's job would keep its compiled loops."""
    script = "\n".join([*Cluster().prologue(), "env"])
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(scratch)}
    said = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=True
    ).stdout
    found = dict(line.partition("=")[::2] for line in said.splitlines())
    assert found["NUMBA_NUM_THREADS"] == "1"
    return Path(found["NUMBA_CACHE_DIR"])


def test_a_workers_compiled_loops_lie_in_a_closed_folder_of_its_node(tmp_path: Path) -> None:
    folder = numba_cache(tmp_path)
    assert folder == tmp_path / f"uttag-numba-{os.getuid()}-{kernels_hash()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert numba_cache(tmp_path) == folder


def test_a_worker_does_not_use_a_link_that_somebody_left_there(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"uttag-numba-{os.getuid()}-{kernels_hash()}").symlink_to(tmp_path / "theirs")
    folder = numba_cache(tmp_path)
    assert folder.resolve().parent == tmp_path.resolve()
    assert folder.name not in ("theirs", f"uttag-numba-{os.getuid()}-{kernels_hash()}")
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_worker_does_not_use_a_folder_of_another_user(tmp_path: Path) -> None:
    theirs = tmp_path / f"uttag-numba-0-{kernels_hash()}"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    assert numba_cache(tmp_path) != theirs
