"""A name that somebody outside chose is data: no shell and no workflow reads more into it."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.files import documents
from tests import sites

SOURCE, DELIVERY = "kvalitetsregister", "2025-09-01"
NAMES = [
    "2025-10-02$(touch pwned)",
    "2025-10-03; touch pwned",
    "two words å",
    "it's `touch pwned`",
    '"q" & x',
]


def delivered_as(root: Path, name: str) -> None:
    """The first delivery once more, under another name."""
    folder = root / "deliveries" / SOURCE / name
    shutil.copytree(root / "deliveries" / SOURCE / DELIVERY, folder)
    path = folder / "delivery.yaml"
    about = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**about, "delivery": name}, allow_unicode=True), encoding="utf-8")


def test_a_deliverys_name_runs_nothing_and_stops_no_night(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "a site")
    settings = yaml.safe_load((root / "site.yaml").read_text(encoding="utf-8"))
    settings["sources"] = {name: settings["sources"][name] for name in ("folkbokforing", SOURCE)}
    (root / "site.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    for name in NAMES:
        delivered_as(root, name)
    sites.called("refresh", root)
    for name in NAMES:
        receipt = documents.read_json(root / "receipts" / "intake" / SOURCE / f"{name}.json")
        assert (receipt["delivery"], receipt["status"]) == (name, "accepted")
    assert not list(tmp_path.rglob("pwned"))
    assert (root / "store" / "current.json").exists()


def test_a_name_that_would_be_a_pattern_is_told_before_anything_runs(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    delivered_as(root, "{1}")
    ran = sites.called("refresh", root, check=False)
    assert ran.returncode == 10
    assert f"{SOURCE}/{{1}}: has a brace in its name" in ran.stderr
    assert sites.stages_begun(root, "refresh") == []


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
    ours = {
        "config[uttag]",
        "config[workers]",
        "config[launch]",
        "rule",
    }  # pieces of a command, which we make
    taken = {found for line in lines for found in re.findall(r"\{([^{}]*)\}", line)}
    assert taken - ours and all(name.endswith(":q") for name in taken - ours)
