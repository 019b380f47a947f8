"""No label that somebody delivers, and no name in a permit, is computed by the spreadsheet of whoever opens
what we write: every command that writes CSV or XLSX, read back by three programs of others."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import duckdb
import openpyxl
import pandas
import pytest
import yaml

from pipelines.cubes.cube import Dimension
from pipelines.cubes.files import write_cube
from pipelines.cubes.policy import Policy
from pipelines.disclosure.stage import disclose_files
from pipelines.measures.stage import measure
from pipelines.release.publish import latest
from pipelines.site.site import Site
from tests import sites
from tests.faults.test_release_faults import Place
from tests.made_cubes import random_cubes

HOSTILE = [
    "=1+2",
    "=HYPERLINK(1)",
    "@SUM(1+9)*cmd",
    "+46 cmd|' /C calc'!A0",
    "-2+3+cmd",
    "\n=1+1",
    "\r=1+1",
    "\t=1+1",
    "a;=1+1",
    "a\t=1+1",
    "a|=1+1",
    'a;"=1+1";',
    "'=1+1",
    ' "=1+1',
    "＝1+1",
    'quote " and, comma',
    "plain",
    "O'Brien",
    "-5",
]
MARKS = tuple("=+-@＝＋－＠\t\r")
NUMBER = re.compile(r"-?\d+([.,]\d+)?")


def computed(text: str) -> bool:
    """Would a spreadsheet take the text for a formula, if it is generous with blanks and quotes?"""
    bare = text.strip(' \n"')
    return bare.startswith(MARKS) and not NUMBER.fullmatch(bare)


def texts_of(path: Path) -> list[list[str]]:
    """The rows of a table, header first, as three programs read them, which must agree."""
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path)
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert all(cell.data_type in ("s", "n") for cell in cells)  # none is a formula
        return [["" if cell is None else _decoded(str(cell)) for cell in row] for row in book["data"].values]
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    assert [list(frame.columns), *frame.to_numpy().tolist()] == rows
    read = "SELECT * FROM read_csv(?, header=true, all_varchar=true, delim=',', quote='\"', escape='\"')"
    found = duckdb.execute(read, [str(path)])
    names = [each[0] for each in found.description]
    assert [names, *[["" if cell is None else cell for cell in row] for row in found.fetchall()]] == rows
    return rows


def _decoded(text: str) -> str:
    return re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text)


def assert_harmless(path: Path) -> list[list[str]]:
    """Nothing in the file is computed, neither as its cells are nor where another mark parts them."""
    rows = texts_of(path)
    assert not [text for row in rows for text in row if computed(text)], path
    if path.suffix == ".csv":
        raw = path.read_bytes().decode("utf-8-sig")
        pieces = [piece for mark in ";\t|" for line in re.split("[\r\n]", raw) for piece in line.split(mark)]
        assert not [piece for piece in pieces if computed(piece.split(",")[0])], path
    return rows


def all_harmless(folder: Path) -> set[str]:
    """Every CSV and XLSX file below `folder`, each looked at."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".csv", ".xlsx")]
    for path in files:
        assert_harmless(path)
    return {str(path.relative_to(folder)) for path in files}


