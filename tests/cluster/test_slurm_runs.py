"""Whole runs on Slurm as small sites have them: stages share jobs, a run can be ended from another shell, and
whatever happens to the cluster, the bytes are the same."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests import sites
from tests import virtual_cluster as cluster
from tests.amount import LONG

pytestmark = pytest.mark.cluster
DISTURBS = True

PERMIT = "diabetes"


def jobs_of(root: Path) -> list[str]:
    """What the virtual cluster has noted of every job of a site."""
    lines = (cluster.STATE / "jobs.log").read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if f"WorkDir={root} " in f"{line} "]


def in_stage(root: Path, workflow: str, stage: str, night: subprocess.Popen[str]) -> None:
    """Wait until a stage has begun."""
    deadline = time.monotonic() + sites.PATIENCE
    while not any(name.startswith(stage) for name in sites.stages_begun(root, workflow)):
        if night.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the run ended before {stage} began")
        time.sleep(0.2)


def begun(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*sites.UTTAG, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_small_night_takes_three_jobs_can_be_cancelled_and_gives_the_same_bytes(
    region: Path, first_night: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    night = begun("night", root, "--on", "slurm")
    in_stage(root, "refresh", "linkage", night)
    said = sites.uttag("cancel", root).stdout
    assert said.startswith("ended the refresh that was under way"), said
    assert night.wait(30) == 130
    assert "run the same command again" in night.communicate()[1]
    assert sites.uttag("cancel", root).stdout == "nothing was under way\n"
    # Its processes are on this machine, too: its state shows whether Slurm or the driver was there first.
    assert not any(f"JobState={state}" in job for job in jobs_of(root) for state in ("RUNNING", "PENDING"))

    before = len(jobs_of(root))
    sites.uttag("night", root, "--on", "slurm")
    assert len(jobs_of(root)) - before == 2, "linkage and store, then a permit: the intakes were whole"
    assert not any(name.startswith("intake") for name in sites.stages_begun(root, "refresh"))
    assert sites.bundle_bytes(root, PERMIT) == sites.bundle_bytes(first_night, PERMIT)


@pytest.mark.skipif(not LONG, reason="minutes; make test-long does")
def test_a_large_night_through_two_absences_of_the_controller_and_a_dead_node(
    region: Path, first_night: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    (root / "cluster.yaml").write_text("small: 0\n", encoding="utf-8")
    night = begun("night", root, "--on", "slurm")
    for workflow, stage in (("refresh", "linkage"), ("release", "cohort")):
        in_stage(root, workflow, stage, night)
        with cluster.without("slurmctld"):
            time.sleep(60)
    in_stage(root, "release", "disclosure", night)
    with cluster.without("node0"):
        told = night.communicate(timeout=sites.PATIENCE)[1]
    assert night.returncode == 0, told
    assert "the controller answers again" in told
    assert sites.bundle_bytes(root, PERMIT) == sites.bundle_bytes(first_night, PERMIT)


@pytest.mark.skipif(not LONG, reason="minutes; make test-long does")
def test_a_stage_that_has_too_little_memory_gets_more_and_gives_the_same_bytes(
    region: Path, first_night: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    (root / "cluster.yaml").write_text("memory_factor: 0.1\nretries: 5\n", encoding="utf-8")
    night = begun("night", root, "--on", "slurm")
    told = night.communicate(timeout=sites.PATIENCE)[1]
    assert night.returncode == 0, told
    assert sites.bundle_bytes(root, PERMIT) == sites.bundle_bytes(first_night, PERMIT)
