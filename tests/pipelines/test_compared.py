"""Rates beside that of a named group: right by hand, the same as in R, and empty with a reason where a side
is hidden or has nothing."""

from __future__ import annotations

import csv
import dataclasses
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.cubes.cube import Dimension, ProtectedCube
from pipelines.cubes.figures import Figures
from pipelines.measures.compared import compare
from pipelines.measures.comparison import difference_score, ratio_exact
from pipelines.measures.rates import DAYS_PER_YEAR
from pipelines.measures.stage import derive
from pipelines.site.permit import Table
from tests.pipelines.test_derived import column, cube_of, table

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "epidemiology"
Cell = tuple[int, int]
EVENTS = {(1, 1): 12, (1, 2): 30, (2, 1): 6, (2, 2): 20}  # by sex (men, women) and age (0-49, 50+)
DAYS = {(1, 1): 100_000, (1, 2): 150_000, (2, 1): 120_000, (2, 2): 80_000}
NAMES = (
    "rate_ratio",
    "rate_ratio_low",
    "rate_ratio_high",
    "rate_difference",
    "rate_difference_low",
    "rate_difference_high",
)


def asked(**more: Any) -> Table:
    ages: dict[str, Any] = {
        "dimensions": ["sex", "age_group"],
        "age_width": 50,
        "age_top": 50,
        "compare": {"over": "sex", "to": "Women"},
    }
    return table(count="events", measures=["events", "person_days"], **{**ages, **more})


def cubes(
    *hide: Cell, of: Table | None = None, events: dict[Cell, int] = EVENTS, days: dict[Cell, int] = DAYS
) -> tuple[ProtectedCube, ProtectedCube]:
    of = of or asked()
    time = cube_of(of, {cell: {"persons": 99, "person_days": n} for cell, n in days.items()})
    return cube_of(
        of, {cell: {"persons": n, "events": n} for cell, n in events.items()}, *hide
    ), dataclasses.replace(time, table="t-time")


def row(figures: Figures, cube: ProtectedCube, *place: int) -> dict[str, str]:
    return {name: str(column(figures, cube, name)[place]) for name in (*NAMES, "why_empty")}


def test_each_row_is_compared_with_the_named_group_in_the_same_place() -> None:
    figures = derive(*(pair := cubes()))
    men = row(figures, pair[0], 1, 0)
    assert men["rate_ratio"] == f"{float(Fraction(42, 250_000) / Fraction(26, 200_000)):.3f}" == "1.292"
    more = (Fraction(42, 250_000) - Fraction(26, 200_000)) * Fraction(36_525, 100) * 100_000
    assert men["rate_difference"] == f"{float(more):.2f}" == "1387.95"
    years = (250_000 / DAYS_PER_YEAR, 200_000 / DAYS_PER_YEAR)
    low, high = ratio_exact(42, years[0], 26, years[1])
    assert (men["rate_ratio_low"], men["rate_ratio_high"]) == (f"{low:.3f}", f"{high:.3f}")
    less, most = (100_000 * each for each in difference_score(42, years[0], 26, years[1]))
    assert (men["rate_difference_low"], men["rate_difference_high"]) == (f"{less:.2f}", f"{most:.2f}")
    assert row(figures, pair[0], 1, 2)["rate_ratio"] == "0.800"  # 30 of 150,000 days beside 20 of 80,000
    for place in ((0, 0), (2, 0), (2, 1)):  # all, and the group itself
        here = row(figures, pair[0], *place)
        assert here.pop("why_empty").startswith("no rate ratio: the row is of the group")
        assert set(here.values()) == {""}
    assert "that of Women" in figures.meanings["rate_ratio"]
    assert set(figures.shown) <= set(figures.columns) == set(figures.meanings)


def test_a_hidden_side_leaves_nothing_to_compare_and_says_which() -> None:
    figures = derive(*(pair := cubes((2, 1), (1, 2))))
    assert row(figures, pair[0], 1, 1) == {
        **dict.fromkeys(NAMES, ""),
        "why_empty": "no rate ratio: what it would be compared with is hidden",
    }
    assert row(figures, pair[0], 1, 2)["why_empty"].startswith("hidden")
    assert row(figures, pair[0], 1, 0)["rate_ratio"] != ""
    assert "2 of them without a ratio" in figures.plot.alt


