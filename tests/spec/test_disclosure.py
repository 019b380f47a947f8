"""The rulebook of disclosure control."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.cubes.cube import Cube, ProtectedCube
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.protect import Protection, protect
from pipelines.disclosure.suppression.search import Search
from pipelines.disclosure.suppression.system import System
from pipelines.errors import DataError, DisclosureError
from tests.made_cubes import cell, count, dimension, flat, from_frequencies


def table(*numbers: tuple[str, str, int]) -> Cube:
    """Persons by town and sex."""
    towns = flat("town", *dict.fromkeys(town for town, _, _ in numbers))
    return from_frequencies(
        "t", (towns, flat("sex", "m", "w")), [((town, sex), number) for town, sex, number in numbers]
    )


TOWNS = (
    ("A", "m", 4),
    ("A", "w", 30),
    ("B", "m", 5),
    ("B", "w", 41),
    ("C", "m", 60),
    ("C", "w", 22),
    ("D", "m", 33),
    ("D", "w", 17),
)


def protected(cube: Cube, policy: Policy | None = None) -> ProtectedCube:
    return protect([cube], policy or Policy()).cubes[0]


def is_hidden(cube: Cube, result: ProtectedCube, *codes: str) -> bool:
    return bool(result.hidden[cell(cube, *codes)])


def test_a_cell_of_4_is_hidden_and_where_no_cell_is_below_5_nothing_is() -> None:
    cube = table(*TOWNS)
    assert is_hidden(cube, protected(cube), "A", "m")
    of_five = table(("A", "m", 5), *TOWNS[1:])
    assert not protected(of_five).hidden.any()


def test_a_small_cell_alone_in_its_row_and_column_takes_others_with_it() -> None:
    cube = table(*TOWNS)
    result = protected(cube)
    for line in (
        (["A", "m"], ["A", "w"], ["A", ""]),
        (["A", "m"], ["B", "m"], ["C", "m"], ["D", "m"], ["", "m"]),
    ):
        assert sum(is_hidden(cube, result, *codes) for codes in line) >= 2


def test_small_cells_and_those_that_protect_them_are_marked_alike() -> None:
    cube = table(*TOWNS)
    result = protected(cube)
    assert result.hidden.sum() > 1
    assert set(result.__dataclass_fields__) == {
        "table",
        "title",
        "population",
        "dimensions",
        "measures",
        "hidden",
        "additive",
        "at_least",
        "notes",
        "design_effects",
        "perturbed",
    }
    assert not result.measures["persons"][result.hidden].any()


def test_a_cell_of_nobody_is_shown_where_the_policy_leaves_zeros_open() -> None:
    cube = table(("A", "m", 0), *TOWNS[1:], ("E", "m", 2), ("E", "w", 20))
    assert not is_hidden(cube, protected(cube), "A", "m")
    assert is_hidden(cube, protected(cube, Policy(zeros="protected")), "A", "m")


def test_a_hidden_cell_is_hidden_in_every_measure() -> None:
    town, sex = flat("place", "A", "B", "C"), flat("sex", "m", "w")
    people = {("A", "m"): 3, ("A", "w"): 20, ("B", "m"): 12, ("B", "w"): 15, ("C", "m"): 9, ("C", "w"): 31}
    rows = [
        (at * 100 + n, where)
        for at, (where, number) in enumerate(people.items())
        for n in range(number)
        for _ in range(2)
    ]
    cube = count("t", (town, sex), rows)
    result = protected(cube)
    assert is_hidden(cube, result, "A", "m")
    for values in result.measures.values():
        assert not values[result.hidden].any()


def test_a_cell_that_stands_in_two_tables_has_one_status() -> None:
    """Eight counties in two tables: each is safe alone, but together they give county K away (UserSupport
    issue 136)."""
    micro = {"A": 2, "B": 2, "I": 8, "J": 8, "K": 3, "L": 3, "M": 3, "N": 7}
    of_county = {"county-1": ("A", "B", "I", "J"), "county-2": ("K", "L", "M", "N")}
    of_size = {"BIG": ("L", "M"), "small": ("A", "B", "I", "J", "K", "N")}
    first, second = (
        from_frequencies(
            name, (dimension("town", tree),), [((town,), number) for town, number in micro.items()]
        )
        for name, tree in (("by-county", of_county), ("by-size", of_size))
    )
    result = {each.table: each for each in protect([first, second], Policy(minimum=4)).cubes}
    for town in micro:
        assert is_hidden(first, result["by-county"], town) == is_hidden(second, result["by-size"], town)
    shown = {town for town in micro if not is_hidden(first, result["by-county"], town)}
    county = {each for each in of_county if not is_hidden(first, result["by-county"], each)}
    assert not (
        {"N", "I", "J"} <= shown
        and "county-1" in county
        and not is_hidden(second, result["by-size"], "small")
    )


def test_the_order_of_the_tables_changes_nothing() -> None:
    one = table(*TOWNS)
    other = from_frequencies(
        "u", (flat("town", "A", "B", "C", "D"),), [(("A",), 34), (("B",), 46), (("C",), 82), (("D",), 50)]
    )
    assert _content(protect([one, other], Policy())) == _content(protect([other, one], Policy()))


def _content(protection: Protection) -> list[tuple[str, list[bool]]]:
    return [(cube.table, cube.hidden.tolist()) for cube in protection.cubes]


def test_tables_that_contradict_each_other_are_refused() -> None:
    one = table(*TOWNS)
    other = from_frequencies(
        "u", (flat("town", "A", "B", "C", "D"),), [(("A",), 35), (("B",), 46), (("C",), 82), (("D",), 50)]
    )
    with pytest.raises(DataError, match="contradicts another table"):
        protect([one, other], Policy())


def test_numbers_that_do_not_add_up_are_refused() -> None:
    cube = table(*TOWNS)
    cube.measures["persons"][0] += 1
    with pytest.raises(DataError, match="does not add up"):
        protect([cube], Policy())


def test_an_audit_that_does_not_certify_stops_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.disclosure.suppression.moves.Mover.find", lambda *_: [])
    monkeypatch.setattr("pipelines.disclosure.suppression.moves.Mover.cheapest_whole", lambda *_: [])
    monkeypatch.setattr("pipelines.disclosure.suppression.worlds.Worlds.find", lambda *_, **__: [])
    monkeypatch.setattr("pipelines.disclosure.suppression.boxed.Boxes.find", lambda *_: None)
    monkeypatch.setattr("pipelines.disclosure.suppression.boxed.Boxes.chained", lambda *_: None)
    with pytest.raises(DisclosureError, match="could not certify"):
        protect([table(*TOWNS)], Policy())


def test_a_search_that_ends_in_a_dead_end_is_tried_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[int] = []

    class Stuck(Search):
        def __init__(self, system: System, attempt: int, attackers: Attackers) -> None:
            super().__init__(system, attempt, attackers)
            orders.append(attempt)

        def cover(self) -> None:
            if len(orders) < 3:
                raise DisclosureError("disclosure", "a dead end", "try again")
            super().cover()

    monkeypatch.setattr("pipelines.disclosure.suppression.protect.Search", Stuck)
    result = protected(table(*TOWNS))
    assert orders == [0, 1, 2]
    assert result.hidden.any()


def test_a_margin_in_which_two_populations_count_alike_is_hidden_in_both_or_neither() -> None:
    """All members by town and sex, and those at risk by sex and age: by sex they are the same people."""
    town, sex, age = flat("town", "A", "B", "C"), flat("sex", "m", "w"), flat("age", "young", "old")
    members = {("A", "m"): 3, ("A", "w"): 2, ("B", "m"): 4, ("B", "w"): 1, ("C", "m"): 40, ("C", "w"): 31}
    at_risk = {("m", "young"): 44, ("m", "old"): 3, ("w", "young"): 0, ("w", "old"): 34}
    first = from_frequencies("members", (town, sex), list(members.items()))
    second = replace(from_frequencies("risk", (sex, age), list(at_risk.items())), population="at risk")
    one, two = protect([first, second], Policy()).cubes
    for code in ("", "m", "w"):
        assert is_hidden(first, one, "", code) == is_hidden(second, two, code, "")
    assert is_hidden(second, two, "w", "")  # the 3 and the 34 beside it change the sexes' totals least dearly
