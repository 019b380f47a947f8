"""Indirectly standardised ratios of protected cubes: right by hand and by R, there where events of an age are
hidden but their sum is not, and empty with a reason where something is needed that nobody may see."""

from __future__ import annotations

import csv
import dataclasses
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Figures
from pipelines.measures.indirect import ratios
from pipelines.measures.stage import derive
from pipelines.site.permit import Table
from tests.pipelines.test_derived import column, cube_of, over, table

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "epidemiology"
UNITS: dict[str, tuple[str, ...]] = {"North": ("N",), "South": ("S",), "East": ("E",)}
Cell = tuple[int, int]

# by unit and age (0-39, 40-79, 80+): events and person-days; of all 20, 60 and 100 events in 400,000, 300,000
# and 100,000 days
EVENTS = {
    (1, 1): 4,
    (1, 2): 30,
    (1, 3): 60,
    (2, 1): 6,
    (2, 2): 20,
    (2, 3): 30,
    (3, 1): 10,
    (3, 2): 10,
    (3, 3): 10,
}
DAYS = {
    (1, 1): 100_000,
    (1, 2): 150_000,
    (1, 3): 50_000,
    (2, 1): 100_000,
    (2, 2): 100_000,
    (2, 3): 40_000,
    (3, 1): 200_000,
    (3, 2): 50_000,
    (3, 3): 10_000,
}


def asked(**standardise: Any) -> Table:
    return table(
        count="events",
        measures=["events", "person_days"],
        dimensions=["care_unit", "age_group"],
        care_units=UNITS,
        age_width=40,
        age_top=80,
        standardise={"to": "table", **standardise},
    )


def cubes(
    *hide: Cell,
    without: Cell | None = None,
    unknown: int = 0,
    days: dict[Cell, int] = DAYS,
    of: Table | None = None,
) -> tuple[ProtectedCube, ProtectedCube]:
    """The two cubes; `hide`: cells of events, `without`: one of time. `unknown`: events at an unknown age in
    the first unit."""
    of = of or asked()
    events = {cell: {"persons": n, "events": n} for cell, n in {**EVENTS, (1, 4): unknown}.items()}
    time = cube_of(
        of,
        {cell: {"persons": 99, "person_days": n} for cell, n in days.items()},
        *([without] if without else []),
    )
    return cube_of(of, events, *hide), dataclasses.replace(time, table="t-time")


def row(figures: Figures, cube: ProtectedCube, *place: int) -> dict[str, str]:
    return {
        name: str(column(figures, cube, name)[place])
        for name in ("observed", "expected", "smr", "smr_low", "smr_high", "why_empty")
    }


def test_expected_events_are_the_person_time_of_each_age_at_the_rate_of_all() -> None:
    figures = derive(*(pair := cubes()))
    of_all = [Fraction(20, 400_000), Fraction(60, 300_000), Fraction(100, 100_000)]
    expected = sum(days * rate for days, rate in zip((100_000, 150_000, 50_000), of_all, strict=True))
    assert expected == 85
    north = row(figures, pair[0], 1, 0)
    assert (north["observed"], north["expected"]) == ("94", "85.00")
    assert north["smr"] == f"{float(Fraction(94) / expected):.3f}" == "1.106"
    # exact limits of a count of 94: 75.9623 and 115.0335
    assert (north["smr_low"], north["smr_high"]) == (f"{75.9623 / 85:.3f}", f"{115.0335 / 85:.3f}")
    assert row(figures, pair[0], 3, 0)["smr"] == f"{float(Fraction(30, 30)):.3f}"


def test_all_of_the_table_are_as_many_as_expected_and_have_no_limits_about_themselves() -> None:
    figures = derive(*(pair := cubes()))
    everyone = row(figures, pair[0], 0, 0)
    assert (everyone["observed"], everyone["expected"], everyone["smr"]) == ("180", "180.00", "1.000")
    assert everyone["smr_low"] == everyone["smr_high"] == ""
    assert everyone["why_empty"] == "no limits of the standardised ratio: all of the table are its reference"
    assert "All" not in figures.plot.data["group"]


def test_a_ratio_stands_at_all_ages_alone_and_the_rates_stand_beside_it() -> None:
    figures = derive(*(pair := cubes()))
    by_age = row(figures, pair[0], 1, 2)
    assert (by_age["smr"], by_age["why_empty"]) == ("", "standardised ratios stand in the rows of all ages")
    assert column(figures, pair[0], "rate")[1, 2] != ""
    assert set(figures.columns) == set(figures.meanings) and set(figures.shown) <= set(figures.columns)
    assert "rates of all in this table by age (0-39, 40-79, 80+)" in figures.meanings["expected"]


