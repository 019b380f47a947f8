"""The whole way on one machine: first night, nothing new, second night, killed and resumed."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from pathlib import Path

import pytest

from pipelines.disclosure.history import together
from pipelines.release.publish import latest
from pipelines.site import audit
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from tests import sites
from tests.amount import LONG
from workflows.demo.report import write_report
from workflows.demo.run import deliver_late

PERMIT = "diabetes"


def test_the_bundle_verifies_offline(first_night: Path) -> None:
    said = sites.uttag(
        "verify", latest(Site.load(first_night), PERMIT), "--key", first_night / "keys" / "release.pub"
    ).stdout
    assert "FAILS" not in said
    assert said.count("holds") > 5


def test_no_planted_person_is_in_a_release_a_log_or_a_receipt(first_night: Path) -> None:
    words = sites.canaries(first_night)
    assert sites.files_holding(words, first_night / "deliveries"), "the search must be able to find them"
    folders = [
        first_night / name
        for name in ("release", "runs", "receipts", "audit", "store", "identity", "projects", ".snakemake")
    ]
    assert sites.files_holding(words, *folders) == []


def test_everything_the_run_made_is_closed_to_others(first_night: Path) -> None:
    open_ones = [
        path
        for name in ("identity", "store", "projects", "release", "runs", "keys")
        for path in (first_night / name).rglob("*")
    ]
    assert [path for path in open_ones if path.stat().st_mode & 0o077] == []


def test_the_log_tells_who_ran_what_on_which_inputs(first_night: Path) -> None:
    site = Site.load(first_night)
    assert audit.verify(site) > 10
    entries = [json.loads(line) for line in audit.log_file(site).read_bytes().splitlines()]
    stored = next(entry for entry in entries if entry["action"] == "stage store")
    assert stored["about"]["snapshot"] == current(site)
    assert stored["who"]


def test_a_night_with_nothing_new_runs_no_stage(first_night: Path, tmp_path: Path) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    for _ in range(2):  # a copy has new times on its files; the second run is what the second night sees
        before = sites.bundle_bytes(root, PERMIT)
        sites.called("night", root)
    assert sites.stages_begun(root, "refresh") == []
    assert sites.stages_begun(root, "release") == []
    assert sites.bundle_bytes(root, PERMIT) == before


def test_the_second_night_redoes_what_changed_and_equals_a_full_rebuild(
    first_night: Path, region: Path, tmp_path: Path
) -> None:
    second, full = sites.copy_of(first_night, tmp_path / "second"), sites.copy_of(region, tmp_path / "full")
    for name in ("release", "memory"):  # beside the first night's version the second night's might be held
        shutil.rmtree(second / name)
    for root in (second, full):
        deliver_late(Site.load(root))
    sites.called("night", second)
    sites.stage_by_stage(full, PERMIT)
    begun = [name for name in sites.stages_begun(second, "refresh") if name.startswith("intake")]
    assert sorted(begun) == ["intake journal_b/2025-10-01", "intake kvalitetsregister/2025-09-01-corrected"]
    assert current(Site.load(second)) == current(Site.load(full))
    assert current(Site.load(second)) != current(Site.load(first_night))
    assert sites.bundle_bytes(second, PERMIT) == sites.bundle_bytes(full, PERMIT)


def test_a_report_of_a_night_whose_version_is_held_tells_of_the_version_that_stands(
    first_night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    site = Site.load(root)
    before = write_report(site).read_text(encoding="utf-8")
    deliver_late(site)
    monkeypatch.setattr(together, "MOST", 100)  # variables of a system: beside the first version it has more
    sites.stage_by_stage(root, PERMIT)
    project = Project.open(site, PERMIT)
    assert project.held and json.loads((project.folder / "release.json").read_text())["version"] == 1
    after = write_report(site).read_text(encoding="utf-8")
    assert "tables are held" in after and "tables are held" not in before
    assert latest(site, PERMIT).name == "1" and _hidden(after) == _hidden(before) != []


def _hidden(page: str) -> list[str]:
    """What a report says of the numbers of cells."""
    return re.findall(r"<td[^>]*>[^<]*</td>", page[page.index("The tables") : page.index("What came in")])


def test_a_withdrawn_delivery_names_the_bundles_that_were_released_with_it(
    first_night: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    told = "withdraw-delivery", "lakemedel/2025-09-01", "--reason", "the register has left", "--site", root
    said = sites.called(*told).stdout.splitlines()
    assert said[1:] == [f"permit {PERMIT}, version 1, was released with it, and stays published"]
    next((root / "store" / "snapshots").glob("*.json")).unlink()
    said = sites.called(*told).stdout.splitlines()
    assert said[1:] == [
        f"permit {PERMIT}, version 1, may have been released with it: its snapshot has been pruned"
    ]


# In linkage the tests of the cluster kill a driver, too.
@pytest.mark.parametrize("stage", ["linkage", "aggregation"] if LONG else ["aggregation"])
def test_killed_and_started_again_it_ends_with_the_same_bytes(
    stage: str, first_night: Path, region: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    sites.killed_in(stage, root, "night", root)
    sites.called("night", root)
    assert current(Site.load(root)) == current(Site.load(first_night))
    assert sites.bundle_bytes(root, PERMIT) == sites.bundle_bytes(first_night, PERMIT)
    assert [path for path in root.rglob("*.part") if ".snakemake" not in path.parts] == []


def test_ranks_and_workers_do_not_show_in_the_bytes(first_night: Path, region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    sites.uttag("night", root, "--ranks", 3, "--workers", 1)
    assert current(Site.load(root)) == current(Site.load(first_night))
    assert sites.bundle_bytes(root, PERMIT) == sites.bundle_bytes(first_night, PERMIT)


def test_the_number_of_shards_does_not_show_in_the_bundle(
    first_night: Path, region: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    settings = (root / "site.yaml").read_text(encoding="utf-8")
    (root / "site.yaml").write_text(settings.replace("shards: 8", "shards: 1"), encoding="utf-8")
    sites.stage_by_stage(root, PERMIT)
    assert current(Site.load(root)) != current(Site.load(first_night))
    assert sites.bundle_bytes(root, PERMIT) == sites.bundle_bytes(first_night, PERMIT)


def test_two_runs_of_one_site_at_once_are_refused(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    (root / "runs").mkdir(exist_ok=True)
    with (root / "runs" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = sites.uttag("refresh", root, check=False)
    assert ran.returncode == 17
    assert "another run of this site is under way" in ran.stderr


def test_pull_brings_a_verified_copy_and_nothing_of_a_broken_one(first_night: Path, tmp_path: Path) -> None:
    sites.uttag("pull", PERMIT, "--site", first_night, "--out", tmp_path / "mine")
    assert list((tmp_path / "mine").rglob("manifest.json"))
    broken = sites.copy_of(first_night, tmp_path / "site")
    table = next(latest(Site.load(broken), PERMIT).glob("tables/*.csv"))
    table.write_bytes(table.read_bytes() + b" ")
    ran = sites.called("pull", PERMIT, "--site", broken, "--out", tmp_path / "other", check=False)
    assert ran.returncode == 16
    assert list((tmp_path / "other").rglob("*.csv")) == []
