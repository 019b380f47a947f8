"""What breaks a delivery or its contract: one clear line, nothing half-written, no value in it."""

from __future__ import annotations

import copy
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.compute.workers import LocalWorkers
from pipelines.errors import DataError, KeyFileError, SettingsError, SpaceError, UttagError
from pipelines.files import documents
from pipelines.intake import intake
from pipelines.intake.attempt import Attempt
from pipelines.intake.contract import Contract
from pipelines.site.deliveries import active
from pipelines.site.site import Site
from tests.intake_site import DIAGNOSES, PATIENTS, PEOPLE, contract, events, identities, receipt, site

GOOD = "id,day,end,code\n1,2021-02-28,,I10\n"


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


PEOPLE_PARQUET = parquet(
    id=pa.array([1, 2]),
    number=["196408233234", None],
    name=["Öberg", "Ek"],
    sex=["M", "F"],
    born=pa.array([-1957, 7305], pa.date32()),
)
AS_PARQUET = {"format": "parquet"}


@pytest.mark.parametrize(
    ("title", "files", "server", "said"),
    [
        (
            "a truncated Parquet",
            {"patients.parquet": PEOPLE_PARQUET[:-60]},
            AS_PARQUET,
            "truncated, damaged or of another format",
        ),
        (
            "a Parquet that is none",
            {"patients.parquet": b"hello"},
            AS_PARQUET,
            "truncated, damaged or of another format",
        ),
        (
            "a wrong encoding in a value",
            {"patients.csv": PEOPLE.encode("latin-1")},
            {},
            "is not text in UTF-8",
        ),
        (
            "a wrong encoding in a header",
            {"patients.csv": "idé,x\n1,2\n".encode("latin-1")},
            {},
            "is not text in UTF-8",
        ),
        (
            "a missing column",
            {"patients.csv": "id,number,name,sex\n1,,Öberg,M\n"},
            {},
            "the column born is missing",
        ),
        (
            "a wrong encoding in a ragged row",
            {"patients.csv": PEOPLE.encode() + b"3,,\xc5sa,F,1990-01-01,\n"},
            {},
            "not text",
        ),
        (
            "a first line that does not read",
            {"patients.csv": "id\r,number,name,sex,born\n"},
            {},
            "its first line does not read",
        ),
        (
            "two columns of one name",
            {"patients.csv": "id,id,number,name,sex,born\n"},
            {},
            "two of its columns have the same name",
        ),
        (
            "text in a Parquet that is none",
            {
                "patients.parquet": parquet(
                    id=pa.array([1]),
                    number=[""],
                    name=pa.array([b"\xff\xfe"]).view(pa.string()),
                    sex=[""],
                    born=pa.array([None], pa.date32()),
                )
            },
            AS_PARQUET,
            "text that is not UTF-8",
        ),
        ("an empty file", {"patients.csv": ""}, {}, "is empty"),
        (
            "another delimiter than agreed",
            {"patients.csv": PEOPLE.replace(",", ";")},
            {},
            "the column id is missing",
        ),
        (
            "a column of another type",
            {
                "patients.parquet": parquet(
                    id=pa.array([1]), number=[""], name=[""], sex=[""], born=pa.array([True])
                )
            },
            AS_PARQUET,
            "is a column of bool",
        ),
        ("a missing table", {"diagnoses.csv": GOOD}, {}, "the table patients is missing"),
        (
            "a table that nobody agreed on",
            {"patients.csv": PEOPLE, "secrets.csv": "x\n1\n"},
            {},
            "table secrets is not in the contract",
        ),
    ],
)
def test_a_file_that_breaks_its_contract_stops_the_delivery(
    tmp_path: Path, title: str, files: dict[str, bytes | str], server: dict[str, str], said: str
) -> None:
    tables = [PATIENTS] if title != "a missing table" else [PATIENTS, DIAGNOSES]
    made = site(tmp_path, contract(*tables, server=server), files)
    found = receipt(made)
    assert found["status"] == "stopped", title
    assert said in found["reason"]
    assert not any(secret in found["reason"] for secret in ("Öberg", "berg", "19640823", "Ek"))
    nothing_left(made.root)


def nothing_left(root: Path) -> None:
    """No frame, whole or half, lies in any zone; only the receipt says what happened."""
    left = [path for zone in ("identity", "store") for path in (root / zone).rglob("*") if path.is_file()]
    assert left == []


def test_a_file_that_is_named_but_not_there_stops_the_delivery(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE})
    (tmp_path / "deliveries" / "clinic" / "d1" / "patients.csv").unlink()
    assert "it is not there" in receipt(made)["reason"]


