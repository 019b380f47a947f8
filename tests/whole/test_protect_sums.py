"""`uttag protect` on sums: what each contributed stays uncertain by what the policy asks for, for whoever
looks."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.optimize import linprog

from tests import sites

DIMENSIONS = {"region": {"levels": ["county", "region"]}, "care": {"levels": ["care"]}}
Row = tuple[str, str, str, str, str]


def rows(seed: int = 1) -> list[Row]:
    """Costs of 40 providers by region and kind of care, some regions with one provider or a giant."""
    random, found = np.random.default_rng(seed), []
    for number in range(140):
        region = f"r{random.integers(1, 7)}"
        care, amount = "abc"[random.integers(0, 3)], round(float(random.lognormal(3, 1)), 2)
        found.append(
            (f"p{random.integers(0, 40)}", region, f"c{(int(region[1]) + 1) // 2}", care, str(amount))
        )
        if number % 45 == 0:
            found.append(("giant", region, f"c{(int(region[1]) + 1) // 2}", care, "2500.50"))
    return found


def protect(folder: Path, given: Sequence[Row], code: int = 0, **more: Any) -> dict[str, Any]:
    with (folder / "costs.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("provider", "region", "county", "care", "cost"), *given])
    content = {
        "table": "costs.csv",
        "magnitude": "cost",
        "contributor": "provider",
        "dimensions": DIMENSIONS,
        "policy": {"minimum": 3},
        **more,
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    ran = sites.called("protect", folder / "spec.yaml", "--out", folder / "out", "--json", check=False)
    assert ran.returncode == code, ran.stdout + ran.stderr
    if code:
        assert "Traceback" not in ran.stderr and not (folder / "out" / "table.csv").exists()
        return {"said": ran.stderr}
    checked = sites.called("verify", folder / "out", check=False)
    assert checked.returncode == 0, checked.stdout
    return json.loads(ran.stdout)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "out" / "table.csv").open(newline="") as source:
        return list(csv.DictReader(source))


def inside(row: dict[str, str], cell: dict[str, str]) -> bool:
    return cell["region"] in ("Total", row["region"], row["county"]) and cell["care"] in (
        "Total",
        row["care"],
    )


def by_provider(given: Sequence[Row], cell: dict[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for provider, region, county, care, cost in given:
        if inside({"region": region, "county": county, "care": care}, cell):
            found[provider] = found.get(provider, 0.0) + float(cost)
    return found


def estimated(
    folder: Path, given: Sequence[Row], knows: str = ""
) -> dict[tuple[str, str], tuple[float, float]]:
    """Between what a linear attack with all that is shown finds each hidden sum. `knows`: a provider who
    knows the cells he is alone in."""
    cells = table(folder)
    inner = sorted({(row[1], row[2], row[3]) for row in given})
    of = lambda cell: [float(inside({"region": r, "county": c, "care": k}, cell)) for r, c, k in inner]  # noqa: E731
    known, values = [], []
    for cell in cells:
        givers = by_provider(given, cell)
        if cell["value"] or set(givers) == {knows}:
            known.append(of(cell))
            values.append(float(cell["value"]) if cell["value"] else sum(givers.values()))
    found = {}
    for cell in cells:
        if not cell["value"]:
            ends = [
                linprog(np.array(of(cell)) * sign, A_eq=np.array(known), b_eq=values, bounds=(0, 1e9))
                for sign in (1, -1)
            ]
            assert all(end.status == 0 for end in ends)
            found[cell["region"], cell["care"]] = (ends[0].fun, -ends[1].fun)
    return found


@pytest.mark.parametrize(
    "policy", [{"p_percent": 20}, {"dominance": {"n": 1, "k": 0.6}}], ids=["p%", "dominance"]
)
def test_no_contribution_can_be_estimated_better_than_the_policy_lets_anybody(
    tmp_path: Path, policy: dict[str, Any]
) -> None:
    given = rows()
    told = protect(tmp_path, given, policy={"minimum": 3, **policy})["tables"][0]
    assert 0 < told["small"] < told["hidden"] < told["cells"]
    for knows in ("", "giant", *sorted({row[0] for row in given})[:12]):
        intervals = estimated(tmp_path, given, knows)
        for cell in table(tmp_path):
            givers = by_provider(given, cell)
            gives = sorted(givers.values(), reverse=True)
            if not gives or set(givers) == {knows}:
                continue
            need = gives[0] * 0.2 - sum(gives[2:]) if "p_percent" in policy else gives[0] / 0.6 - sum(gives)
            if givers.get(knows) == gives[0]:  # who gave most seeks what another gave
                need = gives[1] * 0.2 - sum(gives[2:]) if "p_percent" in policy else 0.0
            if need > 0.01 or len(gives) < 3:
                low, high = intervals[cell["region"], cell["care"]]
                assert high - sum(gives) >= need - 0.02 and sum(gives) - low >= min(need, sum(gives)) - 0.02


def test_csv_and_parquet_hold_sums_with_their_decimals(tmp_path: Path) -> None:
    protect(tmp_path, rows())
    stored = pq.read_table(tmp_path / "out" / "table.parquet")["value"].to_pylist()
    assert stored == [float(row["value"]) if row["value"] else None for row in table(tmp_path)]
    total = sum(round(float(row[4]) * 100) for row in rows())
    assert round(float(table(tmp_path)[0]["value"]) * 100) == total


def test_the_same_bytes_come_from_rows_in_any_order(tmp_path: Path) -> None:
    protect(tmp_path, rows())
    before = (tmp_path / "out" / "table.csv").read_bytes()
    protect(tmp_path, rows()[::-1])
    assert (tmp_path / "out" / "table.csv").read_bytes() == before


BAD = [
    ("-3", {}, 14),
    ("much", {}, 14),
    ("", {}, 14),
    ("1e99", {}, 14),
    ("0.1234567", {}, 14),
    ("5", {"count": "cost"}, 10),
    ("5", {"magnitude": None, "contributor": None, "policy": {"p_percent": 5}}, 10),
    ("5", {"policy": {"p_percent": 0}}, 10),
    ("5", {"memory": "m", "person": "provider"}, 10),
]


@pytest.mark.parametrize(("amount", "more", "code"), BAD)
def test_amounts_and_rules_that_make_no_sense_are_refused(
    tmp_path: Path, amount: str, more: dict[str, Any], code: int
) -> None:
    said = protect(tmp_path, [*rows()[:20], ("p1", "r1", "c1", "a", amount)], code, **more)["said"]
    said = said.replace(str(tmp_path), "")  # in which a number of the test's own may stand
    assert "p1" not in said and (not amount or amount not in said or amount == "5")


@pytest.mark.parametrize("change", ["a value", "a move", "a contribution"])
def test_what_was_changed_afterwards_does_not_verify(tmp_path: Path, change: str) -> None:
    protect(tmp_path, rows())
    out = tmp_path / "out"
    if change == "a value":
        (out / "table.csv").write_text((out / "table.csv").read_text().replace(".5", ".6", 1))
    else:
        path = out / "certificate" / ("moves.parquet" if change == "a move" else "contributions.parquet")
        held = pq.read_table(path)
        pq.write_table(held.slice(0, held.num_rows - 1), path)
    ran = sites.called("verify", out, check=False)
    assert ran.returncode == 16 and "FAILS" in ran.stdout
