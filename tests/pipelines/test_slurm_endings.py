"""How Slurm's words become ours: states, exit codes, and which ending another attempt may mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slurm import controller
from slurm.controller import ENDED, LOST, Job
from slurm.endings import ending


def entry(event: str, stage: str = "cohort", **more: Any) -> dict[str, Any]:
    return {"event": event, "stage": stage, "what": "diabetes", "rank": 0, **more}


BEGUN = [entry("begin", "cohort"), entry("end", "cohort"), entry("begin", "aggregation")]
STAGES = {"cohort", "aggregation", "disclosure"}


@pytest.mark.parametrize(
    ("state", "words", "again"),
    [
        ("TIMEOUT", "ran out of its time", True),
        ("OUT_OF_MEMORY", "needed more memory", True),
        ("NODE_FAIL", "lost its node", True),
        ("PREEMPTED", "make room", True),
        ("BOOT_FAIL", "did not start", True),
        (LOST, "not known to Slurm any more", True),
        ("FAILED", "ended as FAILED with exit code 1", True),
        ("CANCELLED", "was cancelled", False),
        ("DEADLINE", "came to the deadline", False),
    ],
)
def test_each_state_has_its_words(state: str, words: str, again: bool) -> None:
    end = ending("17", Job(state, nodes="node3", exit_code=1), STAGES, BEGUN, None)
    assert end.words.startswith("aggregation diabetes: its Slurm job 17 on node3 ")
    assert words in end.words
    assert end.again is again
    assert not end.told


def test_every_state_that_ends_a_job_is_known() -> None:
    for state in set(ENDED) - {"COMPLETED"}:
        assert ending("17", Job(state), STAGES, BEGUN, None).words


def test_a_stage_that_says_why_is_believed_over_slurm() -> None:
    said = [*BEGUN, entry("failed", "aggregation", text="permit: has expired; ask", exit_code=12)]
    end = ending("17", Job("FAILED", exit_code=12), STAGES, said, None)
    assert (end.words, end.again, end.told) == ("permit: has expired; ask", False, True)


def test_a_stage_that_blames_the_cluster_is_tried_again() -> None:
    said = [entry("failed", "aggregation", text="slurm: no worker", exit_code=19)]
    assert ending("17", Job("FAILED"), STAGES, said, None).again


def test_what_another_job_said_meanwhile_is_not_taken_for_this_ones() -> None:
    said = [entry("failed", "linkage", text="no", exit_code=10)]
    assert not ending("17", Job("NODE_FAIL"), STAGES, said, None).told


def test_slurms_own_line_in_the_log_says_that_it_was_memory(tmp_path: Path) -> None:
    log = tmp_path / "17.log"
    log.write_text("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=17.0\n", encoding="utf-8")
    end = ending("17", Job("FAILED", exit_code=137), STAGES, BEGUN, log)
    assert "needed more memory" in end.words
    assert str(log) in end.words


def test_a_signal_is_told() -> None:
    assert "ended by signal 9" in ending("17", Job("FAILED", signal=9), STAGES, BEGUN, None).words
    assert "ended by signal 11" in ending("17", Job("FAILED", exit_code=139), STAGES, BEGUN, None).words


def test_scontrols_line_is_read() -> None:
    line = (
        "JobId=5 JobName=x UserId=root(0) JobState=FAILED Reason=NonZeroExitCode Dependency=(null) "
        "ExitCode=3:0 RunTime=00:00:01 NodeList=node[0-1] BatchHost=node0"
    )
    assert controller._of_controller(line) == Job("FAILED", "NonZeroExitCode", "node[0-1]", 3, 0)


def answering(folder: Path, **programs: str) -> str:
    """A path on which programs of Slurm are scripts."""
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o700)
    return f"{folder}:/usr/bin:/bin"


INVALID = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"


def test_a_forgotten_job_is_looked_up_in_accounting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scontrol = (
        f'[ "$2" = config ] && echo "AccountingStorageType = accounting_storage/slurmdbd" || {{ {INVALID}; }}'
    )
    sacct = "echo 'CANCELLED by 1000|0:15|node1'"
    monkeypatch.setenv("PATH", answering(tmp_path, scontrol=scontrol, sacct=sacct))
    assert controller.details("9") == Job("CANCELLED", "", "node1", 0, 15)


def test_a_forgotten_job_without_accounting_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scontrol = (
        f'[ "$2" = config ] && echo "AccountingStorageType = accounting_storage/none" || {{ {INVALID}; }}'
    )
    monkeypatch.setenv("PATH", answering(tmp_path, scontrol=scontrol, sacct="sleep 100"))
    assert controller.details("9") == Job(LOST)


def test_silence_says_nothing_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1"
    monkeypatch.setenv("PATH", answering(tmp_path, scontrol=away, squeue=away))
    for ask in (lambda: controller.details("9"), lambda: controller.listed("run"), controller.mine):
        with pytest.raises(controller.NoAnswerError):
            ask()
