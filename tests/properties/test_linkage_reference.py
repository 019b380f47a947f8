"""Linkage of records that nobody here made: reference sets with known answers, where they are to be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.compute.ranks import Ranks
from pipelines.files import sealed
from pipelines.files.schemas import PERSON_INDEX
from pipelines.linkage import link
from tests.made_region import pair_quality
from tests.nights import deliver, identities, make_site, record

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "linkage"

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data are not there")


def linked(root: Path, rows: list[dict[str, Any]]) -> list[int]:
    """The person of each row, all from one source without numbers."""
    site = make_site(root, sources=("febrl",))
    deliver(site, "febrl", "d1", "2025-01-01", identities("febrl", rows))
    folder = site.store / "index" / link(site, Ranks())["index"]
    index = sealed.read(folder / "index.parquet", PERSON_INDEX, site.zone("store"))
    person = dict(zip(index["record"].tolist(), index["person"].tolist(), strict=True))
    return [person[record("febrl", row["ref"])] for row in rows]


def febrl(*names: str) -> tuple[list[dict[str, Any]], list[int]]:
    """Rows of the files and the true person of each."""
    table = [row for name in names for row in pq.read_table(REFERENCE / f"{name}.parquet").to_pylist()]
    rows = [
        {
            "ref": row["rec_id"].strip(),
            "given": text(row["given_name"]).upper(),
            "surname": text(row["surname"]).upper(),
            "birth": birth(text(row["date_of_birth"])),
            "postcode": text(row["postcode"]).rjust(5, "0"),
        }
        for row in table
    ]
    return rows, [int(row["ref"].split("-")[1]) for row in rows]


def text(value: object) -> str:
    return str(value or "").strip()


def birth(digits: str) -> str | None:
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return day if len(digits) == 8 and "01" <= digits[4:6] <= "12" and "01" <= digits[6:] <= "28" else None


@pytest.mark.parametrize(
    ("names", "least"), [(("febrl_dataset4a", "febrl_dataset4b"), 0.90), (("febrl_dataset3",), 0.90)]
)
def test_febrl_with_names_birth_day_and_postcode_alone(
    tmp_path: Path, names: tuple[str, ...], least: float
) -> None:
    rows, truth = febrl(*names)
    precision, recall = pair_quality(truth, linked(tmp_path, rows))
    assert precision > 0.98
    assert 2 * precision * recall / (precision + recall) > least
