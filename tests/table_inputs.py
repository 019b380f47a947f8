"""Small tables for `uttag protect`, what is published of them, and what an attacker finds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.optimize import linprog

from pipelines.disclosure.alone import prepare, protect_into
from pipelines.disclosure.specification import Specification
from pipelines.verifier import verify_protected

CASES = Path(__file__).parents[2] / "shared" / "reference" / "cases" / "disclosure"
HERE = pytest.mark.skipif(not CASES.exists(), reason="the cases of ../shared/reference are not here")
Rows = list[tuple[Any, ...]]


def written(folder: Path, rows: Rows, columns: str, **more: Any) -> Path:
    """A table and its specification, each column but n, w and those who stand behind rows a dimension."""
    names = columns.split()
    with (folder / "cells.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([names, *rows])
    levels = [name for name in names if name not in ("n", "w", "unit", "person")]
    content = {
        "table": "cells.csv",
        **({"count": "n"} if "n" in names else {}),
        **({"weight": "w"} if "w" in names else {}),
        **({} if "tables" in more else {"dimensions": {name: {"levels": [name]} for name in levels}}),
        **more,
    }
    (folder / "spec.yaml").write_text(
        yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8"
    )
    return folder / "spec.yaml"


def protected(path: Path, name: str = "out") -> dict[str, Any]:
    problem = prepare(path, Specification.load(path))
    told = protect_into(problem, path.parent / name, lambda _text: None)
    assert [claim.text for claim in verify_protected(path.parent / name) if not claim.holds] == []
    return told


def shown(folder: Path, table: str = "table") -> dict[tuple[str, ...], float | None]:
    with (folder / "out" / f"{table}.csv").open(newline="", encoding="utf-8") as source:
        return {
            tuple(list(row.values())[:-2]): None if row["status"] == "hidden" else float(row["value"])
            for row in csv.DictReader(source)
        }


def lines(cells: dict[tuple[str, ...], float | None], levels: list[list[str]]) -> list[list[tuple[str, ...]]]:
    """Each sum of a table without hierarchies: the parts, and last the whole."""
    found = []
    for axis, codes in enumerate(levels):
        for cell in cells:
            if cell[axis] == "Total":
                found.append([*((*cell[:axis], code, *cell[axis + 1 :]) for code in codes), cell])
    return found


def can_be(
    cells: dict[tuple[str, ...], float | None], levels: list[list[str]], known: dict[tuple[str, ...], float]
) -> dict[tuple[str, ...], tuple[float, float]]:
    """Between what each hidden cell lies for whoever knows sums, that no value is negative, and `known`."""
    hidden = [cell for cell, value in cells.items() if value is None]
    equations, sums = [], []
    for line in lines(cells, levels):
        signs = [1.0] * (len(line) - 1) + [-1.0]
        equations.append([sum(s for s, c in zip(signs, line, strict=True) if c == cell) for cell in hidden])
        sums.append(-sum(s * (cells[c] or 0) for s, c in zip(signs, line, strict=True)))
    bounds = [(known[cell], known[cell]) if cell in known else (0, None) for cell in hidden]
    found = {}
    for place, cell in enumerate(hidden):
        ends = []
        for sign in (1.0, -1.0):
            price = np.zeros(len(hidden))
            price[place] = sign
            ends.append(linprog(price, A_eq=np.array(equations), b_eq=np.array(sums), bounds=bounds).fun)
        found[cell] = (ends[0], -ends[1] if ends[1] is not None else float("inf"))
    return found
