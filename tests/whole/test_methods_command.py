"""`uttag protect` by every method, `uttag verify` on what it wrote, and `--suggest`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import sites
from tests.method_cases import COUNTS, specification, write

RECORDS = [
    (f"p{number}", *row[:3], f"{(number * 7919 % 10_007) / 10_007:.8f}")
    for number, row in enumerate(r for r in COUNTS for _ in range(r[3]))
]
METHODS = [
    "small_count_rounding",
    "controlled_rounding",
    "base_rounding",
    "midpoint",
    {"kind": "cell_key", "record_keys": "key"},
]


def uttag(*arguments: object, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own where it is given an environment."""
    if more:
        ran = sites.uttag(*arguments, check=False, env={**os.environ, **more})
    else:
        ran = sites.called(*arguments, check=False)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, RECORDS, ("id", "county", "region", "diag", "key"))
    return tmp_path


@pytest.mark.parametrize("method", METHODS, ids=lambda each: each if isinstance(each, str) else each["kind"])
def test_a_table_is_protected_and_verifies_and_comes_out_again_the_same(folder: Path, method: Any) -> None:
    specification(folder, method, count=None)
    told = json.loads(uttag("protect", folder / "spec.yaml", "--out", folder / "out", "--json").stdout)
    assert told["tables"][0]["cells"] == 35 and told["tables"][0]["margins"]["most"] <= 6
    assert "FAILS" not in uttag("verify", folder / "out").stdout
    first = (folder / "out" / "table.csv").read_bytes()
    write(folder, RECORDS[::-1], ("id", "county", "region", "diag", "key"))
    uttag(
        "protect", folder / "spec.yaml", "--out", folder / "out", OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1"
    )
    assert (folder / "out" / "table.csv").read_bytes() == first


def test_what_each_method_loses_is_said_and_nothing_is_written(folder: Path) -> None:
    specification(folder, "suppression", count=None, purpose="open_data")
    said = uttag("protect", folder / "spec.yaml", "--suggest").stdout
    assert "take cell_key: " in said and all(
        name in said for name in ("suppression", "midpoint", "same cell, same value")
    )
    assert sorted(path.name for path in folder.iterdir()) == ["cells.csv", "spec.yaml"]
    assert (
        json.loads(uttag("protect", folder / "spec.yaml", "--suggest", "--json").stdout)["recommended"]
        == "cell_key"
    )


BAD = [
    ({"kind": "base_rounding", "base": 1}, 10),
    ({"kind": "midpoint", "base": -6}, 10),
    ("no such", 10),
    ({"kind": "cell_key"}, 10),
    ({"kind": "cell_key", "record_keys": "none"}, 14),
    ({"kind": "cell_key", "record_keys": "key", "ptable": "none.csv"}, 14),
    ({"kind": "cell_key", "key_file": "none"}, 13),
    ({"kind": "noise", "epsilon": -1, "budget": 1, "ledger": "l"}, 10),
]


@pytest.mark.parametrize(("method", "code"), BAD)
def test_a_method_that_cannot_be_is_refused_in_one_line(folder: Path, method: Any, code: int) -> None:
    (folder / "spec.yaml").write_text(
        json.dumps(
            {
                "table": "cells.csv",
                "person": "id",
                "dimensions": {"diag": {"levels": ["diag"]}},
                "method": method,
            }
        )
    )
    said = (
        uttag("protect", folder / "spec.yaml", "--out", folder / "out", code=code).stderr.strip().splitlines()
    )
    assert (
        said[-1].startswith("uttag: ") and "Traceback" not in "".join(said) and not (folder / "out").exists()
    )


@pytest.mark.parametrize("out", ["spec.yaml", "spec.yaml/out"])
def test_an_out_that_cannot_be_a_folder_is_refused_before_anything_is_spent(folder: Path, out: str) -> None:
    specification(folder, {"kind": "noise", "epsilon": 1, "budget": 1, "ledger": "ledger.jsonl"}, count=None)
    assert "is no folder" in uttag("protect", folder / "spec.yaml", "--out", folder / out, code=10).stderr
    assert not (folder / "ledger.jsonl").exists()
