"""The doctor on a real cluster: well where all is well, and every fault by its name, with a remedy and an
exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import sites

pytestmark = pytest.mark.cluster


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    sites.called("init", root)
    return root


def asked(
    site: Path, path: str = "", umask: int = 0o077, **more: str
) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and findings. `path`: a folder to look in for programs first."""
    environment = {**os.environ, **more}
    if path:
        environment["PATH"] = f"{path}:{os.environ['PATH']}"
    ran = sites.uttag("doctor", site, "--json", check=False, env=environment, umask=umask)
    return ran.returncode, {each["what"]: each for each in json.loads(ran.stdout)}


def script(folder: Path, name: str, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    (folder / name).chmod(0o700)
    return str(folder)


def is_no(asked: tuple[int, dict[str, dict[str, Any]]], what: str) -> None:
    code, found = asked
    assert found[what]["state"] == "no", found
    assert found[what]["remedy"]
    assert code == 19


def test_a_cluster_that_is_well_is_found_so_by_real_jobs(site: Path) -> None:
    code, found = asked(site)
    assert code == 0, found
    assert found["ranks in a job"]["found"] == "2 ranks answered of 2"
    assert found["TLS from nodes"]["found"] == "yes"
    assert found["slurm job"]["found"].startswith("ran on node")
    assert not list(site.glob(".doctor-*")), "a certificate was left behind"


SETTINGS = [
    ("partition: nowhere", "cluster.yaml partition"),
    ("reservation: nobodys", "cluster.yaml reservation"),
    ("constraint: quantum", "cluster.yaml constraint"),
    ("modules: [no/such]", "cluster.yaml modules"),
    ("scratch: /no/such/folder", "cluster.yaml scratch"),
    ("interface: ib9", "cluster.yaml interface"),
    ("partitions: main", "cluster.yaml"),
]


@pytest.mark.parametrize(("text", "what"), SETTINGS)
def test_a_setting_that_the_cluster_does_not_know_is_found(site: Path, text: str, what: str) -> None:
    (site / "cluster.yaml").write_text(text + "\n", encoding="utf-8")
    is_no(asked(site), what)


def test_an_sbatch_that_is_broken_is_found(site: Path, tmp_path: Path) -> None:
    is_no(asked(site, script(tmp_path / "bin", "sbatch", "exit 3")), "sbatch")


def test_a_launcher_that_is_not_there_is_found(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scontrol", "sinfo", "scancel", "sh"):
        (folder / name).symlink_to(shutil.which(name) or "/nowhere")
    is_no(asked(site, PATH=str(folder)), "launcher")


def test_a_controller_that_forgets_at_once_is_found(site: Path, tmp_path: Path) -> None:
    real = shutil.which("scontrol")
    shorter = f"{real} \"$@\" | sed 's/^MinJobAge .*/MinJobAge = 5 sec/'"
    is_no(asked(site, script(tmp_path / "bin", "scontrol", shorter)), "slurm MinJobAge")


def test_a_controller_that_does_not_answer_is_found(site: Path, tmp_path: Path) -> None:
    text = Path("/etc/slurm/slurm.conf").read_text(encoding="utf-8")
    other = tmp_path / "slurm.conf"
    other.write_text(text.replace("SlurmctldPort=16817", "SlurmctldPort=16899"), encoding="utf-8")
    is_no(asked(site, SLURM_CONF=str(other)), "slurm controller")


def test_a_site_that_others_may_write_is_found(site: Path) -> None:
    site.chmod(0o777)
    is_no(asked(site, umask=0), "site folder's mode")


def test_an_umask_that_lets_others_write_is_found(site: Path) -> None:
    is_no(asked(site, umask=0), "umask")


@pytest.fixture
def read_only(site: Path) -> Iterator[Path]:
    if os.getuid():
        site.chmod(0o500)
    elif subprocess.run(["mount", "-o", "bind,ro", site, site], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    yield site
    if not os.getuid():
        subprocess.run(["umount", site], check=True)


def test_a_site_that_cannot_be_written_is_found(read_only: Path) -> None:
    is_no(asked(read_only), "site folder")


def test_without_cron_it_warns_and_that_is_no_fault(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "srun", "squeue", "scontrol", "sinfo", "scancel", "sh"):
        (folder / name).symlink_to(shutil.which(name) or "/nowhere")
    code, found = asked(site, PATH=str(folder))
    assert found["cron"]["state"] == "!"
    assert found["cron"]["remedy"]
    assert code == 0, found
