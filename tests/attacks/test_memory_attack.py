"""Attacks on several releases over the same people: whoever holds all of them knows no more than the last one
meant to tell."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.optimize import linprog

from tests import sites

REGIONS = {"r1": "c1", "r2": "c1", "r3": "c2", "r4": "c2", "r5": "c3", "r6": "c3"}
Person = tuple[str, str, str]  # name, region, diagnosis
FINE = {"region": {"levels": ["county", "region"]}, "diag": {"levels": ["diag"]}}
COUNTIES = {"county": {"levels": ["county"]}, "diag": {"levels": ["diag"]}}


def people(seed: int = 3) -> list[Person]:
    random = np.random.default_rng(seed)
    counts = random.integers(6, 40, (len(REGIONS), 4))
    counts[1, 2], counts[4, 0] = 2, 3
    places = [
        (region, diag)
        for i, region in enumerate(REGIONS)
        for j, diag in enumerate("wxyz")
        for _ in range(counts[i, j])
    ]
    return [(f"p{number}", *place) for number, place in enumerate(places)]


def release(
    folder: Path,
    name: str,
    persons: Sequence[Person],
    dimensions: dict[str, Any] = FINE,
    code: int = 0,
    **more: Any,
) -> str:
    with (folder / f"{name}.csv").open("w", newline="") as out:
        csv.writer(out).writerows(
            [("id", "region", "county", "diag"), *((p, r, REGIONS[r], d) for p, r, d in persons)]
        )
    content = {"table": f"{name}.csv", "person": "id", "memory": "memory", "dimensions": dimensions, **more}
    (folder / f"{name}.yaml").write_text(
        yaml.safe_dump({key: each for key, each in content.items() if each is not None}, sort_keys=False)
    )
    ran = sites.called("protect", folder / f"{name}.yaml", "--out", folder / name, check=False)
    assert ran.returncode == code, ran.stdout + ran.stderr
    if not code:
        checked = sites.called("verify", folder / name, check=False)
        assert checked.returncode == 0, checked.stdout
    return ran.stdout + ran.stderr


def shown(folder: Path, name: str) -> list[tuple[Callable[[Person], bool], int]]:
    """Which people each cell that is shown counts, and how many."""
    found = []
    with (folder / name / "table.csv").open(newline="") as source:
        for row in csv.DictReader(source):
            if row["value"]:
                area, diag = row.get("region", row.get("county")), row["diag"]
                found.append(
                    (
                        lambda person, area=area, diag=diag: (
                            area in ("Total", person[1], REGIONS[person[1]]) and diag in ("Total", person[2])
                        ),
                        int(row["value"]),
                    )
                )
    return found


def interval(
    folder: Path,
    names: Sequence[str],
    nights: Sequence[Sequence[Person]],
    sought: Callable[[Person], bool],
    night: int,
) -> tuple[float, float]:
    """Between what an attacker who holds the releases finds the number of people sought.

    He knows which groups of people exist, each of those who stand in the same places every night, though not
    how many are in it.
    """
    everybody = {person[0] for persons in nights for person in persons}
    standing = [{person[0]: person for person in persons} for persons in nights]
    groups = sorted({tuple((each.get(name) or ("", "", ""))[1:] for each in standing) for name in everybody})
    rows, values = [], []
    for number, name in enumerate(names):
        for inside, value in shown(folder, name):
            rows.append(
                [float(group[number] != ("", "") and inside(("", *group[number]))) for group in groups]
            )
            values.append(value)
    aim = np.array([float(group[night] != ("", "") and sought(("", *group[night]))) for group in groups])
    if night:  # those who are new
        aim *= [group[night - 1] == ("", "") for group in groups]
    ends = [linprog(sign * aim, A_eq=np.array(rows), b_eq=values, bounds=(0, 10_000)) for sign in (1, -1)]
    assert all(each.status == 0 for each in ends)
    return ends[0].fun, -ends[1].fun


def test_two_tables_of_the_same_people_in_two_sessions_give_nothing_away(tmp_path: Path) -> None:
    persons = people()
    release(tmp_path, "fine", persons, {"region": {"levels": ["region"]}, "diag": {"levels": ["diag"]}})
    release(tmp_path, "coarse", persons, COUNTIES)
    for region, diag in (("r2", "y"), ("r5", "w")):
        low, high = interval(
            tmp_path, ["fine", "coarse"], [persons, persons], lambda p, r=region, d=diag: p[1:] == (r, d), 0
        )
        assert high - low > 0.5


def test_the_few_who_came_overnight_are_not_known_and_would_be_without_a_memory(tmp_path: Path) -> None:
    before = people()
    after = [*before, ("n1", "r3", "x"), ("n2", "r3", "x")]
    release(tmp_path, "first", before)
    release(tmp_path, "second", after)
    low, high = interval(tmp_path, ["first", "second"], [before, after], lambda p: p[1:] == ("r3", "x"), 1)
    assert high - low > 0.5
    release(tmp_path, "forgetful", after, memory=None)
    low, high = interval(tmp_path, ["first", "forgetful"], [before, after], lambda p: p[1:] == ("r3", "x"), 1)
    assert (round(low), round(high)) == (2, 2)


def test_a_part_of_the_people_that_leaves_out_few_does_not_tell_who_they_are(tmp_path: Path) -> None:
    everybody = people()
    part = [person for person in everybody if person[0] not in ("p0", "p1")]
    assert [person[1:] for person in everybody[:2]] == [("r1", "w")] * 2
    release(tmp_path, "all", everybody)
    release(tmp_path, "part", part)
    low, high = interval(tmp_path, ["all"], [everybody], lambda p: p[1:] == ("r1", "w"), 0)
    assert low == high  # shown
    rows = {
        (row["region"], row["diag"]): row["value"]
        for row in csv.DictReader((tmp_path / "part" / "table.csv").open(newline=""))
    }
    assert rows["r1", "w"] == ""


def test_the_same_table_again_has_the_same_bytes_and_is_remembered_once(tmp_path: Path) -> None:
    persons = people()
    release(tmp_path, "first", persons)
    release(tmp_path, "again", persons)
    assert (tmp_path / "first" / "table.csv").read_bytes() == (tmp_path / "again" / "table.csv").read_bytes()
    assert len([path for path in (tmp_path / "memory").iterdir() if path.name.isdigit()]) == 1


def test_a_release_that_cannot_be_shown_beside_the_last_is_held_and_says_no_more(tmp_path: Path) -> None:
    before = [person for person in people() if person[2] == "x"]
    release(tmp_path, "first", before, {"diag": {"levels": ["diag"]}})
    said = release(tmp_path, "second", [*before, ("n1", "r3", "x")], {"diag": {"levels": ["diag"]}}, code=15)
    assert "is held" in said and not (tmp_path / "second" / "table.csv").exists()
    assert "r3" not in said and "1" not in said.split("is held")[1]


def test_nobody_can_read_who_is_remembered(tmp_path: Path) -> None:
    release(tmp_path, "first", people())
    files = [path for path in (tmp_path / "memory").rglob("*") if path.is_file()]
    assert (tmp_path / "memory").stat().st_mode & 0o077 == 0
    assert all(b"p17" not in path.read_bytes() for path in files)
    (tmp_path / "memory" / "key").write_text("0" * 64 + "\n")
    release(tmp_path, "second", people(), code=13)


@pytest.mark.parametrize("fault", ["open to others", "no key", "someone twice", "no name", "no column"])
def test_a_memory_or_people_that_cannot_be_used_are_refused(tmp_path: Path, fault: str) -> None:
    persons, more, code = people(), {}, 14
    release(tmp_path, "first", persons)
    if fault == "open to others":
        (tmp_path / "memory").chmod(0o755)
        code = 10
    elif fault == "no key":
        (tmp_path / "memory" / "key").unlink()
    elif fault == "someone twice":
        persons = [*persons, persons[0]]
    elif fault == "no name":
        persons = [*persons, ("", "r1", "w")]
    else:
        more, code = {"person": None}, 10
    said = release(tmp_path, "second", persons, code=code, **more)
    assert "Traceback" not in said and "p0" not in said


BREAKS: dict[str, Callable[[Path], object]] = {
    "cut persons": lambda folder: (folder / "0001" / "persons.parquet").write_bytes(b"PARE"),
    "no cells": lambda folder: (folder / "0001" / "cells.parquet").unlink(),
    "no JSON": lambda folder: (folder / "0001" / "about.json").write_text("{"),
    "other JSON": lambda folder: (folder / "0001" / "about.json").write_text(
        '{"format": 1, "tables": [{"table": "x"}], "seal": ""}'
    ),
    "other codes": lambda folder: (folder / "0001" / "about.json").write_text(
        (folder / "0001" / "about.json").read_text().replace('"r1"', '"r9"')
    ),
    "one gone": lambda folder: (folder / "0001").rename(folder / "0002"),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_what_a_broken_memory_held_is_not_forgotten_nothing_is_released(tmp_path: Path, fault: str) -> None:
    release(tmp_path, "first", people())
    BREAKS[fault](tmp_path / "memory")
    said = release(tmp_path, "second", people()[:-20], code=14)
    assert (
        "restore it from a copy" in said
        and "remove" not in said
        and not (tmp_path / "second" / "table.csv").exists()
    )


def test_where_nothing_could_be_written_nothing_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("a file")
    release(tmp_path, "first", people(), code=10)
    assert not (tmp_path / "memory").exists()


def test_the_proof_does_not_say_what_else_was_released(tmp_path: Path) -> None:
    release(tmp_path, "first", people())
    release(tmp_path, "second", people()[:-20])
    proof = json.loads((tmp_path / "second" / "proof.json").read_text())
    assert "0001" not in json.dumps(proof) and any("earlier release" in each for each in proof["withstands"])
    assert (tmp_path / "second" / "certificate" / "earlier").stat().st_mode & 0o077 == 0