def test_events_of_a_hidden_age_are_not_needed_where_their_sum_is_shown() -> None:
    """What a standardised rate would need of each age, a ratio needs of all ages together."""
    whole, part = derive(*(pair := cubes())), derive(*cubes((1, 1), (1, 2), (2, 1), (2, 2)))
    for unit in (1, 2, 3):
        assert row(whole, pair[0], unit, 0) == row(part, pair[0], unit, 0)


def test_events_at_an_unknown_age_are_not_compared_and_hide_the_ratio_where_nothing_parts_them() -> None:
    figures = derive(*(pair := cubes(unknown=7)))
    assert row(figures, pair[0], 1, 0)["observed"] == "94"
    figures = derive(*(pair := cubes((1, 1), unknown=7)))
    assert row(figures, pair[0], 1, 0)["observed"] == "94"  # 101 of all ages, less 7
    figures = derive(*(pair := cubes((1, 1), (1, 4), unknown=7)))
    north = row(figures, pair[0], 1, 0)
    assert (north["observed"], north["smr"]) == ("", "")
    assert north["why_empty"] == "no standardised ratio: events of an age group that it needs are hidden"
    assert row(figures, pair[0], 2, 0)["smr"] != ""


def test_hidden_time_at_risk_hides_the_ratio_of_its_row_and_says_so() -> None:
    figures = derive(*(pair := cubes(without=(2, 3))))
    south = row(figures, pair[0], 2, 0)
    assert (south["expected"], south["smr"]) == ("", "")
    assert (
        south["why_empty"]
        == "no standardised ratio: time at risk, or a reference rate, of an age group that it needs is hidden"
    )
    assert row(figures, pair[0], 1, 0)["smr"] != ""
    assert "1 of them without a ratio" in figures.plot.alt and figures.plot.data["smr"][1] == ""


def test_a_hidden_rate_of_all_hides_every_ratio_that_needs_it_and_no_other() -> None:
    figures = derive(*(pair := cubes((0, 3), days={**DAYS, (3, 3): 0})))
    assert "is hidden" in row(figures, pair[0], 1, 0)["why_empty"]
    assert (
        row(figures, pair[0], 3, 0)["expected"] == "20.00"
    )  # nobody of that age is at risk there: no rate is needed


def test_parts_that_do_not_add_up_are_not_taken_from_their_sum() -> None:
    cube, time = cubes((1, 1))
    cube = dataclasses.replace(cube, additive={**cube.additive, "events": (True, False)})
    assert "events of an age group" in row(derive(cube, time), cube, 1, 0)["why_empty"]


def test_nobody_at_risk_expects_nothing() -> None:
    figures = derive(*(pair := cubes()))
    assert row(figures, pair[0], 4, 0)["why_empty"].endswith(
        "no standardised ratio: no event is expected"
    )  # of other units


def test_younger_ages_are_neither_seen_nor_expected() -> None:
    of = asked(ages_from=40)
    figures = derive(*(pair := cubes(of=of)))
    assert row(figures, pair[0], 1, 0) | {"smr": ""} == {
        "observed": "90",
        "expected": "80.00",
        "smr": "",
        "smr_low": "0.905",
        "smr_high": "1.383",
        "why_empty": "",
    }
    hidden = derive(*cubes((1, 2), of=of))  # 94 of all ages, less 4
    assert row(hidden, pair[0], 1, 0) == row(figures, pair[0], 1, 0)
    assert "ages 40 and over" in figures.meanings["expected"] and "0-39" not in figures.meanings["expected"]


def test_rates_of_the_permits_own_expect_the_same_wherever_the_table_comes_from() -> None:
    own = {"to": "own", "title": "Region X, 2019", "rates": {0: 0, 40: 3652.5, 80: 36525}}
    figures = derive(*(pair := cubes(of=asked(**own))))
    expected = Fraction(150_000, 10_000) + Fraction(
        50_000, 1_000
    )  # 0.1 and 1 a year per 365.25 and 36.525 days
    assert row(figures, pair[0], 1, 0)["expected"] == f"{float(expected):.2f}" == "65.00"
    everyone = row(figures, pair[0], 0, 0)
    assert (
        everyone["expected"] == "130.00"
        and everyone["smr_low"] != ""
        and figures.plot.data["group"][0] == "All"
    )
    assert "rates of Region X, 2019 by age (0-39, 40-79, 80+)" in figures.meanings["expected"]


def test_a_group_takes_the_rate_of_the_ages_it_lies_in() -> None:
    own = {"to": "own", "title": "Region X, 2019", "rates": {40: 3652.5}, "ages_from": 40}
    figures = derive(*(pair := cubes(of=asked(**own))))
    assert row(figures, pair[0], 1, 0)["expected"] == "20.00"


