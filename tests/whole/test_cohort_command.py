"""`uttag cohort`, `explain` and `schema` as people call them: files in, OHDSI's tables out, and clear words
where it cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests import sites

UTTAG = Path(sys.executable).with_name("uttag")
TABLES = (
    "cohort",
    "cohort_inclusion_result",
    "cohort_inclusion_stats",
    "cohort_summary_stats",
    "cohort_censor_stats",
)
CDM = {
    "person": "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n"
    "1,8507,1960,2,29\n2,8532,1980,,\n-3,8532,1990,5,5\n",
    "observation_period": "observation_period_id,person_id,observation_period_start_date,"
    "observation_period_end_date\n"
    "1,1,2010-01-01,2020-12-31\n2,2,2010-01-01,2020-12-31\n3,-3,2110-01-01,2202-12-31\n",
    "condition_occurrence": "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,"
    "condition_end_date,condition_source_concept_id,visit_occurrence_id\n"
    "1,1,10,2015-03-01,2015-03-04,90,\n2,1,11,2016-03-01,,91,\n"
    "3,2,11,2017-01-01,,91,7\n4,-3,11,2150-01-01,,91,\n5,99,11,2015-01-01,,91,\n",
    "concept": "concept_id,vocabulary_id,concept_code,invalid_reason\n"
    "10,SNOMED,A,\n11,SNOMED,B,\n90,ICD10,E11.9 ,\n91,ICD10,I10,\n",
    "concept_ancestor": "ancestor_concept_id,descendant_concept_id\n10,10\n10,11\n11,10\n11,11\n",  # a circle
}


def uttag(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    ran = sites.called(*arguments, check=False)
    assert ran.returncode == code, ran.stderr
    return ran


@pytest.fixture
def cdm(tmp_path: Path) -> Path:
    folder = tmp_path / "cdm"
    folder.mkdir()
    for name, content in CDM.items():
        (folder / f"{name}.csv").write_text(content)
    return folder


def circe(concept: int, **more: Any) -> dict[str, Any]:
    item = {"concept": {"CONCEPT_ID": concept}, "includeDescendants": True}
    return {
        "ConceptSets": [{"id": 0, "name": "set", "expression": {"items": [item]}}],
        "PrimaryCriteria": {
            "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
        "InclusionRules": [],
        **more,
    }


def written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def rows(folder: Path) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in pq.read_table(folder / "cohort.parquet").to_pylist()]


def test_both_engines_write_the_same_five_tables(cdm: Path, tmp_path: Path) -> None:
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    rule = {
        "name": "again",
        "expression": {
            "Type": "ALL",
            "DemographicCriteriaList": [],
            "Groups": [],
            "CriteriaList": [
                {
                    "Criteria": {"ConditionOccurrence": {}},
                    "Occurrence": {"Type": 2, "Count": 1},
                    "StartWindow": {"Start": {"Days": 1, "Coeff": 1}, "End": {"Coeff": 1}},
                }
            ],
        },
    }
    written(definitions / "7.json", circe(10, InclusionRules=[rule]))
    written(definitions / "other.json", circe(11))
    for engine in ("numba", "duckdb"):
        told = uttag(
            "cohort", definitions, "--cdm", cdm, "--out", tmp_path / engine, "--engine", engine, "--json"
        ).stdout
        assert [(each["cohort_definition_id"], each["persons"]) for each in json.loads(told)] == [
            (1, 3),
            (7, 1),
        ]
    for name in TABLES:
        assert (tmp_path / "numba" / f"{name}.parquet").read_bytes() == (
            tmp_path / "duckdb" / f"{name}.parquet"
        ).read_bytes(), name
    assert [row[:2] for row in rows(tmp_path / "numba")] == [(1, -3), (1, 1), (1, 2), (7, 1)]


def test_a_definition_in_yaml_finds_codes_of_the_source(cdm: Path, tmp_path: Path) -> None:
    definition = tmp_path / "diabetes.yaml"
    definition.write_text(
        "cohort: d\ntitle: d\nstudy: {from: 2000-01-01, to: 2018-12-31}\ncodes: {d: [ICD10/E11]}\n"
        "index: {codes: d, kind: diagnosis}\nage: {from: 18}\n"
    )
    uttag("cohort", definition, "--cdm", cdm, "--out", tmp_path / "out")
    assert [(row[1], str(row[2]), str(row[3])) for row in rows(tmp_path / "out")] == [
        (1, "2015-03-01", "2018-12-31")
    ]


def test_a_concept_that_the_vocabulary_does_not_know_is_said(cdm: Path, tmp_path: Path) -> None:
    ran = uttag("cohort", written(tmp_path / "1.json", circe(404)), "--cdm", cdm, "--out", tmp_path / "out")
    assert "1 concepts of its sets are not in the vocabulary" in ran.stderr
    assert rows(tmp_path / "out") == []


def test_one_that_cannot_be_run_stops_all_and_nothing_is_written_unless_it_is_skipped(
    cdm: Path, tmp_path: Path
) -> None:
    good, bad = written(tmp_path / "1.json", circe(10)), written(tmp_path / "2.json", circe(10, Unheard=1))
    ran = uttag("cohort", good, bad, "--cdm", cdm, "--out", tmp_path / "out", code=10)
    assert "2.json: Unheard" in ran.stderr
    assert not (tmp_path / "out").exists()
    uttag("cohort", good, bad, "--cdm", cdm, "--out", tmp_path / "out", "--skip-refused")
    assert len(rows(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    ("table", "content", "said"),
    [
        (
            "condition_occurrence",
            CDM["condition_occurrence"].replace("2015-03-01", "2015-02-30"),
            "condition_start_date",
        ),
        (
            "condition_occurrence",
            CDM["condition_occurrence"].replace("1,1,10", "1,1,ten"),
            "condition_concept_id",
        ),
        ("observation_period", None, "observation_period: is not there"),
        ("concept", CDM["concept"].replace("invalid_reason", "reason"), "has no column invalid_reason"),
    ],
)
def test_a_broken_cdm_is_said_where_without_a_value(
    cdm: Path, tmp_path: Path, table: str, content: str | None, said: str
) -> None:
    path = cdm / f"{table}.csv"
    path.unlink() if content is None else path.write_text(content)
    ran = uttag(
        "cohort", written(tmp_path / "1.json", circe(10)), "--cdm", cdm, "--out", tmp_path / "out", code=14
    )
    assert said in ran.stderr
    assert "02-30" not in ran.stderr
    assert "ten" not in ran.stderr.split(":")[-1].split()
    assert not (tmp_path / "out").exists()


def test_a_definition_of_50_mb_is_read_or_refused_and_no_fault(cdm: Path, tmp_path: Path) -> None:
    large = circe(10)
    large["ConceptSets"][0]["expression"]["items"] *= 850_000
    command = [UTTAG, "cohort", written(tmp_path / "1.json", large), "--cdm", cdm, "--out", tmp_path / "out"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (tmp_path / "1.json").stat().st_size > 50_000_000
    assert ran.returncode in (0, 10), ran.stderr[-300:]


def test_an_empty_code_list_and_an_unknown_engine_are_refused(cdm: Path, tmp_path: Path) -> None:
    definition = tmp_path / "empty.yaml"
    definition.write_text(
        "cohort: d\ntitle: d\nstudy: {from: 2000-01-01, to: 2018-12-31}\ncodes: {d: []}\nindex: {codes: d}\n"
    )
    assert "is empty" in uttag("cohort", definition, "--cdm", cdm, "--out", tmp_path / "out", code=10).stderr
    assert "numba nor duckdb" in uttag("cohort", definition, "--cdm", cdm, "--engine", "r", code=10).stderr
    assert "--cdm and --snapshot" in uttag("cohort", definition, code=10).stderr


def test_explain_and_schema(tmp_path: Path) -> None:
    said = sites.uttag("explain", written(tmp_path / "1.json", circe(10))).stdout
    assert "condition occurrence" in said
    schema = json.loads(sites.uttag("schema").stdout)
    assert {"cohort", "study", "index"} <= set(schema["required"])
    permit = Path(__file__).parents[2] / "workflows" / "demo" / "site" / "permits" / "diabetes.yaml"
    assert "heart-or-death: Time from the diabetes diagnosis" in uttag("explain", permit).stdout
    assert "file" not in json.loads(uttag("schema", "permit").stdout)["properties"]
    assert "washout" in json.loads(uttag("schema", "table").stdout)["properties"]
