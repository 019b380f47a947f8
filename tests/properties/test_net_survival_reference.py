"""Net and relative survival against R's relsurv, and laws that hold without it."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.measures.net_survival import Net, PopulationTable, net_survival
from pipelines.measures.survival import LifeTable, kaplan_meier
from tests.properties.test_epidemiology_reference import REFERENCE, rows


def reference_table() -> PopulationTable:
    given = rows("netsurv_ratetable.input")
    ages, years = sorted({int(each["age"]) for each in given}), sorted({int(each["year"]) for each in given})
    hazard = np.full((2, len(ages), years[-1] - years[0] + 1), np.nan)
    for each in given:
        hazard[
            ["male", "female"].index(each["sex"]), int(each["age"]) - ages[0], int(each["year"]) - years[0]
        ] = float(each["daily_hazard"])
    for place in range(1, hazard.shape[2]):  # a year that is not listed is as the one before
        hazard[..., place] = np.where(
            np.isnan(hazard[..., place]), hazard[..., place - 1], hazard[..., place]
        )
    return PopulationTable(hazard, ages[0], years[0], 365.241)


@pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference data of ../shared/reference/epidemiology are not here"
)
@pytest.mark.parametrize("method", ["pohar-perme", "ederer-2"])
def test_net_survival_is_that_of_relsurv(method: str) -> None:
    """To a thousandth: other software integrates the population's part between other times."""
    people = rows("netsurv.input")
    exit, event, sex, age = (
        np.array([int(each[name]) for each in people]) for name in ("time", "cens", "sex", "age_days")
    )
    entry = np.array([each["diag"] for each in people], "M8[D]").astype(np.int64)
    found = net_survival(exit, event == 1, reference_table().of(sex - 1, age, entry), 1826, method)  # type: ignore[arg-type]
    low, high = found.limits()
    expected = [
        each for each in rows("netsurv.expected") if each["method"] == method.replace("ederer-2", "ederer2")
    ]
    assert len(expected) == 6
    for each in expected:
        day = int(float(each["time_days"]))
        assert found.surv[day] == pytest.approx(float(each["net_or_relative_survival"]), abs=1e-3)
        assert found.standard_error[day] == pytest.approx(float(each["se"]), abs=1e-3)
        assert (low[day], high[day]) == pytest.approx((float(each["lower"]), float(each["upper"])), abs=2e-3)


def people(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(1, 400, n), random.random(n) < 0.6


@pytest.mark.parametrize("method", ["pohar-perme", "ederer-2"])
def test_where_nobody_else_dies_net_survival_is_survival(method: str) -> None:
    exit, event = people(1)
    found = net_survival(exit, event, lambda _day: np.zeros(len(exit)), 300, method)  # type: ignore[arg-type]
    plain = kaplan_meier(LifeTable.of(exit, event))
    np.testing.assert_allclose(found.surv, plain.at(np.arange(301)), rtol=1e-12)


def test_where_all_are_alike_both_methods_agree() -> None:
    exit, event = people(2)
    both = [
        net_survival(exit, event, lambda _day: np.full(len(exit), 2e-4), 300, method)
        for method in ("pohar-perme", "ederer-2")
    ]
    np.testing.assert_allclose(both[0].surv, both[1].surv, rtol=1e-12)
    assert (both[0].surv > kaplan_meier(LifeTable.of(exit, event)).at(np.arange(301)))[1:].all()


def test_nothing_is_said_after_the_last_person_has_left() -> None:
    found: Net = net_survival(np.array([3, 5]), np.array([True, False]), lambda _day: np.zeros(2), 8)
    assert found.surv[:6].tolist() == [1, 1, 1, 0.5, 0.5, 0.5]
    assert np.isnan(found.surv[6:]).all()