@pytest.mark.parametrize("method", ["suppression", "small_count_rounding", "controlled_rounding", "midpoint"])
def test_protect_and_what_it_wrote_verifies(tmp_path: Path, method: str) -> None:
    with (tmp_path / "cells.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        writer.writerow(["=place", "sex", "n"])
        labels = {label.strip(): label for label in HOSTILE}  # blanks around a code are no part of it
        for place, label in enumerate(labels.values()):
            writer.writerows([label, sex, (7 * place + 3 * k) % 23] for k, sex in enumerate("mw"))
    content = {
        "table": "cells.csv",
        "count": "n",
        "dimensions": {"=place": {"levels": ["=place"]}, "sex": {"levels": ["sex"]}},
        "lookalikes": "distinct",
        "policy": {
            "minimum": 5,
            "singletons": False,
            **(
                {"special": {"=place": [{"codes": ["=1+2"], "minimum": 9}]}}
                if method == "suppression"
                else {}
            ),
        },
        "method": method if method in ("suppression", "controlled_rounding") else {"kind": method},
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    sites.called("protect", tmp_path / "spec.yaml", "--out", tmp_path / "out")
    assert all_harmless(tmp_path / "out") >= {"table.csv"}
    rows = texts_of(tmp_path / "out" / "table.csv")
    assert rows[0][0] == "'=place"
    shown = {row[0] for row in rows[1:]}
    assert len(shown) == 1 + len(labels)  # texts that differ still do
    assert {"plain", "O'Brien", "-5", "'=1+2", "a;'=1+1"} <= shown
    told = sites.called("verify", tmp_path / "out").stdout
    assert "FAILS" not in told


def test_the_review_of_links(tmp_path: Path) -> None:
    with (tmp_path / "people.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["row", "given", "surname", "birth"])
        for number, label in enumerate(HOSTILE):
            for copy in "ab":
                day = f"19{number + 20}-03-0{number % 9 + 1}"
                writer.writerow([f"{number}{copy}", label, f"{label} {number % 3}", day])
    settings = {
        "data": [{"source": "people", "file": "people.csv", "id": "row"}],
        "fields": {
            name: {"column": name, "kind": kind}
            for name, kind in (("given", "name"), ("surname", "name"), ("birth", "date"))
        },
        "blocking": [["birth"]],
    }
    (tmp_path / "link.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    sites.called("link", tmp_path / "link.yaml", "--out", tmp_path / "out", "--review", 40)
    assert all_harmless(tmp_path / "out") == {"review.csv"}
    rows = texts_of(tmp_path / "out" / "review.csv")
    assert any("'=1+2" in row for row in rows[1:])


def hostile(dimension: Dimension) -> Dimension:
    """The same classification under other names."""
    size = len(dimension)
    names = [f"{HOSTILE[place % len(HOSTILE)]}{place // len(HOSTILE) or ''}" for place in range(1, size)]
    codes, labels = (dimension.codes[0], *names), (dimension.labels[0], *reversed(names))
    return replace(dimension, codes=codes, labels=labels)


def test_a_bundle_its_figures_and_its_plots(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for cube in random_cubes(5):
        named = replace(cube, dimensions=tuple(hostile(each) for each in cube.dimensions))
        write_cube(named, place.run / "raw", place.zone)
    disclose_files(place.run / "raw", place.run, Policy(), place.zone)
    measure(place.run / "protected", place.run / "measures", place.zone)
    found = all_harmless(place.release())
    kinds = {(Path(name).parent.name, Path(name).suffix) for name in found}
    assert kinds == {
        ("tables", ".csv"),
        ("tables", ".xlsx"),
        ("figures", ".csv"),
        ("plots", ".csv"),
        ("", ".csv"),
    }


def test_a_permit_whose_groups_have_such_names(first_night: Path, tmp_path: Path) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    path = root / "permits" / "diabetes.yaml"
    permit = yaml.safe_load(path.read_text(encoding="utf-8"))
    units = {"=1+2": ["A-"], "a;=1+1": ["B-"], "\n=1+1": ["10", "11"], "@SUM(1)": ["12", "13", "14"]}
    kept = [table for table in permit["tables"] if table["table"] in ("care-units", "heart-and-vessels")]
    for table in kept:
        table["title"] = "=1+1 " + table["title"]
        if "care_units" in table:
            table["care_units"] = units
    permit |= {"permit": "hostile", "title": "@SUM(1+1)", "tables": kept}
    path = root / "permits" / "hostile.yaml"
    path.write_text(yaml.safe_dump(permit, allow_unicode=True), encoding="utf-8")
    for key in sorted((root / "keys" / "owners").glob("*.ed25519")):
        sites.called("sign", path, "--owner", key.stem, "--key", key)
    sites.called("run", path)
    bundle = latest(Site.load(root), "hostile")
    assert {name for name in all_harmless(bundle) if name.startswith("plots/")} >= {"plots/care-units.csv"}
    assert "'=1+2" in {row[0] for row in texts_of(bundle / "tables" / "care-units.csv")}
    sites.called("verify", bundle)
