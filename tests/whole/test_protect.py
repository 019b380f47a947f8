"""`uttag protect` and `uttag verify` on its folder: any table in, a protected one with its proof out, or a
clear word why not."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests import sites

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "disclosure"
HERE = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference data of ../shared/reference/disclosure are not here"
)
CELLS = [
    (region, county, diag, count)
    for region, county, counts in (
        ("r1", "c1", (3, 20, 31, 0)),
        ("r2", "c1", (12, 9, 40, 7)),
        ("r3", "c2", (25, 1, 16, 9)),
        ("r4", "c2", (14, 22, 8, 30)),
    )
    for diag, count in zip("wxyz", counts, strict=True)
]
DIMENSIONS = {"region": {"levels": ["county", "region"]}, "diag": {"levels": ["diag"]}}


def uttag(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    ran = sites.called(*arguments, check=False)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


def table(
    folder: Path, rows: list[tuple[Any, ...]], columns: tuple[str, ...] = ("region", "county", "diag", "freq")
) -> Path:
    with (folder / "cells.csv").open("w", newline="") as out:
        csv.writer(out).writerows([columns, *rows])
    return folder / "cells.csv"


def specification(folder: Path, **more: Any) -> Path:
    content = {
        "table": "cells.csv",
        "count": "freq",
        "dimensions": DIMENSIONS,
        "policy": {"minimum": 5, "zeros": "open"},
        **more,
    }
    (folder / "spec.yaml").write_text(
        yaml.safe_dump({name: value for name, value in content.items() if value is not None})
    )
    return folder / "spec.yaml"


def protected(folder: Path, **more: Any) -> dict[str, Any]:
    told = json.loads(
        uttag("protect", specification(folder, **more), "--out", folder / "out", "--json").stdout
    )
    assert "FAILS" not in uttag("verify", folder / "out").stdout
    return told


def shown(folder: Path, name: str = "table") -> list[dict[str, str]]:
    with (folder / "out" / f"{name}.csv").open(newline="") as source:
        return list(csv.DictReader(source))


def test_small_cells_and_those_that_would_give_them_away_are_hidden_alike(tmp_path: Path) -> None:
    table(tmp_path, CELLS)
    told = protected(tmp_path)["tables"][0]
    rows = shown(tmp_path)
    hidden = [row for row in rows if row["status"] == "hidden"]
    assert (len(rows), len(hidden)) == (told["cells"], told["hidden"]) == (35, told["hidden"])
    assert {row["value"] for row in hidden} == {""} and told["small"] == 2 < told["hidden"]
    assert all(int(row["value"]) == 0 or int(row["value"]) >= 5 for row in rows if row["status"] == "shown")
    assert next(row["value"] for row in rows if row["region"] == row["diag"] == "Total") == str(
        sum(row[-1] for row in CELLS)
    )


def test_nothing_lies_beneath_a_hidden_value_and_only_the_project_may_read_the_rest(tmp_path: Path) -> None:
    table(tmp_path, CELLS)
    protected(tmp_path)
    stored = pq.ParquetFile(tmp_path / "out" / "table.parquet")
    assert stored.metadata.row_group(0).column(2).statistics is None
    assert stored.read()["value"].to_pylist() == [
        int(row["value"]) if row["value"] else None for row in shown(tmp_path)
    ]
    assert (tmp_path / "out" / "certificate").stat().st_mode & 0o077 == 0
    assert (tmp_path / "out" / "report.html").stat().st_mode & 0o077 == 0


def test_the_same_bytes_come_out_again_and_from_rows_in_any_order(tmp_path: Path) -> None:
    table(tmp_path, CELLS)
    protected(tmp_path)
    before = (tmp_path / "out" / "table.csv").read_bytes()
    table(tmp_path, CELLS[::-1])
    protected(tmp_path)
    assert (tmp_path / "out" / "table.csv").read_bytes() == before


def test_persons_one_a_row_are_counted(tmp_path: Path) -> None:
    table(tmp_path, [row[:3] for row in CELLS for _ in range(row[3])], ("region", "county", "diag"))
    assert protected(tmp_path, count=None)["tables"][0]["value"] > 0


@pytest.mark.parametrize("change", ["a value", "a hidden cell shown", "the certificate"])
def test_what_was_changed_afterwards_does_not_verify(tmp_path: Path, change: str) -> None:
    table(tmp_path, CELLS)
    protected(tmp_path)
    path = tmp_path / "out" / "table.csv"
    if change == "a value":
        path.write_text(path.read_text().replace("shown", "hidden", 1))
    elif change == "a hidden cell shown":
        path.write_text(path.read_text().replace(",,hidden", ",3,shown", 1))
    else:
        (tmp_path / "out" / "certificate" / "moves.parquet").write_bytes(b"")
    assert "FAILS" in uttag("verify", tmp_path / "out", code=16).stdout


@pytest.mark.parametrize("attacker", ["sums", "nonnegative", "rule"])
def test_of_each_small_cell_every_small_value_stays_possible_where_the_policy_asks_for_whole_intervals(
    tmp_path: Path, attacker: str
) -> None:
    table(tmp_path, CELLS)
    policy = {"minimum": 5, "zeros": "open", "attacker": attacker, "interval": "whole"}
    told = protected(tmp_path, policy=policy)
    assert (
        told["moves"] >= 3
    )  # two small cells of 3 and 1 have six other values; a move may make several of them
    text = (tmp_path / "out" / "proof.json").read_text()
    (tmp_path / "out" / "proof.json").write_text(text.replace('"minimum": 5', '"minimum": 6'))
    assert "FAILS" in uttag("verify", tmp_path / "out", code=16).stdout


def test_what_an_earlier_run_left_in_the_folder_does_not_lie_beside_what_is_published(tmp_path: Path) -> None:
    table(tmp_path, CELLS)
    protected(
        tmp_path,
        dimensions=None,
        tables={"one": {"dimensions": DIMENSIONS}, "two": {"dimensions": {"diag": DIMENSIONS["diag"]}}},
    )
    assert (tmp_path / "out" / "two.csv").exists()
    protected(tmp_path)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "certificate",
        "proof.json",
        "report.html",
        "table.csv",
        "table.parquet",
    ]
    (tmp_path / "out" / "other.csv").write_text("a,b\n")
    assert "FAILS" in uttag("verify", tmp_path / "out", code=16).stdout


def test_verifying_says_for_what_rule_and_what_it_could_not_check(tmp_path: Path) -> None:
    table(tmp_path, CELLS)
    protected(tmp_path)
    assert "fewer than 5 is small" in uttag("verify", tmp_path / "out").stdout
    shutil.rmtree(tmp_path / "out" / "certificate")
    assert "no move was checked" in uttag("verify", tmp_path / "out").stdout


BAD = [
    ([("r1", "c1", "w", -1)], 14),
    ([("r1", "c1", "w", "1.5")], 14),
    ([("r1", "c1", "w", "")], 14),
    ([], 14),
    ([CELLS[0], CELLS[0]], 14),
    ([*CELLS, ("r1", "c2", "w", 5)], 14),
    ([("", "c1", "w", 9)], 14),
    ([("r1", "c1", "w", 2)], 15),
]


@pytest.mark.parametrize(
    ("rows", "code"),
    BAD,
    ids=["negative", "fraction", "missing", "empty", "twice", "no tree", "no code", "too few"],
)
def test_what_is_no_table_of_counts_is_refused_and_nothing_written(
    tmp_path: Path, rows: list[tuple[Any, ...]], code: int
) -> None:
    table(tmp_path, rows)
    said = uttag("protect", specification(tmp_path), "--out", tmp_path / "out", code=code).stderr
    assert (
        said.startswith("uttag: ")
        and "Traceback" not in said
        and not (tmp_path / "out" / "table.csv").exists()
    )


def test_a_dry_run_counts_small_cells_and_writes_nothing(tmp_path: Path) -> None:
    table(tmp_path, CELLS)
    assert "2 small" in sites.uttag("protect", specification(tmp_path), "--dry-run").stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.csv", "spec.yaml"]


@HERE
@pytest.mark.parametrize(("name", "sex", "gauss"), [("t3_1e3", False, 5_967), ("t4_1e3", True, 11_407)])
def test_less_is_hidden_than_by_gausssuppression_at_the_same_rule(
    tmp_path: Path, name: str, sex: bool, gauss: int
) -> None:
    dimensions = {
        "region": {"levels": ["county", "region"]},
        "age": {"levels": ["age"]},
        "diag": {"levels": ["chapter", "diag"]},
    }
    dimensions |= {"sex": {"levels": ["sex"]}} if sex else {}
    policy = {"minimum": 5, "zeros": "open", "attacker": "sums", "singletons": False}
    told = protected(tmp_path, table=str(REFERENCE / f"{name}.csv"), dimensions=dimensions, policy=policy)
    assert told["tables"][0]["value_to_protect"] <= 0.85 * gauss


@HERE
def test_two_tables_that_are_safe_alone_are_protected_together(tmp_path: Path) -> None:
    micro = json.loads((REFERENCE / "linked_issue136.json").read_text())["micro"]
    table(tmp_path, [tuple(row) for row in micro], ("code", "county", "size", "freq"))
    tables = {
        name: {"dimensions": {"group": {"levels": [level, "code"]}}}
        for name, level in (("counties", "county"), ("sizes", "size"))
    }
    policy = {"minimum": 4, "zeros": "open", "attacker": "sums", "singletons": False}
    protected(tmp_path, dimensions=None, tables=tables, policy=policy)
    for name in tables:
        assert {row["group"] for row in shown(tmp_path, name) if row["status"] == "hidden"} == {
            "A",
            "B",
            "K",
            "L",
            "M",
            "N",
        }


@HERE
def test_three_who_are_alone_cannot_work_each_other_out(tmp_path: Path) -> None:
    given = json.loads((REFERENCE / "singleton_issue135.json").read_text())
    table(
        tmp_path,
        list(zip(given["var1"], given["var2"], given["values"], strict=True)),
        ("one", "two", "freq"),
    )
    dimensions = {name: {"levels": [name]} for name in ("one", "two")}
    protected(tmp_path, dimensions=dimensions, policy={"minimum": 3, "zeros": "open"})
    assert "nobody who is alone" in uttag("verify", tmp_path / "out").stdout


@HERE
def test_a_coarser_table_of_the_same_people_gives_nothing_away(tmp_path: Path) -> None:
    tables = {
        name: {"dimensions": {"place": {"levels": [level]}, "diag": {"levels": ["diag"]}}}
        for name, level in (("regions", "region"), ("counties", "county"))
    }
    summed: dict[tuple[str, str, str], int] = {}
    with (REFERENCE / "t3_1e3.csv").open(newline="") as source:
        for row in csv.DictReader(source):
            cell = row["region"], row["county"], row["diag"]
            summed[cell] = summed.get(cell, 0) + int(row["freq"])
    table(tmp_path, [(*cell, count) for cell, count in summed.items()])
    protected(tmp_path, dimensions=None, tables=tables)
    assert "holds  no hidden cell can be worked out" in uttag("verify", tmp_path / "out").stdout