def test_a_file_outside_the_delivery_is_not_read(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE})
    said = tmp_path / "deliveries" / "clinic" / "d1" / "delivery.yaml"
    said.write_text(said.read_text().replace("patients.csv", "../../../keys/identity.key"))
    assert "outside the delivery's folder" in receipt(made)["reason"]


def test_a_file_that_is_named_twice_is_not_read_twice(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE})
    said = tmp_path / "deliveries" / "clinic" / "d1" / "delivery.yaml"
    said.write_text(said.read_text().replace("- patients.csv", "- patients.csv\n  - patients.csv"))
    assert "a file is named twice" in receipt(made)["reason"]


def test_a_whole_file_in_an_unknown_code_system_stops_the_delivery(tmp_path: Path) -> None:
    rows = "id,day,end,code\n" + "".join(f"1,2021-02-{day:02d},,38341003\n" for day in range(1, 20))
    made = site(
        tmp_path,
        contract(PATIENTS, DIAGNOSES, quarantine_share=0.2),
        {"patients.csv": PEOPLE, "diagnoses.csv": rows},
    )
    found = receipt(made)
    assert found["status"] == "stopped"
    assert (
        "19 of 19 rows are faulty (most often unknown_code in code, first in data row 1)" in found["reason"]
    )
    nothing_left(tmp_path)


def test_a_delivery_that_stops_takes_what_it_had_left_before_with_it(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE})
    assert receipt(made)["status"] == "accepted"
    site(tmp_path, contract(PATIENTS), {"patients.csv": "id\n1\n"})
    assert receipt(made)["status"] == "stopped"
    nothing_left(tmp_path)


def test_one_stopped_delivery_does_not_stop_the_next(tmp_path: Path) -> None:
    site(tmp_path, contract(PATIENTS), {"patients.csv": "id\n1\n"}, "d1")
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE}, "d2")
    assert [intake(made, each, LocalWorkers(1))["status"] for each in made.deliveries()] == [
        "stopped",
        "accepted",
    ]


def altered(path: tuple[str | int, ...], value: Any, *tables: dict[str, Any]) -> dict[str, Any]:
    """A contract with one thing changed."""
    agreed = copy.deepcopy(contract(*(tables or (PATIENTS, DIAGNOSES))))
    part: Any = agreed
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return agreed


OURS = ("schema", 0, "customProperties", 0, "value", "identities")
EVENT = ("schema", 1, "customProperties", 0, "value", "events", 0)


@pytest.mark.parametrize(
    ("title", "agreed", "said"),
    [
        ("an unknown code system", altered((*EVENT, "system"), "ICD-11"), "the code system is not known"),
        ("an unknown kind of event", altered((*EVENT, "kind"), "miracle"), "kind is one of"),
        ("a setting that nobody knows", altered((*EVENT, "code "), "x"), "value.events.0.code "),
        (
            "a column that is not listed",
            altered((*OURS, "given"), "fornamn"),
            "uses the column fornamn, which it does not list",
        ),
        ("a mapping that names nobody", altered(OURS, {"sex": None}), "a reference, a number or a token"),
        (
            "a token beside a name",
            altered(OURS, {"token": "number", "surname": "name"}),
            "a token stands instead of",
        ),
        (
            "a format that intake does not read",
            altered(("servers", 0, "format"), "xml"),
            "no format csv, parquet or omop",
        ),
        (
            "a type that intake does not read",
            altered(("schema", 0, "properties", 0, "logicalType"), "array"),
            "logicalType",
        ),
        ("nothing about the owner", altered(("customProperties",), []), "uttag is missing"),
        (
            "an encoding that nobody knows",
            altered(("servers", 0, "encoding"), "utf-9"),
            "its encoding or delimiter is not one",
        ),
        ("an event about nobody", altered((*EVENT, "reference"), None), "events need a reference"),
        ("no table", altered(("schema",), []), "it names no table"),
        ("a standard that is not kept", altered(("schema", 0, "properties"), "none"), "schema.0.properties"),
    ],
)
def test_a_contract_that_contradicts_itself_does_not_read(
    tmp_path: Path, title: str, agreed: dict[str, Any], said: str
) -> None:
    made = site(tmp_path, agreed, {"patients.csv": PEOPLE})
    with pytest.raises(SettingsError) as fault:
        receipt(made)
    assert said in str(fault.value), title


def test_a_source_that_forbids_reidentification_may_map_a_token_and_nothing_else(tmp_path: Path) -> None:
    token = {
        "name": "drugs",
        "properties": [{"name": "who", "logicalType": "string"}, {"name": "name", "logicalType": "string"}],
        "customProperties": [{"property": "uttag", "value": {"identities": {"token": "who"}}}],
    }
    made = site(tmp_path, contract(token, no_reidentify=True), {})
    assert Contract.load(made.root / "contracts" / "clinic.yaml").agreement.no_reidentify
    for mapping in ({"number": "who"}, {"reference": "who"}, {"reference": "who", "surname": "name"}):
        token["customProperties"][0]["value"] = {"identities": mapping}  # type: ignore[index]
        made = site(tmp_path, contract(token, no_reidentify=True), {})
        with pytest.raises(SettingsError, match="the source forbids re-identification"):
            Contract.load(made.root / "contracts" / "clinic.yaml")


