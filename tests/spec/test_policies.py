"""The rulebook of `uttag protect`: what makes a cell sensitive besides few persons."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipelines.disclosure.alone import Problem, prepare, protect_into
from pipelines.disclosure.specification import Specification
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.protect import found
from pipelines.errors import SettingsError
from pipelines.verifier import verify_protected

ROWS = [
    (town, care, unit, owner)
    for town, care, number, units, owners in (
        ("A", "home", 40, "uvw", "x"),
        ("A", "ward", 30, "uv", "xy"),
        ("A", "clinic", 22, "u", "x"),
        ("B", "home", 25, "uvw", "x"),
        ("B", "ward", 50, "uvw", "x"),
        ("B", "clinic", 37, "uvw", "y"),
        ("C", "home", 33, "uvw", "y"),
        ("C", "ward", 29, "uvw", "y"),
        ("C", "clinic", 60, "uvw", "y"),
        ("D", "home", 58, "uvw", "y"),
    )
    for n in range(number)
    for unit, owner in ((units[n % len(units)], owners[n % len(owners)]),)
]
DIMENSIONS = {"town": {"levels": ["town"]}, "care": {"levels": ["care"]}}


def case(folder: Path, **policy: Any) -> Problem:
    with (folder / "persons.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("town", "care", "unit", "owner"), *ROWS])
    content = {"table": "persons.csv", "dimensions": DIMENSIONS, "policy": policy}
    (folder / "spec.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return prepare(folder / "spec.yaml", Specification.load(folder / "spec.yaml"))


def sensitive(made: Problem) -> set[tuple[str, str]]:
    return cells(made, made.system.primary)


def hidden(made: Problem) -> set[tuple[str, str]]:
    return cells(made, found(made.system, lambda _text: None, Attackers.of(made.specification.policy)).hidden)


def cells(made: Problem, chosen: np.ndarray) -> set[tuple[str, str]]:
    cube = made.cubes[0]
    return {
        tuple(dimension.codes[place] for dimension, place in zip(cube.dimensions, coordinates, strict=True))  # type: ignore[misc]
        for coordinates in cube.coordinates()[chosen]
    }


def test_a_cell_with_fewer_units_than_the_policy_asks_for_is_hidden(tmp_path: Path) -> None:
    assert sensitive(case(tmp_path, units={"column": "unit", "minimum": 3})) == {
        ("A", "clinic"),
        ("A", "ward"),
    }
    assert sensitive(case(tmp_path, units={"column": "unit", "minimum": 2})) == {("A", "clinic")}


def test_in_a_cell_of_several_owners_the_strictest_minimum_of_theirs_holds(tmp_path: Path) -> None:
    policy = {"owners": {"column": "owner", "persons": {"x": 23, "y": 31}}}
    assert sensitive(case(tmp_path, **policy)) == {("A", "clinic"), ("A", "ward"), ("C", "ward")}


def test_a_sensitive_diagnosis_has_a_minimum_of_its_own(tmp_path: Path) -> None:
    policy = {"special": {"care": [{"codes": ["ward"], "minimum": 35}]}}
    assert sensitive(case(tmp_path, **policy)) == {("A", "ward"), ("C", "ward")}


def test_a_cell_that_all_but_a_few_of_its_parent_are_in_is_hidden(tmp_path: Path) -> None:
    assert sensitive(case(tmp_path, outside=5)) == set()
    assert ("B", "") not in sensitive(case(tmp_path, outside=59))
    assert ("C", "clinic") in sensitive(case(tmp_path, outside=63))  # 62 of C are elsewhere


def test_where_everybody_of_a_town_has_one_kind_of_care_that_is_not_shown_though_nobody_else_stands_there(
    tmp_path: Path,
) -> None:
    made = case(tmp_path, all_in_one=["care"])
    assert sensitive(made) == {("D", "home")}
    assert hidden(made) & {("D", "ward"), ("D", "clinic")}


def test_the_preset_for_open_data_is_stricter_and_can_be_overruled(tmp_path: Path) -> None:
    assert case(tmp_path, preset="open_data").specification.policy.minimum == 10
    assert case(tmp_path, preset="open_data", minimum=20).specification.policy.minimum == 20


@pytest.mark.parametrize(
    "policy",
    [
        {"all_in_one": ["sex"]},
        {"special": {"care": [{"codes": ["hospice"], "minimum": 9}]}},
        {"owners": {"column": "owner", "persons": {"z": 9}}},
        {"preset": "lax"},
        {"units": {"column": "unit", "minimum": 1}},
    ],
    ids=["no dimension", "no code", "no owner", "no preset", "no minimum"],
)
def test_a_policy_that_names_what_is_not_there_is_refused(tmp_path: Path, policy: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        case(tmp_path, **policy)


@pytest.mark.parametrize(
    "policy",
    [
        {
            "units": {"column": "unit", "minimum": 3},
            "owners": {"column": "owner", "persons": {"x": 23, "y": 31}},
        },
        {"outside": 63},
        {"special": {"care": [{"codes": ["ward"], "minimum": 35}]}},
        {"all_in_one": ["care"]},
        {"attacker": "sums", "all_in_one": ["care"]},
        {"zeros": "protected", "attacker": "nonnegative"},
    ],
    ids=["contributors", "outside", "special", "all in one", "all in one, sums", "zeros"],
)
def test_the_verifier_finds_every_rule_kept_and_says_so_where_one_is_not(
    tmp_path: Path, policy: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    protect_into(case(tmp_path, **policy), out, lambda _text: None)
    assert [claim.text for claim in verify_protected(out) if not claim.holds] == []
    proof = json.loads((out / "proof.json").read_text())
    lax = case(tmp_path, minimum=3)
    protect_into(lax, tmp_path / "lax", lambda _text: None)
    of_lax = json.loads((tmp_path / "lax" / "proof.json").read_text())
    (tmp_path / "lax" / "proof.json").write_text(json.dumps({**of_lax, "policy": proof["policy"]}))
    for kind in ("units", "owners"):
        if (out / "certificate" / f"{kind}.parquet").exists():
            shutil.copy(out / "certificate" / f"{kind}.parquet", tmp_path / "lax" / "certificate")
    shutil.copy(out / "certificate" / "inner.parquet", tmp_path / "lax" / "certificate")
    assert "every cell that a rule makes sensitive is hidden" in [
        claim.text for claim in verify_protected(tmp_path / "lax") if not claim.holds
    ]
