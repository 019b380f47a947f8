"""How a night ends, as a process: its exit code, its words, and who is told."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from pipelines.files import documents
from tests import sites
from tests.delivered import FILES, NOTHING, counted
from tests.intake_site import deliver


def test_a_night_with_bad_neighbours_ends_with_11_and_the_good_ones_are_in(root: Path) -> None:
    deliver(root, "2025-10-02$(touch pwned)", FILES, "2025-10-02")
    (deliver(root, "d2", FILES, "2025-09-02") / "delivery.yaml").write_text("", encoding="utf-8")
    deliver(root, "d3", NOTHING, "2025-09-03", replaces="d1")
    ran = sites.uttag("night", root, check=False, cwd=root)
    assert ran.returncode == 11
    assert "(and 2 more, see uttag status)" in ran.stderr
    assert not list(root.rglob("pwned"))
    assert counted(root) == 10
    assert documents.read_object(root / "receipts" / "store.json")["snapshot"]
    said = sites.uttag("refresh", root, "--dry-run").stdout
    assert said == "nothing would run: everything is up to date\n"


def test_a_folder_that_may_not_be_written_is_told_as_that(root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    (root / "receipts").mkdir(mode=0o500)
    ran = sites.uttag("refresh", root, check=False)
    assert ran.returncode == 20
    assert "look at its owner and mode" in ran.stderr


def test_a_read_only_file_system_is_no_fault_in_the_program(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_arguments: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(root / "runs"))

    monkeypatch.setattr("workflows.run.run_lock", refused)
    ran = sites.called("refresh", root, check=False)
    assert ran.returncode == 20
    assert ran.stderr.endswith("lies on a read-only file system; mount it to be written, or move the site\n")


def test_a_night_is_told_to_whom_the_site_says(root: Path) -> None:
    told = root.parent / "told"
    program = root.parent / "tell"
    program.write_text(
        f'#!/bin/sh\n{{ echo "$1"; cat; echo "$UTTAG_REPORT_PAGE"; }} > {told}\n', encoding="utf-8"
    )
    program.chmod(0o700)
    with (root / "site.yaml").open("a", encoding="utf-8") as settings:
        settings.write(f"notify: {{command: [{program}, 'a word'], when: trouble}}\n")
    sites.called("night", root)
    assert not told.exists()
    deliver(root, "d2", NOTHING, "2025-09-02", replaces="d1")
    sites.called("night", root, check=False)
    lines = told.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "a word"
    assert "clinic/d2: held" in lines
    assert Path(lines[-1]).read_text(encoding="utf-8").startswith("<!doctype html>")
    program.unlink()
    ran = sites.called("night", root, check=False)
    assert ran.returncode == 11
    assert "notify: " in ran.stderr


def test_a_site_where_nothing_counts_yet_has_a_quiet_night(root: Path) -> None:
    (root / "deliveries" / "clinic" / "d1" / "delivery.yaml").write_text("", encoding="utf-8")
    assert sites.called("night", root, check=False).returncode == 11
    shutil.rmtree(root / "deliveries" / "clinic" / "d1")
    assert sites.called("night", root, check=False).returncode == 0
    assert json.loads(sites.called("status", root, "--json").stdout)["snapshot"] is None
