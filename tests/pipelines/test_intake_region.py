"""Intake over a made-up region and over real de-identified data."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from kernels.hashing import hash_rows
from pipelines.compute.workers import LocalWorkers
from pipelines.files import sealed
from pipelines.files.digests import content_hash, file_digest
from pipelines.files.frames import Category, length, take
from pipelines.files.schemas import (
    ACCEPTED_EVENTS,
    ANCESTORS,
    DAY_OPEN,
    IDENTITIES,
    KIND,
    QUARANTINE,
    SETTING,
)
from pipelines.intake import adapters, intake
from pipelines.intake.stage import ANCESTORS_FILE
from pipelines.site.site import Site, create_keys
from pipelines.study import codes
from pipelines.synthetic.generate import SOURCES, generate
from tests.intake_site import (
    DIAGNOSES,
    KEYS,
    PATIENTS,
    PEOPLE,
    contract,
    events,
    identities,
    quarantine,
    receipt,
    site,
)

DEMO = Path("workflows/demo/site")
MIMIC = Path("../shared/reference/mimic_iv_demo_omop")
PEOPLE_COUNT = 2_000


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A delivered region that no test changes."""
    root = tmp_path_factory.mktemp("region") / "site"
    shutil.copytree(DEMO, root)
    create_keys(root, KEYS)
    generate(root, PEOPLE_COUNT, 7)
    return Site.load(root)


@pytest.fixture(scope="module")
def receipts(region: Site) -> dict[str, dict[str, Any]]:
    """What intake says of each source's first delivery."""
    return {each.source: intake(region, each, LocalWorkers(2)) for each in region.deliveries()}


def test_every_source_of_the_demo_is_accepted(region: Site, receipts: dict[str, dict[str, Any]]) -> None:
    assert sorted(receipts) == sorted(SOURCES)
    for found in receipts.values():
        assert found["status"] == "accepted"
        assert 0 < found["rows_accepted"] <= found["rows_read"]
        assert sum(each["rows"] for each in found["quarantined"]) < 0.02 * found["rows_read"] + 10
    assert sum(each["rows"] for found in receipts.values() for each in found["events"]) > 50 * PEOPLE_COUNT


def test_each_record_key_stands_once_and_is_one_that_the_truth_knows(
    region: Site, receipts: dict[str, dict[str, Any]]
) -> None:
    truth = pq.read_table(region.root / "truth" / "records.parquet").to_pylist()
    key = region.zone("identity").derived("record")
    known = set(
        hash_rows(
            np.array([f"{row['source']}\x1f{row['reference']}".encode() for row in truth]), key
        ).tolist()
    )
    for found in receipts.values():
        for each in found["identities"]:
            record = sealed.read(region.root / each["file"], IDENTITIES, region.zone("identity"), ["record"])[
                "record"
            ]
            assert (np.diff(record) > 0).all()
        records = identities(region, found)["record"].tolist()
        assert len(set(records)) == len(records)
        assert set(records) <= known
        assert set(events(region, found)["record"].tolist()) <= set(records)


def test_the_tokens_of_the_sender_are_those_of_the_register(
    region: Site, receipts: dict[str, dict[str, Any]]
) -> None:
    register = identities(region, receipts["folkbokforing"])
    current, previous = set(register["token"].tolist()), set(register["previous_token"].tolist())
    dispensed = identities(region, receipts["lakemedel"])
    found = np.array([token in current or token in previous for token in dispensed["token"].tolist()])
    assert found.mean() > 0.98
    assert not dispensed["number"].astype(bool).any()
    assert (previous - {0}) & set(dispensed["token"].tolist())


def test_the_events_are_of_the_kinds_and_places_that_the_contracts_say(
    region: Site, receipts: dict[str, dict[str, Any]]
) -> None:
    kinds = {source: set(events(region, found)["kind"].tolist()) for source, found in receipts.items()}
    expected = {
        "folkbokforing": {"residence", "death"},
        "journal_a": {"visit", "diagnosis", "procedure", "measurement"},
        "journal_b": {"visit", "diagnosis", "procedure", "measurement"},
        "lakemedel": {"drug"},
        "dodsorsak": {"death"},
        "primarvard": {"visit", "diagnosis", "measurement", "observation"},
        "kvalitetsregister": {"measurement"},
        "sparrlista": {"opt_out"},
    }
    assert kinds == {source: {KIND[kind] for kind in names} for source, names in expected.items()}
    homes = events(region, receipts["folkbokforing"])
    assert (homes["end"] == DAY_OPEN).any()
    for found in receipts.values():
        frame = events(region, found)
        concept = frame["concept"]
        assert isinstance(concept, Category)
        for label in concept.labels:
            system, _, code = label.partition("/")
            assert system in ("VISIT", "VITAL") or codes.known(system, code)


