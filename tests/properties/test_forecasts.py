"""Forecasts: limits that hold what they say on series of every shape, methods that fail alone, holidays of
Sweden, and what a permit asks of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.aggregation.explain import sentences
from pipelines.aggregation.layout import Layout
from pipelines.aggregation.stage import notes
from pipelines.measures.conformal import foresee, needed
from pipelines.measures.holidays import easter, holidays, working_days
from pipelines.measures.methods import METHODS, Method, curve, curve_with_holidays
from pipelines.measures.smoothing import smoothed
from pipelines.measures.stage import derive
from pipelines.site.permit import Table
from tests.amount import LONG
from tests.pipelines.test_derived import STUDY, cube_of, table

REPLICATES = 500 if LONG else 20
KNOWN, AHEAD, SEASON = 72, 6, 12
SPREAD = 20  # of a negative binomial count: its variance is mean + mean² / 20


def drawn(kind: str, random: np.random.Generator) -> np.ndarray:
    """Counts of six years and six months."""
    time = np.arange(KNOWN + AHEAD)
    season = np.sin(2 * np.pi * time / SEASON)
    mean = {
        "seasonal": 60 + 20 * season,
        "trending": (40 + 60 * time / KNOWN) * (1 + 0.2 * season),
        "sparse": 1.5 * (1 + 0.3 * season),
        "broken": np.where(time < random.integers(14, 48), 50, 90) * (1 + 0.2 * season),
    }[kind]
    if kind == "sparse":
        return random.poisson(mean)
    return random.negative_binomial(SPREAD, SPREAD / (SPREAD + mean))


@pytest.mark.parametrize("kind", ["seasonal", "trending", "sparse", "broken"])
def test_limits_of_a_forecast_hold_new_counts(kind: str) -> None:
    random, inside = np.random.default_rng(14), []
    for _ in range(REPLICATES):
        counts = drawn(kind, random)
        made, _ = foresee(counts[:KNOWN], AHEAD, SEASON)
        inside.append(np.mean((made.low <= counts[KNOWN:]) & (counts[KNOWN:] <= made.high)))
    print(f"{kind}: {np.mean(inside):.3f}")
    least, most = (0.90, 0.98) if LONG else (0.84, 1.0)
    assert least <= np.mean(inside) <= most


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros(60),
        np.concatenate([np.zeros(40), np.random.default_rng(1).poisson(5, 32)]),
        np.concatenate([np.random.default_rng(1).poisson(5, 40), np.zeros(32)]),
        np.array([0, 0, 0, 0, 0, 1] * 12),
        np.full(60, 7),
    ],
    ids=["zeros", "leading zeros", "ended", "one a half-year", "always seven"],
)
def test_no_series_loses_a_method(counts: np.ndarray) -> None:
    working = np.full(len(counts) + 6, 21.0)
    made, tested = foresee(counts, 6, 12, working)
    assert [each.method for each in tested] == [method.name for method in METHODS]
    assert not any(each.why for each in tested)
    assert (made.low >= 0).all() and (made.low <= made.high).all()
    assert np.isfinite(made.high).all() and np.isfinite(made.mean).all()


def test_a_method_that_fails_is_told_and_takes_no_other_with_it() -> None:
    def broken(_counts: np.ndarray, _horizon: int, _period: int, _working: Any) -> np.ndarray:
        raise ValueError("it broke")

    counts = np.random.default_rng(2).poisson(30, 60)
    alone, tested = foresee(counts, 6, 12, methods=METHODS[:1])
    with_it, both = foresee(counts, 6, 12, methods=(Method("broken", broken), METHODS[0]))
    assert with_it.method == alone.method and np.array_equal(with_it.high, alone.high)
    assert both[0].why == "it broke" and both[1] == tested[0]
    with pytest.raises(ValueError, match="no method could be fitted"):
        foresee(counts, 6, 12, methods=(Method("broken", broken),))
    with pytest.raises(ValueError, match="35 steps are known and 36 are needed"):
        foresee(counts[:35], 6, 12)


def test_the_method_is_the_one_whose_limits_cost_least() -> None:
    """A count that jumps from season to season as it did: last season's value is exact."""
    counts = np.tile(np.array([9, 90, 1, 40, 400, 7, 7, 300, 2, 5, 60, 11]), 6)
    made, tested = foresee(counts, 12, 12)
    assert made.method == "the value a season ago"
    assert np.array_equal(made.mean, counts[:12]) and np.array_equal(made.low, counts[:12])
    assert min(tested, key=lambda each: each.score).method == made.method


# ---- methods -----------------------------------------------------------------------------------------------


