"""How a job ended, in words, and whether to try again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slurm.controller import LOST, Job

# What another attempt may mend: it gets more memory and time than the one before, and another node.
_TRANSIENT = (
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "NODE_FAIL",
    "PREEMPTED",
    "BOOT_FAIL",
    "LAUNCH_FAILED",
    "RECONFIG_FAIL",
    "REVOKED",
    "FAILED",
    LOST,
)
_WORDS = {
    "TIMEOUT": ("ran out of its time", "give it more minutes in cluster.yaml"),
    "OUT_OF_MEMORY": ("needed more memory than it had", "give it more memory in cluster.yaml"),
    "NODE_FAIL": ("lost its node", "run the same command again"),
    "PREEMPTED": ("had to make room for another job", "run the same command again"),
    "CANCELLED": ("was cancelled", "run the same command again to go on"),
    "BOOT_FAIL": ("was given a node that did not start", "tell the cluster's support"),
    "DEADLINE": ("came to the deadline that the cluster set", "run the same command again"),
    LOST: ("is not known to Slurm any more, and left no receipt", "run the same command again"),
}
_ONE_RANK = 64 * 1024  # bytes of a log's end that are read


@dataclass(frozen=True)
class Ending:
    """`stage` and `what` as the journal names them; `words`: why, and what next; `again`: may another attempt
    do better?; `told`: a stage has said itself why it failed."""

    stage: str
    what: str
    words: str
    again: bool
    told: bool


def ending(
    number: str, job: Job, stages: set[str], journal: list[dict[str, Any]], log: Path | None
) -> Ending:
    """Of a job that ended other than well. `journal`: what has been said since it was submitted; `stages`:
    what it was to run."""
    said = [entry for entry in journal if entry["stage"] in stages]
    failed = [entry for entry in said if entry["event"] == "failed"]
    stage, what = _where(said, stages)
    if failed:
        first = failed[0]
        # 19 is the cluster's, as of a worker that did not come; all else is the same another time.
        again = all(entry["exit_code"] == 19 for entry in failed)
        return Ending(first["stage"], first["what"], first["text"], again, True)
    state = _out_of_memory(job, log)
    words, then = _WORDS.get(state, (_of_script(job), "read its log, then run the same command again"))
    where = f" on {job.nodes}" if job.nodes else ""
    place = f" (log: {log})" if log else ""
    text = f"{stage}{f' {what}' if what else ''}: its Slurm job {number}{where} {words}{place}; {then}"
    return Ending(stage, what, text, state in _TRANSIENT, False)


def _where(said: list[dict[str, Any]], stages: set[str]) -> tuple[str, str]:
    """The stage that had begun last and did not end."""
    running: dict[tuple[str, str], None] = {}
    for entry in said:
        key = (entry["stage"], entry["what"])
        if entry["event"] == "begin":
            running[key] = None
        elif entry["event"] in ("end", "failed"):
            running.pop(key, None)
    return list(running)[-1] if running else (" and ".join(sorted(stages)), "")


def _out_of_memory(job: Job, log: Path | None) -> str:
    """Slurm's state; where its own line in the log says that memory was the reason, that."""
    if job.state not in ("FAILED", "CANCELLED") or log is None or not log.exists():
        return job.state
    with log.open("rb") as lines:
        lines.seek(max(0, log.stat().st_size - _ONE_RANK))
        text = lines.read().lower()
    signs = (b"oom-kill", b"oom_kill", b"out of memory", b"exceeded job memory limit", b"out_of_memory")
    return "OUT_OF_MEMORY" if any(sign in text for sign in signs) else job.state


def _of_script(job: Job) -> str:
    if job.signal or job.exit_code > 128:
        return f"was ended by signal {job.signal or job.exit_code - 128}"
    return f"ended as {job.state} with exit code {job.exit_code}"


def said_since(journal: Path | None, offset: int) -> list[dict[str, Any]]:
    """Whole lines of a journal from a byte on."""
    if journal is None or not journal.exists():
        return []
    with journal.open("rb") as lines:
        lines.seek(offset)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]
