"""Is the cluster fit? Its controller is asked, and one short job tries what a run would need."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from pipelines.compute.cluster import Cluster
from slurm import controller
from slurm.controller import NoAnswerError
from workflows.doctor_job import look_at_job
from workflows.findings import NO, OK, WARNING, Finding, judged, said

_UP = ("idle", "mixed", "allocated", "completing", "reserved", "planned")


def look_at_slurm(settings: Cluster, site: Path | None) -> list[Finding]:
    """What the controller says, then what a job finds."""
    try:
        found = list(_controller(settings))
    except NoAnswerError:
        remedy = "see whether slurmctld runs and SLURM_CONF names its machine; runs wait for it"
        return [Finding("slurm controller", NO, "does not answer", remedy)]
    found += list(_launcher(settings))
    found += list(look_at_job(settings, site))
    return found


def _controller(settings: Cluster) -> Iterator[Finding]:
    config = controller.settings()
    yield Finding(
        "slurm controller", OK, f"answers; Slurm {config.get('SLURM_VERSION', 'of unknown version')}"
    )
    nodes = said(["sinfo", "--noheader", "--Node", "--format=%T"])[1].split()
    up = [state for state in nodes if state.rstrip("*~#$@+^-") in _UP]
    yield judged("slurm nodes", bool(up), f"{len(up)} of {len(nodes)} up", "ask the cluster's support")
    database = controller.accounting()
    yield Finding(
        "slurm accounting", OK, "yes" if database else "none; jobs are judged by squeue and their receipts"
    )
    age = config.get("MinJobAge", "").split()[0] if config.get("MinJobAge") else ""
    seconds = int(age) if age.isdigit() else 0
    state = OK if seconds >= 60 else WARNING if database else NO
    yield Finding(
        "slurm MinJobAge",
        state,
        f"{seconds} s",
        "ask for 60 or more in slurm.conf: Slurm forgets how a job ended before it is asked",
    )
    if settings.partition:
        code, answer = said(["scontrol", "show", "partition", settings.partition])
        well = code == 0 and "State=UP" in answer
        yield judged(
            "cluster.yaml partition",
            well,
            "is up" if well else "is not there, or not up",
            "choose one that sinfo shows",
        )


def _launcher(settings: Cluster) -> Iterator[Finding]:
    if settings.launcher == "mpiexec":
        mpiexec = Path(sys.executable).with_name("mpiexec")
        yield judged("launcher", mpiexec.exists(), "mpiexec", "run make setup, or take srun")
        return
    with contextlib.suppress(NoAnswerError):
        if shutil.which("srun") is None:
            yield Finding("launcher", NO, "srun is not on the path", "put it there, or take mpiexec")
            return
        spoken = said(["srun", "--mpi=list"])[1]
        yield judged(
            "launcher",
            settings.mpi in spoken,
            f"srun, {settings.mpi}",
            "choose an mpi in cluster.yaml that srun --mpi=list shows, or launcher: mpiexec",
        )
