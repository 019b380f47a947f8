"""What is no longer there no longer counts, and what changed in place is told: removed folders, withdrawals,
a disk that is away."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pipelines.errors import ContractError
from pipelines.site import audit
from pipelines.site.decisions import decide
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot, current
from tests import sites
from tests.delivered import FILES, OTHERS, counted, verdict
from tests.intake_site import DIAGNOSES, PATIENTS, contract, deliver
from tests.intake_site import site as made_site
from workflows.plan import Plan


def test_a_removed_folder_counts_no_more_and_its_removal_stands_in_the_log(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02")
    sites.refreshed(root)
    both = counted(root)
    shutil.rmtree(root / "deliveries" / "clinic" / "d2")
    plan = Plan.of(Site.load(root))
    assert plan.said()[0] == "would forget clinic/d2: its folder was removed"
    sites.refreshed(root)
    assert counted(root) == both - 10
    site = Site.load(root)
    assert not (site.store / "accepted" / "clinic" / "d2").exists()
    assert not (site.identity / "accepted" / "clinic" / "d2").exists()
    noted = list(audit.entries(site, "delivery removed"))
    assert [(each["about"]["source"], each["about"]["delivery"]) for each in noted] == [("clinic", "d2")]
    again = made_site(root.parent / "again", contract(PATIENTS, DIAGNOSES), FILES)
    sites.refreshed(again.root)
    assert current(again) == current(site)
    deliver(root, "d2", OTHERS, "2025-09-02")  # and it may come back
    sites.refreshed(root)
    assert counted(root) == both


def test_a_disk_that_is_not_there_forgets_nothing(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02")
    sites.refreshed(root)
    before = current(Site.load(root))
    away = root / "away"
    (root / "deliveries").rename(away)
    for mount in (False, True):
        if mount:
            (root / "deliveries" / "clinic").mkdir(parents=True)
        plan = sites.refreshed(root)
        assert "is its disk there" in str(plan.faults[0])
        assert current(Site.load(root)) == before
    shutil.rmtree(root / "deliveries")
    away.rename(root / "deliveries")
    assert sites.refreshed(root).due == []


def test_what_did_not_count_goes_without_a_stage(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02", replaces="never-came")
    sites.refreshed(root)
    assert verdict(root, "d2").word == "held"
    site = Site.load(root)
    decide(site, "clinic", "d2", "withdrawn", "sent by mistake")
    assert Plan.of(site).said() == ["would forget clinic/d2: it was withdrawn"]
    (root / "decisions" / "deliveries" / "clinic" / "d2.json").unlink()
    shutil.rmtree(root / "deliveries" / "clinic" / "d2")
    assert Plan.of(site).said() == ["would forget clinic/d2: its folder was removed"]


def test_a_replaced_delivery_may_be_removed_and_its_correction_goes_on_counting(root: Path) -> None:
    deliver(root, "d2", FILES, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    before = counted(root)
    shutil.rmtree(root / "deliveries" / "clinic" / "d1")
    sites.refreshed(root)
    assert (verdict(root, "d2").word, counted(root)) == ("accepted", before)


def test_withdrawn_counts_no_more_whether_its_folder_stays_or_not(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02")
    sites.refreshed(root)
    site = Site.load(root)
    decide(site, "clinic", "d2", "withdrawn", "sent to us by mistake")
    sites.refreshed(root)
    assert counted(root) == 10
    assert not (site.store / "accepted" / "clinic" / "d2").exists()
    assert sites.refreshed(root).due == []
    decide(site, "clinic", "d2", "accepted", "it was right after all", None)
    sites.refreshed(root)
    assert verdict(root, "d2").word == "accepted"


def test_withdrawing_a_correction_says_what_counts_again(root: Path) -> None:
    deliver(root, "d2", FILES, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    said = sites.called("withdraw-delivery", "clinic/d2", "--reason", "so", "--site", root).stdout
    assert said.splitlines()[1:] == ["clinic/d1, replaced until now, is accepted again"]
    sites.refreshed(root)
    assert verdict(root, "d1").word == "accepted"


def test_the_last_delivery_may_be_withdrawn(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02")
    sites.refreshed(root)
    for name in ("d1", "d2"):
        decide(Site.load(root), "clinic", name, "withdrawn", "the source has left")
    sites.refreshed(root)
    assert counted(root) == 0
    assert Snapshot.load(Site.load(root)).deliveries == ()
    assert sites.refreshed(root).due == []


def test_a_file_changed_in_place_is_a_stated_fault_and_changes_nothing(root: Path) -> None:
    sites.refreshed(root)
    before = current(Site.load(root))
    path = root / "deliveries" / "clinic" / "d1" / "diagnoses.csv"
    times = path.stat()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"I10", b"I11"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    plan = sites.refreshed(root)
    assert plan.due == []
    assert [str(each) for each in plan.faults] == [
        "clinic/d1: changed since it was accepted: diagnoses.csv holds something else; what was accepted "
        "still counts: put the files back, withdraw it, or have it replaced"
    ]
    assert isinstance(plan.faults[0], ContractError)
    assert current(Site.load(root)) == before
    path.write_bytes(content)
    assert sites.refreshed(root).faults == []


@pytest.mark.parametrize(
    ("reason", "said"),
    [("", "is no reason"), ("a\nb", "is no reason"), ("19640823-3234 asked", "identity number")],
)
def test_a_reason_is_a_line_without_numbers_of_people(root: Path, reason: str, said: str) -> None:
    ran = sites.called("withdraw-delivery", "clinic/d1", "--reason", reason, "--site", root, check=False)
    assert ran.returncode == 10
    assert said in ran.stderr
    assert "19640823" not in ran.stderr


def test_no_decision_takes_effect_without_its_entry_in_the_log(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites.refreshed(root)
    site = Site.load(root)

    def killed(*_arguments: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.site.audit.note", killed)
    with pytest.raises(KeyboardInterrupt):
        decide(site, "clinic", "d1", "withdrawn", "so")
    assert verdict(root, "d1").word == "accepted"


def test_only_what_is_there_is_withdrawn_and_only_what_is_held_accepted(root: Path) -> None:
    sites.refreshed(root)
    for command, delivery, said in (
        ("withdraw-delivery", "clinic/d7", "is no delivery of this site"),
        ("accept-delivery", "clinic/d1", "is accepted: no guard holds it"),
    ):
        ran = sites.called(command, delivery, "--reason", "so", "--site", root, check=False)
        assert (ran.returncode, said in ran.stderr) == (10, True)
