"""Survival, standardised rates, series and funnels of protected cubes: right where all is shown, cut or empty
where something is hidden."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from datetime import date
from typing import Any

import numpy as np
import pytest

from pipelines.aggregation.layout import Layout
from pipelines.cubes.cube import Dimension, ProtectedCube
from pipelines.cubes.figures import Figures
from pipelines.cubes.standard_axes import StandardAxes
from pipelines.measures.competing import aalen_johansen
from pipelines.measures.curves import Axes, follow
from pipelines.measures.rates import DAYS_PER_YEAR
from pipelines.measures.stage import derive
from pipelines.measures.standard import direct, fay_feuer
from pipelines.measures.survival import LifeTable, kaplan_meier
from pipelines.site.permit import Table
from pipelines.study.days import Study

STUDY = Study(**{"from": date(2018, 1, 1), "to": date(2023, 12, 31)})


def cube_of(
    asked: Table, leaves: dict[tuple[int, ...], dict[str, int]], *hide: tuple[int, ...]
) -> ProtectedCube:
    """A protected cube of a table: `leaves` are counts by position, margins their sums; `hide`: cells."""
    dimensions = Layout.of(asked, STUDY).dimensions
    shape = tuple(len(each) for each in dimensions)
    names = next(iter(leaves.values()))
    grids = {name: np.zeros(shape, np.int64) for name in names}
    for places, counts in leaves.items():
        for cell in np.ndindex(
            *[len(_chain(each, place)) for each, place in zip(dimensions, places, strict=True)]
        ):
            at = tuple(
                _chain(each, place)[k] for each, place, k in zip(dimensions, places, cell, strict=True)
            )
            for name, count in counts.items():
                grids[name][at] += count
    hidden = np.zeros(shape, bool)
    for cell in hide:
        hidden[cell] = True
    measures = {name: np.where(hidden, 0, grid).ravel() for name, grid in grids.items()}
    additive = {name: (True,) * len(shape) for name in measures}
    return ProtectedCube(asked.table, "A table", "p", dimensions, measures, hidden.ravel(), additive)


def _chain(dimension: Dimension, place: int) -> list[int]:
    chain = [place]
    while dimension.parents[chain[-1]] >= 0:
        chain.append(dimension.parents[chain[-1]])
    return chain


def table(**more: Any) -> Table:
    return Table(table="t", title="t", **more)


def over(cube: ProtectedCube) -> StandardAxes:
    """What the cube is standardised over."""
    standard = StandardAxes.of(cube.dimensions)
    if standard is None:
        raise ValueError("the cube is not standardised")
    return standard


def column(figures: Figures, cube: ProtectedCube, name: str) -> np.ndarray:
    return np.array(figures.columns[name], object).reshape(cube.shape)


# ---- survival ----------------------------------------------------------------------------------------------

DAILY = table(count="survival", codes=["A"], competing="death", step=1, until=40, dimensions=["sex"])


def persons(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Day on which each leaves, and how: 0 with the event, 1 with what competes, 2 with neither."""
    random = np.random.default_rng(seed)
    day = np.minimum(random.geometric(0.04, n) - 1, 40)
    return day, np.where(day == 40, 2, random.integers(0, 3, n))


