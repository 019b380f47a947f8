"""Measures against values made with R: each case of the reference folder that is a function of released
counts."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.weeks import iso_week, monday
from pipelines.measures import comparison, forecast, intervals, smoothing, standard
from pipelines.measures.competing import Incidence, aalen_johansen, from_rows
from pipelines.measures.histograms import grouped_mean, grouped_quantile, quantile
from pipelines.measures.survival import LifeTable, kaplan_meier, log_rank

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "epidemiology"
EPOCH = date(1970, 1, 1)
pytestmark = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference data of ../shared/reference/epidemiology are not here"
)

Rows = list[dict[str, str]]


def rows(name: str) -> Rows:
    with (REFERENCE / f"{name}.csv").open() as source:
        return list(csv.DictReader(source))


def facts(name: str) -> Any:
    return json.loads((REFERENCE / f"{name}.json").read_text())


def number(text: str | float | None) -> float:
    return float("nan") if text in ("", "NA", None) else float(text)  # type: ignore[arg-type]


def column(table: Rows, name: str) -> np.ndarray:
    return np.array([number(row[name]) for row in table])


def agree(
    got: Iterable[float], wanted: Iterable[float], relative: float = 1e-9, absolute: float = 1e-13
) -> None:
    np.testing.assert_allclose(
        np.array(list(got), float),
        np.array(list(wanted), float),
        rtol=relative,
        atol=absolute,
        equal_nan=True,
    )


def cases(name: str) -> list[str]:
    """Which of the cases whose names begin so are in this half of the reference."""
    return sorted(path.name.split(".")[0] for path in REFERENCE.glob(f"{name}*.input.csv"))


# Mid-P limits of the reference come from a coarse root finder; ours solve the equation to 1e-9, below.
MID_P = {"relative": 2e-4, "absolute": 3e-5}


def poisson_up_to(count: int, mean: float) -> float:
    """Chance of no more than `count`, half of `count` itself, term by term."""
    terms = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1)]
    return math.fsum(terms) - terms[-1] / 2


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_mid_p_limits_solve_their_equation(level: float) -> None:
    tail, counts = (1 - level) / 2, [1, 2, 5, 17, 100, 400]
    for count, low, high in zip(counts, *intervals.mid_p(np.array(counts), level), strict=True):
        assert poisson_up_to(count, float(high)) == pytest.approx(tail, rel=1e-9)
        assert poisson_up_to(count, float(low)) == pytest.approx(1 - tail, rel=1e-9)


@pytest.mark.parametrize("sides", [(3, 100.0, 7, 250.0), (40, 900.0, 22, 1100.0), (1, 50.0, 9, 45.0)])
def test_mid_p_limits_of_a_ratio_solve_their_equation(sides: tuple[int, float, int, float]) -> None:
    a, t, b, s = sides
    for wanted, limit in zip((0.5, 0.025, 0.975), comparison.ratio_mid_p(*sides), strict=True):
        share = limit * t / (limit * t + s)
        terms = [math.comb(a + b, k) * share**k * (1 - share) ** (a + b - k) for k in range(a, a + b + 1)]
        assert math.fsum(terms) - terms[0] / 2 == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("method", ["garwood", "midp", "byar", "byar_rothman"])
def test_limits_of_rates(method: str) -> None:
    expected = rows("rates.expected")
    limits = {
        "garwood": intervals.garwood,
        "midp": intervals.mid_p,
        "byar": intervals.byar,
        "byar_rothman": intervals.byar_rothman,
    }[method]
    found = [limits(np.array([int(row["events"])]), float(row["conf_level"])) for row in expected]
    time = column(expected, "person_time")
    for side, name in enumerate(("lower", "upper")):
        agree(
            [float(each[side][0]) for each in found],
            column(expected, f"{method}_{name}") * time,
            **(MID_P if method == "midp" else {}),
        )


@pytest.mark.parametrize(
    "method", ["wilson", "wilson_cc", "clopper_pearson", "midp", "agresti_coull", "jeffreys"]
)
def test_limits_of_proportions(method: str) -> None:
    expected = rows("proportions.expected")
    limits = {
        "wilson": intervals.wilson,
        "wilson_cc": lambda x, n, level: intervals.wilson(x, n, level, corrected=True),
        "clopper_pearson": intervals.clopper_pearson,
        "midp": intervals.binomial_mid_p,
        "agresti_coull": intervals.agresti_coull,
        "jeffreys": intervals.jeffreys,
    }[method]
    found = [
        limits(np.array([int(row["x"])]), np.array([int(row["n"])]), float(row["conf_level"]))
        for row in expected
    ]
    for side, name in enumerate(("lower", "upper")):
        agree(
            [float(each[side][0]) for each in found],
            column(expected, f"{method}_{name}"),
            **(MID_P if method == "midp" else {}),
        )


def test_ratios_and_differences_of_rates() -> None:
    expected = rows("rate_compare.expected")
    sides = [(int(row["a"]), float(row["t1"]), int(row["b"]), float(row["t0"])) for row in expected]
    levels = [float(row["conf_level"]) for row in expected]
    agree([comparison.ratio(*each) for each in sides], column(expected, "rr"))
    agree([comparison.difference(*each) for each in sides], column(expected, "rd"))
    agree([comparison.ratio_p(*each) for each in sides], column(expected, "rr_exact_p"))
    agree([comparison.ratio_p_doubled(*each) for each in sides], column(expected, "rr_ratetest_p"))
    ways = {
        "rr_wald": comparison.ratio_wald,
        "rr_exact": comparison.ratio_exact,
        "rr_score": comparison.ratio_score,
        "rd_score": comparison.difference_score,
    }
    for name, limits in ways.items():
        found = [limits(*each, level) for each, level in zip(sides, levels, strict=True)]
        for side, which in enumerate(("lower", "upper")):
            agree([each[side] for each in found], column(expected, f"{name}_{which}"))
    found = [comparison.ratio_mid_p(*each, level) for each, level in zip(sides, levels, strict=True)]
    for place, which in enumerate(("estimate", "lower", "upper")):
        agree([each[place] for each in found], column(expected, f"rr_midp_{which}"), 1e-3)


def _strata(name: str, keys: Sequence[str], row: dict[str, str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Events, person-years and standard of the row's strata, grouped as its standard says: 21 groups, 19
    (0-4, 90+) or 18 (85+)."""
    weights = {each["age_group"]: float(each["esp2013"]) for each in rows("esp2013")}
    mine = [each for each in rows(f"{name}.input") if all(each[key] == row[key] for key in keys)]
    lower = column(mine, "age_lower").astype(int)
    columns = [
        column(mine, "events"),
        column(mine, "person_years"),
        np.array([weights[each["age_group"]] for each in mine]),
    ]
    if "_21" in row["standard"]:
        return columns[0], columns[1], columns[2]
    group = np.where(lower < 5, 0, np.minimum(lower, 90 if "_19" in row["standard"] else 85))
    first, second, third = (
        np.array([each[group == one].sum() for one in np.unique(group)]) for each in columns
    )
    return first, second, third


