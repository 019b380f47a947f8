"""Figures and plots of values, transitions and places: right where all is shown, left out where something is
hidden."""

from __future__ import annotations

import dataclasses
import statistics
import xml.etree.ElementTree as ET
from datetime import date
from typing import Any

import numpy as np
import pytest

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.figures import Figures
from pipelines.measures.stage import derive
from pipelines.site.permit import Table
from pipelines.study import codes
from tests.pipelines.test_derived import cube_of

CLASSES = Table(
    table="t",
    title="t",
    count="values",
    unit="mmol/mol",
    range=(20, 100),
    classes=(40, 50, 60),
    dimensions=("sex",),
    measures=("values",),
)
LEVELS = Table(
    table="t", title="t", count="transitions", states={"A": ("A",), "B": ("B",)}, measures=("transitions",)
)
PLACES = Table(table="t", title="t", count="members", dimensions=("municipality",))
MEN = {(1, 1): 10, (2, 1): 20, (3, 1): 30, (4, 1): 20, (5, 1): 7}


def counted(cells: dict[tuple[int, ...], int], measure: str) -> dict[tuple[int, ...], dict[str, int]]:
    return {cell: {"persons": count, measure: count} for cell, count in cells.items()}


def at(figures: Figures, cube: ProtectedCube, name: str, *cell: int) -> str:
    return str(np.array(figures.columns[name], object).reshape(cube.shape)[cell])


def sums(values: list[float], decimals: int, *hide: tuple[int, ...]) -> ProtectedCube:
    asked = Table(
        table="t",
        title="t",
        count="values",
        unit="kg",
        range=(0, 200),
        measures=("sum", "squares"),
        dimensions=("sex",),
    )
    whole = [round(each * 10**decimals) for each in values]
    counts: dict[str, Any] = {
        "persons": len(whole),
        "values": len(whole),
        "sum": sum(whole),
        "squares": sum(each**2 for each in whole),
    }
    return dataclasses.replace(cube_of(asked, {(1,): counts}, *hide), notes={"decimals": str(decimals)})


def test_a_whole_histogram_tells_mean_deviation_and_quartiles_of_what_is_usable() -> None:
    cube = cube_of(CLASSES, counted(MEN, "values"))
    found = derive(cube)
    spread = [30.0] * 10 + [45.0] * 20 + [55.0] * 30 + [80.0] * 20
    assert at(found, cube, "percent", 3, 1) == "37.50"
    assert at(found, cube, "percent", 5, 1) == ""
    assert float(at(found, cube, "mean", 0, 1)) == pytest.approx(statistics.mean(spread), abs=0.0051)
    assert float(at(found, cube, "sd", 0, 1)) == pytest.approx(statistics.stdev(spread), abs=0.0051)
    assert (
        at(found, cube, "quartile_low", 0, 1) == "45.00"
    )  # 10 lie below 40, and 10 of 20 below the middle of the next class
    assert at(found, cube, "median", 0, 1) == "53.33"
    assert at(found, cube, "quartile_high", 0, 1) == "60.00"
    assert at(found, cube, "why_empty", 0, 2) == "no usable values"
    assert found.plot.data["values"] == ("10", "20", "30", "20")


