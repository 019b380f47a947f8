"""One run of a site at a time, and nothing left over from one that was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from pipelines.errors import LockedError
from pipelines.files.atomic import locked
from pipelines.files.digests import digest
from pipelines.site.site import Site


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
    """Does some process, of this machine or of another that shares the disk, work on the site?"""
    try:
        with run_lock(site):
            return False
    except LockedError:
        return True


def end_leftovers(site: Site) -> None:
    """End the processes and jobs of a driver that was killed: we hold the lock, so whatever still runs for
    this site is not wanted."""
    for process in _processes(tag(site)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    if shutil.which("scancel") and shutil.which("squeue"):
        _cancel_jobs(tag(site))
    shutil.rmtree(site.root / ".workers", ignore_errors=True)


def _processes(tag: str) -> list[int]:
    mark = f"UTTAG_TAG={tag}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _cancel_jobs(tag: str) -> None:
    jobs = [line.split()[0] for line in _squeue("--me", "--format=%i %j") if line.split()[1].startswith(tag)]
    if jobs:
        subprocess.run(["scancel", "--full", *jobs], capture_output=True, timeout=60, check=False)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and _squeue("--jobs", ",".join(jobs), "--format=%i"):
            time.sleep(0.5)


def _squeue(*arguments: str) -> list[str]:
    """Lines of jobs that wait or run."""
    listed = subprocess.run(
        ["squeue", "--noheader", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return [line for line in listed.stdout.splitlines() if line.strip()]