def contents(made: Site) -> dict[str, str]:
    """Everything that intake has left, by name: content hashes of sealed files, the rest as it is."""
    found = {}
    for path in sorted(made.identity.rglob("*.parquet")):
        schema = QUARANTINE if "quarantine" in path.parts else IDENTITIES
        found[str(path.relative_to(made.root))] = content_hash(
            sealed.read(path, schema, made.zone("identity")), schema
        )
    for path in sorted(made.store.rglob("*.parquet")):
        schema = ANCESTORS if path.name == ANCESTORS_FILE else ACCEPTED_EVENTS
        found[str(path.relative_to(made.root))] = content_hash(
            sealed.read(path, schema, made.zone("store")), schema
        )
    for path in sorted(made.receipts.rglob("*.*")):
        found[str(path.relative_to(made.root))] = path.read_text()
    return found


class Elsewhere:
    """Workers that share nothing with the driver but files: what goes out and comes back is pickled."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        return [pickle.loads(pickle.dumps(function(pickle.loads(pickle.dumps(item))))) for item in items]


def test_tasks_are_small_and_go_to_another_machine(region: Site, receipts: dict[str, dict[str, Any]]) -> None:
    class Weighing(Elsewhere):
        def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
            assert max(len(pickle.dumps(item)) for item in items) < 50_000
            return super().map(function, items)

    delivery = region.delivery("journal_a", "2025-09-01")
    assert intake(region, delivery, Weighing()) == receipts["journal_a"]


def test_a_second_run_with_other_workers_leaves_the_same(
    region: Site, receipts: dict[str, dict[str, Any]]
) -> None:
    before = contents(region)
    for each in region.deliveries():
        assert intake(region, each, LocalWorkers(1)) == receipts[each.source]
    assert contents(region) == before
    assert not [path for path in region.root.rglob("*") if "staging" in path.parts and path.is_file()]


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    rows = [f"1,2021-02-{day:02d},,I10\n" for day in range(1, 11)]
    files = {f"diagnoses-{k}.csv": "id,day,end,code\n" + "".join(rows[k::3]) for k in range(3)}
    left = []
    for turn in (1, -1):  # the announcement lists them in another order, and has another hash
        made = site(
            tmp_path / str(turn),
            contract(PATIENTS, DIAGNOSES),
            dict([("patients.csv", PEOPLE), *files.items()][::turn]),
        )
        receipt(made)
        announced = file_digest(made.root / "deliveries" / "clinic" / "d1" / "delivery.yaml")
        left.append({name: text.replace(announced, "") for name, text in contents(made).items()})
    assert left[0] == left[1]


def test_rows_are_the_same_however_few_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        f"1,2021-02-{day:02d},,{'99X' if day % 5 == 0 else 'I10'}{',' * (day % 7 == 0)}\n"
        for day in range(1, 29)
    ]
    rows = "id,day,end,code\n" + "".join(lines)
    left = []
    for size in (2_000_000, 3):
        monkeypatch.setattr(adapters, "BLOCK", size)
        made = site(
            tmp_path / str(size),
            contract(PATIENTS, DIAGNOSES),
            {"patients.csv": PEOPLE, "diagnoses.csv": rows},
        )
        found = receipt(made)
        left.append(
            (events(made, found)["start"].tolist(), quarantine(made), found["rows_read"], found["quality"])
        )
    assert left[0] == left[1]
    assert [row for row, reason, _ in left[0][1] if reason == "ragged_row"] == [13, 20, 27, 6]


def test_a_person_in_two_files_stands_once(tmp_path: Path) -> None:
    files = {
        "patients-1.csv": PEOPLE,
        "patients-2.csv": "id,number,name,sex,born\n2,,Annan,M,1950-01-01\n3,,Tre,M,1951-01-01\n",
    }
    made = site(tmp_path, contract(PATIENTS), files)
    found = receipt(made)
    assert sorted(identities(made, found)["surname"].tolist()) == [b"EK", b"TRE", "ÖBERG".encode()]
    assert found["warnings"] == {"record_in_two_files": 1}
    for each in found["identities"]:
        frame = sealed.read(made.root / each["file"], IDENTITIES, made.zone("identity"))
        assert (each["rows"], each["hash"]) == (length(frame), content_hash(frame, IDENTITIES))


def test_the_second_night_has_a_late_delivery_and_a_correction(
    region: Site, receipts: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    root = tmp_path / "site"
    shutil.copytree(region.root, root, ignore=shutil.ignore_patterns("identity", "store", "receipts"))
    shutil.copytree(root / "later", root / "deliveries", dirs_exist_ok=True)
    made = Site.load(root)
    new = [
        each
        for each in made.deliveries()
        if each.delivery not in {first.delivery for first in region.deliveries()}
    ]
    assert [(each.source, each.replaces) for each in new] == [
        ("journal_b", None),
        ("kvalitetsregister", "2025-09-01"),
    ]
    late, corrected = (intake(made, each, LocalWorkers(1)) for each in new)
    assert {late["status"], corrected["status"]} == {"accepted"}
    before, after = identities(made, receipts["journal_b"] | {"identities": []}), identities(made, late)
    assert length(after) > 0 == length(before)
    assert events(made, late)["start"].min() >= 19_000
    first = events(region, receipts["kvalitetsregister"])
    assert length(events(made, corrected)) == length(first)
    assert content_hash(events(made, corrected), ACCEPTED_EVENTS) != content_hash(first, ACCEPTED_EVENTS)


def test_no_receipt_report_or_name_of_a_file_tells_who_someone_is(
    region: Site, receipts: dict[str, dict[str, Any]]
) -> None:
    canaries = json.loads((region.root / "truth" / "canaries.json").read_text())
    texts = [path.read_text() for path in region.receipts.rglob("*.*")] + [
        str(path) for path in region.root.rglob("*")
    ]
    stored = b"".join(
        path.read_bytes() for zone in (region.identity, region.store) for path in zone.rglob("*.parquet")
    )
    for canary in canaries:
        for secret in (canary["surname"], canary["surname"].upper(), canary["number"], canary["number"][2:]):
            assert not any(secret in text for text in texts)
            assert secret.encode() not in stored
    assert not re.search(r"\b(19|20)\d{10}\b", " ".join(texts))


# ---- MIMIC -------------------------------------------------------------------------------------------------

TABLES = (
    "person",
    "observation_period",
    "visit_occurrence",
    "condition_occurrence",
    "procedure_occurrence",
    "drug_exposure",
    "death",
)


@pytest.fixture(scope="module")
def mimic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, dict[str, Any]]:
    """The MIMIC-IV demo, taken in."""
    if not MIMIC.is_dir():
        pytest.skip("the MIMIC-IV demo is not beside the project")
    root = tmp_path_factory.mktemp("mimic")
    agreed = Path("workflows/mimic/contracts/mimic_omop.yaml")
    made = site(
        root, contract(PATIENTS), {f"{table}.csv": (MIMIC / f"{table}.csv").read_bytes() for table in TABLES}
    )
    shutil.copy(agreed, root / "contracts" / "clinic.yaml")
    return made, receipt(made, 2)


def test_real_data_come_through_whole(mimic: tuple[Site, dict[str, Any]]) -> None:
    made, found = mimic
    assert found["status"] == "accepted"
    assert [(each["reason"], each["column"]) for each in found["quarantined"]] == [
        ("unknown_code", "drug_source_value")
    ]
    frame = identities(made, found)
    assert (length(frame), np.bincount(frame["sex"]).tolist()) == (100, [0, 57, 43])
    assert {int(each.astype("datetime64[D]").astype(str)[5:7]) for each in frame["birth_day"]} == {7}
    counts = np.bincount(events(made, found)["kind"], minlength=len(KIND))
    assert {name: int(counts[KIND[name]]) for name in ("diagnosis", "visit", "death", "observation")} == {
        "diagnosis": 3833,
        "visit": 852,
        "death": 15,
        "observation": 100,
    }
    visits = events(made, found)
    assert int((visits["setting"] == SETTING["inpatient"]).sum()) == 233


def test_the_two_revisions_of_icd_are_told_apart_as_the_senders_concept_ids_do(
    mimic: tuple[Site, dict[str, Any]],
) -> None:
    """ICD-9-CM has the standard concept ids 44,000,000 to 44,999,999, ICD-10-CM none of them; intake does not
    look at them."""
    made, found = mimic
    rows = [line.split(",") for line in (MIMIC / "condition_occurrence.csv").read_text().splitlines()[1:]]
    billed = [row for row in rows if row[7] == "32821"]
    expected = sorted(
        f"{'ICD-9-CM' if 44_000_000 <= int(row[13]) < 45_000_000 else 'ICD-10-CM'}/{row[12].strip()}"
        for row in billed
    )
    frame = events(made, found)
    diagnoses = take(frame, frame["kind"] == KIND["diagnosis"])["concept"]
    assert isinstance(diagnoses, Category)
    assert sorted(label for label in diagnoses.decoded() if label) == expected
    chapter, block = codes.classify(sorted(set(expected)))
    assert (chapter >= 0).all()
    assert (block >= 0).all()


# ---- OMOP tables that need no mapping ----------------------------------------------------------------------


def _cdm(*columns: str, dates: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return [{"name": name, "logicalType": "date" if name in dates else "string"} for name in columns]


def test_omop_tables_map_themselves_by_way_of_the_concept_table(tmp_path: Path) -> None:
    number = {"logicalType": "integer"}
    tables = [
        {
            "name": "person",
            "properties": [
                *_cdm("person_id", "gender_concept_id"),
                *({"name": f"{part}_of_birth", **number} for part in ("year", "month", "day")),
            ],
        },
        {
            "name": "concept",
            "properties": [{"name": "concept_id", **number}, *_cdm("vocabulary_id", "concept_code")],
        },
        {
            "name": "drug_exposure",
            "properties": [
                *_cdm(
                    "person_id",
                    "drug_exposure_start_date",
                    "visit_occurrence_id",
                    dates=("drug_exposure_start_date",),
                ),
                {"name": "drug_source_concept_id", **number},
            ],
        },
        {
            "name": "procedure_occurrence",
            "properties": [
                *_cdm("person_id", "procedure_date", "visit_occurrence_id", dates=("procedure_date",)),
                {"name": "procedure_source_concept_id", **number},
            ],
        },
        {"name": "death", "properties": _cdm("person_id", "death_date", dates=("death_date",))},
    ]
    files = {
        "person.csv": "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n"
        "-77,8532,1950,,\n88,8507,1960,5,4\n",
        "concept.csv": "concept_id,vocabulary_id,concept_code\n2000000002,KVA,AF "
        "022\n2000000001,ATC,a10ba02\n2000000003,made_up,X\n",
        "drug_exposure.csv": (
            "person_id,drug_exposure_start_date,visit_occurrence_id,drug_source_concept_id\n"
            "-77,2001-01-01 10:00:00,5,2000000001\n88,2001-01-02,,2000000003\n88,2001-01-02,,7\n"
        ),
        "procedure_occurrence.csv": (
            "person_id,procedure_date,visit_occurrence_id,procedure_source_concept_id\n88,2002-01-01,5,2000000002\n"
        ),
        "death.csv": "person_id,death_date\n-77,2003-01-01\n",
    }
    made = site(tmp_path, contract(*tables, server={"format": "omop"}), files)
    found = receipt(made)
    frame = events(made, found)
    assert frame["concept"].decoded() == ["VITAL/DEATH", "ATC/A10BA02", "KVA/AF022"]  # type: ignore[union-attr]
    assert frame["encounter"][1] == frame["encounter"][2] != 0 == frame["encounter"][0]
    assert quarantine(made) == [
        (1, "unknown_code", "drug_source_concept_id"),
        (2, "unknown_code", "drug_source_concept_id"),
    ]
    births = identities(made, found)["birth_day"].astype("datetime64[D]").astype(str).tolist()
    assert sorted(births) == ["1950-07-01", "1960-05-04"]
