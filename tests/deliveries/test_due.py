"""What is due follows from what receipts say they were made from, and from no clock."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.compute.journal import Journal
from pipelines.errors import SettingsError
from pipelines.site.deliveries import active
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot
from tests import sites
from tests.delivered import FILES, counted, verdict
from tests.intake_site import deliver
from workflows import run
from workflows.plan import Plan


def reasons(root: Path) -> dict[str, str]:
    return {f"{each.stage} {each.what}".strip(): each.why for each in Plan.of(Site.load(root)).due}


def test_each_setting_that_changes_makes_due_what_it_is_an_input_of(root: Path) -> None:
    assert reasons(root) == {
        "intake clinic/d1": "it is new",
        "linkage": "deliveries come or go",
        "store": "linkage runs",
    }
    sites.refreshed(root)
    assert reasons(root) == {}
    assert Plan.of(Site.load(root)).said() == ["nothing would run: everything is up to date"]

    settings = root / "site.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text + "shards: 2\n", encoding="utf-8")
    assert reasons(root) == {"store": "shards changed"}
    settings.write_text(text + "linkage: linkage.yaml\n", encoding="utf-8")
    (root / "linkage.yaml").write_text("threshold: 20\n", encoding="utf-8")
    assert reasons(root) == {"linkage": "linkage settings changed", "store": "linkage runs"}
    (root / "linkage.yaml").unlink()
    with pytest.raises(SettingsError, match=r"check `linkage` in site\.yaml"):
        reasons(root)
    settings.write_text(text, encoding="utf-8")

    agreed = root / "contracts" / "clinic.yaml"
    agreed.write_text(agreed.read_text(encoding="utf-8").replace("version: 1.0.0", "version: 1.0.1"))
    assert reasons(root)["intake clinic/d1"] == "contract contracts/clinic.yaml changed"
    sites.refreshed(root)
    (root / "receipts" / "intake" / "clinic" / "d1.json").unlink()
    assert reasons(root)["intake clinic/d1"] == "its receipt is gone"
    sites.refreshed(root)
    (root / "receipts" / "store.json").unlink()
    assert reasons(root) == {"store": "it has not run"}


def test_a_stopped_delivery_is_read_again_when_its_contract_was_mended(root: Path) -> None:
    agreed = root / "contracts" / "clinic.yaml"
    good = agreed.read_text(encoding="utf-8")
    agreed.write_text(good.replace("name: end", "name: finish").replace("end: end", "end: finish"))
    sites.refreshed(root)
    assert verdict(root, "d1").word == "stopped"
    agreed.write_text(good, encoding="utf-8")
    sites.refreshed(root)
    assert verdict(root, "d1").word == "accepted"


def test_a_contract_that_does_not_read_keeps_its_source_as_it_was(root: Path) -> None:
    sites.refreshed(root)
    (root / "contracts" / "clinic.yaml").write_text("no: contract\n", encoding="utf-8")
    deliver(root, "d2", FILES, "2025-09-02")
    plan = sites.refreshed(root)
    assert [type(each) for each in plan.faults] == [SettingsError]
    assert plan.due == []
    assert [each.delivery for each in active(Site.load(root))] == ["d1"]


def test_a_copied_site_has_nothing_to_do_whatever_the_times_of_its_files(root: Path) -> None:
    sites.refreshed(root)
    copied = root.parent / "copied"
    shutil.copytree(root, copied, copy_function=shutil.copyfile)
    for path in copied.rglob("*"):
        os.chmod(path, 0o700 if path.is_dir() else 0o600)  # noqa: PTH101
    assert sites.refreshed(copied).due == []


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_an_hour_off_changes_nothing(root: Path, hours: int) -> None:
    sites.refreshed(root)
    for path in [*(root / "receipts").rglob("*.json"), *(root / "runs").rglob("*")]:
        then = path.stat().st_mtime_ns + hours * 3_600_000_000_000
        os.utime(path, ns=(then, then))
    assert Plan.of(Site.load(root)).due == []
    shutil.rmtree(root / "runs")  # nothing in it is needed
    with (root / "site.yaml").open("a", encoding="utf-8") as settings:
        settings.write("shards: 3\n")
    sites.uttag("refresh", root)
    assert len(Snapshot.load(Site.load(root)).shards) == 3
    assert sites.stages_begun(root, "refresh") == ["store"]
    assert sites.uttag("refresh", root, "--dry-run").stdout.startswith("nothing would run")


def test_a_look_writes_nothing(root: Path) -> None:
    sites.refreshed(root)
    shutil.rmtree(root / "runs")
    before = sorted(root.rglob("*"))
    sites.called("status", root)
    sites.called("refresh", root, "--dry-run")
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    ("stage", "code", "blamed"),
    [("intake", 19, True), ("intake", 1, True), ("intake", 18, False), ("slurm", 19, False)],
)
def test_only_its_own_end_is_laid_to_a_deliverys_charge(
    root: Path, stage: str, code: int, blamed: bool
) -> None:
    site = Site.load(root)
    journal = root / "runs" / "refresh.journal"
    with Journal(journal, "intake", "clinic/d1").stage():
        begun = journal.read_bytes()
    journal.write_bytes(begun)
    Journal(journal, stage, "clinic/d1" if stage == "intake" else "").failed("so", code)
    assert [each.title for each in run._died(site, Plan.of(site), silent=False)] == ["clinic/d1"] * blamed
    assert [each.title for each in run._died(site, Plan.of(site), silent=True)] == ["clinic/d1"] * (
        blamed or stage == "slurm"
    )


def test_plain_snakemake_does_what_it_is_told_to(root: Path) -> None:
    command = sites.uttag("refresh", root, "--prepare").stdout
    assert not (root / "receipts").exists()
    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, timeout=sites.PATIENCE)
    assert counted(root) == 10
    assert sites.uttag("refresh", root, "--prepare").stdout.startswith("nothing would run")


def test_what_a_killed_process_was_writing_goes_with_the_next_run(root: Path) -> None:
    part = root / "receipts" / "intake" / "clinic" / ".d1.md.abc.part"
    part.parent.mkdir(parents=True)
    part.touch()
    sites.uttag("refresh", root)
    assert not part.exists()
    assert verdict(root, "d1").word == "accepted"
