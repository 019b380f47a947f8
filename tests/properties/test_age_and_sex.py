"""Standardisation over age and sex: rates, ratios and their limits are those that plain sums over both give,
what is hidden is treated within each sex as it is where ages are all, and limits hold the truth."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from pipelines.aggregation import clustering
from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.cubes.cube import Cube, ProtectedCube
from pipelines.cubes.design_effects import STANDARDISED, told
from pipelines.measures.indirect import ratios
from pipelines.measures.stage import derive
from pipelines.measures.standardised import standardise
from pipelines.site.permit import Table
from tests.amount import LONG, share_of
from tests.pipelines.test_derived import STUDY, column, cube_of, over, table
from tests.properties.test_design_effects import agrees
from tests.time_tables import SOURCES, TABLES, edges
from tests.time_tables import STUDY as EDGES
from tests.time_twin import Own, own_of

UNITS: dict[str, tuple[str, ...]] = {"North": ("N",), "South": ("S",)}
BOTH = ["age_group", "sex"]
PLACES = list(product((1, 2), (1, 2, 3)))  # men and women of 0-39, 40-79 and 80+
WEIGHTS = {"Men": {0: 5, 40: 4, 80: 1}, "Women": {0: 4, 40: 5, 80: 3}}
OWN = {"to": "own", "title": "Ours"}
RATES = {"Men": {0: 100, 80: 5_000}, "Women": {0: 50, 40: 700, 80: 4_000.25}}
YEAR = 365.25


def asked(**standard: Any) -> Table:
    return table(
        count="events",
        measures=["events", "person_days"],
        dimensions=["age_group", "care_unit", "sex"],
        care_units=UNITS,
        age_width=40,
        age_top=80,
        standardise={"over": BOTH, **standard},
    )


def counts(seed: int) -> dict[tuple[int, int, int], tuple[int, int]]:
    """Events and days by unit, sex and age; some of unknown sex and age, too."""
    random = np.random.default_rng(seed)
    cells = product((1, 2, 3), (1, 2, 3), (1, 2, 3, 4))
    return {cell: (int(random.integers(5, 60)), int(random.integers(2_000, 90_000))) for cell in cells}


def cubes(of: Table, seed: int, *hide: tuple[int, int, int]) -> tuple[ProtectedCube, ProtectedCube]:
    """`hide`: unit, sex and age."""
    found = {(age, unit, sex): each for (unit, sex, age), each in counts(seed).items()}
    events = {cell: {"persons": n, "events": n} for cell, (n, _) in found.items()}
    days = {cell: {"persons": 99, "person_days": d} for cell, (_, d) in found.items()}
    hidden = [(age, unit, sex) for unit, sex, age in hide]
    return cube_of(of, events, *hidden), replace(cube_of(of, days), table="t-time")


def of_unit(seed: int, unit: int) -> tuple[np.ndarray, np.ndarray]:
    """Events and years at each of `PLACES`, of a unit or (0) of all."""
    found = counts(seed)
    units = (unit,) if unit else (1, 2, 3)
    both = np.array([[sum(found[u, s, a][k] for u in units) for s, a in PLACES] for k in (0, 1)])
    return both[0], both[1] / YEAR


def fay_and_feuer(n: np.ndarray, years: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Rate and limits as the paper writes them, with chi-squared quantiles."""
    w = 100_000 * weights / weights.sum() / years
    rate, variance = float(w @ n), float(w**2 @ n)
    low = variance / (2 * rate) * chi2.ppf(0.025, 2 * rate**2 / variance)
    more, wider = rate + w.max(), variance + w.max() ** 2
    return rate, float(low), float(wider / (2 * more) * chi2.ppf(0.975, 2 * more**2 / wider))


def weights_of(standard: dict[str, Any]) -> np.ndarray:
    """At each of `PLACES`. The European standard has 47,000 below 40, 48,000 up to 79, 5,000 from 80."""
    given = standard.get("weights", {0: 47_000, 40: 48_000, 80: 5_000})
    shares = standard.get("sexes", {"Men": 1, "Women": 1})
    of = [given.get(sex, given) for sex in ("Men", "Women")]
    return np.array(
        [n * shares[sex] for sex, ages in zip(shares, of, strict=True) for n in ages.values()], float
    )


DIRECT = [
    {"to": "esp2013"},
    {"to": "esp2013", "sexes": {"Men": 1, "Women": 3}},
    {**OWN, "weights": WEIGHTS},
    {**OWN, "weights": {0: 5, 40: 4, 80: 1}, "sexes": {"Men": 2, "Women": 1}},
]


