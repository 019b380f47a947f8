"""Guards: a delivery beside its predecessors, and a source over time."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

from pipelines.errors import ContractError
from pipelines.files.digests import digest
from pipelines.files.yaml import load_yaml
from pipelines.intake.quality import write_reports
from pipelines.site.acceptance import verdicts
from pipelines.site.contents import contents
from pipelines.site.decisions import decide
from pipelines.site.guards import Guards
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from pipelines.site.sources import states
from tests import sites
from tests.delivered import FILES, GOOD, NOTHING, ONE_ROW, swapped, verdict
from tests.intake_site import DIAGNOSES, PATIENTS, PEOPLE, contract, deliver
from workflows.plan import Plan


@pytest.mark.parametrize(
    ("files", "replaces", "said"),
    [
        (NOTHING, "d1", "diagnoses: 0 rows instead of the 10 that it replaces"),
        (ONE_ROW, "d1", "diagnoses: 1 rows instead of the 10 that it replaces"),
        (FILES, "d0", "it replaces d0, which never came"),
        (FILES, "d2", "it replaces itself"),
        (FILES, "d9", "it replaces d9, which was not delivered before it"),
    ],
)
def test_a_correction_that_would_wipe_or_replace_the_wrong_thing_is_held(
    root: Path, files: dict[str, bytes | str], replaces: str, said: str
) -> None:
    deliver(root, "d9", FILES, "2026-01-01")
    deliver(root, "d2", files, "2025-09-02", replaces=replaces)
    sites.refreshed(root)
    assert verdict(root, "d2").word == "held"
    assert verdict(root, "d2").reason == said
    assert verdict(root, "d1").word == "accepted"
    site = Site.load(root)
    delivery = site.delivery("clinic", "d2")
    decide(site, "clinic", "d2", "accepted", "the sender confirms it", digest_of(site, "d2"))
    sites.refreshed(root)
    assert verdict(root, "d2").word == "accepted"
    # It counts now, and what was accepted is that content, not the name.
    (delivery.root / "diagnoses.csv").write_text(GOOD.replace("I10", "I12"), encoding="utf-8")
    assert [type(each) for each in Plan.of(site).faults] == [ContractError]


def digest_of(site: Site, name: str) -> str:
    return digest(contents(site, site.delivery("clinic", name)))


def test_a_held_delivery_may_be_mended_where_it_lies(root: Path) -> None:
    folder = deliver(root, "d2", NOTHING, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    (folder / "diagnoses.csv").write_text(GOOD, encoding="utf-8")
    plan = sites.refreshed(root)
    assert plan.faults == []
    assert plan.due[0].why == "its files changed since it was held"
    assert verdict(root, "d2").word == "accepted"
    (folder / "delivery.yaml").write_text("", encoding="utf-8")  # now it counts, and stays as it was read
    assert [type(each) for each in sites.refreshed(root).faults] == [ContractError]


def test_a_held_delivery_whose_announcement_is_spoilt_leaves_nothing_sealed(root: Path) -> None:
    folder = deliver(root, "d2", NOTHING, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    (folder / "delivery.yaml").write_text("", encoding="utf-8")
    sites.refreshed(root)
    assert verdict(root, "d2").word == "stopped"
    assert not list(root.glob("*/accepted/clinic/d2"))


def test_of_two_corrections_of_one_the_second_is_held(root: Path) -> None:
    deliver(root, "d2", FILES, "2025-09-02", replaces="d1")
    deliver(root, "d3", FILES, "2025-09-03", replaces="d1")
    deliver(root, "d4", FILES, "2025-09-04", replaces="d2")
    sites.refreshed(root)
    words = {each.receipt["delivery"]: each.word for each in verdicts(Site.load(root))}
    assert words == {"d1": "replaced", "d2": "replaced", "d3": "held", "d4": "accepted"}
    assert "as d2 does already" in (verdict(root, "d3").reason or "")


def test_a_correction_that_moves_dates_and_loses_people_is_told(root: Path) -> None:
    moved = GOOD.replace("2021-02-0", "2021-03-0")
    people = "\n".join(PEOPLE.splitlines()[:2]) + "\n"
    deliver(root, "d2", {"patients.csv": people, "diagnoses.csv": moved}, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    found = verdict(root, "d2")
    assert found.receipt["compared"] == {
        "with": "d1",
        "records": 2,
        "lost_records": 1,
        "events": 10,
        "moved_dates": 9,
    }
    assert found.word == "accepted"
    assert [each.guard for each in found.findings] == ["lost_records", "moved_dates"]


def test_a_delivery_of_another_size_than_usual_is_told_and_stopped_where_the_contract_says_so(
    root: Path,
) -> None:
    for number in (2, 3):
        deliver(root, f"d{number}", FILES, f"2025-09-0{number}")
    deliver(root, "d4", ONE_ROW, "2025-09-04")
    deliver(root, "d5", NOTHING, "2025-09-05")
    sites.refreshed(root)
    assert [each.text for each in verdict(root, "d4").findings] == ["diagnoses: 1 rows, where 10 are usual"]
    assert [each.text for each in verdict(root, "d5").findings] == ["diagnoses: no row, where 10 are usual"]
    strict = contract(PATIENTS, DIAGNOSES, guards={"volume": {"then": "stop"}, "empty": {"then": "off"}})
    (root / "contracts" / "clinic.yaml").write_text(yaml.safe_dump(strict), encoding="utf-8")
    sites.refreshed(root)
    assert [each.word for each in verdicts(Site.load(root))] == ["accepted"] * 3 + ["held"] * 2


def test_the_verdicts_do_not_depend_on_the_nights(root: Path) -> None:
    deliver(root, "d2", NOTHING, "2025-09-02", replaces="d1")
    deliver(root, "d3", FILES, "2025-09-03")
    sites.refreshed(root)
    deliver(root, "d4", FILES, "2025-09-04", replaces="d3")
    sites.refreshed(root)
    fresh = root.parent / "fresh"
    for name in ("contracts", "deliveries", "keys"):
        shutil.copytree(root / name, fresh / name)
    shutil.copy(root / "site.yaml", fresh / "site.yaml")
    sites.refreshed(fresh)
    ours, theirs = (verdicts(Site.load(each)) for each in (root, fresh))
    assert [(each.title, each.word, each.reason) for each in ours] == [
        (each.title, each.word, each.reason) for each in theirs
    ]
    assert current(Site.load(root)) == current(Site.load(fresh))


def test_a_guard_is_off_however_yaml_reads_the_word(tmp_path: Path) -> None:
    """Without quotes YAML takes off for false, as people write it."""
    (tmp_path / "guards.yaml").write_text("volume: {then: off}\nfreshness: {then: 'off'}\n", encoding="utf-8")
    guards = load_yaml(tmp_path / "guards.yaml", Guards)
    assert (guards.volume.then, guards.freshness.then) == ("off", "off")


def test_the_quality_report_shows_what_guards_found_beside_earlier_deliveries(root: Path) -> None:
    deliver(root, "d2", ONE_ROW, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    site = Site.load(root)
    write_reports(site, verdicts(site))
    text = (root / "receipts" / "intake" / "clinic" / "d2.md").read_text(encoding="utf-8")
    assert "| shrinking | stop | diagnoses: 1 rows instead of the 10 that it replaces |" in text
    assert [line.split()[-2:] for line in text.splitlines() if "█" in line] == [
        ["12", "accepted"],
        ["3", "held"],
    ]


def test_a_late_source_and_one_whose_records_are_linked_to_no_other_are_told(root: Path) -> None:
    agreed = contract(PATIENTS, DIAGNOSES, guards={"freshness": {"days": 30}, "unlinked": {"most": 0.1}})
    (root / "contracts" / "clinic.yaml").write_text(yaml.safe_dump(agreed), encoding="utf-8")
    sites.refreshed(root)
    site = Site.load(root)
    late = "clinic is late: its last delivery is 31 days old, 30 are borne"
    (state,) = states(site, verdicts(site), date(2025, 10, 2))
    assert list(state.warnings()) == [late]  # of one source, no record has another to be linked to
    (state,) = states(site, verdicts(site), date(2025, 10, 1))
    assert not state.late

    other = deliver(root, "d2", FILES, "2025-09-01")
    (root / "deliveries" / "ward").mkdir()
    other = other.rename(root / "deliveries" / "ward" / "d2")
    swapped("source: clinic", "source: ward")(other / "delivery.yaml")
    with (root / "site.yaml").open("a", encoding="utf-8") as settings:
        settings.write("  ward: {contract: contracts/clinic.yaml}\n")
    (other / "patients.csv").write_text("id,number,name,sex,born\n7,,Alm,M,1964-08-23\n", encoding="utf-8")
    (other / "diagnoses.csv").write_text(GOOD.replace("\n1,", "\n7,"), encoding="utf-8")
    sites.refreshed(root)
    site = Site.load(root)
    told = [list(each.warnings()) for each in states(site, verdicts(site), date(2025, 9, 2))]
    assert told == [
        ["clinic: 100% of its records are linked to no other, 10% are borne"],
        ["ward: 100% of its records are linked to no other, 10% are borne"],
    ]
