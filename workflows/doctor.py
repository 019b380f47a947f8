"""Is this machine, or the cluster around it, fit?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from pipelines.compute.cluster import Cluster
from pipelines.errors import ClusterError, UttagError
from workflows import told
from workflows.findings import NO, OK, WARNING, Finding, judged, said

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


def findings(site: Path | None = None) -> list[Finding]:
    """What was looked at, and what was found: this machine, the site, the cluster if there is one."""
    from workflows.doctor_site import look_at_site
    from workflows.doctor_slurm import look_at_slurm

    found = list(_machine())
    settings = Cluster()
    if site is not None:
        found += look_at_site(site)
        try:
            settings = Cluster.load(site)
            found.append(Finding("cluster.yaml", OK, "read" if (site / "cluster.yaml").exists() else "none"))
        except UttagError as fault:
            return [*found, Finding("cluster.yaml", NO, fault.what, fault.next_step)]
    if shutil.which("sbatch") is None:
        absent = "not on this machine; --on slurm will not work here"
        return [*found, Finding("slurm", OK, absent)]
    return found + look_at_slurm(settings, site)


def worst(found: list[Finding]) -> int:
    """The exit code: 19 if something would fail, else 0."""
    return ClusterError.exit_code if any(each.state == NO for each in found) else 0


def _machine() -> Iterator[Finding]:
    version = sys.version.split()[0]
    yield judged("python", sys.version_info >= (3, 11), version, "install Python 3.11 or later")
    for name in _PACKAGES:
        try:
            yield Finding(name, OK, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, NO, "not installed", "run make setup in uttag's folder")
    yield Finding("processors", OK, str(len(os.sched_getaffinity(0))))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    yield judged("memory", memory >= 4, f"{memory:.0f} GiB", "use a machine with 4 GiB or more")
    ranks = _ranks()
    yield judged(
        "mpiexec",
        ranks == "2",
        f"{ranks or 0} ranks answered of 2",
        "run make setup again; until then use --ranks 1",
    )
    umask = told.umask_before
    yield judged(
        "umask",
        umask & 0o002 != 0,
        f"{umask:03o}" + ("" if umask & 0o002 else "; what you put into a site, others may write"),
        "put umask 077 into your shell's profile",
    )
    yield from _cron()


def _ranks() -> str:
    """How many ranks of two the first one hears of."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    code = (
        "from mpi4py.MPI import COMM_WORLD as all; n = all.allreduce(1); print(n) if all.rank == 0 else None"
    )
    command = [str(mpiexec), "-launcher", "fork", "-n", "2", sys.executable, "-c", code]
    answer = said(command)[1].split()
    return answer[0] if len(answer) == 1 and answer[0].isdigit() else ""


def _cron() -> Iterator[Finding]:
    if shutil.which("crontab") is None:
        remedy = "install cron, or put what uttag schedule prints where your scheduler reads it"
        yield Finding("cron", WARNING, "no crontab on the path", remedy)
        return
    names = (path.read_text(encoding="utf-8").strip() for path in _commands())
    runs = any(name in ("cron", "crond", "cronie") for name in names)
    yield judged("cron", runs, "runs" if runs else "does not run", "start it; no night begins", WARNING)


def _commands() -> Iterator[Path]:
    for path in Path("/proc").glob("[0-9]*/comm"):
        if path.exists():
            yield path
