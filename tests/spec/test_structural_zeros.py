"""Cells in which nobody can stand: never shields, and never passed over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.errors import DataError, SettingsError
from pipelines.study.one_sex import held
from pipelines.verifier import verify_protected
from tests.table_inputs import CASES, HERE, can_be, protected, shown, written

CANCER = [
    ("M", "prostate", 40),
    ("M", "lung", 30),
    ("M", "skin", 22),
    ("F", "prostate", 0),
    ("F", "lung", 3),
    ("F", "skin", 21),
]
NEVER = [{"sex": "F", "cancer": "prostate"}]
LEVELS = [["F", "M"], ["lung", "prostate", "skin"]]


@HERE
def test_a_structural_zero_is_no_shield(tmp_path: Path) -> None:
    shutil.copytree(CASES / "15-structural-zero", tmp_path / "case")
    given = yaml.safe_load((tmp_path / "case" / "protected.yaml").read_text())
    given["policy"]["structural_zeros"] = NEVER
    (tmp_path / "case" / "spec.yaml").write_text(yaml.safe_dump(given, sort_keys=False))
    protected(tmp_path / "case" / "spec.yaml")
    cells = shown(tmp_path / "case")
    assert cells[("F", "prostate")] == 0
    assert cells[("F", "lung")] is None
    assert cells[("F", "skin")] is None


def test_whoever_knows_structural_zeros_works_nothing_out_and_the_proof_says_which_they_are(
    tmp_path: Path,
) -> None:
    undeclared = {"minimum": 5, "zeros": "protected"}
    told = protected(written(tmp_path, CANCER, "sex cancer n", policy=undeclared))
    assert any("structural_zeros" in remark for remark in told["remarks"])
    known = {("F", "prostate"): 0.0}
    least, most = can_be(shown(tmp_path), LEVELS, known)[("F", "lung")]
    assert most - least < 0.01  # the attack wins where nothing is declared
    proof = json.loads((tmp_path / "out" / "proof.json").read_text())
    proof["policy"]["structural_zeros"] = [{"sex": ["F"], "cancer": ["prostate"]}]
    (tmp_path / "out" / "proof.json").write_text(json.dumps(proof))
    wrong = [claim.text for claim in verify_protected(tmp_path / "out") if not claim.holds]
    assert "no hidden cell is settled by the sums that are shown" in wrong
    assert "no move brings anybody to where nobody can be" in wrong
    protected(written(tmp_path, CANCER, "sex cancer n", policy={**undeclared, "structural_zeros": NEVER}))
    least, most = can_be(shown(tmp_path), LEVELS, known)[("F", "lung")]
    assert most - least > 1


def test_all_that_lies_below_a_structural_zero_is_one_and_so_is_what_has_nothing_else_below(
    tmp_path: Path,
) -> None:
    rows = [
        (sex, group, diag, count)
        for sex, counts in (("F", (0, 0, 4, 30, 25)), ("M", (20, 12, 31, 22, 16)))
        for (group, diag), count in zip(
            (("g", "C61"), ("g", "C62"), ("l", "C34"), ("l", "C33"), ("s", "C43")), counts, strict=True
        )
    ]
    dimensions = {"sex": {"levels": ["sex"]}, "diag": {"levels": ["group", "diag"]}}
    for zeros in (
        [{"sex": "F", "diag": "g"}],
        [{"sex": ["F"], "diag": ["C61", "C62"]}],
        [{"sex": "F", "diag": "icd10-men"}],
    ):
        policy = {"zeros": "protected", "structural_zeros": zeros}
        protected(written(tmp_path, rows, "sex group diag n", dimensions=dimensions, policy=policy))
        assert [shown(tmp_path)[("F", code)] for code in ("g", "C61", "C62")] == [0, 0, 0]
        assert shown(tmp_path)[("F", "C34")] is None


def test_a_table_that_alone_does_not_say_who_it_is_takes_part(tmp_path: Path) -> None:
    """Sex by place and cancer by place: no table has both, and yet nobody may be put among women with cancer
    of the prostate."""
    rows = [
        (sex, cancer, place, count + 3 * (place == "B")) for sex, cancer, count in CANCER for place in "AB"
    ]
    rows = [(s, c, p, 0 if (s, c) == ("F", "prostate") else n) for s, c, p, n in rows]
    tables = {
        one: {"dimensions": {name: {"levels": [name]} for name in (one, "place")}}
        for one in ("sex", "cancer")
    }
    path = written(
        tmp_path, rows, "sex cancer place n", tables=tables, policy={"minimum": 25, "structural_zeros": NEVER}
    )
    protected(path)
    inner = pq.read_table(tmp_path / "out" / "certificate" / "inner.parquet").to_pylist()
    proof = json.loads((tmp_path / "out" / "proof.json").read_text())
    codes = {
        (table["table"], each["name"]): each["codes"]
        for table in proof["tables"]
        for each in table["dimensions"]
    }
    moves = pq.read_table(tmp_path / "out" / "certificate" / "moves.parquet")["inner"].to_pylist()
    for place, row in enumerate(inner):
        who = {name: codes[name.split("/")[0], name.split("/")[1]][row[name]] for name in row if "/" in name}
        if who["sex/sex"] == "F" and who["cancer/cancer"] == "prostate":
            assert place not in moves


def test_who_stands_where_nobody_can_be_is_never_passed_over(tmp_path: Path) -> None:
    rows = [(s, c, 1 if (s, c) == ("F", "prostate") else n) for s, c, n in CANCER]
    with pytest.raises(DataError, match="counts somebody where structural_zeros"):
        protected(written(tmp_path, rows, "sex cancer n", policy={"structural_zeros": NEVER}))


@pytest.mark.parametrize("zeros", [[{"sexes": "F"}], [{"sex": "X"}], [{"sex": ["F", "X"], "cancer": "lung"}]])
def test_a_structural_zero_of_what_no_table_has_is_refused(tmp_path: Path, zeros: list[Any]) -> None:
    with pytest.raises(SettingsError):
        protected(written(tmp_path, CANCER, "sex cancer n", policy={"structural_zeros": zeros}))


def test_that_all_men_have_what_men_alone_can_have_says_nothing_of_them(tmp_path: Path) -> None:
    rows = [row for row in CANCER if row[2]]
    policy: dict[str, Any] = {"minimum": 3, "all_in_one": ["sex"]}
    told = protected(written(tmp_path, rows, "sex cancer n", policy=policy))
    assert told["tables"][0]["small"] == 1
    told = protected(written(tmp_path, rows, "sex cancer n", policy={**policy, "structural_zeros": NEVER}))
    assert told["tables"][0]["small"] == 0


@pytest.mark.parametrize(
    ("code", "women", "men"),
    [
        ("C61", False, True),
        ("C61.9", False, True),
        ("ICD-10-SE/C619", False, True),
        ("C60-C63", False, True),
        ("C60-C64", False, False),
        ("O80", True, False),
        ("O00-O99", True, False),
        ("D07", False, False),
        ("D07.0", True, False),
        ("D07.5", False, True),
        ("C50", False, False),
        ("E11", False, False),
    ],
)
def test_diagnoses_that_one_sex_alone_can_have(code: str, women: bool, men: bool) -> None:
    assert (held("icd10-women", code), held("icd10-men", code)) == (women, men)
