"""The rulebook of what `uttag protect` takes in: codes, those that are missing or look alike, margins,
weights, and cells in which nobody can stand."""

from __future__ import annotations

import csv
import json
import shutil
import unicodedata
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from pipelines.disclosure.alone import prepare, protect_into
from pipelines.disclosure.specification import Specification
from pipelines.errors import DataError, DisclosureError, SettingsError
from pipelines.study.one_sex import held
from pipelines.verifier import verify_protected
from tests.amount import share_of

CASES = Path(__file__).parents[3] / "shared" / "reference" / "cases" / "disclosure"
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


# ---- codes that are missing --------------------------------------------------------------------------------


@HERE
@pytest.mark.parametrize("name", ["2-missing-code/a", "2-missing-code/nan"])
def test_a_row_without_a_code_is_refused_however_that_is_spelt_and_can_be_given_one(
    tmp_path: Path, name: str
) -> None:
    given = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    with pytest.raises(DataError, match=r"missing: \{code"):
        protected(CASES / f"{name}.yaml")
    shutil.copy(CASES / name.split("/")[0] / given["table"], tmp_path / "cells.csv")
    content = {**given, "table": "cells.csv", "missing": "unknown", "policy": {"minimum": 3}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    told = protected(tmp_path / "spec.yaml")
    assert {cell[0] for cell in shown(tmp_path)} == {"Total", "A", "B", "unknown"}
    assert {cell[1] for cell in shown(tmp_path)} == {"Total", "M", "F", "unknown"}
    assert any("rows without a code" in remark for remark in told["remarks"])


@pytest.mark.parametrize("word", ["", " ", "NA", "NaN", "nan", "N/A", "NULL", "null", "None", "<NA>", "."])
def test_missing_is_one_code_in_tables_of_persons_too(tmp_path: Path, word: str) -> None:
    rows = [(place, "M") for place in ["A"] * 9 + [word] * 6 + ["NA"] * 7]
    path = written(tmp_path, rows, "place sex", missing={"code": "not told"})
    protected(path)
    assert shown(tmp_path)[("not told", "Total")] == 13
    with pytest.raises(DataError, match="13 rows have no place"):
        protected(written(tmp_path, rows, "place sex"))


def test_where_na_is_a_code_it_can_be_said(tmp_path: Path) -> None:
    path = written(tmp_path, [("NA", 12), ("SE", 30)], "country n", missing={"words": []})
    protected(path)
    assert shown(tmp_path)[("NA",)] == 12


def test_missing_of_a_parquet_file_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path, [], "place sex", table="cells.parquet")
    frame = {"place": pa.array([1.0, float("nan"), None, 2.0] * 5), "sex": pa.array(["M"] * 20)}
    pq.write_table(pa.table(frame), tmp_path / "cells.parquet")
    with pytest.raises(DataError, match="10 rows have no place"):
        protected(path)


def test_a_contributor_who_is_not_named_is_refused(tmp_path: Path) -> None:
    rows = [("A", unit) for unit in ["u", "NA", "nan", "v"] * 5]
    path = written(
        tmp_path, rows, "place unit", missing="x", policy={"units": {"column": "unit", "minimum": 3}}
    )
    with pytest.raises(DataError, match="10 rows have no unit"):
        protected(path)


# ---- codes that look alike ---------------------------------------------------------------------------------


@HERE
def test_composed_and_decomposed_letters_are_one_code_and_rows_that_repeat_it_are_refused() -> None:
    with pytest.raises(DataError, match="composed and decomposed"):
        protected(CASES / "11-unicode" / "a.yaml")


def test_persons_under_two_spellings_of_one_code_are_counted_together(tmp_path: Path) -> None:
    spelt = ["Åre", unicodedata.normalize("NFD", "Åre")]
    rows = [(spelt[n % 2], sex) for n, sex in enumerate(["män"] * 8 + ["kvinnor"] * 8)]
    told = protected(written(tmp_path, rows, "ort kön"))
    assert shown(tmp_path)[("Åre", "män")] == 8
    assert told["tables"][0]["small"] == 0
    assert any("are one" in remark for remark in told["remarks"])


@pytest.mark.parametrize(
    "twin",
    [
        "ÅRE norra",
        "Åre  norra",
        "Åre\u00a0norra",
        "Åre\u200bnorra",
        "Åre nоrra",
        "Årе norra",
        "Åre norrα",
        "Åre ｎorra",
    ],
    ids=["case", "blanks", "hard blank", "no width", "Cyrillic o", "Cyrillic e", "Greek a", "wide"],
)
def test_codes_that_look_alike_are_refused_with_a_hint_and_never_said(tmp_path: Path, twin: str) -> None:
    rows = [("Åre norra", 12), (twin, 30), ("Östersund", 20)]
    with pytest.raises(DataError, match="lookalikes: distinct") as refused:
        protected(written(tmp_path, rows, "ort n"))
    assert "norra" not in str(refused.value)
    protected(written(tmp_path, rows, "ort n", lookalikes="distinct"))
    assert len(shown(tmp_path)) == 4


@pytest.mark.parametrize(
    "codes", [("Åre", "Are"), ("E10", "E101"), ("1", "01"), ("Ö", "O"), ("日本", "日木"), ("мир", "mup")]
)
def test_codes_that_only_resemble_each_other_are_taken(tmp_path: Path, codes: tuple[str, str]) -> None:
    protected(written(tmp_path, [(codes[0], 12), (codes[1], 30)], "code n"))