@pytest.mark.parametrize("name", cases("std_direct"))
def test_directly_standardised_rates(name: str) -> None:
    expected = rows(f"{name}.expected")
    keys = [key for key in ("year", "sex", "region") if key in expected[0]]
    for row in expected:
        rate = standard.direct(*_strata(name, keys, row))
        agree([rate.rate, rate.variance], [number(row["dsr"]), number(row["dsr_variance"])])
        ways = {
            "fay_feuer": standard.fay_feuer(rate),
            "tiwari": standard.tiwari(rate),
            "dobson_byar": standard.dobson(rate),
            "derived_dobson_exact": standard.dobson(rate, exact=True),
        }
        for way, limits in ways.items():
            wanted = [number(row[f"{way}_{which}"]) for which in ("lower", "upper")]
            if not np.isnan(wanted).all():  # the reference leaves out what its software suppresses
                agree(limits, wanted)


@pytest.mark.parametrize("name", cases("smr"))
def test_indirectly_standardised_ratios(name: str) -> None:
    expected = rows(f"{name}.expected")
    keys = [key for key in ("year", "sex", "unit") if key in expected[0]]
    for row in expected:
        mine = [each for each in rows(f"{name}.input") if all(each[key] == row[key] for key in keys)]
        ratio = standard.indirect(
            *(column(mine, each) for each in ("events", "person_years", "reference_rate"))
        )
        agree(
            [ratio.observed, ratio.expected, ratio.ratio],
            [number(row[each]) for each in ("observed", "expected", "smr")],
        )
        for way, limits in (
            ("exact", intervals.garwood),
            ("byar", intervals.byar),
            ("midp", intervals.mid_p),
        ):
            low, high = (float(each[0]) for each in limits(np.array([ratio.observed])))
            wanted = [number(row[f"{way}_{which}"]) for which in ("lower", "upper")]
            agree(ratio.limits((low, high)), wanted, **(MID_P if way == "midp" else {}))
        agree(
            standard.log_normal(ratio),
            [number(row[f"epitools_lognormal_{which}"]) for which in ("lower", "upper")],
        )


