"""What a person reads of a run: its state from receipts and journals, and its progress line by line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from pipelines.compute.journal import Journal
from pipelines.errors import DataError
from pipelines.site.site import Site
from workflows import status_told
from workflows.driver import last_events
from workflows.leftovers import run_lock
from workflows.progress import Progress
from workflows.status import report
from workflows.status_told import told


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text("site: somewhere\nsources: {}\n", encoding="utf-8")
    return Site.load(tmp_path)


def test_an_empty_site_has_a_status(site: Site) -> None:
    assert report(site) == {
        "site": "somewhere",
        "sources": {},
        "deliveries": [],
        "waits": [],
        "snapshot": None,
        "holds": None,
        "permits": [],
        "released": [],
        "night": None,
        "running": None,
        "runs": {name: {"done": [], "failed": []} for name in ("refresh", "release")},
    }
    assert "snapshot none yet" in told(report(site))


def test_stages_that_ended_and_failed_are_told_apart(site: Site) -> None:
    journal = site.root / "runs" / "release.journal"
    with Journal(journal, "cohort", "case").stage() as stage:
        stage.say("8 shards")
    with pytest.raises(DataError), Journal(journal, "aggregation", "case").stage():
        raise DataError("a file", "is not whole", "build it again")
    found = report(site)["runs"]["release"]
    assert [each["stage"] for each in found["done"]] == ["cohort"]
    assert found["failed"] == [
        {"stage": "aggregation", "what": "case", "text": "a file: is not whole; build it again"}
    ]
    assert "aggregation case FAILED: a file: is not whole" in told(report(site))


def test_a_run_that_was_killed_while_it_wrote_its_journal_still_has_a_status(site: Site) -> None:
    journal = site.root / "runs" / "refresh.journal"
    with Journal(journal, "linkage").stage():
        pass
    journal.write_bytes(journal.read_bytes() + b'{"event": "beg')
    assert [event["event"] for event in last_events(site, "refresh")] == ["begin", "end"]


def test_progress_is_plain_lines_and_keeps_the_first_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "refresh.journal"
    with Progress(path) as progress:
        progress.follow()  # nothing is there yet
        for rank in (0, 1):
            with Journal(path, "linkage", rank=rank).stage() as journal:
                journal.say(f"told by rank {rank} [not markup]")
        progress.follow()
        with pytest.raises(ZeroDivisionError), Journal(path, "store", rank=1).stage():
            raise ZeroDivisionError("198001019801")
        with pytest.raises(DataError), Journal(path, "store").stage():
            raise DataError("another", "is not whole", "build it again")
        progress.follow()
        progress.finish()
    said = capsys.readouterr().err
    assert "linkage: told by rank 0 [not markup]" in said
    assert "rank 1" not in said
    assert "done: 1 stages" in said
    assert "198001019801" not in path.read_text(encoding="utf-8")
    assert str(progress.failure) == "fault in the program (ZeroDivisionError)"
    assert progress.failure is not None
    assert progress.failure.exit_code == 1


def test_a_line_that_is_half_written_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "refresh.journal"
    with Journal(path, "linkage").stage():
        pass
    whole = path.read_bytes()
    with Progress(path) as progress:
        for length in (10, len(whole) - 5, len(whole)):
            path.write_bytes(whole[:length])
            progress.follow()
    assert progress._done == 1


def test_what_runs_now_is_seen_from_another_shell_and_watched_until_it_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(site.root / "runs" / "refresh.journal", "linkage")
    with contextlib.ExitStack() as running:
        running.enter_context(run_lock(site))
        stage = running.enter_context(journal.stage())
        stage.say("1 of 5 rules compared")
        (under_way,) = report(site)["running"]
        assert (under_way["stage"], under_way["said"]) == ("linkage", "1 of 5 rules compared")
        monkeypatch.setattr(status_told.time, "sleep", lambda _seconds: running.close())
        status_told.show(site, as_json=False, watch=True)
    said = capsys.readouterr().out
    assert said.count("site somewhere") == 2
    assert said.count("linkage: 0 s so far 1 of 5 rules compared") == 1