@pytest.mark.parametrize("standard", DIRECT, ids=["half", "shares", "own", "own-shares"])
@settings(max_examples=share_of(5), deadline=None)
@given(seed=st.integers(0, 2**20))
def test_a_rate_is_that_of_all_ages_of_both_sexes_each_with_its_weight(
    standard: dict[str, Any], seed: int
) -> None:
    figures = derive(*(pair := cubes(asked(**standard), seed)))
    for unit in (0, 1, 2):
        expected = fay_and_feuer(*of_unit(seed, unit), weights_of(standard))
        names = ("standardised_rate", "standardised_low", "standardised_high")
        found = [float(column(figures, pair[0], name)[0, unit, 0]) for name in names]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=0.006)
    rates, why = (column(figures, pair[0], name) for name in ("standardised_rate", "why_empty"))
    assert rates[0, 1, 1] == rates[1, 1, 0] == ""
    assert why[0, 1, 1] == "standardised rates stand in the rows of all ages and both sexes"


@pytest.mark.parametrize("standard", [{"to": "table"}, {**OWN, "rates": RATES}], ids=["table", "own"])
@settings(max_examples=share_of(5), deadline=None)
@given(seed=st.integers(0, 2**20))
def test_a_ratio_is_of_as_many_as_the_rates_of_each_age_and_sex_give(
    standard: dict[str, Any], seed: int
) -> None:
    figures = derive(*(pair := cubes(asked(**standard), seed)))
    n, years = of_unit(seed, 0)
    a_year = n / years if standard["to"] == "table" else np.array([100, 100, 5000, 50, 700, 4000.25]) / 1e5
    for unit in (1, 2):
        n, years = of_unit(seed, unit)
        seen, expected = int(n.sum()), float(years @ a_year)
        limits = chi2.ppf(0.025, 2 * seen) / 2 / expected, chi2.ppf(0.975, 2 * seen + 2) / 2 / expected
        names = ("observed", "expected", "smr", "smr_low", "smr_high")
        found = [float(column(figures, pair[0], name)[0, unit, 0]) for name in names]
        np.testing.assert_allclose(found, [seen, expected, seen / expected, *limits], atol=0.006, rtol=1e-4)
    assert "both sexes" in column(figures, pair[0], "why_empty")[0, 1, 1]


def test_hidden_neighbours_are_put_together_within_their_sex_alone() -> None:
    of = asked(**OWN, weights={**WEIGHTS, "Men": {0: 1, 40: 1, 80: 9}})
    pair = cubes(of, 5, (1, 1, 1), (1, 1, 2))
    n, years = of_unit(5, 1)
    weights = np.array([1, 1, 9, 4, 5, 3], float)
    joined = [np.array([each[0] + each[1], *each[2:]]) for each in (n, years, weights)]
    figures = derive(*pair)
    rate, why = (column(figures, pair[0], name)[0, 1, 0] for name in ("standardised_rate", "why_empty"))
    assert float(rate) == pytest.approx(fay_and_feuer(*joined)[0], abs=0.006)
    assert why == "age groups are put together, since some are hidden"
    across = derive(*cubes(of, 5, (1, 1, 3), (1, 2, 1)))  # neighbours in no sex
    assert column(across, pair[0], "standardised_rate")[0, 1, 0] == ""
    without = derive(*cubes(of, 5, (1, 1, 1), (1, 1, 2), (1, 1, 0)))  # all men are hidden, too
    assert column(without, pair[0], "standardised_rate")[0, 1, 0] == ""
    assert column(without, pair[0], "standardised_rate")[0, 2, 0] != ""


def test_a_ratio_stands_where_totals_give_what_hidden_ages_of_a_sex_have_together() -> None:
    of = asked(to="table")
    whole = derive(*(pair := cubes(of, 6)))
    for hide in ([(1, 1, 1), (1, 1, 2)], [(1, 1, 1), (1, 1, 0)]):
        some = derive(*cubes(of, 6, *hide))
        for name in ("observed", "smr", "smr_high"):
            assert column(some, pair[0], name)[0, 1, 0] == column(whole, pair[0], name)[0, 1, 0] != ""
    # its ages of unknown sex cannot be told from the hidden ones
    none = derive(*cubes(of, 6, (1, 1, 1), (1, 1, 0), (1, 3, 0)))
    assert column(none, pair[0], "smr")[0, 1, 0] == ""


