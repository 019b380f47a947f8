"""Births, cancer, and cases with their controls: every shown cell of the bundle beside a plain recount."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from tests.recount import DAY, Recount, groups
from tests.study_cells import cells, compare, ending, entered, periods


def test_women_who_give_birth(region: Path, truth: Recount) -> None:
    women = truth.persons[truth.persons.sex == 2].index
    such = truth.such(["ICD-10-SE/O80"], "diagnosis")
    rows = entered(
        truth,
        such[such.person.isin(women)],
        washout=280,
        prior=280,
        rule=lambda rows: truth.ages(rows.person, rows.start).between(16, 50),
    )
    assert len(rows) > 20
    rows["age"] = groups(truth.ages(rows.person, rows.start), 10, 50)
    rows["year"] = rows.start.dt.year.astype(str)
    counts = {"persons": cells(rows, ["age", "year"])}
    compare(region, "mothers", "births", ["age_group_label", "year"], counts, least=0.1)


def test_time_to_a_stay_with_death_as_what_competes(
    region: Path, truth: Recount, cancer: pd.DataFrame
) -> None:
    stays = truth.within(cancer, truth.such(kind="visit", setting="inpatient")).groupby("person").start.min()
    rows = []
    for each in cancer.itertuples():
        ends = {"event": stays.get(each.person, pd.NaT), "competing": truth.persons.death[each.person]}
        rows.append({"person": each.person, **ending(each.start, each.end, ends, 180, 720)})
    counts = {"persons": cells(pd.DataFrame(rows), ["band", "how"])}
    compare(region, "cancer", "admitted", ["days_admitted", "outcome_admitted"], counts, least=0.1)


def test_stays_in_hospital_by_month(region: Path, truth: Recount, cancer: pd.DataFrame) -> None:
    inpatient = truth.events[(truth.events.setting == "inpatient") & (truth.events.visit != "")]
    spans = inpatient.groupby("visit").agg(admitted=("start", "min"), discharged=("end", "max"))
    found = truth.within(cancer, truth.such(kind="visit", setting="inpatient")).join(spans, on="visit")
    inside = found.discharged.where(found.discharged <= found.exit, found.exit + DAY)
    entered = found.admitted.where(found.admitted >= found.entry, found.entry)
    found["bed_days"] = (inside - entered).dt.days.clip(lower=1)
    found["month"], found["year"] = found.start.dt.strftime("%Y-%m"), found.start.dt.year.astype(str)
    assert found.visit.is_unique
    whats = {"persons": "persons", "events": "rows", "admissions": "rows", "bed_days": "bed_days"}
    compare(region, "cancer", "in-hospital", ["month"], periods(found, "month", whats), least=0.1)


def test_values_by_unit(region: Path, truth: Recount, cases: pd.DataFrame) -> None:
    found = truth.within(cases, truth.values("HBA1C", "mmol/mol"))
    classes = ["10-42", "42-48", "48-64", "64-200"]
    found["class"] = pd.cut(found.value, [10, 42, 48, 64, 201], right=False, labels=classes).astype(str)
    there = truth.events.merge(cases[["person", "start"]].rename(columns={"start": "index"}), on="person")
    there = there[(there.start == there["index"]) & there.unit.fillna("").str.startswith("A-")]
    unit = there.unit.str[2:].astype(int).map(lambda each: "North" if each < 60 else "South")
    found["unit"] = found.person.map(unit.groupby(there.person).min()).fillna("other")
    by = ["class", "unit"]
    counts = {"persons": cells(found, by, "persons"), "values": cells(found, by)}
    compare(region, "cases", "sugar", ["class", "care_unit"], counts)


def test_cases_and_their_controls(region: Path, truth: Recount, cases: pd.DataFrame) -> None:
    rows = cases.assign(year=cases.start.dt.year.astype(str))
    compare(region, "cases", "fallen-ill", ["year"], {"persons": cells(rows, ["year"])})
    (receipt,) = (region / "projects" / "cases" / "runs").glob("*/cohort.json")
    told = json.loads(receipt.read_text(encoding="utf-8"))["controls"]
    assert sum(each["cases"] for each in told["cases"]) == len(cases)
