"""A name that somebody outside chose is data: no shell and no workflow reads more into it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from tests import sites

SOURCE, DELIVERY = "kvalitetsregister", "2025-09-01"
NAMES = [
    "2025-10-02$(touch pwned)",
    "2025-10-03; touch pwned",
    "two words å",
    "it's `touch pwned`",
    '"q" & x',
    "{1}",
]


def delivered_as(root: Path, name: str) -> None:
    """The first delivery once more, under another name."""
    folder = root / "deliveries" / SOURCE / name
    shutil.copytree(root / "deliveries" / SOURCE / DELIVERY, folder)
    path = folder / "delivery.yaml"
    about = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**about, "delivery": name}, allow_unicode=True), encoding="utf-8")


def test_a_deliverys_name_runs_nothing_and_stops_itself_alone(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "a site")
    settings = yaml.safe_load((root / "site.yaml").read_text(encoding="utf-8"))
    settings["sources"] = {name: settings["sources"][name] for name in ("folkbokforing", SOURCE)}
    (root / "site.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    for name in NAMES:
        delivered_as(root, name)
    assert sites.called("refresh", root, check=False).returncode == 11
    found = json.loads(sites.called("status", root, "--json").stdout)
    told = [each for each in found["deliveries"] if each["status"] == "stopped"]
    assert len(told) == len(NAMES)
    assert all("its folder has a name that is not allowed" in each["reason"] for each in told)
    assert found["holds"]["deliveries"] == [f"folkbokforing/{DELIVERY}", f"{SOURCE}/{DELIVERY}"]
    assert not list(tmp_path.rglob("pwned"))


def test_an_environment_that_no_job_script_can_name_is_told_before_any_job(
    region: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/a place/bin/python")
    ran = sites.called("refresh", sites.copy_of(region, tmp_path / "site"), "--on", "slurm", check=False)
    assert ran.returncode == 19
    assert "install it in a folder without blanks" in ran.stderr


@pytest.mark.parametrize("workflow", ["refresh", "release"])
def test_what_a_shell_line_takes_from_a_name_is_quoted(workflow: str) -> None:
    text = (Path(__file__).parents[2] / "workflows" / f"{workflow}.smk").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\s*shell:|stage =", line)]
    ours = ("config[uttag]", "config[workers]", "config[launch]", "resources.", "rule")  # which we make
    taken = {found for line in lines for found in re.findall(r"\{([^{}]*)\}", line)}
    theirs = {name for name in taken if not name.startswith(ours)}
    assert theirs and all(name.endswith(":q") for name in theirs)
