"""The rulebook of codes that `uttag protect` takes in: missing ones, look-alikes, and names of margins."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.errors import DataError
from tests.table_inputs import CASES, HERE, protected, shown, written

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
