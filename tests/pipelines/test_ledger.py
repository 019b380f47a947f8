"""The ledger of a privacy budget names a release by its content, and is spent by one at a time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.disclosure.alone import prepare, protect_into
from pipelines.disclosure.noise import ledger
from pipelines.disclosure.specification import Specification
from pipelines.errors import DisclosureError

CELLS = "region,diag,freq\nr1,x,20\nr1,y,31\nr2,x,12\nr2,y,9\n"


def released(folder: Path, **more: Any) -> str:
    """The name under which the ledger has the release that was made last."""
    pytest.importorskip("opendp", reason="OpenDP, the extra `noise`, is not installed")
    content = {
        "table": "cells.csv",
        "count": "freq",
        "dimensions": {"region": {"levels": ["region"]}, "diag": {"levels": ["diag"]}},
        "method": {"kind": "noise", "epsilon": 1.0, "budget": 20.0, "ledger": "ledger.jsonl"},
        **more,
    }
    if not (folder / "cells.csv").exists():
        (folder / "cells.csv").write_text(CELLS)
    (folder / "spec.yaml").write_text(yaml.safe_dump(content))
    problem = prepare(folder / "spec.yaml", Specification.load(folder / "spec.yaml"))
    protect_into(problem, folder / "out", lambda _line: None)
    return str(json.loads((folder / "ledger.jsonl").read_text().splitlines()[-1])["release"])


def test_two_different_tables_are_two_releases_and_one_table_is_one(tmp_path: Path) -> None:
    first = released(tmp_path)
    assert released(tmp_path) == first
    turned = {"region": {"levels": ["diag"]}, "diag": {"levels": ["region"]}}
    assert released(tmp_path, dimensions=turned) != first  # the same names, another table
    (tmp_path / "cells.csv").write_text(CELLS.replace("31", "32"))
    assert released(tmp_path) != first  # the same layout, other people


def test_two_at_once_do_not_spend_the_same(tmp_path: Path) -> None:
    def spend(number: int) -> bool:
        try:
            ledger.spend(tmp_path / "ledger.jsonl", 3.0, 1.0, 0.0, str(number))
        except DisclosureError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(24))) == 3
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert lines[0] == {"budget": 3.0} and sum(each["epsilon"] for each in lines[1:]) == 3.0