def test_contributors_that_look_alike_are_not_counted_twice(tmp_path: Path) -> None:
    rows = [("A", unit) for unit in ["ward 1", "Ward 1", "ward 2"] * 5]
    path = written(tmp_path, rows, "place unit", policy={"units": {"column": "unit", "minimum": 3}})
    with pytest.raises(DataError, match="look like another"):
        protected(path)


# ---- margins -----------------------------------------------------------------------------------------------


@HERE
@pytest.mark.parametrize("name", ["a", "upper"])
def test_a_code_that_reads_as_the_margin_is_refused_and_the_margin_can_have_another_name(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match="margin: All"):
        protected(CASES / "3-total-label" / f"{name}.yaml")
    given = yaml.safe_load((CASES / "3-total-label" / f"{name}.yaml").read_text())
    shutil.copy(CASES / "3-total-label" / given["table"], tmp_path / given["table"])
    content = {**given, "margin": "Everybody", "policy": {"minimum": 3}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    protected(tmp_path / "spec.yaml")
    assert shown(tmp_path)[("Everybody", "Everybody")] == 36
    assert {cell[0] for cell in shown(tmp_path)} == {
        "Everybody",
        "Shell",
        "Total" if name == "a" else "TOTAL",
    }


@pytest.mark.parametrize("code", ["total", " Total ", "TOTAL", "Тotal", "To\u200btal"])
def test_no_spelling_of_the_margin_passes_as_a_code(tmp_path: Path, code: str) -> None:
    with pytest.raises(DataError, match="names the margins"):
        protected(written(tmp_path, [(code, 12), ("Shell", 30)], "fuel n"))


# ---- weights -----------------------------------------------------------------------------------------------


@HERE
def test_a_weighted_sum_of_few_persons_is_hidden_however_large_it_is(tmp_path: Path) -> None:
    shutil.copytree(CASES / "7-weights", tmp_path / "case")
    told = protected(tmp_path / "case" / "a.yaml")
    assert told["tables"][0]["small"] == 1
    cells = shown(tmp_path / "case")
    assert cells[("A", "M")] is None
    assert cells[("Total", "Total")] == 5 * 2.2 + 40 * 2.2 + 30 * 1.5 + 35 * 1.5
    proof = json.loads((tmp_path / "case" / "out" / "proof.json").read_text())
    assert proof["weighted"]["not withstood"]


weights = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 400).map(lambda n: Fraction(n, 100))
    ),
    min_size=30,
    max_size=120,
)


@settings(
    max_examples=share_of(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(weights)
def test_what_is_shown_are_exact_sums_of_weights_and_what_is_hidden_follows_from_counts(
    tmp_path: Path, rows: list[tuple[str, str, Fraction]]
) -> None:
    path = written(tmp_path, [(a, b, f"{float(w):.2f}") for a, b, w in rows], "a b w")
    try:
        protected(path)
    except DisclosureError:  # so few that nothing could be shown
        return
    cells = shown(tmp_path)
    for cell, value in cells.items():
        inside = [w for a, b, w in rows if cell[0] in ("Total", a) and cell[1] in ("Total", b)]
        assert value is None or Fraction(value).limit_denominator(100) == sum(inside)
        assert value is None or not 0 < len(inside) < 5
    levels = [sorted({row[0] for row in rows}), sorted({row[1] for row in rows})]
    for cell, (least, most) in can_be(cells, levels, {}).items():
        assert most - least > 0.001, cell


@pytest.mark.parametrize("weight", ["0", "-1", "", "many", "nan"])
def test_a_weight_is_more_than_nothing(tmp_path: Path, weight: str) -> None:
    rows: Rows = [("A", 12, "1.5"), ("B", 30, weight)]
    with pytest.raises(DataError):
        protected(written(tmp_path, rows, "place n w"))


def test_the_verifier_sees_weighted_sums_of_few_persons_that_are_shown(tmp_path: Path) -> None:
    rows = [(a, b, 4 if (a, b) == ("A", "x") else 30, 9) for a, b in product("ABC", "xyz")]
    path = written(tmp_path, rows, "a b n w", policy={"minimum": 3})
    protected(path)
    assert None not in shown(tmp_path).values()
    proof = json.loads((tmp_path / "out" / "proof.json").read_text())
    proof["policy"]["minimum"] = 5
    (tmp_path / "out" / "proof.json").write_text(json.dumps(proof))
    wrong = {claim.text for claim in verify_protected(tmp_path / "out") if not claim.holds}
    assert "every cell that a rule makes sensitive is hidden" in wrong
    del proof["weighted"]
    (tmp_path / "out" / "proof.json").write_text(json.dumps(proof))
    assert "the certificate's true weighted sums are what is shown" in {
        claim.text for claim in verify_protected(tmp_path / "out") if not claim.holds
    }


@pytest.mark.parametrize(
    "more", [{"method": "midpoint"}, {"magnitude": "w"}, {"memory": "memory", "person": "person"}]
)
def test_weights_are_refused_where_nothing_is_proven_of_them(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="weights are of counts"):
        Specification.load(written(tmp_path, [("A", "p", 2)], "place person w", **more))


# ---- structural zeros --------------------------------------------------------------------------------------

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