def test_a_missing_or_open_key_is_one_clear_line(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE})
    (tmp_path / "keys" / "identity.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="open to others"):
        receipt(made)
    nothing_left(tmp_path)


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = site(tmp_path, contract(PATIENTS, DIAGNOSES), {"patients.csv": PEOPLE, "diagnoses.csv": GOOD})
    count = {"synced": 0}
    sync = os.fsync

    def full(handle: int) -> None:
        count["synced"] += 1
        if count["synced"] == 2:
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SpaceError) as fault:
        receipt(made)
    assert isinstance(fault.value, UttagError)
    nothing_left(tmp_path)
    monkeypatch.undo()
    assert receipt(made)["status"] == "accepted"


def contents(made: Site) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for top in ("identity", "store", "receipts")
        for path in (made.root / top).rglob("*")
        if path.is_file()
    }


def test_a_rerun_that_fails_leaves_what_was_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = site(
        tmp_path,
        contract(PATIENTS, DIAGNOSES),
        {"patients.csv": PEOPLE, "diagnoses.csv": GOOD + "3,2021-02-28,,I10\n"},
    )
    assert receipt(made)["status"] == "accepted"
    before = contents(made)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SpaceError):
        receipt(made)
    assert contents(made) == before


def test_a_rerun_that_is_killed_while_it_publishes_leaves_nothing_that_looks_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE})
    assert receipt(made)["status"] == "accepted"

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(documents, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            receipt(made)
    assert active(made) == []
    assert len(identities(made, receipt(made))["record"]) == 2


class Meanwhile(LocalWorkers):
    """Workers that, when the first files are mapped, let something else happen once."""

    def __init__(self, happen: Callable[[], object]) -> None:
        super().__init__(1)
        self._happen: list[Callable[[], object]] = [happen]

    def map(self, function: Any, items: Any) -> list[Any]:
        done = super().map(function, items)
        if self._happen:
            self._happen.pop()()
        return done


def test_an_orphan_neither_publishes_nor_harms_what_the_resumed_run_has_published(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE})
    after: list[dict[Path, bytes]] = []

    def resumed() -> None:
        assert receipt(made)["status"] == "accepted"
        after.append(contents(made))

    with pytest.raises(UttagError):
        intake(made, made.deliveries()[0], Meanwhile(resumed))
    assert after == [contents(made)]


def test_an_orphan_publishes_nothing_while_the_resumed_run_works(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS, DIAGNOSES), {"patients.csv": PEOPLE, "diagnoses.csv": GOOD})
    delivery = made.deliveries()[0]
    with Attempt.begin(made, delivery) as orphan:
        heading = {"source": "clinic", "delivery": "d1", "status": "stopped", "reason": "made up"}

        def wakes() -> None:
            with pytest.raises(DataError, match="a later attempt has taken over"):
                orphan.publish(heading)

        found = intake(made, delivery, Meanwhile(wakes))
    assert (len(identities(made, found)["record"]), len(events(made, found)["record"])) == (2, 1)
    assert [each.delivery for each in active(made)] == ["d1"]


def test_what_a_killed_attempt_has_left_goes_when_the_next_publishes(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS), {"patients.csv": PEOPLE})
    killed = Attempt.begin(made, made.deliveries()[0])
    (killed.__enter__().identity / "identities-0000.parquet").write_bytes(b"half")
    assert receipt(made)["status"] == "accepted"
    assert not [
        path
        for zone in ("identity", "store")
        for path in (tmp_path / zone / "staging").rglob("*")
        if path.is_file()
    ]


def test_files_that_change_while_they_are_read_stop_their_delivery(tmp_path: Path) -> None:
    made = site(tmp_path, contract(PATIENTS, DIAGNOSES), {"patients.csv": PEOPLE, "diagnoses.csv": GOOD})

    class Replaced(LocalWorkers):
        def map(self, function: Any, items: Any) -> Any:
            found = super().map(function, items)
            path = tmp_path / "deliveries" / "clinic" / "d1" / "patients.csv"
            path.write_text(PEOPLE + "3,,Alm,F,1991-01-01\n", encoding="utf-8")
            return found

    found = intake(made, made.deliveries()[0], Replaced(1))
    assert found["status"] == "stopped"
    assert "its files changed while they were read" in found["reason"]
    nothing_left(tmp_path)
    assert receipt(made)["status"] == "accepted"