def test_smoothing_is_the_recursion_from_the_beginning_that_fits_best() -> None:
    """At given weights no other beginning has smaller errors: a plain recursion from perturbed beginnings."""
    random = np.random.default_rng(4)
    counts, weights = random.poisson(50, 36).astype(float), (0.3, 0.1)
    expected = smoothed(counts, 4, 4, weights)

    def plain(level: float, season: list[float]) -> tuple[float, list[float]]:
        season, loss = list(season), 0.0
        for step, count in enumerate(counts):
            error = count - level - season[step % 4]
            level, loss = level + weights[0] * error, loss + error**2
            season[step % 4] += weights[1] * error
        return loss, [level + season[(len(counts) + step) % 4] for step in range(4)]

    from scipy.optimize import minimize

    best = minimize(lambda free: plain(free[0], free[1:])[0], np.array([50.0, 0, 0, 0, 0]), method="BFGS")
    np.testing.assert_allclose(expected, plain(best.x[0], best.x[1:])[1], rtol=1e-5)


def test_holidays_are_a_regressor_where_they_matter() -> None:
    random = np.random.default_rng(5)
    working = random.integers(2, 6, 182).astype(float)
    counts = random.poisson(20 * working)
    with_them = curve_with_holidays(counts[:156].astype(float), 26, 52, working)
    without = curve(counts[:156].astype(float), 26, 52, None)
    truth = 20 * working[156:]
    assert np.abs(with_them - truth).mean() < np.abs(without - truth).mean() / 3
    made, _ = foresee(counts[:156], 26, 52, working)
    assert made.method == "a trend, a seasonal curve and working days"


EASTER = ["2000-04-23", "2008-03-23", "2011-04-24", "2019-04-21", "2024-03-31", "2025-04-20", "2038-04-25"]


def test_holidays_of_sweden() -> None:
    for day in map(date.fromisoformat, EASTER):
        assert easter(day.year) == day
    of_2024 = {day.isoformat()[5:] for day in holidays(2024)}
    fixed = {"01-01", "01-06", "05-01", "06-06", "12-24", "12-25", "12-26", "12-31"}
    assert of_2024 == fixed | {"03-29", "03-31", "04-01", "05-09", "05-19", "06-21", "06-22", "11-02"}
    assert date(2023, 11, 4) in holidays(2023) and date(2026, 10, 31) in holidays(2026)
    assert working_days(date(2024, 12, 23), date(2024, 12, 30)) == 2
    for year in (2023, 2024):
        assert working_days(date(year, 1, 1), date(year + 1, 1, 1)) == 251


# ---- what a permit asks ------------------------------------------------------------------------------------

BEDS = {"of": "bed_days", "horizon": 4, "capacity": {"beds": 3}}


def monthly(**asked: Any) -> Table:
    return table(count="monthly", measures=["events", "bed_days"], kind="visit", forecast=asked)


def test_what_is_asked_is_foreseen_beside_what_there_is_room_for() -> None:
    asked = monthly(**BEDS)
    layout = Layout.of(asked, STUDY)
    periods = np.flatnonzero(layout.dimensions[0].values)
    random = np.random.default_rng(6)
    leaves = {
        (int(place),): {"persons": 50, "events": 60, "bed_days": int(random.poisson(100))}
        for place in periods
    }
    cube = cube_of(asked, leaves)
    figures = derive(replace(cube, notes=notes(layout, cube.measures)))
    data = figures.plot.data
    assert [text for text in data["forecast"] if text] == [text for text in data["forecast"][-4:] if text]
    assert float(data["forecast"][-1]) == pytest.approx(100, abs=15)
    assert data["room"][-4:] == ("93.0", "87.0", "93.0", "90.0")  # 3 beds, January to April of a leap year
    assert figures.notes[0].startswith("forecast of bed days in 4 months")
    assert "room for 3 a day: the count that is expected is above it in" in figures.notes[-1]
    assert "Bed days a month" in figures.plot.title


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"forecast": {"of": "admissions"}}, "is not among its measures"),
        ({"count": "events", "dimensions": ["sex"], "forecast": {"of": "events"}}, "goes with count"),
        ({"forecast": {"of": "events", "capacity": {"beds": 9}}}, "beds go with bed_days"),
        ({"forecast": {"of": "events", "capacity": {}}}, "names beds or visits"),
        ({"forecast": {"of": "events", "horizon": 0}}, "greater than or equal to 1"),
    ],
)
def test_a_forecast_that_contradicts_its_table_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        table(**{"count": "weekly", "measures": ["events"], **more})


def test_a_forecast_is_said_in_words() -> None:
    text = "\n".join(sentences(monthly(**BEDS)))
    assert (
        "days of those stays foreseen for 4 months, with a season of 12 months, beside room for 3 a day"
        in text
    )
    assert "without a season" in "\n".join(sentences(monthly(of="events", season=1)))
    assert needed(6, 1) == 20
