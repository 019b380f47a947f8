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


@pytest.mark.parametrize("engine", ["numba", "duckdb"])
def test_who_has_a_year_of_birth_alone_is_of_an_age_by_year_and_counted(
    engine: str, cdm: Path, tmp_path: Path
) -> None:
    definition = tmp_path / "pressure.yaml"
    for lowest, found in ((37, [2]), (38, [])):  # born in 1980, no day known; index day 1 January 2017
        definition.write_text(
            "cohort: p\ntitle: p\nstudy: {from: 2017-01-01, to: 2018-12-31}\ncodes: {p: [ICD10/I10]}\n"
            f"index: {{codes: p, kind: diagnosis}}\nage: {{from: {lowest}}}\n"
        )
        out = tmp_path / f"{engine}-{lowest}"
        ran = uttag("cohort", definition, "--cdm", cdm, "--out", out, "--engine", engine)
        assert [row[1] for row in rows(out)] == found
        assert "of 1 persons only the year of birth is known" in ran.stderr
        assert json.loads((out / "definitions.json").read_text())[0]["ages_by_year_of_birth"] == 1


def test_a_month_of_birth_that_is_no_column_is_refused_where_an_age_is_asked(
    cdm: Path, tmp_path: Path
) -> None:
    (cdm / "person.csv").write_text(CDM["person"].replace("month_of_birth", "month"))
    head = "cohort: p\ntitle: p\nstudy: {from: 2017-01-01, to: 2018-12-31}\ncodes: {p: [ICD10/I10]}\n"
    index = "index: {codes: p, kind: diagnosis}\n"
    (tmp_path / "any.yaml").write_text(head + index)
    (tmp_path / "adults.yaml").write_text(head + index + "age: {from: 18}\n")
    run = ("--cdm", cdm, "--out", tmp_path / "out")
    uttag("cohort", tmp_path / "any.yaml", *run)
    told = uttag("cohort", tmp_path / "adults.yaml", *run, code=14).stderr
    assert "adults.yaml" in told and "person.csv: has no column month_of_birth" in told


def test_a_concept_that_the_vocabulary_does_not_know_is_said(cdm: Path, tmp_path: Path) -> None:
    ran = uttag("cohort", written(tmp_path / "1.json", circe(404)), "--cdm", cdm, "--out", tmp_path / "out")
    assert "1 concepts of its sets are not in the vocabulary" in ran.stderr
    assert rows(tmp_path / "out") == []


def test_one_that_cannot_be_run_stops_all_and_nothing_is_written_unless_it_is_skipped(
    cdm: Path, tmp_path: Path
) -> None:
    good, bad = (
        written(tmp_path / "1.json", circe(10)),
        written(tmp_path / "2.json", circe(10, EndStrategy=1)),
    )
    ran = uttag("cohort", good, bad, "--cdm", cdm, "--out", tmp_path / "out", code=10)
    assert "2.json: EndStrategy" in ran.stderr
    assert not (tmp_path / "out").exists()
    uttag("cohort", good, bad, "--cdm", cdm, "--out", tmp_path / "out", "--skip-refused")
    assert len(rows(tmp_path / "out")) == 3


DRUGS = {
    "PrimaryCriteria": {
        "CriteriaList": [{"DrugExposure": {}}],
        "ObservationWindow": {},
        "PrimaryCriteriaLimit": {"Type": "All"},
    }
}


@pytest.mark.parametrize("engine", ["numba", "duckdb"])
def test_what_a_dry_run_says_can_run_does_and_the_others_are_named_and_counted(
    engine: str, cdm: Path, tmp_path: Path
) -> None:
    asked = (
        written(tmp_path / "1.json", circe(10)),
        written(tmp_path / "2.json", DRUGS),  # there is no such table
        written(tmp_path / "3.json", circe(11)),
    )
    for more in (["--dry-run"], ["--out", tmp_path / "out"]):
        ran = uttag("cohort", *asked, "--cdm", cdm, "--engine", engine, *more, code=14)
        assert "1 of 3 definitions cannot be run" in ran.stderr
        assert "2.json" in ran.stderr and "drug_exposure" in ran.stderr
    assert not (tmp_path / "out").exists()
    skipping = ("--cdm", cdm, "--engine", engine, "--skip-refused")
    dry = uttag("cohort", *asked, *skipping, "--dry-run").stdout
    assert dry.splitlines()[-1] == "2 definitions can be run, 1 refused"
    ran = uttag("cohort", *asked, *skipping, "--out", tmp_path / "out")
    assert {row[0] for row in rows(tmp_path / "out")} == {1, 3}
    (refused,) = json.loads((tmp_path / "out" / "refused.json").read_text())
    assert refused["where"].endswith("2.json") and "drug_exposure" in refused["refused"]
    assert "1 definitions were refused" in ran.stderr


def test_all_that_is_wrong_with_a_definition_is_told_alone_and_in_a_batch(cdm: Path, tmp_path: Path) -> None:
    good, bad = written(tmp_path / "1.json", circe(10)), tmp_path / "2.yaml"
    bad.write_text(
        "cohort: p\ntitle: p\nstudy: {from: 2017-01-01, to: x}\ncodes: {p: [ICD10/I10]}\nindex: 7\n"
    )
    for asked in ([bad], [good, bad]):
        told = uttag("cohort", *asked, "--cdm", cdm, "--out", tmp_path / "out", code=10).stderr
        assert "2.yaml:3: study.to: is no day" in told
        assert "2.yaml:5: index" in told
    uttag("cohort", good, bad, "--cdm", cdm, "--out", tmp_path / "out", "--skip-refused")
    (refused,) = json.loads((tmp_path / "out" / "refused.json").read_text())
    assert "2.yaml:3: study.to" in refused["where"] and "2.yaml:5: index" in refused["also"][0]


@pytest.mark.parametrize("engine", ["numba", "duckdb"])
def test_a_value_that_does_not_read_refuses_those_alone_that_ask_for_it(
    engine: str, cdm: Path, tmp_path: Path
) -> None:
    drugs = "drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date\n1,1,10,2015-13-01\n"
    (cdm / "drug_exposure.csv").write_text(drugs)
    asked = (written(tmp_path / "1.json", circe(10)), written(tmp_path / "2.json", DRUGS))
    run = ("cohort", *asked, "--cdm", cdm, "--engine", engine, "--out", tmp_path / "out")
    told = uttag(*run, code=14).stderr
    assert "2.json" in told and "drug_exposure_start_date" in told and "2015-13" not in told
    assert not (tmp_path / "out").exists()
    uttag(*run, "--skip-refused")
    assert {row[0] for row in rows(tmp_path / "out")} == {1}
    assert len(json.loads((tmp_path / "out" / "refused.json").read_text())) == 1


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
