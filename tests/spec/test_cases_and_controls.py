"""What may stand in a table of cases and controls, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.aggregation.explain import sentences
from pipelines.cubes.cube import CONTROLS_OF, PART_OF, RATIO, TOTAL, Dimension, ProtectedCube
from pipelines.errors import SettingsError
from pipelines.measures.stage import derive_baselines
from pipelines.site.permit import Permit
from pipelines.site.project import require_controls
from pipelines.study.beside_controls import unfit
from pipelines.study.definition import Definition
from pipelines.study.table import Table

HAD = {"had": {"codes": ["ICD-10-SE/I10"]}}
ASKED = {"table": "before", "title": "Before", "count": "baseline", "controls": True, "characteristics": HAD}
DEFINITION = {
    "cohort": "c",
    "title": "c",
    "study": {"from": "2020-01-01", "to": "2021-12-31"},
    "codes": {"a": ["ICD-10-SE/E11"]},
    "index": {"codes": "a", "which": "first"},
}
PERMIT = {
    **dict.fromkeys(("permit", "title", "holder", "purpose", "legal_basis"), "p"),
    "valid_from": "2025-01-01",
    "valid_to": "2099-12-31",
    "sources": ["a"],
    "cohort": "definitions/c.yaml",
}


def table(**more: Any) -> Table:
    return Table(**{**ASKED, **more})


def choosing(**controls: Any) -> Definition:
    return Definition(**DEFINITION, **({"controls": controls} if controls else {}))


def test_each_row_is_a_table_of_cases_and_one_of_controls() -> None:
    parts = table(rows=["had", "municipality"]).parts
    assert [each.table for each in parts] == [
        "before-had",
        "before-municipality",
        "before-had-controls",
        "before-municipality-controls",
    ]
    assert [each.counted[0] for each in parts] == ["members", "members", "controls", "controls"]
    assert not list(unfit([table(rows=["had", "municipality"])], choosing(ratio=4)))
    assert any("for the controls of the definition" in line for line in sentences(table()))


@pytest.mark.parametrize(
    "more",
    [
        {"dimensions": ["sex"]},
        {"dimensions": ["sex"], "compare": {"over": "sex", "to": "Men"}},
        {"count": "members", "dimensions": ["had"]},
    ],
)
def test_cases_and_controls_are_the_groups_and_stand_in_a_baseline_alone(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="controls"):
        table(**more)


@pytest.mark.parametrize(
    ("rows", "controls", "says"),
    [
        (["had"], {}, "the definition has none"),
        (["had"], {"replace": True}, "would count several times"),
        (["sex"], {"exact": ["sex"]}, "matched on, the same in both by design"),
        (["age_group"], {"exact": ["birth_year"]}, "matched on"),
        (["age_group"], {"exact": [], "nearest": {"birth_day": 900}}, "matched on"),
        (["municipality"], {"exact": ["municipality"]}, "matched on"),
        (["year"], {"exact": []}, "a control has not"),
        (["care_unit"], {"exact": []}, "a control has not"),
        (["womb"], {"exact": ["sex"]}, "one sex alone can have it"),
    ],
)
def test_a_row_that_follows_from_how_controls_are_chosen_is_refused(
    rows: list[str], controls: dict[str, Any], says: str
) -> None:
    """Its number of controls would be so many times that of cases, hidden or not."""
    known = {**HAD, "womb": {"codes": ["ICD-10-SE/C54", "ICD-10-SE/N80"]}}
    units = {"care_units": {"a": ["A"]}} if "care_unit" in rows else {}
    asked = table(rows=rows, characteristics=known, **units)
    (found,) = unfit([asked], choosing(**({"ratio": 2, **controls} if controls else {})))
    assert says in found


@pytest.mark.parametrize(
    ("rows", "controls"),
    [
        (["sex"], {"exact": ["birth_year"]}),
        (["age_group"], {"exact": ["sex"]}),
        (["municipality"], {"exact": ["sex", "birth_year"]}),
        (["womb"], {"exact": ["birth_year"]}),
        (["either"], {"exact": ["sex"]}),
    ],
)
def test_what_is_not_matched_on_may_be_a_row(rows: list[str], controls: dict[str, Any]) -> None:
    known = {
        "womb": {"codes": ["ICD-10-SE/C54"]},
        "either": {"codes": ["ICD-10-SE/C54", "ICD-10-SE/C61", "ICD-10-SE/I10"]},
    }
    assert not list(unfit([table(rows=rows, characteristics=known)], choosing(ratio=2, **controls)))


@pytest.mark.parametrize("more", [{"standing": True}, {"method": "cell_key"}])
def test_numbers_that_are_changed_one_by_one_have_no_controls_beside(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match="leave `controls` out"):
        Permit(file=tmp_path / "p.yaml", **PERMIT, tables=[table()], **more)


def test_the_error_says_where_what_and_what_next(tmp_path: Path) -> None:
    permit = Permit(file=tmp_path / "p.yaml", **PERMIT, tables=[table(rows=["sex"])])
    with pytest.raises(SettingsError) as caught:
        require_controls(permit, choosing(ratio=2))
    assert caught.value.where.endswith("p.yaml: tables")
    assert "table before has sex as a row beside controls" in caught.value.what
    assert caught.value.next_step == "count members by it in another table"


ROW = Dimension("had", "Had", ("", "yes", "no"), (TOTAL, "Yes", "No"), (-1, 0, 0))


def part(name: str, persons: list[int], hidden: tuple[int, ...] = (), **notes: str) -> ProtectedCube:
    gone = np.isin(np.arange(3), hidden)
    return ProtectedCube(
        table=name,
        title="Before: Had",
        population=name,
        dimensions=(ROW,),
        measures={"persons": np.where(gone, 0, np.array(persons, np.int64))},
        hidden=gone,
        additive={"persons": (True,)},
        notes={PART_OF: "before", **notes},
    )


def test_figures_of_controls_are_beside_their_cases() -> None:
    """100 cases of whom 30 had it, 390 controls of whom 78 had it."""
    of = {CONTROLS_OF: "before-had", RATIO: "4"}
    cases, controls = derive_baselines(
        [part("before-had", [100, 30, 70]), part("before-had-controls", [390, 78, 312], **of)]
    )
    assert "smd" not in cases.columns
    assert controls.columns["percent"] == ("100.00", "20.00", "80.00")
    assert controls.columns["percent_of_cases"] == ("100.00", "30.00", "70.00")
    apart = (0.2 - 0.3) / np.sqrt((0.2 * 0.8 + 0.3 * 0.7) / 2)
    reach = 1.959964 * np.sqrt(490 / (100 * 390) + apart**2 / (2 * 490))
    told = [float(controls.columns[name][1]) for name in ("smd", "smd_low", "smd_high")]
    np.testing.assert_allclose(told, [apart, apart - reach, apart + reach], atol=6e-4)
    assert "390 controls of 100 cases, at most 4 for each" in controls.notes[1]
    assert "10 are empty" in controls.notes[1] and "not between matched people alone" in controls.notes[1]
    assert controls.plot.data["Controls: smd"] == ("-0.232", "0.232")


def test_a_hidden_cell_of_either_hides_the_difference() -> None:
    of = {CONTROLS_OF: "before-had", RATIO: "4"}
    _, controls = derive_baselines(
        [part("before-had", [100, 2, 98], (1, 2)), part("before-had-controls", [400, 78, 322], **of)]
    )
    assert controls.columns["smd"][1:] == ("", "") and all(controls.columns["why_empty"][1:])
    assert controls.columns["percent"] == ("100.00", "19.50", "80.50")
    assert controls.columns["percent_of_cases"][1:] == ("", "")