def _life_table(mine: Rows) -> LifeTable:
    entry = column(mine, "entry") if "entry" in mine[0] else None
    return LifeTable.of(column(mine, "time"), column(mine, "event"), entry)


@pytest.mark.parametrize("name", cases("km"))
def test_kaplan_meier(name: str) -> None:
    given, expected, summary = rows(f"{name}.input"), rows(f"{name}.expected"), facts(f"{name}.summary")
    grouped = next((key for key in given[0] if key not in ("id", "time", "event", "entry")), "")
    tables = {}
    for group in dict.fromkeys(row["group"] for row in expected):
        wanted = [row for row in expected if row["group"] == group]
        table = tables[group] = _life_table([row for row in given if group == "all" or row[grouped] == group])
        curve, said = kaplan_meier(table), summary["summary"][group]
        for got, key in (
            (table.at_risk, "n_risk"),
            (table.events, "n_event"),
            (curve.surv, "surv"),
            (curve.standard_error, "se_greenwood"),
            (curve.hazard, "cumhaz_nelson_aalen"),
        ):
            agree(got, column(wanted, key))
        for how in ("plain", "log", "loglog"):
            for got, side in zip(curve.limits(how), ("lower", "upper"), strict=True):
                agree(got, column(wanted, f"{how}_{side}"))
            agree(curve.quantile_limits(0.5, how), map(number, said[f"median_ci_{how}"]))
        agree(
            [curve.quantile(share) for share in (0.5, 0.25, 0.75)],
            [number(said[key]) for key in ("median", "q25", "q75")],
        )
        agree(curve.restricted_mean(said["rmst_tau"]), [said["rmst"], said["rmst_se"]])
    if summary["logrank"] and "entry" not in given[0]:
        tested = log_rank([[tables[group] for group in summary["logrank"]["observed"]]])
        agree([tested.statistic, tested.p], [summary["logrank"]["statistic"], summary["logrank"]["p_value"]])
        agree(tested.expected, summary["logrank"]["expected"].values())
        agree(tested.variance.ravel(), np.ravel(summary["logrank"]["variance"]), 1e-8)


@pytest.mark.parametrize("name", cases("logrank_stratified"))
def test_log_rank_within_strata(name: str) -> None:
    given, wanted = rows(f"{name}.input"), facts(f"{name}.expected")
    groups, strata = sorted({row["grp"] for row in given}), sorted({row["stratum"] for row in given})
    by = {(row["stratum"], row["grp"]): [] for row in given}  # type: dict[tuple[str, str], Rows]
    for row in given:
        by[row["stratum"], row["grp"]].append(row)
    whole = [stratum for stratum in strata if all((stratum, group) in by for group in groups)]
    tested = log_rank([[_life_table(by[stratum, group]) for group in groups] for stratum in whole])
    agree([tested.statistic, tested.p], [wanted["statistic"], wanted["p_value"]])


@pytest.mark.parametrize("name", cases("aj"))
def test_cumulative_incidence_with_competing_causes(name: str) -> None:
    expected = rows(f"{name}.expected")
    for group in dict.fromkeys(row["group"] for row in expected):
        wanted = [row for row in expected if row["group"] == group]
        events = np.stack([column(wanted, "n_event1"), column(wanted, "n_event2")])
        first, second = aalen_johansen(column(wanted, "time"), column(wanted, "n_risk"), events)
        for cause, found in (("1", first), ("2", second)):
            agree(found.share, column(wanted, f"cif{cause}"))
            greenwood = column(wanted, f"var{cause}_etm_greenwood")
            known = ~np.isnan(greenwood)  # etm gives none where nothing but censoring happens
            agree(found.variance[known], greenwood[known], 1e-8)
        given = [row for row in rows(f"{name}.input") if group in ("all", row.get("sex"), row.get("grp"))]
        entry = column(given, "entry") if "entry" in given[0] else np.full(len(given), -1.0)
        by_person = from_rows(column(given, "time"), column(given, "event").astype(int), entry, 2)
        place = np.searchsorted(by_person[0].time, column(wanted, "time"))
        for cause, one in enumerate(by_person, start=1):
            agree(one.share[place], column(wanted, f"cif{cause}"))
            agree(np.sqrt(one.variance[place]), column(wanted, f"se{cause}_survival_ij"), 1e-8)
        jackknife = Incidence(
            by_person[0].time[place], by_person[0].share[place], by_person[0].variance[place]
        )
        for source in (
            (jackknife,) if "lefttrunc" in name else (jackknife, first)
        ):  # without delayed entry the two are one
            for how in ("log", "plain", "loglog"):
                for got, side in zip(source.limits(how), ("lower", "upper"), strict=True):
                    agree(got, column(wanted, f"cif1_{how}_{side}"), 1e-8)


