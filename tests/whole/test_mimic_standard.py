"""Real data by their standard concepts: the MIMIC-IV demo delivers no vocabulary but its own, so that codes
are the ids of standard concepts, and cohorts are counted again by hand."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.intake.concept_table import VOCABULARIES
from pipelines.release.publish import latest
from pipelines.site.site import Site
from tests import sites

TABLES = {"condition_occurrence": "condition", "procedure_occurrence": "procedure", "drug_exposure": "drug"}
HYPERTENSION = "320128"


def rows(name: str) -> Iterator[dict[str, str]]:
    with (sites.MIMIC / f"{name}.csv").open(encoding="utf-8", newline="") as source:
        yield from csv.DictReader(source)


def by_standard(contract: dict[str, Any]) -> dict[str, Any]:
    """The contract with what is built in for the tables of events, in place of its own mapping."""
    for table in contract["schema"]:
        if name := TABLES.get(table["name"]):
            table.pop("customProperties")
            day = (
                "drug_exposure_start_date"
                if name == "drug"
                else f"{name}{'_start' * (name == 'condition')}_date"
            )
            table["properties"] = [
                {"name": "person_id", "logicalType": "string", "required": True},
                {"name": day, "logicalType": "date", "required": True},
                {"name": f"{name}_concept_id", "logicalType": "integer"},
                {"name": f"{name}_source_concept_id", "logicalType": "integer"},
                {"name": "visit_occurrence_id", "logicalType": "string"},
            ]
    columns = (("concept_id", "integer"), ("vocabulary_id", "string"), ("concept_code", "string"))
    contract["schema"].append(
        {"name": "concept", "properties": [{"name": name, "logicalType": kind} for name, kind in columns]}
    )
    return contract


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's site by standard concepts, with a permit on one of them, run."""
    if not sites.MIMIC.is_dir():
        pytest.skip("the MIMIC-IV demo is not in ../shared/reference")
    root = tmp_path_factory.mktemp("mimic-standard") / "site"
    sites.called("init", root, "--example", "mimic")
    for path in sites.MIMIC.glob("*.csv"):
        shutil.copy(path, root / "deliveries" / "mimic" / "v0.9")
    for path, change in (
        (root / "contracts" / "mimic_omop.yaml", by_standard),
        (root / "deliveries" / "mimic" / "v0.9" / "delivery.yaml", with_concepts),
        (root / "permits" / "admissions.yaml", of_members),
    ):
        path.write_text(
            yaml.safe_dump(change(yaml.safe_load(path.read_text(encoding="utf-8")))), encoding="utf-8"
        )
    (root / "definitions" / "admitted.yaml").write_text(
        "cohort: hypertension\ntitle: Hypertension\nstudy: {from: 2100-01-01, to: 2210-12-31}\n"
        f"codes: {{hypertension: [OMOP/{HYPERTENSION} and below]}}\n"
        "index: {codes: hypertension, which: first, kind: diagnosis}\n",
        encoding="utf-8",
    )
    key = root / "keys" / "owners" / "PhysioNet.ed25519"
    sites.called("sign", root / "permits" / "admissions.yaml", "--owner", "PhysioNet", "--key", key)
    sites.stage_by_stage(root, "admissions")
    return root


def with_concepts(delivery: dict[str, Any]) -> dict[str, Any]:
    return {**delivery, "tables": {**delivery["tables"], "concept": ["2b_concept.csv"]}}


def of_members(permit: dict[str, Any]) -> dict[str, Any]:
    return {**permit, "tables": [each for each in permit["tables"] if each["table"] == "patients"]}


def test_rows_count_by_the_ids_of_their_standard_concepts(released: Path) -> None:
    receipt = json.loads(
        (released / "receipts" / "intake" / "mimic" / "v0.9.json").read_text(encoding="utf-8")
    )
    assert not {each["vocabulary_id"] for each in rows("2b_concept")} & VOCABULARIES.keys()
    unknown, without = Counter[str](), 0
    for table, name in TABLES.items():
        for row in rows(table):
            unknown[name] += row[f"{name}_concept_id"] == "0"
            without += row[f"{name}_concept_id"] != "0"
    quarantined = {
        each["column"]: each["rows"] for each in receipt["quarantined"] if each["reason"] == "unknown_code"
    }
    assert quarantined == {f"{name}_source_concept_id": count for name, count in unknown.items() if count}
    assert receipt["warnings"]["concept_without_code"] == without > 40_000


def test_the_bundle_shows_whom_one_counts_by_hand(released: Path) -> None:
    first: dict[str, str] = {}
    for row in rows("condition_occurrence"):
        if row["condition_concept_id"] == HYPERTENSION:
            person = row["person_id"]
            first[person] = min(row["condition_start_date"], first.get(person, "9999"))
    periods = defaultdict[str, list[tuple[str, str]]](list)
    for row in rows("observation_period"):
        span = row["observation_period_start_date"], row["observation_period_end_date"]
        periods[row["person_id"]].append(span)
    members = [
        person for person, day in first.items() if any(begin <= day <= end for begin, end in periods[person])
    ]
    with (latest(Site.load(released), "admissions") / "tables" / "patients.csv").open(newline="") as source:
        total = next(
            row for row in csv.DictReader(source) if row["sex"] == "Total" and row["age_group"] == "Total"
        )
    assert int(total["persons"]) == len(members) > 20


def test_the_snapshot_lists_the_concepts(released: Path) -> None:
    told = json.loads(sites.called("codes", released, "--system", "OMOP", "--json").stdout)
    occurring = {row[f"{name}_concept_id"] for table, name in TABLES.items() for row in rows(table)} - {"0"}
    assert {each["code"].removeprefix("OMOP/") for each in told["codes"]} == occurring