NAMED = {each.table: each for each in TABLES}


@pytest.mark.parametrize("name", ["standard-of-sexes", "ratios-of-sexes"])
@settings(max_examples=share_of(4), deadline=None)
@given(seed=st.integers(0, 2**20))
def test_a_design_effect_counts_a_person_once_over_all_ages_and_both_sexes(name: str, seed: int) -> None:
    """Recounted person by person: each one's weighted distance from what their days lead to expect."""
    shard, members = edges(seed, persons=90)
    layout = Layout.of(NAMED[name], EDGES)
    direct = name == "standard-of-sexes"
    total = Counter(shard, members, SOURCES).count(layout)
    own = own_of(shard, members, NAMED[name], layout)
    shape = [len(each) for each in layout.dimensions]
    found = clustering.effects(layout, total)[STANDARDISED].reshape(shape)
    grids = {each: total[each].reshape(shape) for each in ("events", "person_days", "persons", "at_risk")}
    ages = (1, 2) if direct else (2, 3)

    def at(other: int, sex: int, age: int) -> tuple[int, int, int]:
        return (age, other, sex) if direct else (sex, other, age)

    places = list(product((1, 2), ages))
    for other in range(shape[1]):
        n = np.array([grids["events"][at(other, *place)] for place in places], float)
        d = np.array([grids["person_days"][at(other, *place)] for place in places], float)
        if not n.sum() or (direct and not all(d)):
            continue
        if direct:  # 2 men to 3 women
            young = 1000 + 4000 + 3 * 5500 + 2 * 6000 + 6500 + 7000  # below 40 years, as Eurostat has them
            share = np.array([2 * young, 2 * (100_000 - young), 3 * young, 3 * (100_000 - young)]) / 500_000
            weights, rates = share / d, n / d
        else:
            of_all = [
                grids["events"][at(0, *each)] / max(grids["person_days"][at(0, *each)], 1) for each in places
            ]
            rates = np.array(of_all) * n.sum() / (np.array(of_all) @ d)
            weights = np.ones(len(n))
        spread = 0.0
        for person in {person for person, _ in own}:
            here = [own.get((person, at(other, *place)), Own(0, 0)) for place in places]
            apart = [one.events - r * one.days for r, one in zip(rates, here, strict=True)]
            spread += float(weights @ np.array(apart)) ** 2
        m, poisson = int(grids["at_risk"][at(other, 0, 0)]), float(weights**2 @ n)
        effect = spread * m / max(m - 1, 1) / poisson
        worth = float(weights @ n) ** 2 / poisson
        agrees(found[at(other, 0, 0)], effect, worth, int(grids["persons"][at(other, 0, 0)]))
    found[at(slice(None), 0, 0)] = 0  # type: ignore[arg-type]
    assert not found.any()


@pytest.mark.parametrize("name", ["standard-of-sexes", "ratios-of-sexes"])
@settings(max_examples=share_of(20), deadline=None)
@given(seed=st.integers(0, 2**20))
def test_no_effect_is_told_of_a_figure_that_needs_a_hidden_cell(name: str, seed: int) -> None:
    layout, random = Layout.of(NAMED[name], EDGES), np.random.default_rng(seed)
    shape, direct = [len(each) for each in layout.dimensions], name == "standard-of-sexes"
    held = {STANDARDISED: np.full(layout.cells, 200)}
    numbers = {"persons": np.full(layout.cells, 50, np.int64)}
    cube = Cube("t", "t", "p", layout.dimensions, numbers, {}, design_effects=held)
    gone, late = (random.random(shape) < random.choice([0, 0.02, 0.1]) for _ in range(2))
    found = told(cube, gone.ravel(), late.ravel())[STANDARDISED].reshape(shape)
    for cell in product(*map(range, shape)):
        sex, age = (cell[2], cell[0]) if direct else (cell[0], cell[2])
        needs = [gone[cell], late[cell]]
        for s, a in product((1, 2), (1, 2) if direct else (2, 3)):
            here = (a, cell[1], s) if direct else (s, cell[1], a)
            of_all = (a, 0, s) if direct else (s, 0, a)
            needs += [late[here], direct and gone[here], not direct and (gone | late)[of_all]]
        assert (found[cell] != 0) == (sex == age == 0 and not any(needs))