def test_without_an_event_or_a_day_beside_it_there_is_no_ratio() -> None:
    figures = derive(*(pair := cubes(events={**EVENTS, (2, 1): 0}, days={**DAYS, (2, 2): 0})))
    young, old = row(figures, pair[0], 1, 1), row(figures, pair[0], 1, 2)
    assert young["why_empty"] == "no rate ratio: no event in what it would be compared with"
    assert (
        young["rate_ratio"] == young["rate_ratio_low"] == ""
        and young["rate_difference"] == f"{12 / 100_000 * 36_525_000:.2f}"
    )
    assert (old["rate_difference"], old["why_empty"]) == (
        "",
        "no rate ratio: nobody is at risk on one of the sides",
    )


def test_a_place_is_not_compared_with_what_it_lies_in_or_holds() -> None:
    of = asked(
        dimensions=["municipality"], age_width=5, age_top=90, compare={"over": "municipality", "to": "Solna"}
    )
    places: Dimension = cube_of(of, {(1,): {"persons": 1, "events": 1}}).dimensions[0]
    solna = places.labels.index("Solna")
    leaves = {(place,): 5 + place for place in places.leaves if place != places.labels.index("Unknown")}
    cube = cube_of(of, {place: {"persons": n, "events": n} for place, n in leaves.items()})
    time = dataclasses.replace(
        cube_of(of, {place: {"persons": 9, "person_days": 1000} for place in leaves}), table="t-time"
    )
    tried = compare(cube, time, 0).tried
    part = places.parents[solna]
    assert not tried[[0, part, solna]].any()
    assert tried[[place for place in range(1, len(places) - 1) if place not in (part, solna)]].all()


def test_ratios_stand_beside_standardised_figures_whose_picture_stays() -> None:
    both = {"standardise": {"to": "table"}}
    figures, alone = (
        derive(*(pair := cubes(of=asked(**both)))),
        derive(*cubes(of=asked(**both, compare=None))),
    )
    assert row(figures, pair[0], 1, 0) == row(derive(*cubes()), pair[0], 1, 0)
    assert figures.plot == alone.plot
    assert {
        name: texts
        for name, texts in figures.columns.items()
        if name in alone.columns and name != "why_empty"
    } == {name: texts for name, texts in alone.columns.items() if name != "why_empty"}
    assert set(figures.shown) <= set(figures.columns) == set(figures.meanings) and len(figures.notes) == 3


def test_the_picture_has_a_row_for_each_group_in_each_place_and_is_the_same_each_time() -> None:
    figures = derive(*(pair := cubes()))
    assert figures == derive(*cubes())
    assert figures.plot.data["group"] == ("Men", "Men, 0-49", "Men, 50+")
    assert figures.plot.data["ratio"][0] == row(figures, pair[0], 1, 0)["rate_ratio"]
    picture = ET.fromstring(figures.plot.svg)
    assert picture.get("role") == "img" and "beside Women" in "".join(picture.itertext())


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference cases are not here")
def test_ratios_and_differences_of_a_cube_are_those_of_r() -> None:
    """All cases of the reference at 95 %, whose person-time is as many days here: ratios know no unit,
    differences are told by the day."""
    with (REFERENCE / "rate_compare.expected.csv").open(encoding="utf-8", newline="") as source:
        cases = [
            each
            for each in csv.DictReader(source)
            if float(each["conf_level"]) == 0.95 and int(each["b"]) > 0
        ]
    cases = [each for each in cases if float(each["t1"]).is_integer() and float(each["t0"]).is_integer()]
    assert cases
    for case in cases:
        of = asked(dimensions=["sex"])
        cube = cube_of(
            of,
            {
                (place,): dict.fromkeys(("persons", "events"), int(case[side]))
                for place, side in ((1, "a"), (2, "b"))
            },
        )
        time = cube_of(
            of,
            {
                (1,): {"persons": 9, "person_days": int(float(case["t1"]))},
                (2,): {"persons": 9, "person_days": int(float(case["t0"]))},
            },
        )
        found = compare(cube, dataclasses.replace(time, table="t-time"), 0)
        mine = [found.ratio[1], found.low[1], found.high[1]]
        np.testing.assert_allclose(
            mine, [float(case[name]) for name in ("rr", "rr_exact_lower", "rr_exact_upper")], rtol=1e-9
        )
        by_day = [each[1] / (DAYS_PER_YEAR * 100_000) for each in (found.difference, found.less, found.more)]
        wanted = [float(case[name]) for name in ("rd", "rd_score_lower", "rd_score_upper")]
        np.testing.assert_allclose(by_day, wanted, rtol=1e-9, atol=1e-15)
