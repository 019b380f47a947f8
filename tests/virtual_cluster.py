"""The virtual cluster as tests disturb it, and little workflows on it: what our executor makes of endings."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import sites

STATE = Path("/var/lib/uttag-cluster")
HERE = Path(__file__).parents[1]
CLUSTER = HERE / "slurm" / "virtual" / "cluster"


def start() -> None:
    """Whatever is down comes up."""
    subprocess.run([CLUSTER, "start"], capture_output=True, timeout=120, check=True)


@contextlib.contextmanager
def without(daemon: str, number: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """`slurmctld` or a node's slurmd (`node2`) is dead until the block ends."""
    os.kill(int((STATE / f"{daemon}.pid").read_text(encoding="ascii")), number)
    try:
        yield
    finally:
        start()


@dataclass
class Run:
    """A Snakemake that runs. `root`: its folder, whose journal is `journal`."""

    root: Path
    process: subprocess.Popen[bytes]

    def journal(self, event: str) -> list[dict[str, Any]]:
        """Entries of one kind."""
        path = self.root / "runs" / "journal"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def said(self) -> str:
        """All that was told on the way."""
        return "\n".join(entry["text"] for entry in self.journal("say"))

    def ended(self, timeout: float = 200) -> int:
        """Its exit code, once it has ended."""
        try:
            return self.process.wait(timeout)
        finally:
            self.process.kill()

    def log(self) -> str:
        return (self.root / "runs" / "log").read_text(encoding="utf-8")

    def running(self) -> str:
        """The number of its first job, once that job has begun: it says so with the file `begun`."""
        deadline = time.monotonic() + sites.PATIENCE
        while not (self.root / "begun").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no job began: {self.log()[-2000:]}")
            time.sleep(0.1)
        return (self.root / "begun").read_text(encoding="ascii").split()[0]


def run(root: Path, shell: str, resources: str = "mem_mb=1200, runtime=10", retries: int = 1) -> Run:
    """Start one rule, `linkage`, whose output is `out` and whose job says its number in `begun`."""
    (root / "runs").mkdir(parents=True, exist_ok=True)
    text = (
        'rule linkage:\n    output: "out"\n'
        f"    resources: {resources}\n"
        f"    shell: {'echo $SLURM_JOB_ID >> begun; ' + shell!r}\n"
    )
    (root / "Snakefile").write_text(text, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", root / "Snakefile", "--directory", root),
        *("--profile", HERE / "slurm" / "profile", "--uttag-logdir", root / "runs" / "slurm"),
        *("--uttag-jobname-prefix", "uttag-test", "--retries", str(retries), "--nolock"),
    ]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": os.environ["HOME"],
        "PYTHONPATH": str(HERE / "slurm" / "plugin"),
        "UTTAG_JOURNAL": str(root / "runs" / "journal"),
    }
    with (root / "runs" / "log").open("wb") as log:
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, env=environment)
    return Run(root, process)
