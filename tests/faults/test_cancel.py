"""A run that is ended from another shell: nothing of it is left, and the same command goes on."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

from pipelines.site.site import Site
from tests import sites
from workflows.leftovers import _processes, tag


def test_a_run_is_cancelled_from_another_shell_and_goes_on(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    run = subprocess.Popen(
        [*sites.UTTAG, "refresh", str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + sites.PATIENCE
    while not sites.stages_begun(root, "refresh"):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    said = sites.uttag("cancel", root).stdout
    assert said.startswith("ended the refresh that was under way")
    assert run.wait(30) == 130
    assert "interrupted; run the same command again" in run.communicate()[1]
    assert _processes(tag(Site.load(root))) == []
    assert not (root / "runs" / "driver.json").exists()
    sites.uttag("refresh", root)


def test_where_nothing_runs_there_is_nothing_to_cancel(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    assert sites.called("cancel", root).stdout == "nothing was under way\n"


def test_the_number_of_a_driver_that_is_gone_is_not_taken_for_another_process(
    region: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    other = subprocess.Popen(["sleep", "60"])
    (root / "runs").mkdir(exist_ok=True)
    about = {"host": socket.gethostname(), "process": other.pid, "started": "1", "workflow": "refresh"}
    (root / "runs" / "driver.json").write_text(json.dumps(about), encoding="utf-8")
    sites.called("cancel", root)
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_driver_on_another_machine_is_named(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    (root / "runs").mkdir(exist_ok=True)
    about = {"host": "login7", "process": 1, "started": "1", "workflow": "refresh"}
    (root / "runs" / "driver.json").write_text(json.dumps(about), encoding="utf-8")
    ran = sites.called("cancel", root, check=False)
    assert ran.returncode == 19
    assert "login7" in ran.stderr
