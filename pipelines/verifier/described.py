"""Is all that a bundle says of its tables the same, wherever it says it?"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

Rows = list[list[str]]
_FORMS = ("csv", "parquet", "xlsx")


def all_described(folder: Path, structure: dict[str, Any]) -> bool:
    """Is every table described once, is there none besides, and has each its figures?"""
    names = [about["table"] for about in structure["tables"]]
    tables = {path.name for path in (folder / "tables").iterdir()}
    figures = {path.name for path in (folder / "figures").iterdir()}
    plots = {path.stem for path in (folder / "plots").iterdir()}
    return (
        0 < len(names) == len(set(names))
        and tables == {f"{name}.{form}" for name in names for form in _FORMS}
        and figures == {f"{name}.csv" for name in names}
        and plots == set(names)
    )


def proof_is_of(
    folder: Path, policy: dict[str, Any], structure: dict[str, Any], rows: dict[str, Rows]
) -> bool:
    """Is the proof of the signed policy and of these tables, with as many cells and hidden ones, and does it
    say of each structural zero which codes it is of?"""
    proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
    counted = [
        {
            "table": about["table"],
            "cells": len(rows[about["table"]]) - 1,
            "hidden": sum(row[-1] == "hidden" for row in rows[about["table"]][1:]),
        }
        for about in structure["tables"]
    ]
    zeros = [set(each) for each in proof.get("structural_zeros", [])]
    declared = [set(each) for each in policy.get("structural_zeros", [])]
    return bool(proof["policy"] == policy and proof["tables"] == counted and zeros == declared)


def called_alike(folder: Path, about: dict[str, Any], rows: Rows) -> bool:
    """Has every cell of a table the labels that are described of its codes, and do the figures stand
    beside the same?"""
    header, body = rows[0], rows[1:]
    named: list[str] = []
    for each in about["dimensions"]:
        codes, labels = each["codes"], each["labels"]
        if not len(codes) == len(labels) == len(each["parents"]) == len(set(codes)):
            return False
        label_of = dict(zip(codes, labels, strict=True))
        code, label = header.index(each["name"]), header.index(f"{each['name']}_label")
        if any(label_of[row[code]] != row[label] for row in body):
            return False
        named += [header[code], header[label]]
    with (folder / "figures" / f"{about['table']}.csv").open(encoding="utf-8", newline="") as source:
        figures = list(csv.reader(source))
    width = len(named)
    return header[:width] == named and [row[:width] for row in figures] == [row[:width] for row in rows]
