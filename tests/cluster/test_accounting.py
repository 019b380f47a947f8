"""The same on a cluster with accounting (slurmdbd), which the virtual one gets for the time of this file:
accounts and qualities of service are Slurm's to check, and a job that squeue forgot is asked of sacct."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm import controller
from tests import sites
from tests import virtual_cluster as cluster
from tests.amount import LONG

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        not LONG or os.getuid() != 0, reason="installs a database; make test-long does, as root"
    ),
]
DISTURBS = True

KNOWN = "account: health\nqos: night\n"


@pytest.fixture(scope="module", autouse=True)
def accounting(cluster_to_share: None) -> Iterator[None]:
    begun = subprocess.run(
        [cluster.CLUSTER, "start", "--accounting"], capture_output=True, text=True, timeout=600, check=False
    )
    if begun.returncode:
        pytest.skip(f"no slurmdbd: {begun.stderr[-300:]}")
    yield
    subprocess.run([cluster.CLUSTER, "stop"], capture_output=True, timeout=120, check=True)
    cluster.start()


def test_a_night_gives_the_same_bytes(region: Path, first_night: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    (root / "cluster.yaml").write_text(KNOWN, encoding="utf-8")
    sites.uttag("night", root, "--on", "slurm")
    assert sites.bundle_bytes(root, "diabetes") == sites.bundle_bytes(first_night, "diabetes")
    noted = subprocess.run(
        ["sacct", "--allocations", "--noheader", "--parsable2", "--allusers", "--format=Account,QOS,WorkDir"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"health|night|{root}" in noted


@pytest.mark.parametrize(("text", "what"), [("account: nobodys", "account"), ("qos: gold", "qos")])
def test_an_account_that_is_not_there_is_found_by_the_doctor(tmp_path: Path, text: str, what: str) -> None:
    root = tmp_path / "site"
    sites.called("init", root)
    (root / "cluster.yaml").write_text(text + "\n", encoding="utf-8")
    ran = sites.uttag("doctor", root, "--json", check=False)
    found = {each["what"]: each for each in json.loads(ran.stdout)}
    assert ran.returncode == 19
    assert found["slurm accounting"]["found"] == "yes"
    assert any(each["state"] == "no" and what in name for name, each in found.items()), found


def test_a_job_that_the_controller_forgot_is_known_to_sacct() -> None:
    number = subprocess.run(
        ["sbatch", "--parsable", "--wait", "--output=/dev/null", "--wrap=exit 3"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    job = controller._of_accounting(number)
    assert (job.state, job.exit_code) == ("FAILED", 3)
    assert job.nodes.startswith("node")
