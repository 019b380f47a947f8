"""What a reader meets where a figure is missing: a reason in every file, a mark and a legend on the page, and
beside an earlier version's plot that version's own words."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from pipelines.measures.stage import derive
from tests.pipelines.test_compared import cubes as compared
from tests.pipelines.test_derived import grid, persons, rate_cubes, weekly
from tests.pipelines.test_indirect import cubes as indirect
from workflows.demo.report import _said

_TEXTS = ("why_empty", "outside")
KINDS = {
    "survival": lambda: (grid(*persons(4), (3, 1, 0), (3, 2, 0), (9, 1, 0), (9, 2, 0)), None),
    "standardised": rate_cubes,
    "ratios": indirect,
    "compared": compared,
    "weeks": lambda: (weekly(3), None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_that_is_left_out_has_a_reason(kind: str) -> None:
    columns = derive(*KINDS[kind]()).columns
    for cell, why in enumerate(columns["why_empty"]):
        blank = [n for n in columns if n not in ("why_empty", "outside") and not columns[n][cell]]
        assert bool(blank) <= bool(why), f"{kind} {cell}: {blank}"


@pytest.fixture(scope="module")
def bundle(mimic_released: Path) -> Path:
    return next(path.parent for path in (mimic_released / "release").rglob("manifest.json"))


def test_a_released_bundle_says_why_of_each_blank(bundle: Path) -> None:
    files = sorted((bundle / "figures").glob("*.csv"))
    assert files
    for path in files:
        with path.open(encoding="utf-8", newline="") as source:
            for row in csv.DictReader(source):
                blank = [
                    name for name, text in row.items() if not text and name not in ("why_empty", "outside")
                ]
                assert not blank or row.get("why_empty"), f"{path.name}: {blank}"


def test_the_page_marks_each_blank_and_lists_the_reasons(bundle: Path) -> None:
    page = (bundle / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'<td class="n"></td>', page)
    for mark in set(re.findall(r"–<sup>(\d+)</sup>", page)):
        assert int(mark) >= 1
    assert ("–<sup>" in page) <= ("no figure:" in page)


def test_a_bundle_holds_what_is_said_of_each_plot(bundle: Path) -> None:
    for path in sorted((bundle / "plots").glob("*.svg")):
        said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert (
            said["description"] in path.read_text(encoding="utf-8").replace("&amp;", "&")
            or "&" in said["description"]
        )
        assert set(said) == {"title", "description", "notes"}
        assert _said(path.with_suffix(".json")) == said


def test_a_report_takes_the_words_of_the_version_whose_plot_it_shows(bundle: Path, tmp_path: Path) -> None:
    """Not those of the run, which may be held: the files of the run are not read."""
    copy = shutil.copytree(bundle, tmp_path / "1")
    path = next((copy / "plots").glob("*.json"))
    path.chmod(0o600)
    path.write_text('{"title": "A", "description": "B", "notes": ["C"]}', encoding="utf-8")
    assert _said(path) == {"title": "A", "description": "B", "notes": ["C"]}
    assert _said(copy / "plots" / "none.json")["notes"] == []
