"""The life table of a permit: which file is taken, what it says, and which is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.aggregation.explain import sentences
from pipelines.errors import SettingsError
from pipelines.study.lifetable import Lifetable, Net, read
from pipelines.study.table import Table

ROWS = [("Men", 60, 0.01), ("Men", 61, 0.02), ("Women", 60, 0.005), ("Women", 61, 0.0)]
WHOLE = "sex,age,year,probability\n" + "".join(f"{sex},{age},2020,{p}\n" for sex, age, p in ROWS)
ANY = {"lifetable": "l.csv", "sha256": "0" * 64, "title": "Sweden"}


def taken(folder: Path, text: str, encoding: str = "utf-8") -> Lifetable:
    content = text.encode(encoding)
    (folder / "l.csv").write_bytes(content)
    return read(Net(**{**ANY, "sha256": hashlib.sha256(content).hexdigest()}), folder)


@pytest.mark.parametrize(
    "text", [WHOLE, WHOLE.replace(",", ";"), "\ufeff" + WHOLE, WHOLE.replace("\n", "\r\n")]
)
def test_a_chance_of_dying_within_a_year_is_spread_over_its_days(tmp_path: Path, text: str) -> None:
    found = taken(tmp_path, text)
    within_a_year = 1 - np.exp(-found.hazard[..., 0] / 1e12 * 365.25)
    np.testing.assert_allclose(within_a_year, [[0.01, 0.02], [0.005, 0.0]], atol=1e-9)


def test_beyond_its_ends_a_life_table_goes_on_as_it_ends(tmp_path: Path) -> None:
    found = taken(tmp_path, WHOLE)
    age, year = np.array([0, 60, 61, 104]), np.array([1990, 2020, 2020, 2040])
    np.testing.assert_array_equal(
        found.of(np.zeros(4, np.int64), age, year), found.hazard[0, [0, 0, 1, 1], 0]
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WHOLE.replace("probability", "p"), "has no column probability"),
        (WHOLE.replace("Men,61", "Men,62"), "no line for men of 61 years in 2020"),
        (WHOLE.replace("Women,61,2020,0.0\n", ""), "no line for women of 61 years in 2020"),
        (WHOLE.replace("0.02", "1"), r"l.csv:3: is no probability"),
        (WHOLE.replace("0.02", "-0.1"), r"l.csv:3: is no probability"),
        (WHOLE.replace("0.02", "nan"), r"l.csv:3: is no probability"),
        (WHOLE.replace("0.02", "x"), r"l.csv:3: does not read"),
        (WHOLE.replace("Men,61", "Man,61"), r"l.csv:3: does not read"),
        (WHOLE.replace("Men,61,2020,0.02", "Men,61"), r"l.csv:3: does not read"),
        (WHOLE.replace("Men,61", "Men,60"), r"l.csv:3: says again"),
        ("sex,age,year,probability\n", "has no rows"),
        ("", "has no column sex"),
    ],
)
def test_a_life_table_that_is_not_whole_is_refused_with_its_line(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        taken(tmp_path, text)


def test_only_the_life_table_that_was_signed_is_taken(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not there"):
        read(Net(**ANY), tmp_path)
    (tmp_path / "l.csv").write_text(WHOLE)
    with pytest.raises(SettingsError, match="its hash differs"):
        read(Net(**ANY), tmp_path)
    with pytest.raises(SettingsError, match="not UTF-8"):
        taken(tmp_path, WHOLE + "\u00e5", "latin-1")


MEMBERS = {"count": "members", "or_death": False, "step": None, "until": None}


def table(**more: Any) -> Table:
    survival = {"count": "survival", "or_death": True, "step": 30, "until": 90}
    return Table(table="t", title="A title", **{**survival, "net": ANY, **more})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"or_death": False, "codes": ["A"]}, "whose event is death of any cause"),
        ({"codes": ["A"]}, "whose event is death of any cause"),
        ({"competing": ["A"]}, "whose event is death of any cause"),
        (
            {"count": "members", "dimensions": ["sex"], "or_death": False, "step": None, "until": None},
            "says net",
        ),
        ({"net": {**ANY, "sha256": "abc"}}, "net"),
        ({"net": {"lifetable": "l.csv", "title": "Sweden"}}, "net"),
    ],
)
def test_net_survival_is_of_death_whatever_its_cause(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        table(**more)


def test_what_survival_is_set_beside_is_said() -> None:
    assert (
        "  beside the survival of Sweden, people of the same sex, age and calendar year, by l.csv "
        "(000000000000…): net survival"
    ) in list(sentences(table()))
