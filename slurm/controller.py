"""What Slurm says of jobs: squeue for all at once, then scontrol, then accounting where there is any."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

# A job in one of these does not run any more, and will not by itself.
ENDED = (
    "COMPLETED",
    "FAILED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "NODE_FAIL",
    "PREEMPTED",
    "CANCELLED",
    "BOOT_FAIL",
    "DEADLINE",
    "LAUNCH_FAILED",
    "RECONFIG_FAIL",
    "REVOKED",
)
LOST = "LOST"  # ours: Slurm does not know the job any more
SECONDS = 30  # how long one question may take


class NoAnswerError(Exception):
    """The controller does not answer. That says nothing of a job."""


@dataclass(frozen=True)
class Job:
    """A job as Slurm tells it. `state`: one of `ENDED`, `LOST`, or what it waits or runs as; `reason`: why it
    waits; `exit_code`, `signal`: of its script, once it has ended; `nodes`: where it was."""

    state: str
    reason: str = ""
    nodes: str = ""
    exit_code: int = 0
    signal: int = 0

    @property
    def ended(self) -> bool:
        return self.state in ENDED or self.state == LOST


def listed(name: str) -> dict[str, Job]:
    """Every job of that name that the controller still lists, by its number. Raises `NoAnswerError`."""
    lines = _asked(["squeue", "--noheader", "--states=all", f"--name={name}", "--format=%i|%T|%r|%N"])
    jobs = {}
    for line in lines.splitlines():
        number, state, reason, nodes = [*line.strip().split("|", 3), "", "", ""][:4]
        if number:
            jobs[number] = Job(state, reason if reason != "None" else "", nodes)
    return jobs


def mine() -> list[tuple[str, str]]:
    """Number and name of every job of this user that waits or runs. Raises `NoAnswerError`."""
    lines = _asked(["squeue", "--noheader", "--me", "--format=%i|%j"])
    return [(number, name) for number, _, name in (line.partition("|") for line in lines.splitlines())]


def listed_comments(name: str) -> list[tuple[str, str]]:
    """Number and comment of every job of that name that waits or runs. Raises `NoAnswerError`."""
    lines = _asked(["squeue", "--noheader", f"--name={name}", "--format=%i|%k"])
    return [(number, comment) for number, _, comment in (line.partition("|") for line in lines.splitlines())]


def details(number: str) -> Job:
    """All that Slurm knows of one job: of the controller, else of accounting, else `LOST`. Raises
    `NoAnswerError`."""
    try:
        return _of_controller(_asked(["scontrol", "show", "job", "--oneliner", number]))
    except NoAnswerError as silence:
        if "Invalid job id" not in str(silence):
            raise
    return _of_accounting(number) if accounting() else Job(LOST)


def accounting() -> bool:
    """Does Slurm write down jobs in a database? Without one, sacct hangs or knows nothing. Raises
    `NoAnswerError`."""
    storage = settings().get("AccountingStorageType", "")
    return bool(storage) and not storage.endswith("/none") and storage != "(null)"


def settings() -> dict[str, str]:
    """The controller's configuration. Raises `NoAnswerError`."""
    found = {}
    for line in _asked(["scontrol", "show", "config"]).splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip()] = value.strip()
    return found


def _of_controller(said: str) -> Job:
    fields = dict(word.partition("=")[::2] for word in said.split() if "=" in word)
    code, _, signal = fields.get("ExitCode", "0:0").partition(":")
    return Job(
        fields.get("JobState", LOST), fields.get("Reason", ""), _nodes(fields), _number(code), _number(signal)
    )


def _nodes(fields: dict[str, str]) -> str:
    nodes = fields.get("NodeList", "")
    return "" if nodes == "(null)" else nodes


def _of_accounting(number: str) -> Job:
    columns = "--format=State,ExitCode,NodeList"
    said = _asked(["sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={number}", columns])
    if not said.strip():
        return Job(LOST)
    state, code, nodes = [*said.splitlines()[0].split("|", 2), "", ""][:3]
    status, _, signal = code.partition(":")
    # "CANCELLED by 1000"
    return Job((state.split() or [LOST])[0], "", nodes, _number(status), _number(signal))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _asked(command: list[str]) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SQUEUE_", "SACCT_"))
    }
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise NoAnswerError(f"{command[0]}: {type(fault).__name__}") from None
    if answer.returncode:
        raise NoAnswerError(f"{command[0]}: {answer.stderr.strip()}")
    return answer.stdout
