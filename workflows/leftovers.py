"""One run of a site at a time, and nothing left over from one that was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from pipelines.errors import ClusterError
from pipelines.files.atomic import is_locked, locked
from pipelines.files.digests import digest
from pipelines.site.site import Site
from slurm.controller import NoAnswerError, mine

_WRITTEN = ("receipts", "runs", "identity", "store", "projects", "release")  # by stages


def tag(site: Site) -> str:
    """A name for this site's processes and jobs that says nothing of it."""
    return f"uttag-{digest(str(site.root))[:10]}"


def run_lock(site: Site) -> contextlib.AbstractContextManager[None]:
    """The site is ours until the block ends or this process dies, however it dies."""
    runs = site.root / "runs"
    runs.mkdir(mode=0o700, exist_ok=True)
    return locked(
        runs / "lock",
        site.root,
        "another run of this site is under way",
        "wait for it, or look at uttag status",
    )


def is_running(site: Site) -> bool:
    """Does some process, of this machine or of another that shares the disk, work on the site? Changes
    nothing."""
    return is_locked(site.root / "runs" / "lock")


def end_leftovers(site: Site, on: str = "local") -> tuple[int, int]:
    """End the processes and jobs of a driver that was killed: we hold the lock, so whatever still runs for
    this site is not wanted. How many of each there were. Raises `ClusterError` where a run `on` Slurm could
    not ask after them: two runs of one stage must not meet."""
    processes = _processes(tag(site))
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    jobs = 0
    if shutil.which("scancel") and shutil.which("squeue"):
        try:
            jobs = _cancel_jobs(tag(site), patience=60 if on == "slurm" else 0)
        except NoAnswerError:
            if on == "slurm":
                raise ClusterError(
                    "slurm",
                    "the controller does not answer, and jobs of an earlier run may still be under way",
                    "run the same command again when it does",
                ) from None
    shutil.rmtree(site.root / ".workers", ignore_errors=True)
    for part in (path for name in _WRITTEN for path in (site.root / name).rglob(".*.part")):
        part.unlink(missing_ok=True)  # what a killed process was about to put into its place
    return len(processes), jobs


def _processes(tag: str) -> list[int]:
    mark = f"UTTAG_TAG={tag}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _cancel_jobs(tag: str, patience: float) -> int:
    jobs = [number for number, name in _ours(patience) if name.startswith(tag)]
    if jobs:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["scancel", "--full", *jobs], capture_output=True, timeout=60, check=False)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and {number for number, _ in _ours(patience)} & set(jobs):
            time.sleep(0.5)
    return len(jobs)


def _ours(patience: float) -> list[tuple[str, str]]:
    """Number and name of this user's jobs that wait or run; a controller that is away is waited for, so many
    seconds. Raises `NoAnswerError`."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return mine()
        except NoAnswerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)