def grid(day: np.ndarray, how: np.ndarray, *hide: tuple[int, ...], asked: Table = DAILY) -> ProtectedCube:
    leaves: dict[tuple[int, ...], dict[str, int]] = {}
    for place, outcome in zip(
        np.minimum(day // asked.step + 1, asked.until // asked.step + 1), how, strict=True
    ):
        cell = (int(place), int(outcome) + 1, 1)
        leaves[cell] = {"persons": leaves.get(cell, {"persons": 0})["persons"] + 1}
    return cube_of(asked, leaves, *hide)


@pytest.mark.parametrize("seed", range(3))
def test_a_curve_by_days_is_that_of_the_persons(seed: int) -> None:
    day, how = persons(seed)
    cube = grid(day, how)
    found = follow(cube, Axes.of(cube))[0, 0, 0]
    expected = kaplan_meier(
        LifeTable.of(day[day < 40] + 1, how[day < 40] < 2)
    )  # those after the end are at risk throughout
    time, here = expected.table.time, np.searchsorted(found.curve.table.time, expected.table.time)
    known = LifeTable(
        time,
        np.array([(day + 1 >= each).sum() for each in time]),
        expected.table.events,
        expected.table.censored,
    )
    np.testing.assert_allclose(found.curve.surv[here], kaplan_meier(known).surv, rtol=1e-12)
    np.testing.assert_array_equal(found.at_risk, [(day >= each).sum() for each in range(len(found))])
    causes = np.array([[((day + 1 == each) & (how == cause)).sum() for each in time] for cause in (0, 1)])
    for mine, reference in zip(found.causes, aalen_johansen(time, known.at_risk, causes), strict=True):
        np.testing.assert_allclose(mine.share[here], reference.share, rtol=1e-12)
        np.testing.assert_allclose(mine.variance[here], reference.variance, rtol=1e-9)


def test_a_curve_that_touches_a_hidden_cell_is_cut_there_and_says_from_which_day_on() -> None:
    asked = table(count="survival", codes=["A"], step=10, until=40, dimensions=["sex"])
    day, how = persons(1)
    how = np.where(how == 1, 0, how // 2)
    whole = grid(day, how, asked=asked)
    cut = grid(day, how, (0, 1, 0), (3, 1, 0), (3, 1, 1), (3, 2, 0), (3, 2, 1), (4, 1, 0), asked=asked)
    one, other = derive(whole), derive(cut)
    share, why = column(other, cut, "share"), column(other, cut, "why_empty")
    assert list(share[1:3, 0, 0]) == list(column(one, whole, "share")[1:3, 0, 0])
    assert list(share[3:, 0, 0]) == ["", "", ""]
    assert why[3, 0, 0] == why[4, 1, 0] == "hidden from day 20 on"
    assert why[0, 0, 0].endswith("hidden from day 20 on")
    assert column(other, cut, "mean_days")[0, 0, 0] == ""
    assert column(one, whole, "mean_days")[0, 0, 0] != ""
    assert "hidden from day 20 on" in other.plot.alt


def test_hidden_bands_are_put_together_where_the_totals_give_their_sum() -> None:
    """The curve reaches the end, with one longer band from the first to the last that is hidden, in which who
    is censored counts for half of it; when in it half of them have had the event, nobody is told."""
    asked = table(count="survival", codes=["A"], step=5, until=40, dimensions=["sex"])
    day, how = persons(1)
    how = np.where(how == 1, 0, how // 2)
    cube = grid(day, how, (3, 1, 0), (3, 2, 0), (5, 1, 0), (5, 2, 0), asked=asked)
    figures = derive(cube)
    share, why = column(figures, cube, "share"), column(figures, cube, "why_empty")
    alive = 1.0
    for band, begin, beyond in [(1, 0, 5), (2, 5, 10), (5, 10, 25), (6, 25, 30), (7, 30, 35), (8, 35, 40)]:
        here = (day >= begin) & (day < beyond)
        exposed = (day >= begin).sum() - (here & (how != 0)).sum() / 2 * (band == 5)
        alive *= 1 - (here & (how == 0)).sum() / exposed
        assert share[band, 0, 0] == f"{alive:.4f}"
    said = "days 10 to 24 are put together: some are hidden"
    assert [share[band, 0, 0] for band in (3, 4)] == ["", ""]
    assert why[3, 0, 0] == why[4, 1, 0] == said and why[0, 0, 0].endswith(said)
    assert why[5, 0, 0].startswith("not of this row: ") and said in figures.plot.alt
    assert column(figures, cube, "mean_days")[0, 0, 0] == ""
    first = column(figures, cube, "quartile_1_days")[0, 0, 0]
    assert (first == "") == (float(share[2, 0, 0]) > 0.75 > float(share[5, 0, 0]))
    assert column(figures, cube, "at_risk")[6, 0, 0] == str(int((day >= 25).sum()))


def test_a_hidden_number_at_risk_leaves_nothing_of_what_needs_it() -> None:
    day, how = persons(2)
    figures = derive(cube := grid(day, how, (0, 0, 0)))
    assert set(column(figures, cube, "share")[:, :, 0].ravel()) == {""}
    assert "hidden" in column(figures, cube, "why_empty")[0, 0, 0]


# ---- standardised rates ------------------------------------------------------------------------------------

BY_SEX_AND_AGE: dict[str, Any] = {
    "count": "events",
    "measures": ["events", "person_days"],
    "dimensions": ["sex", "age_group"],
    "age_width": 40,
    "age_top": 80,
    "standardise": {"to": "esp2013"},
}
RATE = table(**BY_SEX_AND_AGE)


def rate_cubes(*hide: tuple[int, ...], empty: bool = False) -> tuple[ProtectedCube, ProtectedCube]:
    events = {
        (sex, age): dict.fromkeys(("persons", "events"), 10 * sex + age)
        for sex in (1, 2)
        for age in (1, 2, 3)
    }
    days = {
        cell: {"persons": 90, "person_days": 0 if empty and cell == (2, 3) else 40_000 + 1000 * cell[1]}
        for cell in events
    }
    cube = cube_of(RATE, events, *hide)
    return cube, dataclasses.replace(cube_of(RATE, days), table="t-time")


def test_a_standardised_rate_is_that_of_the_strata_and_stands_at_all_ages() -> None:
    cube, time = rate_cubes()
    figures = derive(cube, time)
    weights = np.array(cube.dimensions[1].values)[[1, 2, 3]]
    expected = direct(np.array([11, 12, 13]), np.array([41_000, 42_000, 43_000]) / DAYS_PER_YEAR, weights)
    assert column(figures, cube, "standardised_rate")[1, 0] == f"{expected.rate:.2f}"
    low, high = fay_feuer(expected)
    assert column(figures, cube, "standardised_low")[1, 0] == f"{low:.2f}"
    assert column(figures, cube, "standardised_high")[1, 0] == f"{high:.2f}"
    assert "0-39, 40-79, 80+" in figures.meanings["standardised_rate"]
    assert column(figures, cube, "standardised_rate")[1, 1] == ""


def test_a_standardised_rate_with_a_hidden_stratum_is_hidden_and_says_so() -> None:
    cube, time = rate_cubes((1, 2))
    figures = derive(cube, time)
    rate, why = column(figures, cube, "standardised_rate"), column(figures, cube, "why_empty")
    assert (rate[1, 0], why[1, 0]) == ("", "no standardised rate: an age group that it needs is hidden")
    assert rate[2, 0] != "" and why[2, 0] == ""
    assert column(figures, cube, "rate")[1, 0] != ""


def test_hidden_age_groups_that_weigh_little_are_put_together() -> None:
    """The rate is that of coarser groups; all ages but two are shown, and totals give the sum of these."""
    asked = table(**{**BY_SEX_AND_AGE, "age_width": 10, "age_top": 80})
    leaves = {(1, age): {"persons": 10 + age, "events": 10 + age} for age in range(1, 10)}
    days = {(1, age): {"persons": 90, "person_days": 40_000 + 1000 * age} for age in range(1, 10)}
    cube = cube_of(asked, leaves, (1, 2), (1, 3))
    time = dataclasses.replace(cube_of(asked, days), table="t-time")
    figures = derive(cube, time)
    weights = np.array(cube.dimensions[1].values)[1:10].astype(float)
    n, d = np.arange(11, 20), np.array([40_000 + 1000 * age for age in range(1, 10)]) / DAYS_PER_YEAR
    merge = [(0,), (1, 2), *((k,) for k in range(3, 9))]
    joined = [np.array([each[list(group)].sum() for group in merge]) for each in (n, d, weights)]
    expected = direct(*joined)
    assert column(figures, cube, "standardised_rate")[1, 0] == f"{expected.rate:.2f}"
    assert column(figures, cube, "standardised_high")[1, 0] == f"{fay_feuer(expected)[1]:.2f}"
    assert "age groups are put together" in column(figures, cube, "why_empty")[1, 0]
    apart = derive(cube_of(asked, leaves, (1, 1), (1, 9)), time)  # all of them would be one
    assert column(apart, cube, "standardised_rate")[1, 0] == ""


def test_a_standardised_rate_needs_somebody_at_risk_in_every_stratum() -> None:
    cube, time = rate_cubes(empty=True)
    assert "nobody is at risk" in column(derive(cube, time), cube, "why_empty")[2, 0]


# ---- series ------------------------------------------------------------------------------------------------


def weekly(*hide: int, count: str = "weekly") -> ProtectedCube:
    asked = table(count=count, measures=["events"], kind="visit")
    dimension = Layout.of(asked, STUDY).dimensions[0]
    periods = np.flatnonzero(dimension.values)
    random, season = np.random.default_rng(3), {"weekly": 52, "monthly": 12}[count]
    counts = random.poisson(60 + 20 * np.sin(2 * np.pi * np.arange(len(periods)) / season))
    leaves = {
        (int(place),): {"persons": int(n), "events": int(n)} for place, n in zip(periods, counts, strict=True)
    }
    return cube_of(asked, leaves, *[(int(periods[k]),) for k in hide])


@pytest.mark.parametrize(("count", "ahead"), [("weekly", 26), ("monthly", 6)])
def test_a_forecast_stands_beside_the_series_with_its_method_and_its_error(count: str, ahead: int) -> None:
    figures = derive(cube := weekly(0, 5, count=count))
    data = figures.plot.data
    assert [text != "" for text in data["forecast"]].count(True) == ahead
    assert all(
        float(low) <= float(mean) <= float(high)
        for low, mean, high in zip(
            data["low"][-ahead:], data["forecast"][-ahead:], data["high"][-ahead:], strict=True
        )
    )
    assert (
        any(note.startswith("backtest of") for note in figures.notes)
        and "mean absolute error" in figures.plot.alt
    )
    assert data["observed"][0] == data["observed"][5] == ""
    assert figures.columns["why_empty"].count("hidden") == 2
    codes = data[cube.dimensions[0].role]
    assert list(codes) == sorted(set(codes))


def test_a_forecast_does_not_reach_over_a_hidden_period() -> None:
    figures = derive(weekly(200))
    assert figures.notes == (
        "no forecast: 112 weeks are shown in a row up to the last, and 156 are needed for 26 ahead",
    )
    assert set(figures.plot.data["forecast"]) == {""}
    assert derive(weekly(100)).notes[0].startswith("forecast of events in 26 weeks")


# ---- care units --------------------------------------------------------------------------------------------


def test_a_unit_beyond_the_limits_is_named_and_a_hidden_one_is_not_there() -> None:
    groups = {name: (name,) for name in ("A", "B", "C")}
    asked = table(
        count="events", measures=["events", "person_days"], dimensions=["care_unit"], care_units=groups
    )
    having = {1: 100, 2: 55, 3: 45}
    cube = cube_of(asked, {(unit,): {"persons": n, "events": n} for unit, n in having.items()}, (3,))
    time = cube_of(asked, {(unit,): {"persons": 150, "person_days": 9000} for unit in having})
    figures = derive(cube, dataclasses.replace(time, table="t-time"))
    assert figures.columns["outside"] == ("", "99.8 %", "", "", "")
    assert (
        figures.columns["limit_low_95"][1] != ""
        and figures.columns["limit_low_95"][3] == figures.columns["limit_low_95"][0] == ""
    )
    assert figures.columns["why_empty"][3] == "hidden"
    assert figures.plot.data["care unit"] == ("A", "B")


# ---- all of them -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pair", [(grid(*persons(4)), None), rate_cubes(), (weekly(1), None)], ids=["survival", "rates", "weeks"]
)
def test_pictures_are_described_and_the_same_each_time(
    pair: tuple[ProtectedCube, ProtectedCube | None],
) -> None:
    figures = derive(*pair)
    assert figures == derive(*pair)
    picture = ET.fromstring(figures.plot.svg)
    assert picture.get("role") == "img" and "A table" in "".join(picture.itertext())
    assert "<dc:date>" not in figures.plot.svg
    assert len({len(texts) for texts in figures.plot.data.values()}) == 1
    assert {len(texts) for texts in figures.columns.values()} == {pair[0].cells}
    assert set(figures.shown) <= set(figures.columns) == set(figures.meanings)
