"""The end of a run that is under way, from another shell."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from pipelines.errors import ClusterError, LockedError
from pipelines.files import documents
from pipelines.site import audit
from pipelines.site.site import Site
from workflows.leftovers import end_leftovers, run_lock

_PATIENCE = 150  # seconds for a driver to end its jobs, and itself


@contextlib.contextmanager
def under_way(site: Site, workflow: str) -> Iterator[None]:
    """Say who drives this site, for the time of the block, and take SIGTERM for an interruption."""
    note = _note(site)
    about = {"host": socket.gethostname(), "process": os.getpid(), "started": _started(os.getpid())}
    documents.write_json({**about, "workflow": workflow}, note)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        note.unlink(missing_ok=True)


def cancel(site: Site) -> str:
    """End the run of a site that is under way: its driver, its processes, its Slurm jobs. What was ended, in
    words. Raises `ClusterError` where the driver is on another machine, `LockedError` where it does not
    end."""
    driver = _driver(site)
    if driver:
        os.kill(driver["process"], signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with run_lock(site):
                processes, jobs = end_leftovers(site)
                _note(site).unlink(missing_ok=True)
            break
        except LockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
    if not (driver or processes or jobs):
        return "nothing was under way"
    audit.note(site, "cancel", workflow=driver.get("workflow", ""))
    what = [f"the {driver['workflow']} that was under way"] if driver else []
    what += [f"{processes} processes"] * bool(processes) + [f"{jobs} Slurm jobs"] * bool(jobs)
    return f"ended {', '.join(what)}; the same command goes on where it was"


def _driver(site: Site) -> dict[str, Any]:
    """Who drives the site now, or nothing."""
    if not _note(site).exists():
        return {}
    about: dict[str, Any] = documents.read_json(_note(site))
    if about["host"] != socket.gethostname():
        raise ClusterError(
            site.root, f"is driven by a process on {about['host']}", "run uttag cancel on that machine"
        )
    # A number alone may be another process's by now.
    return about if _started(about["process"]) == about["started"] else {}


def _note(site: Site) -> Path:
    return site.root / "runs" / "driver.json"


def _started(process: int) -> str:
    """When a process began, in the kernel's own time; nothing for one that is not there."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
