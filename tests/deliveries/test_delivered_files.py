"""What a sender puts into a folder: links and pipes, files that unpack to more than they are, and files in
another form than agreed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests import sites
from tests.delivered import FILES, GOOD, as_pipe, counted, swapped, verdict
from tests.intake_site import DIAGNOSES, PATIENTS, PEOPLE, contract, deliver


def _parquet(text: str, rows: int) -> bytes:
    """A file of a few kB in which one text stands for all rows of a column."""
    out = io.BytesIO()
    code = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))
    table = pa.table({**{name: pa.array([""] * rows) for name in ("id", "day", "end")}, "code": code})
    pq.write_table(table, out, compression="zstd", row_group_size=rows)
    return out.getvalue()


def test_links_and_pipes_among_the_files_are_not_followed(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "diagnoses.csv").write_text(GOOD, encoding="utf-8")
    linked = deliver(root, "d2", FILES, "2025-09-02")
    (linked / "diagnoses.csv").unlink()
    (linked / "diagnoses.csv").symlink_to(secret / "diagnoses.csv")
    inner = deliver(root, "d3", {"patients.csv": PEOPLE}, "2025-09-03")
    (inner / "in").symlink_to(secret)
    swapped("patients:", "diagnoses: [in/diagnoses.csv]\n  patients:")(inner / "delivery.yaml")
    piped = deliver(root, "d4", FILES, "2025-09-04")
    as_pipe(piped / "diagnoses.csv")
    (root / "deliveries" / "clinic" / "d5").symlink_to(root / "deliveries" / "clinic" / "d1")
    sites.refreshed(root)
    for name, said in (
        ("d2", "is a link"),
        ("d3", "is a link"),
        ("d4", "is not a file"),
        ("d5", "is a link"),
    ):
        assert verdict(root, name).word == "stopped"
        assert said in (verdict(root, name).reason or "")
    assert counted(root) == 10


def test_a_file_that_unpacks_to_far_more_than_it_is_is_stopped(root: Path) -> None:
    agreed = contract(PATIENTS, DIAGNOSES)
    for name, bomb in (
        ("d2", _parquet("I" * 20_000_000, 50_000)),
        ("d6", _parquet("I" * 100_000, 1_000_000)),
    ):
        assert len(bomb) < 20_000
        deliver(root, name, {"patients.csv": PEOPLE, "diagnoses.parquet": bomb}, "2025-09-02")
    wide = "id,day,end,code," + ",".join(f"x{n}" for n in range(5000)) + "\n"
    deliver(root, "d3", {"patients.csv": PEOPLE, "diagnoses.csv": wide}, "2025-09-03")
    long = "id,day,end,code\n1,2021-02-01,," + "I" * (40 << 20) + "\n"
    deliver(root, "d4", {"patients.csv": PEOPLE, "diagnoses.csv": long}, "2025-09-04")
    (root / "contracts" / "clinic.yaml").write_text(yaml.safe_dump(agreed), encoding="utf-8")
    sites.refreshed(root)
    for name in ("d2", "d6"):
        assert "unpack to" in (verdict(root, name).reason or "")
    assert "more than 4,000 columns" in (verdict(root, "d3").reason or "")
    assert verdict(root, "d4").word == "stopped"
    assert counted(root) == 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        ("id,day,end,code\n1,2021-02-01,,I10\n2,2021-02-01,,Å10\n".encode(), "is text in UTF-8, where"),
        (GOOD.encode("utf-16"), "the column id is missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_and_not_what_follows_from_it(
    root: Path, content: bytes, said: str
) -> None:
    latin = contract(PATIENTS, DIAGNOSES, server={"encoding": "ISO-8859-1"})
    (root / "contracts" / "clinic.yaml").write_text(yaml.safe_dump(latin), encoding="utf-8")
    people = PEOPLE.encode("latin-1")
    (root / "deliveries" / "clinic" / "d1" / "patients.csv").write_bytes(people)
    deliver(root, "d2", {"patients.csv": people, "diagnoses.csv": content}, "2025-09-02")
    sites.refreshed(root)
    assert verdict(root, "d1").word == "accepted"
    assert said in (verdict(root, "d2").reason or "")