def test_hidden_classes_are_put_together_where_the_total_gives_their_sum() -> None:
    """Few values in them: a mean of all. Many: the quartiles that lie outside, and no mean."""
    few = {**MEN, (3, 1): 1, (4, 1): 2, (2, 1): 60}
    cube = cube_of(CLASSES, counted(few, "values"), (3, 1), (4, 1))
    found = derive(cube)
    spread = [30.0] * 10 + [45.0] * 60 + [75.0] * 3  # 50 to 100 are one class
    assert float(at(found, cube, "mean", 0, 1)) == pytest.approx(statistics.mean(spread), abs=0.0051)
    assert float(at(found, cube, "sd", 0, 1)) == pytest.approx(statistics.stdev(spread), abs=0.0051)
    assert at(found, cube, "median", 0, 1) == f"{40 + 10 * 26.5 / 60:.2f}"
    assert at(found, cube, "percent", 2, 1) == f"{100 * 60 / 73:.2f}"
    said = "classes from 50 to 100 mmol/mol are put together, 4.1 % of the values"
    assert at(found, cube, "why_empty", 0, 1) == said
    assert at(found, cube, "why_empty", 4, 1) == f"hidden; {said}"
    many = derive(cube := cube_of(CLASSES, counted({**MEN, (2, 1): 60}, "values"), (3, 1), (4, 1)))
    assert [at(many, cube, name, 0, 1) for name in ("mean", "sd", "quartile_high")] == ["", "", ""]
    assert at(many, cube, "quartile_low", 0, 1) == f"{40 + 10 * 20 / 60:.2f}"
    assert at(many, cube, "why_empty", 0, 1).endswith("too many for a mean, or a quartile among them")
    dark = derive(cube := cube_of(CLASSES, counted(few, "values"), (3, 1), (4, 1), (5, 1)))
    assert at(dark, cube, "mean", 0, 1) == "" and at(dark, cube, "why_empty", 0, 1) == "a class is hidden"


def test_a_hidden_class_hides_what_needs_the_whole_histogram_where_the_total_is_hidden() -> None:
    cube = cube_of(CLASSES, counted(MEN, "values"), (0, 1), (2, 1), (3, 1))
    found = derive(cube)
    assert all(
        at(found, cube, name, 0, 1) == ""
        for name in ("mean", "sd", "median", "quartile_low", "quartile_high")
    )
    assert at(found, cube, "why_empty", 0, 1) == "a class is hidden"
    assert at(found, cube, "percent", 1, 1) == ""
    assert at(found, cube, "percent", 1, 0) == "12.50"
    assert at(found, cube, "why_empty", 2, 1) == "hidden"


def test_a_sum_and_its_squares_tell_mean_and_deviation() -> None:
    values = [61.2, 70.4, 88.0, 93.7, 100.1, 75.5]
    found = derive(cube := sums(values, 1))
    assert float(at(found, cube, "mean", 1)) == pytest.approx(statistics.mean(values), abs=0.00051)
    assert float(at(found, cube, "sd", 1)) == pytest.approx(statistics.stdev(values), abs=0.00051)
    assert at(found, cube, "why_empty", 2) == "no values"
    hidden = derive(cube := sums(values, 1, (1,)))
    assert at(hidden, cube, "mean", 1) == at(hidden, cube, "sd", 1) == ""


def test_steps_are_shares_of_those_that_leave_a_state() -> None:
    steps = {(1, 1): 60, (1, 2): 20, (2, 1): 5, (2, 2): 15}
    found = derive(cube := cube_of(LEVELS, counted(steps, "transitions")))
    assert [
        at(found, cube, "percent_of_from", *cell) for cell in ((1, 1), (1, 2), (2, 1), (2, 2), (1, 0))
    ] == [
        "75.00",
        "25.00",
        "25.00",
        "75.00",
        "100.00",
    ]
    assert found.plot.data["per cent"] == ("75.00", "25.00", "25.00", "75.00")
    gone = derive(cube := cube_of(LEVELS, counted(steps, "transitions"), (2, 1), (2, 0)))
    assert [at(gone, cube, "percent_of_from", 2, to) for to in (0, 1, 2)] == ["", "", ""]


def test_the_prevalence_of_a_day_is_a_share_of_those_followed_then() -> None:
    asked = Table(
        table="t", title="t", count="prevalence", codes=("A",), days=(date(2020, 6, 30), date(2020, 12, 31))
    )
    cube = cube_of(asked, {(1,): {"persons": 15}, (2,): {"persons": 30}})
    followed = cube_of(asked, {(1,): {"persons": 50}, (2,): {"persons": 60}}, (2,))
    found = derive(cube, followed)
    assert [at(found, cube, name, 1) for name in found.shown] == ["30.00", "19.10", "43.75"]
    assert [at(found, cube, name, 2) for name in found.shown] == ["", "", ""]
    assert found.plot.data == {"group": ("2020-06-30", "2020-12-31"), "All": ("30", "")}


