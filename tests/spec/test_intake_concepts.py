"""The rulebook of OMOP concepts: by which of its two concepts a row counts, and what lies above it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.files import sealed
from pipelines.files.schemas import ANCESTORS
from tests.intake_site import contract, events, quarantine, receipt, site

CONCEPTS = """concept_id,vocabulary_id,concept_code
201826,SNOMED,44054006
201820,SNOMED,73211009
1567956,ICD10CM,E11
45533017,ICD10,E11.9
3004410,LOINC,4548-4
19059056,RxNorm,243670
35605482,RxNorm Extension,OMOP12
40213227,CVX,113
9999,Read,C10..
8888,ICD10CM,nonsense
"""
ABOVE = (
    "ancestor_concept_id,descendant_concept_id\n201820,201826\n201820,201820\n4008576,201826\n201820,9999\n"
)


def cdm(*columns: str) -> dict[str, Any]:
    """A contract of a CDM whose conditions come with these columns of concepts."""
    named = {
        "person": ("person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth"),
        "condition_occurrence": ("person_id", "condition_start_date", "visit_occurrence_id", *columns),
        "concept": ("concept_id", "vocabulary_id", "concept_code"),
        "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    }
    tables = [
        {
            "name": table,
            "properties": [
                {"name": name, "logicalType": "date" if name.endswith("_date") else "string"}
                for name in names
            ],
        }
        for table, names in named.items()
    ]
    return contract(*tables, server={"format": "omop"})


def coded(root: Path, agreed: dict[str, Any], *rows: str) -> tuple[list[str], dict[str, int], list[Any], Any]:
    """Labels in order, warnings, quarantine and what lies above, of conditions with these concepts."""
    columns = [each["name"] for each in agreed["schema"][1]["properties"]][3:]
    lines = [f"1,2020-01-{number + 1:02d},,{row}" for number, row in enumerate(rows)]
    files = {
        "person.csv": ",".join(each["name"] for each in agreed["schema"][0]["properties"])
        + "\n1,8507,1950,,\n",
        "condition_occurrence.csv": "\n".join(
            [f"person_id,condition_start_date,visit_occurrence_id,{','.join(columns)}", *lines, ""]
        ),
        "concept.csv": CONCEPTS,
        "concept_ancestor.csv": ABOVE,
    }
    made = site(root, agreed, files)
    found = receipt(made)
    (part,) = found["ancestors"]
    above = sealed.read(made.root / part["file"], ANCESTORS, made.zone("store"))
    labels = events(made, found)["concept"].decoded()  # type: ignore[union-attr]
    pairs = zip(
        above["concept"].decoded(), above["ancestor"].decoded(), above["itself"].tolist(), strict=True
    )  # type: ignore[union-attr]
    return labels, found["warnings"], quarantine(made), list(pairs)  # type: ignore[return-value]


BOTH = ("condition_source_concept_id", "condition_concept_id")


@pytest.mark.parametrize(
    ("source", "standard", "label"),
    [
        ("1567956", "201826", "ICD-10-CM/E11"),
        ("45533017", "201826", "ICD-10/E119"),
        ("201826", "201826", "SNOMED/44054006"),
        ("3004410", "", "LOINC/4548-4"),
        ("19059056", "0", "RxNorm/243670"),
        ("35605482", "0", "RxNorm-Extension/OMOP12"),
        ("40213227", "0", "CVX/113"),
    ],
)
def test_a_row_counts_by_the_concept_of_its_source(
    tmp_path: Path, source: str, standard: str, label: str
) -> None:
    labels, warnings, turned_away, _ = coded(tmp_path, cdm(*BOTH), f"{source},{standard}")
    assert (labels, warnings, turned_away) == ([label], {}, [])


@pytest.mark.parametrize(
    "source", ["0", "", "7", "9999"], ids=["0", "absent", "not in the table", "not ours"]
)
def test_else_by_its_standard_concept_which_is_counted(tmp_path: Path, source: str) -> None:
    labels, warnings, _, _ = coded(tmp_path, cdm(*BOTH), f"{source},201826")
    assert (labels, warnings) == (["SNOMED/44054006"], {"standard_concept_used": 1})


def test_else_by_the_id_of_its_standard_concept_which_is_counted_too(tmp_path: Path) -> None:
    labels, warnings, _, _ = coded(tmp_path, cdm(*BOTH), "0,4229440", "9999,9999")
    assert (labels, warnings) == (["OMOP/4229440", "OMOP/9999"], {"concept_without_code": 2})


@pytest.mark.parametrize("concepts", ["0,0", ",", "7,0", "9999,", "8888,0", "8888,8888", "-1,-1", "x,y"])
def test_a_row_that_no_concept_tells_of_is_turned_away(tmp_path: Path, concepts: str) -> None:
    labels, _, turned_away, _ = coded(tmp_path, cdm(*BOTH), concepts, "201826,201826")
    assert labels == ["SNOMED/44054006"]
    assert turned_away == [(0, "unknown_code", "condition_source_concept_id")]


@pytest.mark.parametrize("column", BOTH)
def test_a_sender_may_leave_out_either_column(tmp_path: Path, column: str) -> None:
    assert coded(tmp_path, cdm(column), "201826")[0] == ["SNOMED/44054006"]


def test_above_a_code_stand_its_own_concepts_and_their_ancestors_of_codes_that_occur_alone(
    tmp_path: Path,
) -> None:
    *_, pairs = coded(tmp_path, cdm(*BOTH), "1567956,201826", "1567956,201826", "0,0")
    assert pairs == [
        ("ICD-10-CM/E11", "ICD-10-CM/E11", 1),
        ("ICD-10-CM/E11", "OMOP/1567956", 1),
        ("ICD-10-CM/E11", "OMOP/201820", 0),
        ("ICD-10-CM/E11", "OMOP/201826", 1),
        ("ICD-10-CM/E11", "OMOP/4008576", 0),
        ("ICD-10-CM/E11", "SNOMED/44054006", 1),
        ("ICD-10-CM/E11", "SNOMED/73211009", 0),
    ]