# ---- do limits hold the truth? -----------------------------------------------------------------------------

REPLICATES = 500 if LONG else 40
NARROW = (0.93, 0.97) if LONG else (0.86, 1.0)
PERSONS = 800
A_YEAR = np.array([0.1, 0.4, 0.9, 0.2, 0.3, 0.6])  # at each of `PLACES`, for a proneness of 1
TIMES = 1.5  # as many in the North
TRUE = {"Men": {0: 10_000, 40: 40_000, 80: 90_000}, "Women": {0: 20_000, 40: 30_000, 80: 60_000}}


def drawn(random: np.random.Generator, unequal: float, layout: Layout) -> tuple[ProtectedCube, ProtectedCube]:
    """A table of persons with a proneness of variance `unequal`, followed in two ages each; nothing is
    hidden."""
    shape = [len(each) for each in layout.dimensions]  # ages, units, sexes
    sex, unit, age = (
        random.integers(1, 3, PERSONS),
        random.integers(1, 3, PERSONS),
        random.integers(1, 3, PERSONS),
    )
    prone = random.gamma(1 / unequal, unequal, PERSONS) if unequal else np.ones(PERSONS)
    n, d = (np.zeros((PERSONS, shape[2], shape[0]), np.int64) for _ in range(2))
    row = np.arange(PERSONS)
    for a in (age, age + 1):
        days = random.integers(30, 1500, PERSONS)
        mean = A_YEAR[3 * (sex - 1) + a - 1] * np.where(unit == 1, TIMES, 1) / YEAR
        d[row, sex, a], n[row, sex, a] = days, random.poisson(prone * mean * days)
    for each in (n, d):
        each[:, 0] = each.sum(axis=1)
        each[:, :, 0] = each.sum(axis=2)
    total = {name: np.zeros(shape, np.int64) for name in ("persons", "events", "at_risk", "person_days")}
    total |= {name: np.zeros(shape, np.int64) for name in layout.products}
    for u, who in enumerate((unit > 0, unit == 1, unit == 2)):
        events, time = n[who], d[who]
        added = {"persons": events > 0, "events": events, "at_risk": time > 0, "person_days": time}
        for name, each in added.items():
            total[name][:, u] = each.sum(axis=0).T
        pairs = {"event_squares": (events, events), "event_days": (events, time), "day_squares": (time, time)}
        for name, (one, other) in pairs.items():
            for place, (s, a) in enumerate(product(range(shape[2]), range(shape[0]))):
                total[f"{name}_{place}"][:, u] = (one * other[:, s, a][:, None, None]).sum(axis=0).T
    flat = {name: each.ravel() for name, each in total.items()}
    shown, additive = np.zeros(layout.cells, bool), dict.fromkeys(("events", "person_days"), (True,) * 3)
    measures = {name: flat[name] for name in ("persons", "events")}
    cube = ProtectedCube("t", "t", "p", layout.dimensions, measures, shown, additive)
    time = {"persons": flat["at_risk"], "person_days": flat["person_days"]}
    return replace(cube, design_effects=clustering.effects(layout, flat)), replace(cube, measures=time)


@pytest.mark.parametrize("unequal", [0.0, 1.5])
def test_limits_over_age_and_sex_hold_the_truth_as_often_as_they_say(unequal: float) -> None:
    random, inside = np.random.default_rng(15), {"rate": [], "ratio": []}
    direct, indirect = (
        Layout.of(asked(**OWN, **each), STUDY) for each in ({"weights": WEIGHTS}, {"rates": TRUE})
    )
    truth = 100_000 * float(A_YEAR @ (weights := weights_of({"weights": WEIGHTS})) / weights.sum())
    for _ in range(REPLICATES):
        cube, time = drawn(random, unequal, direct)
        rate = standardise(cube, time, over(cube))
        cell = np.ravel_multi_index((0, 2, 0), cube.shape)
        inside["rate"].append(rate.low[cell] <= truth <= rate.high[cell])
        cube, time = drawn(random, unequal, indirect)
        ratio = ratios(cube, time, over(cube))
        cell = np.ravel_multi_index((0, 1, 0), cube.shape)
        inside["ratio"].append(ratio.low[cell] <= TIMES <= ratio.high[cell])
    for name, each in inside.items():
        print(f"{name}: {np.mean(each):.3f} of {len(each)}")
        assert NARROW[0] <= np.mean(each) <= NARROW[1], f"{name}: {np.mean(each):.3f}"
