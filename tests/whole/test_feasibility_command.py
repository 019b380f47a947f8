"""`uttag feasibility` as people call it, on a site after its first night."""

from __future__ import annotations

import json
from pathlib import Path

from tests import sites
from tests.whole.test_commands import PERMIT, change


def test_a_permit_without_signatures_is_counted_logged_and_leaves_nothing_else(
    first_night: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    permit = root / "permits" / f"{PERMIT}.yaml"
    permit.with_suffix(".signatures.json").unlink()
    before = {path for path in root.rglob("*") if path.is_file()}
    one = sites.uttag("feasibility", permit)
    assert one.stdout == sites.called("feasibility", permit).stdout
    assert "question 1 of 20 today" in one.stderr
    answer = json.loads(sites.called("feasibility", permit, "--json", "--requester", "Anna").stdout)
    assert answer["cohort"] == "type-2-diabetes"
    assert all(each["persons"] is None or each["persons"] % 10 == 0 for each in answer["attrition"])
    assert answer["attrition"][0]["steps"][0] == "are in the snapshot"
    assert {path.name for path in root.rglob("*") if path.is_file()} - {path.name for path in before} == {
        "feasibility.lock"
    }
    assert "each follows from the one before" in sites.called("audit", root).stdout
    entry = json.loads((root / "audit" / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert (entry["action"], entry["about"]["requester"]) == ("feasibility", "Anna")


def test_over_the_limit_and_an_unknown_source_end_with_the_permits_exit_code(
    first_night: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    permit = root / "permits" / f"{PERMIT}.yaml"
    change(root / "site.yaml", "synthetic: true", "synthetic: true\nfeasibility: {questions_a_day: 1}")
    sites.called("feasibility", permit)
    change(root / "definitions" / "type-2-diabetes.yaml", "washout: 1095", "washout: 1094")
    ran = sites.called("feasibility", permit, check=False)
    assert (ran.returncode, ran.stdout) == (12, "")
    assert "ask one of them again, wait until tomorrow" in ran.stderr
    change(permit, "sources: [", "sources: [elsewhere, ")
    ran = sites.called("feasibility", permit, check=False)
    assert (ran.returncode, "source elsewhere is not in the snapshot" in ran.stderr) == (12, True)
