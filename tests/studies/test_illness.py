"""Births, cancer, and cases with their controls: every shown cell of the bundle beside a plain recount."""

from __future__ import annotations

import csv
import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.files import sealed
from pipelines.files.schemas import CONTROLS, PERSON_INDEX
from pipelines.release.publish import latest
from pipelines.site import snapshot
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.verifier import tells_of_few, verify_bundle
from tests.recount import DAY, Recount, groups
from tests.study_cells import cells, compare, ending, entered, periods, released
from workflows.demo.quality import record_keys


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


def chosen(region: Path) -> pd.DataFrame:
    """Controls by their true person, with their case's index day."""
    site, project = Site.load(region), Project.open(Site.load(region), "cases")
    found = sealed.read(project.folder / "controls.parquet", CONTROLS, project.zone)
    folder = snapshot.index_folder(site, snapshot.Snapshot.load(site).index)
    index = sealed.read(folder / "index.parquet", PERSON_INDEX, site.zone("store"), ("record", "person"))
    records = pq.read_table(region / "truth" / "records.parquet")
    key = site.zone("identity").derived("record")
    keys = np.concatenate([record_keys(batch, key) for batch in records.to_batches()])
    whose = dict(zip(keys.tolist(), records["person"].to_pylist(), strict=True))
    true = {
        person: whose[record]
        for record, person in zip(index["record"].tolist(), index["person"].tolist(), strict=True)
        if record in whose
    }
    return pd.DataFrame(
        {
            "person": [true[each] for each in found["person"].tolist()],
            "case": [true[each] for each in found["case"].tolist()],
            "start": pd.to_datetime(np.asarray(found["start"], "int64"), unit="D"),
        }
    )


def known_before(truth: Recount, rows: pd.DataFrame) -> pd.DataFrame:
    """What the study asks of what happened before the day `start` of each row."""
    index = rows[["person", "start"]].rename(columns={"start": "index"})
    before = truth.events.merge(index, on="person")
    before = before[before.start < before["index"]]
    for name, code in (("heart", "ICD-10-SE/I"), ("lungs", "ICD-10-SE/J")):
        had = before[before.code.str.startswith(code) & (before.kind == "diagnosis")].person.unique()
        rows[name] = rows.person.isin(had).map({True: "Yes", False: "No"})
    visits = before[(before.kind == "visit") & (before.start >= before["index"] - 365 * DAY)]
    number = rows.person.map(visits.groupby("person").start.nunique()).fillna(0)
    rows["visits"] = pd.cut(number, [-1, 0, 2, 10**6], labels=["0", "1-2", "3+"]).astype(str)
    return rows


def test_cases_and_controls_are_two_groups_of_a_table(
    region: Path, truth: Recount, cases: pd.DataFrame
) -> None:
    controls = chosen(region)
    born, sexes = controls.person.map(truth.persons.birth), truth.sexes(controls.person)
    of = controls.case.map(truth.persons.birth)
    assert (born.dt.year == of.dt.year).all() and (sexes == truth.sexes(controls.case)).all()
    assert not controls.person.duplicated().any() and controls.groupby("case").size().max() <= 4
    lacking = 4 * len(cases) - len(controls)
    assert lacking == 0 or lacking > 8, "else the tables leave some of them out"
    for table, rows in (("before-{}", cases.copy()), ("before-{}-controls", controls)):
        rows = known_before(truth, rows)
        for name in ("heart", "lungs", "visits"):
            counts = {"persons": cells(rows, [name])}
            compare(region, "cases", table.format(name), [f"{name}_label"], counts)
    folder = latest(Site.load(region), "cases")
    figures = pd.read_csv(folder / "figures" / "before-visits-controls.csv")
    assert figures.smd.notna().any() and (figures.smd_low < figures.smd).any()
    pooled = released(region, "cases", "before-visits-controls")
    assert list(pooled.columns[:2]) == ["visits", "visits_label"], "no row of both groups together"


def rewrite(bundle: Path, tables: str, cell: int, number: int | str, status: str = "shown") -> None:
    for path in (bundle / "tables").glob(tables):
        rows = list(csv.reader(path.open(encoding="utf-8", newline="")))
        rows[1 + cell][rows[0].index("persons")], rows[1 + cell][-1] = str(number), status
        with path.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(rows)


TELLS = "the numbers of cases and of controls are shown, and tell of no few cases"


def test_the_verifier_sees_totals_that_tell_of_few_cases(region: Path, tmp_path: Path) -> None:
    """As many controls as places hold; one fewer, or a total that is hidden, does not."""
    folder = latest(Site.load(region), "cases")
    assert all(claim.holds for claim in verify_bundle(folder))
    cases = int(released(region, "cases", "before-heart").persons[0])
    for number, status in ((4 * cases, "shown"), (4 * cases - 1, "shown"), ("", "hidden")):
        place = Path(shutil.copytree(folder, tmp_path / f"{status} {number}"))
        rewrite(place, "before-*-controls.csv", 0, number, status)
        held = {claim.text: claim.holds for claim in verify_bundle(place)}
        assert held[TELLS] == (number == 4 * cases)


@pytest.mark.parametrize(("lack", "held"), [(0, False), (1, True), (8, True), (9, False)])
def test_a_version_in_which_few_new_cases_lack_a_control_is_held(
    region: Path, tmp_path: Path, lack: int, held: bool
) -> None:
    """Ten cases come, of whom `lack` places for controls stay empty; no cell differs by few."""
    folder = latest(Site.load(region), "cases")
    place = Path(shutil.copytree(folder, tmp_path / "next"))
    for name, (table, more) in product(
        ("heart", "lungs", "visits"), (("before-{}", 10), ("before-{}-controls", 40 - lack))
    ):
        numbers = released(region, "cases", table.format(name)).persons.astype(int)
        for cell in (0, 1):
            rewrite(place, f"{table.format(name)}.csv", cell, numbers[cell] + more)
    assert tells_of_few(place, folder, 3) == held
