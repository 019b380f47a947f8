"""Nights in a row, in which senders do what senders do; then one build from nothing. Each morning report and
each status tells what happened, and the snapshot is the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.site.site import Site
from pipelines.site.snapshot import current
from tests import sites
from tests.intake_site import DIAGNOSES, PATIENTS, PEOPLE, contract, deliver
from tests.intake_site import site as made_site

Found = dict[str, Any]


def files(code: str, rows: int = 10) -> dict[str, bytes | str]:
    days = "".join(f"1,2021-02-{day:02d},,{code}\n" for day in range(1, rows + 1))
    return {"patients.csv": PEOPLE, "diagnoses.csv": f"id,day,end,code\n{days}"}


class Nights:
    """A site that lives on from night to night."""

    def __init__(self, root: Path) -> None:
        self.root = root
        made_site(root, contract(PATIENTS, DIAGNOSES), files("I10"))

    def deliver(self, name: str, code: str, day: str, replaces: str | None = None, rows: int = 10) -> Path:
        return deliver(self.root, name, files(code, rows), day, replaces)

    def folder(self, name: str) -> Path:
        return self.root / "deliveries" / "clinic" / name

    def night(self) -> Found:
        """One more night: what it ended with, its record, and the status in the morning."""
        ran = sites.called("night", self.root, "--ranks", 1, check=False)
        records = sorted((self.root / "nights").glob("*.json"))
        record = json.loads(records[-1].read_text(encoding="utf-8"))
        assert record["exit_code"] == ran.returncode
        status = json.loads(sites.called("status", self.root, "--json").stdout)
        assert {**status["night"]} == record
        assert status["running"] is None
        return {
            "exit": ran.returncode,
            "came": {each["delivery"].split("/")[1]: each["status"] for each in record["came"]},
            "changed": {
                each["delivery"].split("/")[1]: (each["from"], each["to"]) for each in record["changed"]
            },
            "due": [f"{each['stage']} {each['what']}".strip() for each in record["due"]],
            "snapshot": record["snapshot"],
            "words": {each["delivery"]: each["status"] for each in status["deliveries"]},
            "reasons": {each["delivery"]: each["reason"] or "" for each in status["deliveries"]},
            "inside": sorted(each["delivery"] for each in status["deliveries"] if each["in_snapshot"]),
            "record": record,
        }


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    return Nights(tmp_path_factory.mktemp("ten") / "site")


def test_ten_nights_tell_each_event_and_a_build_from_nothing_agrees(nights: Nights) -> None:
    first = nights.night()
    assert (first["exit"], first["came"]) == (0, {"d1": "accepted"})
    assert first["due"] == ["intake clinic/d1", "linkage", "store"]
    assert first["snapshot"]["before"] is None

    nights.deliver("late", "I20", "2025-08-01")  # of a day before the first
    late = nights.night()
    assert (late["exit"], late["came"]) == (0, {"late": "accepted"})
    assert late["inside"] == ["d1", "late"]

    nights.deliver("d2", "I11", "2025-09-02", replaces="d1")
    corrected = nights.night()
    assert corrected["came"] == {"d2": "accepted"}
    assert corrected["changed"] == {"d1": ("accepted", "replaced")}
    assert corrected["inside"] == ["d2", "late"]
    assert corrected["reasons"]["d1"] == "replaced by d2"

    announcement = nights.deliver("d3", "I12", "2025-09-03") / "delivery.yaml"
    good = announcement.read_text(encoding="utf-8")
    announcement.write_text(good.replace("2025-09-03", "2025-02-30").replace("'", ""), encoding="utf-8")
    broken = nights.night()
    assert (broken["exit"], broken["came"], broken["due"]) == (11, {"d3": "stopped"}, [])
    assert "a date or number that there is not" in broken["reasons"]["d3"]
    assert broken["snapshot"]["before"] == broken["snapshot"]["after"]

    announcement.write_text(good, encoding="utf-8")
    for name, code in (("d4", "I13"), ("d5", "I14")):
        nights.deliver(name, code, "2025-09-04")
    several = nights.night()
    assert (several["exit"], several["came"]) == (0, dict.fromkeys(("d3", "d4", "d5"), "accepted"))
    assert several["inside"] == ["d2", "d3", "d4", "d5", "late"]

    nights.deliver("d6", "I13", "2025-09-06", replaces="d4", rows=0)
    empty = nights.night()
    assert (empty["exit"], empty["came"]) == (11, {"d6": "held"})
    assert empty["reasons"]["d6"] == "diagnoses: 0 rows instead of the 10 that it replaces"
    assert empty["snapshot"]["before"]["id"] == empty["snapshot"]["after"]["id"]

    for name in ("d5", "d6"):
        sites.called("withdraw-delivery", f"clinic/{name}", "--reason", "a mistake", "--site", nights.root)
    withdrawn = nights.night()
    assert (withdrawn["exit"], withdrawn["came"]) == (0, {})
    assert withdrawn["changed"] == {"d5": ("accepted", "withdrawn"), "d6": ("held", "withdrawn")}
    assert withdrawn["words"]["d5"] == "withdrawn"
    assert withdrawn["inside"] == ["d2", "d3", "d4", "late"]

    nights.folder("d4").rename(nights.folder("d4-again"))
    renamed = nights.night()
    assert (renamed["exit"], renamed["came"]) == (11, {"d4-again": "stopped"})
    assert renamed["changed"] == {"d4": ("accepted", "removed")}
    assert "names another source or delivery than its folder" in renamed["reasons"]["d4-again"]

    said = yaml.safe_load((nights.folder("d4-again") / "delivery.yaml").read_text(encoding="utf-8"))
    said["delivery"] = "d4-again"
    (nights.folder("d4-again") / "delivery.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    mended = nights.night()
    assert (mended["exit"], mended["came"]) == (0, {"d4-again": "accepted"})

    shutil.rmtree(nights.folder("late"))
    removed = nights.night()
    assert (removed["exit"], removed["changed"]) == (0, {"late": ("accepted", "removed")})
    assert removed["inside"] == ["d2", "d3", "d4-again"]

    quiet = nights.night()
    assert (quiet["exit"], quiet["came"], quiet["changed"], quiet["due"]) == (0, {}, {}, [])
    assert quiet["words"] == removed["words"]

    fresh = nights.root.parent / "fresh"
    fresh.mkdir()
    for name in ("contracts", "deliveries", "keys", "decisions"):
        shutil.copytree(nights.root / name, fresh / name)
    shutil.copy(nights.root / "site.yaml", fresh / "site.yaml")
    sites.refreshed(fresh)
    assert current(Site.load(fresh)) == current(Site.load(nights.root))
    assert current(Site.load(fresh)) == quiet["snapshot"]["after"]["id"]


def test_the_pages_of_the_mornings_can_be_read(nights: Nights) -> None:
    pages = sorted((nights.root / "nights").glob("*.html"))
    assert len(pages) == len(list((nights.root / "nights").glob("*.json")))
    texts = [page.read_text(encoding="utf-8") for page in pages]
    assert any("names another source or delivery" in text for text in texts)
    assert "Nothing new." in texts[-1]
