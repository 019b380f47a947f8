"""What the quality report says of days of death: how many there are, and what in the same delivery does not
go with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import intake_site
from tests.intake_site import LABS, PATIENTS, contract, receipt, site

HOMES = {
    "name": "homes",
    "properties": [
        {"name": "id", "logicalType": "string", "required": True},
        {"name": "place", "logicalType": "string", "required": True},
        {"name": "from", "logicalType": "date", "required": True},
        {"name": "to", "logicalType": "date"},
    ],
    "customProperties": [
        {
            "property": "uttag",
            "value": {
                "events": [
                    {
                        "kind": "residence",
                        "reference": "id",
                        "code": "place",
                        "system": "SCB",
                        "start": "from",
                        "end": "to",
                        "open_end": True,
                    }
                ]
            },
        }
    ],
}
GONE = {
    "name": "gone",
    "properties": [
        {"name": "id", "logicalType": "string", "required": True},
        {"name": "day", "logicalType": "date", "required": True},
    ],
    "customProperties": [
        {
            "property": "uttag",
            "value": {
                "events": [
                    {"kind": "death", "reference": "id", "concept": "VITAL/DEATH", "start": "day"},
                ]
            },
        }
    ],
}
PEOPLE = "id,number,name,sex,born\n" + "".join(f"{k},,Ek,F,1950-01-01\n" for k in range(1, 9))
RESIDENCES = """id,place,from,to
1,0180,1990-01-01,2020-05-09
2,0180,1990-01-01,2020-05-10
3,0180,1990-01-01,2019-12-31
3,0114,2020-01-01,2020-05-08
4,0180,1990-01-01,2020-05-08
5,0180,1990-01-01,
6,0180,1990-01-01,2019-05-01
6,0180,2019-05-02,2020-05-11
8,0180,1990-01-01,
"""
DEATHS = "id,day\n" + "".join(f"{k},2020-05-10\n" for k in range(1, 8)) + "1,2020-05-12\n"


def told(root: Path, *tables: dict[str, Any], **files: str) -> tuple[dict[str, int], str]:
    agreed = contract(PATIENTS, *tables, before_birth=False, after_delivery=False)
    made = site(
        root, agreed, {"patients.csv": PEOPLE, **{f"{name}.csv": text for name, text in files.items()}}
    )
    found = receipt(made)
    assert found["status"] == "accepted", found
    report = made.receipts / "intake" / "clinic" / "d1.md"
    return found["deaths"], report.read_text(encoding="utf-8")


def test_residences_that_end_a_day_before_death_or_on_it_go_with_it_and_others_are_counted(
    tmp_path: Path,
) -> None:
    """The first of two days of death counts: 1 and 2 are well. 3 and 4 left two days before, 5 and 6 live on,
    and 7 never lived here."""
    counts, report = told(tmp_path, HOMES, GONE, homes=RESIDENCES, gone=DEATHS)
    assert counts == {
        "rows": 8,
        "persons": 7,
        "two_days": 1,
        "before_birth": 0,
        "after_delivery": 0,
        "without_residence": 1,
        "lives_on": 2,
        "left_before": 2,
    }
    assert (
        "## Deaths" in report and "| persons whose residence goes on after the day of death | 2 |" in report
    )
    assert "2020-05-10" not in report.split("## Deaths")[1].split("## ")[0]


def test_a_death_before_birth_or_after_the_delivery_is_counted_where_the_contract_lets_it_through(
    tmp_path: Path,
) -> None:
    counts, _ = told(tmp_path, GONE, gone="id,day\n1,1949-12-31\n2,2025-09-02\n3,2025-09-01\n4,1950-01-01\n")
    assert counts == {"rows": 4, "persons": 4, "two_days": 0, "before_birth": 1, "after_delivery": 1}


def test_where_no_table_tells_of_deaths_nothing_is_said(tmp_path: Path) -> None:
    counts, report = told(tmp_path, HOMES, homes=RESIDENCES)
    assert counts == {} and "## Deaths" not in report


@pytest.mark.parametrize("threads", [1, 3])
def test_deaths_in_several_files_are_counted_together(tmp_path: Path, threads: int) -> None:
    agreed = contract(PATIENTS, HOMES, GONE, LABS)
    files: dict[str, bytes | str] = {
        "patients.csv": PEOPLE,
        "homes-1.csv": RESIDENCES,
        "gone-1.csv": "id,day\n1,2020-05-12\n2,2020-05-10\n",
        "gone-2.csv": "id,day\n1,2020-05-10\n5,2020-05-10\n",
        "labs.csv": "id,day,what,value,unit\n1,2020-05-01,HBA1C,40,mmol/mol\n",
    }
    found = receipt(intake_site.site(tmp_path, agreed, files), threads)
    assert found["deaths"]["rows"] == 4 and found["deaths"]["persons"] == 3
    assert found["deaths"]["two_days"] == found["deaths"]["lives_on"] == 1
