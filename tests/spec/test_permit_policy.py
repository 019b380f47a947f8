"""The rulebook of a permit's policy: the rules of `uttag protect`, on a permit's own cubes, checked again at
the gate."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.cubes.cube import Cube
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.protect import Protection, protect
from pipelines.errors import DataError, SettingsError
from pipelines.release.stage import audit
from tests.made_cubes import flat, from_frequencies

SEX = flat("sex", "female", "male")
PLACE = flat("municipality", "0114", "0115", "0117")
DIAGNOSIS = flat("diagnosis", "ICD-10-SE/C61", "ICD-10-SE/C34", "ICD-10-SE/C43")


def made(counts: dict[tuple[str, str], int], *dimensions: Any) -> Cube:
    return from_frequencies("t", list(dimensions), list(counts.items()))


PLACES = {
    (sex, place): count
    for sex, row in (("female", (40, 33, 28)), ("male", (2, 51, 37)))
    for place, count in zip(PLACE.codes[1:], row, strict=True)
}
CANCER = {
    (sex, code): count
    for sex, row in (("female", (0, 3, 21)), ("male", (40, 30, 22)))
    for code, count in zip(DIAGNOSIS.codes[1:], row, strict=True)
}


def hidden(cube: Cube, policy: Policy) -> tuple[set[tuple[str, ...]], Protection]:
    found = protect([cube], policy)
    assert failing([cube], found, policy) == set()
    mask = found.cubes[0].hidden
    names = [
        tuple(each.codes[place] for each, place in zip(cube.dimensions, places, strict=True))
        for places in cube.coordinates()[mask]
    ]
    return set(names), found


def failing(raw: list[Cube], found: Protection, policy: Policy) -> set[str]:
    claims = audit(raw, found.cubes, found.certificate, policy, found.proof)
    return {claim.text for claim in claims if not claim.holds}


def test_a_cell_that_all_but_a_few_of_its_parent_are_in_is_hidden() -> None:
    """42 of 0114, 40 of them women: each of the two men would know nearly all of the women."""
    cube = made({**PLACES, ("male", "0114"): 6}, SEX, PLACE)
    assert ("female", "0114") not in hidden(cube, Policy())[0]
    assert ("female", "0114") in hidden(cube, Policy(outside=7))[0]


def test_where_everybody_of_a_parent_is_in_one_cell_that_can_be_hidden_with_cells_of_nobody() -> None:
    cube = made({**PLACES, ("male", "0114"): 0}, SEX, PLACE)
    assert hidden(cube, Policy())[0] == set()
    found = hidden(cube, Policy(all_in_one=["sex"]))[0]
    assert {("female", "0114"), ("male", "0114")} <= found


def test_a_diagnosis_has_a_minimum_of_its_own() -> None:
    cube = made({**PLACES, ("male", "0114"): 14}, SEX, PLACE)
    special = {"municipality": [{"codes": ["0114"], "minimum": 20}]}
    assert hidden(cube, Policy())[0] == set()
    assert ("male", "0114") in hidden(cube, Policy.model_validate({"special": special}))[0]


@pytest.mark.parametrize("named", ["ICD-10-SE/C61", "icd10-men"])
def test_a_structural_zero_of_a_permit_is_shown_and_shields_nothing(named: str) -> None:
    cube = made(CANCER, SEX, DIAGNOSIS)
    never = ("female", "ICD-10-SE/C61")
    assert never in hidden(cube, Policy(zeros="protected"))[0]
    policy = Policy.model_validate(
        {"zeros": "protected", "structural_zeros": [{"sex": "female", "diagnosis": named}]}
    )
    cells, found = hidden(cube, policy)
    assert never not in cells
    assert {("female", "ICD-10-SE/C34"), ("female", "ICD-10-SE/C43")} <= cells
    assert found.proof["structural_zeros"] == [{"sex": ["female"], "diagnosis": ["ICD-10-SE/C61"]}]


def test_who_stands_where_nobody_can_be_stops_the_run() -> None:
    cube = made({**CANCER, ("female", "ICD-10-SE/C61"): 1}, SEX, DIAGNOSIS)
    policy = Policy.model_validate({"structural_zeros": [{"sex": "female", "diagnosis": "icd10-men"}]})
    with pytest.raises(DataError, match="counts somebody"):
        protect([cube], policy)


@pytest.mark.parametrize("attacker", ["sums", "nonnegative", "rule"])
@pytest.mark.parametrize("interval", ["point", {"values": 2}, {"values": 4}])
def test_the_gate_finds_what_each_policy_asks_for(attacker: str, interval: Any) -> None:
    policy = Policy.model_validate(
        {"attacker": attacker, "interval": interval, "singletons": attacker == "rule"}
    )
    hidden(made(PLACES, SEX, PLACE), policy)


@pytest.mark.parametrize(
    ("asked", "counts", "claim"),
    [
        ({"outside": 7}, {("male", "0114"): 6}, "every cell that a rule makes sensitive is hidden"),
        ({"all_in_one": ["sex"]}, {("male", "0114"): 0}, "every cell that a rule makes sensitive is hidden"),
        ({"minimum": 30}, {("male", "0114"): 6}, "every cell that a rule makes sensitive is hidden"),
        (
            {"special": {"municipality": [{"codes": ["0114"], "minimum": 20}]}},
            {("male", "0114"): 14},
            "every cell that a rule makes sensitive is hidden",
        ),
        ({"interval": {"values": 20}}, {}, "every sensitive cell stays as wide as the policy says"),
        ({"interval": "whole", "minimum": 40}, {}, "every sensitive cell stays as wide as the policy says"),
    ],
)
def test_the_gate_sees_what_a_weaker_policy_left_out(
    asked: dict[str, Any], counts: dict[tuple[str, str], int], claim: str
) -> None:
    cube = made({**PLACES, **counts}, SEX, PLACE)
    weak = protect([cube], Policy(interval="point"))
    assert claim in failing([cube], weak, Policy.model_validate(asked))


def test_the_gate_sees_a_structural_zero_that_is_hidden() -> None:
    cube, zeros = made(CANCER, SEX, DIAGNOSIS), [{"sex": ["female"], "diagnosis": ["ICD-10-SE/C61"]}]
    weak = protect([cube], Policy(zeros="protected"))
    policy = Policy.model_validate({"zeros": "protected", "structural_zeros": zeros})
    claims = audit([cube], weak.cubes, weak.certificate, policy, {"structural_zeros": zeros})
    assert "where nobody can be, nobody is, and it is shown" in {
        each.text for each in claims if not each.holds
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"all_in_one": ["care_unit"]},
        {"special": {"sex": [{"codes": ["other"], "minimum": 9}]}},
        {"structural_zeros": [{"sexes": "female"}]},
        {"structural_zeros": [{"sex": "girl"}]},
    ],
)
def test_a_policy_that_names_what_no_table_has_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="permit: policy"):
        protect([made(PLACES, SEX, PLACE)], Policy.model_validate(asked))


@pytest.mark.parametrize(
    "asked", [{"units": {"column": "unit"}}, {"owners": {"column": "owner"}}, {"p_percent": 10}]
)
def test_rules_that_need_contributors_are_refused_in_a_permit(asked: dict[str, Any]) -> None:
    """The cubes of a permit do not say who contributes."""
    with pytest.raises(ValidationError):
        Policy.model_validate(asked)


def test_the_rules_of_a_policy_are_said_in_words() -> None:
    policy = Policy.model_validate(
        {
            "outside": 5,
            "all_in_one": ["sex"],
            "special": {"diagnosis": [{"codes": ["F20"], "minimum": 20}]},
            "structural_zeros": [{"sex": "female", "diagnosis": "icd10-men"}],
        }
    )
    assert policy.sentences() == [
        "of F20 in diagnosis, and of all below, cells of fewer than 20 persons are hidden",
        "a cell is hidden, too, if 1 to 4 of its parent are not in it",
        "along sex a cell is hidden, too, if everybody of its parent is in it, with cells of nobody beside "
        "it",
        "nobody can have sex female with diagnosis icd10-men: 0 is shown, and protects nothing",
        "of each sensitive cell two values at least stay possible",
    ]
