"""Is this machine, or the cluster around it, fit?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    "dask",
    "distributed",
    "dask-jobqueue",
    "duckdb",
    "mpi4py",
    "numba",
    "numpy",
    "pyarrow",
    "snakemake",
    "snakemake-executor-plugin-slurm",
)


def findings() -> list[dict[str, Any]]:
    """What was looked at, whether it is well, and what was found. Without a cluster, its lines say so and are
    no fault."""
    return [{"what": what, "ok": ok, "found": found} for what, ok, found in _look()]


def _look() -> Iterator[tuple[str, bool, str]]:
    yield "python", sys.version_info >= (3, 11), sys.version.split()[0]
    for name in _PACKAGES:
        yield name, True, metadata.version(name)
    yield "processors", True, str(len(os.sched_getaffinity(0)))
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    memory = pages * size / 2**30
    yield "memory", memory >= 4, f"{memory:.0f} GiB"
    ranks = _ranks()
    yield "mpiexec", ranks == "2", f"{ranks or 0} ranks answered of 2"
    if shutil.which("sbatch") is None:
        yield "slurm", True, "not on this machine; --on slurm will not work here"
        return
    nodes = _said(["sinfo", "--noheader", "--Node", "--format=%T"]).split()
    up = [state for state in nodes if state.rstrip("*~#") in ("idle", "mixed", "allocated", "completing")]
    yield "slurm nodes", bool(up), f"{len(up)} of {len(nodes)} up"
    yield "slurm MPI", "pmi2" in _said(["srun", "--mpi=list"]), "pmi2 is what uttag starts ranks with"
    settings = dict(
        line.partition("=")[::2]
        for line in _said(["scontrol", "show", "config"]).replace(" ", "").splitlines()
    )
    age = settings.get("MinJobAge", "0sec").removesuffix("sec")
    yield (
        "slurm MinJobAge",
        age.isdigit() and int(age) >= 300,
        f"{age} s; 300 or more, so that squeue still knows a job that ended",
    )


def _ranks() -> str:
    """How many ranks of two the first one hears of."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    code = (
        "from mpi4py.MPI import COMM_WORLD as all; n = all.allreduce(1); print(n) if all.rank == 0 else None"
    )
    answer = _said([str(mpiexec), "-launcher", "fork", "-n", "2", sys.executable, "-c", code]).split()
    return answer[0] if len(answer) == 1 and answer[0].isdigit() else ""


def _said(command: list[str]) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout + result.stderr
