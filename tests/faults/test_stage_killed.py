"""A stage that is killed on this machine, as for want of memory, cannot say so itself: the driver does."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests import sites


def stages_of(root: Path) -> list[int]:
    """Processes of stages of a site."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            mine = f"UTTAG_SITE={root}".encode() in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mine and b"stage" in command and b"linkage" in command and b"workflows.cli" in command:
            found.append(int(folder.name))
    return found


def test_a_stage_that_is_killed_is_named_with_its_log(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    run = subprocess.Popen(
        [*sites.UTTAG, "refresh", str(root), "--ranks", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + sites.PATIENCE
    while "linkage" not in sites.stages_begun(root, "refresh"):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for process in stages_of(root):
        os.kill(process, signal.SIGKILL)
    told = run.communicate(timeout=sites.PATIENCE)[1]
    assert run.returncode == 19
    assert "uttag: linkage: ended without a word" in told
    assert str(root / "runs" / "refresh.log") in told
    assert "Snakemake failed" not in told
