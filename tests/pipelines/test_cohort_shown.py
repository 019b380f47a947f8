"""The page of cohorts: exact in the zone, rounded anywhere else, and cases without a control on it."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.cohort.entered import rows
from pipelines.cohort.stage import select
from pipelines.files.schemas import DAY_UNKNOWN
from pipelines.study.definition import Definition
from tests.people import make_shard
from workflows.cohort_page import counted, write

EXACT = (1234, 987, 13, 7, 184, 5)


def cohort(number: int, **more: Any) -> dict[str, Any]:
    return {
        "cohort_definition_id": number,
        "title": f"<b>Cohort</b> {number}",
        "file": f"{number}.yaml",
        "attrition": [{"step": "have an entry event", "persons": 1234}, {"step": "are men", "persons": 987}],
        "entered": [
            {"year": "2019", "age": "40-49", "sex": "men", "entries": 184},
            {"year": "2020", "age": "90+", "sex": "unknown", "entries": 7},
        ],
        "ends": [{"ended": "death", "members": 13, "die_later": 0}],
        "controls": {"cases": [{"controls": 0, "cases": 13}, {"controls": 1, "cases": 974}], "without": 13},
        "overlap": {"1": 987, "2": 5},
        **more,
    }


def shown(path: Path, exact: bool) -> str:
    """The words of the page, without its tags and style."""
    write(path, [cohort(1), cohort(2)], exact)
    text = path.read_text(encoding="utf-8")
    return re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))


def test_in_the_zone_counts_are_exact(tmp_path: Path) -> None:
    text = shown(tmp_path / "page.html", exact=True)
    for count in EXACT:
        assert f" {count:,} " in re.sub(r"[ \n]+", " ", text)
    assert "13 of 987 cases have no control" in text


def test_elsewhere_counts_are_rounded_and_small_ones_not_said(tmp_path: Path) -> None:
    text = shown(tmp_path / "page.html", exact=False)
    numbers = {int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", text)}
    assert not numbers & {1234, 987, 13, 184, 974}
    assert {1230, 990, 180} <= numbers
    assert "fewer than 10" in text
    assert "10 cases have no control" in text


def test_a_bar_is_no_longer_than_what_is_said(tmp_path: Path) -> None:
    """Lengths in the page would tell what its words do not."""
    one, other = cohort(1), cohort(1)
    other["entered"] = [{**row, "entries": row["entries"] + 1} for row in one["entered"]]  # 185, 8
    one["entered"][0]["entries"] = 186
    pages = []
    for name, each in (("one", one), ("other", other)):
        write(tmp_path / name, [each], exact=False)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("count", "said"), [(0, "fewer than 10"), (9, "fewer than 10"), (10, "10"), (1234, "1,230")]
)
def test_counts_are_said_in_tens(count: int, said: str) -> None:
    assert counted(count, exact=False) == said
    assert counted(count, exact=True) == f"{count:,}"


def test_a_title_is_words_and_no_page(tmp_path: Path) -> None:
    write(tmp_path / "page.html", [cohort(1)], exact=True)
    assert "<b>Cohort" not in (tmp_path / "page.html").read_text(encoding="utf-8")


ASKED = Definition(
    cohort="c",
    title="c",
    study={"from": date(2018, 1, 1), "to": date(2021, 12, 31)},
    codes={"any": ["T/"]},
    index={"codes": "any", "which": "any"},
)


def test_index_days_by_year_age_and_sex_are_those_of_a_plain_recount() -> None:
    shard = make_shard(11, persons=300)
    found = select(shard, None, ASKED)
    people = shard.frames["persons"]
    at = {int(person): row for row, person in enumerate(np.asarray(people["person"]))}
    expected: Counter[tuple[str, str, str]] = Counter()
    for person, start in zip(found.members["person"], found.members["start"], strict=True):
        row, day = at[int(person)], date(1970, 1, 1) + timedelta(int(start))
        born = int(np.asarray(people["birth_day"])[row])
        if born == DAY_UNKNOWN:
            age = "unknown"
        else:
            birth = date(1970, 1, 1) + timedelta(born)
            years = day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
            age = "90+" if years >= 90 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"
        sex = {1: "men", 2: "women"}.get(int(np.asarray(people["sex"])[row]), "unknown")
        expected[str(day.year), age, sex] += 1
    assert found.who == expected
    assert sum(row["entries"] for row in rows(found.who)) == len(np.asarray(found.members["person"])) > 100
