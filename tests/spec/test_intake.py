"""The rulebook of intake: which rows are let in, which are turned away, and for what reason."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from pipelines.files.schemas import DAY_OPEN, DAY_UNKNOWN, VALUE_SCALE
from pipelines.intake.contract import Contract
from tests.intake_site import (
    DIAGNOSES,
    LABS,
    PATIENTS,
    PEOPLE,
    contract,
    events,
    identities,
    quarantine,
    receipt,
    site,
)

EPOCH = date(1970, 1, 1)


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def diagnosis(tmp_path: Path, row: str, **ours: object) -> list[tuple[int, str | None, str | None]]:
    """What becomes of one diagnosis of patient 1, born on 1964-08-23; the delivery is of 2025-09-01."""
    made = site(
        tmp_path,
        contract(PATIENTS, DIAGNOSES, **ours),
        {"patients.csv": PEOPLE, "diagnoses.csv": f"id,day,end,code\n{row}\n"},
    )
    found = receipt(made)
    assert found["status"] == "accepted"
    assert sum(each["rows"] for each in found["events"]) == 1 - len(quarantine(made))
    return quarantine(made)


@pytest.mark.parametrize(
    ("title", "row", "reason", "column"),
    [
        ("a diagnosis without a date is turned away", "1,,,I10", "missing", "day"),
        ("a date that no calendar has is turned away", "1,2021-02-30,,I10", "bad_date", "day"),
        ("a date in another form than agreed is turned away", "1,20210228,,I10", "bad_date", "day"),
        ("a code of no known form is turned away", "1,2021-02-28,,99X", "unknown_code", "code"),
        ("an empty code is turned away", "1,2021-02-28,,", "missing", "code"),
        ("what happened before birth is turned away", "1,1964-08-22,,I10", "before_birth", "day"),
        ("what happened after the delivery is turned away", "1,2025-09-02,,I10", "after_delivery", "day"),
        (
            "a stay that ends before it begins is turned away",
            "1,2021-02-28,2021-02-27,I10",
            "end_before_start",
            "end",
        ),
        ("a row about nobody in the delivery is turned away", "3,2021-02-28,,I10", "unknown_person", "id"),
        ("a row that says nobody is turned away", ",2021-02-28,,I10", "missing", "id"),
        ("a row with a field too few is turned away", "1,2021-02-28,I10", "ragged_row", None),
    ],
)
def test_turned_away(tmp_path: Path, title: str, row: str, reason: str, column: str | None) -> None:
    assert diagnosis(tmp_path, row) == [(0, reason, column)], title


@pytest.mark.parametrize(
    ("title", "row"),
    [
        ("a diagnosis on the day of birth is let in", "1,1964-08-23,,I10"),
        ("a diagnosis on the day of delivery is let in", "1,2025-09-01,,I10"),
        ("dots, blanks and small letters in a code do not matter", "1,2021-02-28,, e11.9 "),
        (
            "a diagnosis of someone whose birth is known only from the patient table is let in",
            "2,1990-01-01,,U07.1",
        ),
    ],
)
def test_let_in(tmp_path: Path, title: str, row: str) -> None:
    assert diagnosis(tmp_path, row) == [], title


CONTRACTS = sorted([*Path("workflows").rglob("contracts/*.yaml")])


@pytest.mark.filterwarnings("ignore:open_text")
@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_every_contract_keeps_the_open_data_contract_standard(path: Path) -> None:
    content = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))))
    jsonschema.validate(content, json.loads(OpenDataContractStandard.json_schema()))
    assert Contract.load(path).agreement.owner


def test_a_contract_may_say_that_no_date_is_too_late(tmp_path: Path) -> None:
    assert diagnosis(tmp_path, "1,2190-01-01,,I10", after_delivery=False) == []


def test_the_same_row_twice_counts_once(tmp_path: Path) -> None:
    rows = "id,day,end,code\n1,2021-02-28,,I10\n1,2021-02-28,,E119\n1,2021-02-28,2021-02-28,I1.0\n"
    made = site(tmp_path, contract(PATIENTS, DIAGNOSES), {"patients.csv": PEOPLE, "diagnoses.csv": rows})
    receipt(made)
    assert quarantine(made) == [(2, "duplicate", None)]


def test_a_patient_in_two_rows_of_a_patient_table_is_taken_from_the_first(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE + "1,,Annan,F,1980-01-01\n"})
    found = identities(made, receipt(made))
    assert quarantine(made) == [(2, "duplicate", "id")]
    assert sorted(found["surname"].tolist()) == [b"EK", "ÖBERG".encode()]


@pytest.mark.parametrize(
    ("title", "row", "expected"),
    [
        (
            "a value in the unit of its analysis is kept in ten-thousandths",
            "1,2021-02-28,LDL,3.25,mmol/L",
            None,
        ),
        ("a value in another unit is turned away", "1,2021-02-28,LDL,125,mg/dL", (0, "unknown_unit", "unit")),
        ("a value without its unit is turned away", "1,2021-02-28,LDL,3.25,", (0, "unknown_unit", "unit")),
        (
            "a value that nobody can have is turned away",
            "1,2021-02-28,LDL,325,mmol/L",
            (0, "out_of_range", "value"),
        ),
        ("a value that is no number is turned away", "1,2021-02-28,LDL,>3,mmol/L", (0, "bad_value", "value")),
        (
            "a required value that is missing is turned away",
            "1,2021-02-28,LDL,,mmol/L",
            (0, "missing", "value"),
        ),
        (
            "an analysis that is not on the list is turned away",
            "1,2021-02-28,XYZ,1,mmol/L",
            (0, "unknown_code", "what"),
        ),
    ],
)
def test_values(tmp_path: Path, title: str, row: str, expected: tuple[int, str, str] | None) -> None:
    made = site(
        tmp_path,
        contract(PATIENTS, LABS),
        {"patients.csv": PEOPLE, "labs.csv": f"id,day,what,value,unit\n{row}\n"},
    )
    found = receipt(made)
    assert quarantine(made) == ([expected] if expected else []), title
    if expected is None:
        frame = events(made, found)
        assert frame["value"].tolist() == [round(3.25 * VALUE_SCALE)]
        assert (frame["concept"].decoded(), frame["unit"].decoded()) == (["LAB/LDL"], ["mmol/L"])


def test_identity_columns_are_made_alike_and_a_malformed_number_is_kept_without_a_token(
    tmp_path: Path,
) -> None:
    people = (
        "id,number,name,sex,born\n1,640823-3234,öberg "
        ",M,\n2,196408233235,Ek,,1990-01-01\n3,991981000011,Al,F,1991-01-01\n"
    )
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": people})
    found = receipt(made)
    frame = identities(made, found)
    rows = {number: place for place, number in enumerate(frame["number"].tolist())}
    good, bad, reserve = rows[b"196408233234"], rows[b"196408233235"], rows[b"991981000011"]
    assert frame["surname"][good] == "ÖBERG".encode()
    assert frame["birth_day"][[good, bad, reserve]].tolist() == [
        day("1964-08-23"),
        day("1990-01-01"),
        day("1991-01-01"),
    ]
    assert frame["sex"][[good, bad, reserve]].tolist() == [1, 0, 2]
    assert (frame["token"] != 0)[[good, bad, reserve]].tolist() == [True, False, True]
    assert (set(frame["valid_from"].tolist()), set(frame["valid_to"].tolist())) == ({DAY_UNKNOWN}, {DAY_OPEN})
    assert found["warnings"] == {"number_malformed": 1, "reserve_checksum": 1}


def test_a_residence_that_has_not_ended_is_open(tmp_path: Path) -> None:
    homes = {
        "name": "homes",
        "properties": [
            {"name": "id", "logicalType": "string"},
            {"name": "where", "logicalType": "string"},
            {"name": "from", "logicalType": "date", "logicalTypeOptions": {"format": "yyyyMMdd"}},
            {"name": "to", "logicalType": "date", "logicalTypeOptions": {"format": "yyyyMMdd"}},
        ],
        "customProperties": [
            {
                "property": "uttag",
                "value": {
                    "events": [
                        {
                            "kind": "residence",
                            "reference": "id",
                            "code": "where",
                            "system": "SCB",
                            "start": "from",
                            "end": "to",
                            "open_end": True,
                        },
                    ]
                },
            }
        ],
    }
    rows = "id,where,from,to\n1,0180,20150101,20181231\n1,0126,20190101,\n1,9999,20190101,\n"
    made = site(tmp_path, contract(PATIENTS, homes), {"patients.csv": PEOPLE, "homes.csv": rows})
    frame = events(made, receipt(made))
    assert frame["concept"].decoded() == ["SCB/0180", "SCB/0126"]
    assert frame["end"].tolist() == [day("2018-12-31"), DAY_OPEN]
    assert quarantine(made) == [(2, "unknown_code", "where")]


def test_an_optional_event_is_told_of_only_by_rows_that_have_its_code(tmp_path: Path) -> None:
    """A wide row has columns for several codes, most of them empty: that turns nothing away where the
    contract says so, and a code that is there is checked as ever."""
    wide = deepcopy(DIAGNOSES)
    first = wide["customProperties"][0]["value"]["events"][0]
    wide["customProperties"][0]["value"]["events"] = [
        {key: each for key, each in first.items() if key != "end"},
        {"kind": "diagnosis", "reference": "id", "start": "day", "code": "also", "system": "ICD-10-SE"}
        | {"optional": True},
    ]
    wide["properties"].append({"name": "also", "logicalType": "string"})
    rows = "id,day,end,code,also\n1,2020-01-01,,E119,\n2,2020-01-01,,E119,I10\n1,2020-01-02,,E119,QQQ\n"
    made = site(tmp_path, contract(PATIENTS, wide), {"patients.csv": PEOPLE, "diagnoses.csv": rows})
    frame = events(made, receipt(made))
    assert sorted(frame["concept"].decoded()) == [*3 * ["ICD-10-SE/E119"], "ICD-10-SE/I10"]
    assert quarantine(made) == [(2, "unknown_code", "also")]


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    made = site(
        tmp_path,
        contract(PATIENTS),
        {"patients.csv": b"\xef\xbb\xbf" + PEOPLE.replace("\n", "\r\n").encode()},
    )
    assert sorted(identities(made, receipt(made))["surname"].tolist()) == [b"EK", "ÖBERG".encode()]


def test_the_receipt_holds_the_span_of_dates_but_not_of_birth_days(tmp_path: Path) -> None:
    rows = "id,day,end,code\n1,2021-02-28,,I10\n2,2019-01-01,,I10\n"
    made = site(tmp_path, contract(PATIENTS, DIAGNOSES), {"patients.csv": PEOPLE, "diagnoses.csv": rows})
    quality = receipt(made)["quality"]
    assert quality["diagnoses.csv"]["day"] == {
        "rows": 2,
        "missing": 0,
        "first": "2019-01-01",
        "last": "2021-02-28",
    }
    assert quality["diagnoses.csv"]["end"] == {"rows": 2, "missing": 2}
    assert quality["patients.csv"]["born"] == {"rows": 2, "missing": 0}


def test_what_a_contract_requires_must_be_there_whether_or_not_it_is_mapped(tmp_path: Path) -> None:
    table = {
        **DIAGNOSES,
        "properties": [
            *DIAGNOSES["properties"],
            {"name": "clinic", "logicalType": "string", "required": True},
        ],
    }
    rows = "id,day,end,code,clinic\n1,2021-02-28,,I10,A\n1,2021-03-28,,I10,\n"
    made = site(tmp_path, contract(PATIENTS, table), {"patients.csv": PEOPLE, "diagnoses.csv": rows})
    receipt(made)
    assert quarantine(made) == [(1, "missing", "clinic")]


def test_an_opt_out_is_never_lost_to_its_date(tmp_path: Path) -> None:
    refusals = {
        "name": "refusals",
        "properties": [
            {"name": "id", "logicalType": "string"},
            {"name": "from", "logicalType": "date", "required": True},
        ],
        "customProperties": [
            {
                "property": "uttag",
                "value": {
                    "events": [
                        {"kind": "opt_out", "reference": "id", "concept": "VITAL/OPTOUT", "start": "from"},
                    ]
                },
            }
        ],
    }
    rows = "id,from\n1,2021-02-30\n2,\n1,1950-01-01\n2,2030-01-01\n"
    made = site(tmp_path, contract(PATIENTS, refusals), {"patients.csv": PEOPLE, "refusals.csv": rows})
    found = receipt(made)
    assert events(made, found)["start"].tolist() == [
        day("0001-01-01"),
        day("0001-01-01"),
        day("1950-01-01"),
        day("2030-01-01"),
    ]
    assert quarantine(made) == []
    assert found["warnings"] == {"opt_out_undated": 2}


def test_a_file_with_more_faulty_rows_than_the_contract_bears_stops_the_delivery(tmp_path: Path) -> None:
    rows = "id,day,end,code\n" + "1,2021-02-28,,I10\n1,2021-03-01,,I10\n1,2021-03-02,,99X\n"
    for share, status in ((0.34, "accepted"), (0.33, "stopped")):
        agreed = contract(PATIENTS, DIAGNOSES, quarantine_share=share)
        made = site(tmp_path / status, agreed, {"patients.csv": PEOPLE, "diagnoses.csv": rows})
        assert receipt(made)["status"] == status
