"""Do 95 % limits hold what they say? Persons are drawn again and again at rates that are known, each with a
proneness of its own (gamma frailty), and limits are counted that hold the truth.

All replicates in `make test-long`, a few in `make test`, with as much more room as chance needs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.aggregation import clustering
from pipelines.aggregation.layout import Layout
from pipelines.cubes.cube import ProtectedCube
from pipelines.measures.compared import compare
from pipelines.measures.indirect import ratios
from pipelines.measures.rates import DAYS_PER_YEAR, figures
from pipelines.measures.standardised import standardise
from tests.amount import LONG
from tests.pipelines.test_derived import STUDY, over, table

REPLICATES = 500 if LONG else 40
NARROW = (0.93, 0.97) if LONG else (0.86, 1.0)
PERSONS = 800
YEARLY = np.array([0.1, 0.4, 0.9])  # events a year in each age group, for a proneness of 1
TIMES = 1.5  # as many for men
RATES = {0: 10_000.0, 40: 40_000.0, 80: 90_000.0}  # the same, per 100,000 person-years
BY_SEX = {"count": "events", "measures": ["events", "person_days"], "dimensions": ["sex", "age_group"]}
AGES = {**BY_SEX, "age_width": 40, "age_top": 80, "compare": {"over": "sex", "to": "Women"}}
DIRECT = Layout.of(table(**AGES, standardise={"to": "esp2013"}), STUDY)
INDIRECT = Layout.of(table(**AGES, standardise={"to": "own", "title": "truth", "rates": RATES}), STUDY)


Persons = tuple[np.ndarray, np.ndarray, np.ndarray]


def drawn(random: np.random.Generator, unequal: float, first: bool) -> Persons:
    """Sex of each person, and events and days in each age group: int64 (n,), (n, 3), (n, 3). `unequal`: the
    variance of proneness, whose mean is 1; `first`: time ends at the first event."""
    sex = random.integers(1, 3, PERSONS)
    begin, days = random.integers(0, 2, PERSONS), np.zeros((PERSONS, 3), np.int64)
    days[np.arange(PERSONS), begin] = random.integers(30, 1500, PERSONS)
    days[np.arange(PERSONS), begin + 1] = random.integers(30, 1500, PERSONS)
    prone = random.gamma(1 / unequal, unequal, PERSONS) if unequal else np.ones(PERSONS)
    a_day = prone[:, None] * np.where(sex == 1, TIMES, 1.0)[:, None] * YEARLY / DAYS_PER_YEAR
    if not first:
        return sex, random.poisson(a_day * days), days
    events, left = np.zeros_like(days), np.ones(PERSONS, bool)
    for age in range(3):
        wait = np.floor(random.exponential(1 / a_day[:, age])).astype(np.int64)
        hit = left & (wait < days[:, age])
        days[:, age] = np.where(left, np.where(hit, wait + 1, days[:, age]), 0)
        events[:, age], left = hit, left & ~hit
    return sex, events, days


def cubes(layout: Layout, persons: Persons) -> tuple[ProtectedCube, ProtectedCube]:
    """The table of these persons and its time at risk, nothing hidden."""
    sex, events, days = persons
    shape = [len(each) for each in layout.dimensions]
    names = ("persons", "events", "at_risk", "person_days", *layout.products)
    total = {name: np.zeros(shape, np.int64) for name in names}
    groups = [range(3), [0], [1], [2]]  # ages, all of them first
    for place, who in enumerate((sex > 0, sex == 1, sex == 2)):
        n, d = (
            np.stack([each[who][:, group].sum(axis=1) for group in groups], axis=1) for each in (events, days)
        )
        for age in range(4):
            cell = (place, age)
            total["persons"][cell], total["events"][cell] = (n[:, age] > 0).sum(), n[:, age].sum()
            total["at_risk"][cell], total["person_days"][cell] = (d[:, age] > 0).sum(), d[:, age].sum()
            for other in range(4):
                total[f"event_squares_{other}"][cell] = n[:, age] @ n[:, other]
                total[f"event_days_{other}"][cell] = n[:, age] @ d[:, other]
                total[f"day_squares_{other}"][cell] = d[:, age] @ d[:, other]
    flat = {name: each.ravel() for name, each in total.items()}
    shown = np.zeros(layout.cells, bool)
    measures = {name: flat[name] for name in ("persons", "events")}
    additive = dict.fromkeys((*measures, "person_days"), (True, True))
    cube = ProtectedCube("t", "t", "p", layout.dimensions, measures, shown, additive)
    time = {"persons": flat["at_risk"], "person_days": flat["person_days"]}
    return (
        replace(cube, design_effects=clustering.effects(layout, flat)),
        replace(cube, table="t-time", measures=time),
    )


def held(low: float, high: float, truth: float) -> bool | None:
    return None if np.isnan(low) else low <= truth <= high


def of_rates(cube: ProtectedCube, time: ProtectedCube) -> dict[str, bool | None]:
    """Did the limits of each figure hold the truth?"""
    columns = figures(cube, time)
    width = cube.shape[1]
    found = {}
    for age in (1, 2, 3):
        low, high = (float(columns[name][2 * width + age] or "nan") for name in ("rate_low", "rate_high"))
        found[f"rate, age {age}"] = held(low, high, 100_000 * YEARLY[age - 1])
    ratio = compare(cube, time, 0)
    for age in (2, 3):
        cell = width + age
        found[f"comparison, ratio, age {age}"] = held(ratio.low[cell], ratio.high[cell], TIMES)
        apart = 100_000 * YEARLY[age - 1] * (TIMES - 1)
        found[f"comparison, difference, age {age}"] = held(ratio.less[cell], ratio.more[cell], apart)
    return found


def of_standards(persons: Persons) -> dict[str, bool | None]:
    cube, time = cubes(DIRECT, persons)
    width, weights = cube.shape[1], np.array(cube.dimensions[1].values, float)[1:4]
    rates = standardise(cube, time, over(cube))
    truth = 100_000 * float(weights @ YEARLY / weights.sum())
    found = {"standard, rate": held(rates.low[2 * width], rates.high[2 * width], truth)}
    pair = cubes(INDIRECT, persons)
    smr = ratios(*pair, over(pair[0]))
    return {**found, "standard, ratio": held(smr.low[width], smr.high[width], TIMES)}


@pytest.mark.parametrize(
    ("unequal", "first"),
    [(0.0, True), (0.0, False), (0.5, False), (1.5, False)],
    ids=["first", "0", "0.5", "1.5"],
)
def test_limits_hold_the_truth_as_often_as_they_say(unequal: float, first: bool) -> None:
    random = np.random.default_rng(14)
    counted: dict[str, list[bool | None]] = {}
    for _ in range(REPLICATES):
        persons = drawn(random, unequal, first)
        found = of_rates(*cubes(DIRECT, persons)) | of_standards(persons)
        for name, each in found.items():
            counted.setdefault(name.split(",")[0], []).append(each)
    for name, each in counted.items():
        known = [one for one in each if one is not None]
        assert len(known) > 0.9 * len(each), f"{name}: no limits in {len(each) - len(known)} of {len(each)}"
        share = sum(known) / len(known)
        print(f"{name}: {share:.3f} of {len(known)}")
        assert NARROW[0] <= share <= NARROW[1], f"{name}: {share:.3f}"


def test_without_the_effect_limits_of_repeated_events_hold_far_less() -> None:
    """What stood there before: limits of independent events."""
    random, inside = np.random.default_rng(14), []
    for _ in range(60):
        cube, time = cubes(DIRECT, drawn(random, 1.5, first=False))
        cell = 2 * cube.shape[1] + 3
        single = replace(cube, measures={**cube.measures, "persons": cube.measures["events"]})
        columns = figures(single, time)
        low, high = float(columns["rate_low"][cell]), float(columns["rate_high"][cell])
        inside.append(low <= 100_000 * YEARLY[2] <= high)
    assert np.mean(inside) < 0.8