def test_a_group_beyond_chance_is_marked_in_the_table_and_named_in_the_picture() -> None:
    days = {**DAYS, (2, 3): 90_000}
    figures = derive(*(pair := cubes(days=days)))
    outside = column(figures, pair[0], "outside")
    assert outside[2, 0] == "99.8 %" and outside[0, 0] == outside[3, 0] == ""
    assert "; South beyond the limits of 99.8 % about 1" in figures.plot.alt
    picture = ET.fromstring(figures.plot.svg)
    assert picture.get("role") == "img" and "A table" in "".join(picture.itertext())
    assert figures == derive(*cubes(days=days))
    assert len({len(texts) for texts in figures.plot.data.values()}) == 1
    assert figures.plot.data["group"] == ("North", "South", "East")


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 90_000)), min_size=9, max_size=9),
    st.sets(st.integers(0, 8)),
    st.sets(st.integers(0, 8)),
)
def test_a_ratio_is_there_where_all_it_needs_is_shown_and_is_that_of_the_counts(
    counts: list[tuple[int, int]], without_events: set[int], without_time: set[int]
) -> None:
    """An obvious version in fractions, each cell of events or time hidden or not; no event without time."""
    places = [(1 + k // 3, 1 + k % 3) for k in range(9)]
    events = {place: n if days else 0 for place, (n, days) in zip(places, counts, strict=True)}
    days = {place: each for place, (_, each) in zip(places, counts, strict=True)}
    of = asked()
    cube = cube_of(
        of,
        {place: {"persons": n, "events": n} for place, n in events.items()},
        *[places[k] for k in without_events],
    )
    hidden = [places[k] for k in without_time]
    time = dataclasses.replace(
        cube_of(of, {p: {"persons": 9, "person_days": n} for p, n in days.items()}, *hidden), table="t-time"
    )
    found = ratios(cube, time, over(cube))
    rows, smr = np.arange(cube.cells).reshape(cube.shape)[:, 0], found.smr
    for unit in (1, 2, 3):
        rate = {
            age: Fraction(sum(events[u, age] for u in (1, 2, 3)), sum(days[u, age] for u in (1, 2, 3)) or 1)
            for age in (1, 2, 3)
        }
        expected = sum((days[unit, age] * rate[age] for age in (1, 2, 3)), Fraction(0))
        seen = sum(
            events[unit, age] for age in (1, 2, 3)
        )  # all less those of no known age: events of an age are not needed
        if expected and not any((unit, age) in hidden for age in (1, 2, 3)):
            assert smr[rows[unit]] == pytest.approx(float(seen / expected), rel=1e-12)
            assert found.low[rows[unit]] <= smr[rows[unit]] <= found.high[rows[unit]]
        else:
            assert np.isnan(smr[rows[unit]]) and found.why[rows[unit]]


def _rows(name: str) -> list[dict[str, str]]:
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference cases are not here")
@pytest.mark.parametrize("unit", ["U1", "U2", "U3", "U4", "U5"])
def test_ratios_of_a_cube_are_those_of_r(unit: str) -> None:
    """A synthetic unit of the reference. Its person-years are 400 times as many here, so that they are whole
    days."""
    given = [each for each in _rows("smr_synthetic.input") if each["unit"] == unit]
    wanted = next(each for each in _rows("smr_synthetic.expected") if each["unit"] == unit)
    rates = {
        10 * (int(each["stratum"]) - 1): round(float(each["reference_rate"]) * 100_000, 4) for each in given
    }
    of = table(
        count="events",
        measures=["events", "person_days"],
        dimensions=["age_group"],
        age_width=10,
        age_top=max(rates),
        standardise={"to": "own", "title": "the reference", "rates": rates},
    )
    events = {
        (int(each["stratum"]),): dict.fromkeys(("persons", "events"), int(each["events"])) for each in given
    }
    days = {
        (int(each["stratum"]),): {"persons": 9, "person_days": round(float(each["person_years"]) * 146_100)}
        for each in given
    }
    cube = cube_of(of, events)
    found = ratios(cube, dataclasses.replace(cube_of(of, days), table="t-time"), over(cube))
    assert found.observed[0] == int(wanted["observed"])
    mine = [found.expected[0] / 400, 400 * found.smr[0], 400 * found.low[0], 400 * found.high[0]]
    np.testing.assert_allclose(
        mine, [float(wanted[each]) for each in ("expected", "smr", "exact_lower", "exact_upper")], rtol=1e-9
    )