def test_grouped_quantiles_and_means() -> None:
    given = rows("quantiles_grouped.input")
    for row in rows("quantiles_grouped.expected"):
        mine = [each for each in given if each["case"] == row["case"]]
        edges, counts = np.append(column(mine, "lower")[:1], column(mine, "upper")), column(mine, "count")
        agree(
            [grouped_quantile(edges, counts, float(row["prob"])), grouped_mean(edges, counts)],
            map(number, (row["quantile"], row["grouped_mean"])),
        )


def test_nine_definitions_of_a_quantile_from_counted_values() -> None:
    values, counts = np.unique(column(rows("quantiles_raw.input"), "value"), return_counts=True)
    for row in rows("quantiles_raw.expected"):
        agree([quantile(values, counts, float(row["prob"]), int(row["r_type"]))], [number(row["quantile"])])


def days(table: Rows, name: str) -> np.ndarray:
    return np.array([(date.fromisoformat(row[name]) - EPOCH).days for row in table])


def test_iso_weeks() -> None:
    expected = rows("isoweek_dates.expected")
    found = iso_week(days(expected, "date"))
    for got, name in zip(found, ("iso_year", "iso_week", "iso_weekday"), strict=True):
        assert got.tolist() == column(expected, name).astype(int).tolist()
    assert monday(days(expected, "date")).tolist() == days(expected, "monday").tolist()
    series = rows("isoweek_series.expected")
    weeks, counts = np.unique(monday(days(rows("isoweek_series.input"), "date")), return_counts=True)
    known = dict(zip(weeks.tolist(), counts.tolist(), strict=True))
    assert [known.get(day, 0) for day in days(series, "monday").tolist()] == column(series, "count").astype(
        int
    ).tolist()


@pytest.mark.parametrize("name", cases("forecast_weekly"))
def test_weekly_forecasts(name: str) -> None:
    given, expected, about = rows(f"{name}.input"), rows(f"{name}.expected"), facts(f"{name}.expected")
    known = column([row for row in given if row["set"] == "train"], "count")
    horizon, period = about["horizon"], about["period"]
    naive = forecast.seasonal_naive(known, horizon, period)
    for got, key in (
        (naive.mean, "seasonal_naive"),
        (naive.low, "snaive_lower95"),
        (naive.high, "snaive_upper95"),
    ):
        agree(got, column(expected, key))
    fitted = forecast.fit_harmonic(known, period)
    mean, error = fitted.at(np.arange(len(known) + 1, len(known) + horizon + 1), period)
    agree(mean, column(expected, "poisson_harmonic_mean"), 1e-8)
    agree(error, column(expected, "poisson_harmonic_link_se"), 1e-7)
    agree(
        [fitted.deviance, fitted.dispersion],
        [about["poisson"]["deviance"], about["poisson"]["pearson_dispersion"]],
        1e-7,
    )
    fixed = about["hw_fixed"]
    weights = tuple(fixed["parameters"][key] for key in ("alpha", "beta", "gamma"))
    start = (fixed["initial"]["l"], fixed["initial"]["b"], np.array(fixed["initial"]["s"]))
    agree(forecast.holt_winters(known, horizon, period, weights, start), column(expected, "hw_fixed"), 1e-8)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", cases("forecast_ets"))
def test_forecast_by_smoothing_is_near_that_of_another_optimiser(name: str) -> None:
    given, expected = rows(f"{name}.input"), rows(f"{name}.expected")
    known = column([row for row in given if row["set"] == "train"], "count")
    agree(smoothing.smoothed(known, len(expected), 13), column(expected, "mean"), 0.02)
    of_theirs = facts(f"{name}.expected")
    weights = tuple(of_theirs["parameters"][each] for each in ("alpha", "gamma"))
    mine = squared_errors(known, smoothing.best_weights(known, 13))
    assert mine < squared_errors(known, weights) < of_theirs["sse"]  # they stop before the optimum


def squared_errors(known: np.ndarray, weights: tuple[float, float]) -> float:
    return smoothing.errors(known, 13, weights) @ smoothing.errors(known, 13, weights)


def test_prevalence_on_a_day() -> None:
    for point in facts("prevalence.expected")["point"]:
        of = np.array([point["denominator"]]), np.array([point["cases"]])
        agree([of[1][0] / of[0][0]], [point["prevalence"]])
        for method, name in ((intervals.wilson, "wilson"), (intervals.clopper_pearson, "clopper_pearson")):
            agree([float(each[0]) for each in method(of[1], of[0])], point[name])
