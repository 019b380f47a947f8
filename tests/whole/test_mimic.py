"""Real data the whole way: 100 de-identified patients of the MIMIC-IV demo, and the few shown cells counted
again by hand."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sites

MINIMUM = 5


def rows(name: str) -> Iterator[dict[str, str]]:
    with (sites.MIMIC / f"{name}.csv").open(encoding="utf-8", newline="") as source:
        yield from csv.DictReader(source)


def released(site: Path, table: str) -> list[dict[str, str]]:
    from pipelines.release.publish import latest
    from pipelines.site.site import Site

    with (latest(Site.load(site), "admissions") / "tables" / f"{table}.csv").open(
        encoding="utf-8", newline=""
    ) as source:
        return list(csv.DictReader(source))


def band(year_of_birth: int, date: str) -> str:
    """Age group on a day; whose day of birth is unknown is taken to be born on 1 July."""
    year, month, day = (int(part) for part in date.split("-"))
    age = year - year_of_birth - ((month, day) < (7, 1))
    return "90+" if age >= 90 else f"{age // 30 * 30}-{age // 30 * 30 + 29}"


@pytest.fixture(scope="module")
def patients() -> dict[str, tuple[str, int]]:
    """Sex and year of birth of each patient."""
    sex = {"8507": "Men", "8532": "Women"}
    return {
        row["person_id"]: (sex[row["gender_concept_id"]], int(row["year_of_birth"])) for row in rows("person")
    }


@pytest.fixture(scope="module")
def first_visit() -> dict[str, str]:
    """First day in hospital of each patient, inside an observation period."""
    first: dict[str, str] = {}
    for row in rows("visit_occurrence"):
        first[row["person_id"]] = min(row["visit_start_date"], first.get(row["person_id"], "9999"))
    return first


def test_the_bundle_verifies(mimic_released: Path) -> None:
    from pipelines.release.publish import latest
    from pipelines.site.site import Site

    assert "FAILS" not in sites.called("verify", latest(Site.load(mimic_released), "admissions")).stdout


def test_shown_patients_are_those_counted_by_hand(
    mimic_released: Path, patients: dict[str, tuple[str, int]], first_visit: dict[str, str]
) -> None:
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for person, (sex, born) in patients.items():
        if person in first_visit:
            for cell in (
                (sex, band(born, first_visit[person])),
                (sex, "Total"),
                ("Total", band(born, first_visit[person])),
                ("Total", "Total"),
            ):
                counted[cell] += 1
    shown = 0
    for row in released(mimic_released, "patients"):
        if row["persons"]:
            assert int(row["persons"]) == counted[row["sex_label"], row["age_group_label"]]
            shown += int(row["persons"]) > 0
        else:
            assert counted[row["sex_label"], row["age_group_label"]] > 0
    assert counted["Total", "Total"] == 100
    assert shown >= 5


def test_shown_patients_with_diseases_of_the_circulation_are_those_counted_by_hand(
    mimic_released: Path, patients: dict[str, tuple[str, int]]
) -> None:
    """I00-I99 in ICD-10-CM and 390-459 in ICD-9-CM; of billed diagnoses alone. No other code of either
    revision has these forms."""
    persons: dict[str, set[str]] = defaultdict(set)
    stays: dict[str, set[str]] = defaultdict(set)
    inpatient = {
        row["visit_occurrence_id"]
        for row in rows("visit_occurrence")
        if row["visit_source_concept_id"] in INPATIENT
    }
    for row in rows("condition_occurrence"):
        code = row["condition_source_value"].strip()
        if row["condition_type_concept_id"] == "32821" and (
            code[0] == "I" or (code[:3].isdigit() and 390 <= int(code[:3]) <= 459)
        ):
            for sex in (patients[row["person_id"]][0], "Total"):
                persons[sex].add(row["person_id"])
                if row["visit_occurrence_id"] in inpatient:
                    stays[sex].add(row["visit_occurrence_id"])
    found = {
        row["sex_label"]: row
        for row in released(mimic_released, "chapters")
        if row["chapter"] == "IX" and row["age_group"] == "Total"
    }
    for sex in ("Men", "Women", "Total"):
        assert int(found[sex]["persons"]) == len(persons[sex]) >= MINIMUM
        assert int(found[sex]["admissions"]) == len(stays[sex])


INPATIENT = {"2000001802", "2000001804", "2000001806", "2000001807", "2000001808", "2000001809"}


def test_no_shown_cell_is_small(mimic_released: Path) -> None:
    for table in ("patients", "chapters"):
        values = [int(row["persons"]) for row in released(mimic_released, table) if row["persons"]]
        assert not [value for value in values if 0 < value < MINIMUM]
