"""What the cluster does to a job, and what is made of it: waited for, tried again, or told for what it is."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import virtual_cluster as cluster
from tests.amount import LONG

pytestmark = pytest.mark.cluster
DISTURBS = True

_HOLD = "python3 -c 'import time; held = bytearray(2_000_000_000); time.sleep(12)' && touch out"


def attempts(ran: cluster.Run) -> int:
    return len((ran.root / "begun").read_text(encoding="ascii").split())


def test_a_controller_that_is_away_is_waited_for_and_told_once(tmp_path: Path) -> None:
    ran = cluster.run(tmp_path / "site", "sleep 5; touch out")
    ran.running()
    with cluster.without("slurmctld"):
        time.sleep(60 if LONG else 15)
    assert ran.ended() == 0, ran.log()[-2000:]
    assert ran.said().count("the controller does not answer; waiting up to 30 min") == 1
    assert ran.said().count("the controller answers again") == 1
    assert attempts(ran) == 1


def test_a_job_is_submitted_once_the_controller_is_back(tmp_path: Path) -> None:
    with cluster.without("slurmctld"):
        ran = cluster.run(tmp_path / "site", "touch out")
        # Snakemake's own start asks the controller three times, and each question takes ten seconds.
        time.sleep(90 if LONG else 20)
        assert ran.process.poll() is None, ran.log()[-2000:]
    assert ran.ended() == 0, ran.log()[-2000:]
    assert attempts(ran) == 1
    assert not LONG or "the controller does not answer" in ran.said()


def test_a_controller_that_stays_away_ends_the_run_with_19(tmp_path: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    (root / "cluster.yaml").write_text("controller_minutes: 1\n", encoding="utf-8")
    if not LONG:
        pytest.skip("waits for a minute; make test-long does")
    ran = cluster.run(root, "sleep 120; touch out")
    ran.running()
    with cluster.without("slurmctld"):
        assert ran.ended() != 0
    (failed,) = ran.journal("failed")
    assert "did not answer for 1 min" in failed["text"]
    assert failed["exit_code"] == 19


def test_a_job_that_somebody_cancels_is_told_and_not_tried_again(tmp_path: Path) -> None:
    ran = cluster.run(tmp_path / "site", "sleep 100; touch out")
    number = ran.running()
    subprocess.run(["scancel", number], check=True)
    assert ran.ended() != 0
    (failed,) = ran.journal("failed")
    assert failed["text"].startswith(f"linkage: its Slurm job {number} on node")
    assert "was cancelled" in failed["text"]
    assert "log: " in failed["text"]
    assert failed["exit_code"] == 19
    assert attempts(ran) == 1


def test_a_job_that_needs_more_memory_gets_twice_as_much(tmp_path: Path) -> None:
    more = "mem_mb=lambda wildcards, attempt: 1300 * 2 ** (attempt - 1), runtime=10"
    ran = cluster.run(tmp_path / "site", _HOLD, more)
    assert ran.ended() == 0, ran.log()[-2000:]
    assert "needed more memory than it had" in ran.said()
    assert "trying again" in ran.said()
    assert attempts(ran) == 2


def test_a_job_that_never_has_enough_memory_says_so(tmp_path: Path) -> None:
    ran = cluster.run(tmp_path / "site", _HOLD, "mem_mb=1300, runtime=10", retries=0)
    assert ran.ended() != 0
    (failed,) = ran.journal("failed")
    assert "needed more memory than it had" in failed["text"]
    assert "give it more memory in cluster.yaml" in failed["text"]


@pytest.mark.skipif(not LONG, reason="Slurm counts whole minutes; make test-long does")
def test_a_job_that_runs_out_of_time_says_so(tmp_path: Path) -> None:
    ran = cluster.run(tmp_path / "site", "sleep 300; touch out", "mem_mb=1200, runtime=1", retries=0)
    assert ran.ended() != 0
    (failed,) = ran.journal("failed")
    assert "ran out of its time" in failed["text"]
    assert "give it more minutes in cluster.yaml" in failed["text"]


def test_a_process_that_is_killed_is_tried_again(tmp_path: Path) -> None:
    ran = cluster.run(tmp_path / "site", "[ $(wc -l < begun) -gt 1 ] || kill -9 $$; touch out")
    assert ran.ended() == 0, ran.log()[-2000:]
    assert "trying again" in ran.said()
    assert attempts(ran) == 2


def test_what_a_stage_says_itself_is_never_tried_again(tmp_path: Path) -> None:
    line = '{"event": "failed", "stage": "linkage", "what": "", "rank": 0, "text": "no.", "exit_code": 12}'
    (tmp_path / "line").write_text(line + "\n", encoding="utf-8")
    ran = cluster.run(tmp_path / "site", f"cat {tmp_path}/line >> runs/journal; exit 12", retries=3)
    assert ran.ended() != 0
    assert attempts(ran) == 1
    assert [each["exit_code"] for each in ran.journal("failed")] == [12]


def test_a_partition_that_is_not_there_is_told_in_slurms_words(tmp_path: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    (root / "cluster.yaml").write_text("partition: nowhere\n", encoding="utf-8")
    ran = cluster.run(root, "touch out")
    assert ran.ended() != 0
    (failed,) = ran.journal("failed")
    assert "Slurm did not take its job" in failed["text"]
    assert "invalid partition" in failed["text"].lower()
    assert not (root / "begun").exists()


def test_a_job_whose_node_dies_goes_on_elsewhere(tmp_path: Path) -> None:
    ran = cluster.run(tmp_path / "site", "[ $(wc -l < begun) -gt 1 ] || sleep 100; touch out")
    number = ran.running()
    told = subprocess.run(
        ["squeue", "--noheader", f"--jobs={number}", "--format=%N"],
        capture_output=True,
        text=True,
        check=True,
    )
    with cluster.without(told.stdout.strip(), signal.SIGKILL):
        assert ran.ended() == 0, ran.log()[-2000:]
    assert "lost its node" in ran.said()
    assert attempts(ran) == 2
