"""The journal of a run: many processes share it, nothing of a row gets into it, and without one a stage runs
all the same."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pipelines.compute.journal import Journal
from pipelines.errors import DataError


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def said_much(path: Path, rank: int) -> None:
    journal = Journal(path, "linkage", rank=rank)
    for number in range(200):
        journal.say(f"{number} " + "å" * 500)


def test_lines_of_many_processes_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "refresh.journal"
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(said_much, [path] * 4, range(4)))
    found = entries(path)
    assert len(found) == 800
    for rank in range(4):  # and each process's own are in their order
        assert [int(str(each["text"]).split()[0]) for each in found if each["rank"] == rank] == list(
            range(200)
        )


def test_it_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "refresh.journal"
    Journal(path, "store").say("begun")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_persons_mistake_is_told_in_its_words_and_a_fault_by_its_kind_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with pytest.raises(DataError), Journal(path, "store").stage():
        raise DataError("a file", "is not whole", "build it again")
    with pytest.raises(ValueError, match="198001019801"), Journal(path, "cohort").stage():
        raise ValueError("198001019801")
    failed = [each for each in entries(path) if each["event"] == "failed"]
    assert [(each["text"], each["exit_code"]) for each in failed] == [
        ("a file: is not whole; build it again", 14),
        ("fault in the program (ValueError)", 1),
    ]
    assert [each["event"] for each in entries(path)] == ["begin", "failed"] * 2


def test_the_end_says_what_was_used(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, "store", "what").stage():
        pass
    end = entries(path)[-1]
    assert (end["event"], end["what"]) == ("end", "what")
    assert {"wall", "cpu", "peak_mib"} <= set(end)
    assert int(str(end["peak_mib"])) > 1


def test_without_a_file_it_says_nothing_and_the_stage_runs() -> None:
    with Journal(None, "store").stage() as journal:
        journal.say("nobody listens")