def test_a_map_has_a_square_for_each_municipality_and_none_lie_on_each_other() -> None:
    found = derive(cube_of(PLACES, {(2,): {"persons": 40}, (3,): {"persons": 90}}, (2,), (1,)))
    data = found.plot.data
    assert set(data["place"]) == set(codes.municipality_names().values())
    assert len(set(zip(data["row"], data["column"], strict=True))) == 26
    shown = dict(zip(data["place"], data["Persons"], strict=True))
    names = cube_of(PLACES, {(2,): {"persons": 1}}).dimensions[0].labels
    assert (shown[names[2]], shown[names[3]]) == ("", "90")
    assert "1 of them hidden" in found.plot.alt


@pytest.mark.parametrize(
    "cube",
    [
        cube_of(CLASSES, counted(MEN, "values"), (1, 0)),
        cube_of(LEVELS, counted({(1, 1): 9}, "transitions")),
        cube_of(PLACES, {(2,): {"persons": 40}}, (2,)),
        sums([1.0, 2.0], 0),
        cube_of(PLACES, {(2,): {"persons": 0}}),
    ],
    ids=["classes", "states", "places", "sums", "nobody"],
)
def test_a_plot_is_svg_with_words_and_the_same_each_time(cube: ProtectedCube) -> None:
    one, two = derive(cube).plot, derive(cube).plot
    root = ET.fromstring(one.svg)
    assert one.svg == two.svg
    assert root.find("{http://www.w3.org/2000/svg}desc").text == one.alt  # type: ignore[union-attr]
    assert "NaN" not in one.svg and "nan" not in one.svg


TIMES = Table(
    table="t",
    title="t",
    count="intervals",
    codes=("B",),
    since={"codes": ["A"]},
    step=10,
    until=30,
    measures=("intervals",),
)
SUPPLY = Table(table="t", title="t", count="exposure", codes=("D",), dimensions=("sex",))


def waits(persons: int, *hide: tuple[int, ...]) -> ProtectedCube:
    """40 times: 10 end with the event in each of the first three bands, 10 are open."""
    cells = {(1, 1): 10, (2, 1): 10, (3, 1): 10, (4, 2): 10}
    counts = {cell: {"persons": min(number, persons), "intervals": number} for cell, number in cells.items()}
    return cube_of(TIMES, counts, *hide)


def test_times_have_quartiles_and_where_members_have_several_no_limits() -> None:
    once, again = waits(10), waits(8)
    found, without = derive(once), derive(again)
    assert [at(found, once, "share", band, 0) for band in (1, 2, 3)] == ["0.7500", "0.5000", "0.2500"]
    days = [at(found, once, f"{name}_days", 0, 0) for name in ("quartile_1", "median", "quartile_3")]
    assert [float(each) for each in days] == [15, 25, 30]
    assert at(found, once, "share_low", 1, 0) and not at(without, again, "share_low", 1, 0)
    assert at(without, again, "share", 1, 0) == "0.7500"
    assert "a member may have several times" in at(without, again, "why_empty", 1, 0)
    assert not at(without, again, "median_low", 0, 0)
    assert "by days waited" in found.plot.alt


def test_days_covered_are_told_per_hundred_days_of_follow_up() -> None:
    cube = cube_of(SUPPLY, {(1,): {"persons": 5, "days_covered": 90}})
    time = cube_of(SUPPLY, {(1,): {"persons": 20, "days_covered": 0}})
    time = dataclasses.replace(
        time, measures={"persons": time.measures["persons"], "person_days": np.array([360, 360, 0, 0])}
    )
    found = derive(cube, time)
    assert at(found, cube, "percent_of_days", 1) == "25.00"
    assert at(found, cube, "percent_of_at_risk", 1) == "25.00"
    assert "nobody is at risk" in at(found, cube, "why_empty", 2)
