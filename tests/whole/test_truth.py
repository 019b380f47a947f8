"""The handbook's studies, from the made-up region's deliveries to their bundles, beside a plain recount of
what was delivered and who is truly behind it: every cell that is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.release.publish import latest
from pipelines.site.permit import Permit, sign
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from pipelines.synthetic import settings
from tests.recount import DAY, Recount, every_day, groups
from workflows.demo.quality import linkage_quality
from workflows.demo.run import make_site
from workflows.stages import Call, run

PEOPLE = 3000
PAGE = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
FILES: dict[str, str] = dict(re.findall(r"```yaml\n# ([\w/.-]+)\n(.*?)```", PAGE, re.DOTALL))
PERMITS = sorted(Path(name).stem for name in FILES if name.startswith("permits/"))
# Who is who is asked elsewhere; here every record can be told by its number.
UNTROUBLED = {
    "NUMBER_MISSING": {"journal_a": 0.0, "journal_b": 0.0, "primarvard": 0.0},
    "NUMBER_TYPO": {"journal_a": 0.0, "journal_b": 0.0, "primarvard": 0.0, "kvalitetsregister": 0.0},
    "UNREGISTERED": 0.0,
    "REUSED_NUMBERS": 0.0,
    "DOUBLE_RECORD": 0.0,
}
Cells = dict[tuple[str, ...], int]


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A region whose three permits have been run, stage by stage, to their bundles."""
    root = tmp_path_factory.mktemp("truth") / "site"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in UNTROUBLED.items():
            patch.setattr(settings, name, value)
        site = make_site(root, PEOPLE, seed=11)
    for file, text in FILES.items():
        (root / file).write_text(text, encoding="utf-8")
    for name in PERMITS:
        for key in sorted((root / "keys" / "owners").glob("*.ed25519")):
            sign(site, Permit.load(site, name), key.stem, key)
    for each in site.deliveries():
        run("intake", Call(root, delivery=f"{each.source}/{each.delivery}"))
    for stage in ("linkage", "store"):
        run(stage, Call(root))
    for name in PERMITS:
        for stage in ("cohort", "aggregation", "disclosure", "measures", "release"):
            run(stage, Call(root, permit=name, snapshot=current(site)))
    yield root


@pytest.fixture(scope="module")
def truth(region: Path) -> Recount:
    quality = linkage_quality(Site.load(region))
    assert quality.f1 == 1.0, "the recount is by true persons: linkage must not err here"
    return Recount(region)


def released(root: Path, permit: str, table: str) -> pd.DataFrame:
    folder = latest(Site.load(root), permit)
    return pd.read_csv(folder / "tables" / f"{table}.csv", dtype=str, keep_default_na=False)


def cells(rows: pd.DataFrame, by: list[str], what: str = "rows") -> Cells:
    """The number in each cell, margins included. `what`: rows, persons, or a column that is added up."""
    out: Cells = {}
    for kept in product((True, False), repeat=len(by)):
        names = [name for name, keep in zip(by, kept, strict=True) if keep]
        parts = rows.groupby(names) if names else [((), rows)]
        for key, part in parts:
            values = iter(key if isinstance(key, tuple) else (key,))
            cell = tuple(str(next(values)) if keep else "Total" for keep in kept)
            out[cell] = int(
                len(part)
                if what == "rows"
                else part.person.nunique()
                if what == "persons"
                else part[what].sum()
            )
    return out


def compare(
    root: Path, permit: str, table: str, by: list[str], expected: dict[str, Cells], least: float = 0.3
) -> None:
    """Every shown cell of a table is what was counted, and no small share of them is shown. `by`: columns of
    the file, labels or codes; rows of middle levels are left out, whose codes nothing here has."""
    found = released(root, permit, table)
    known = {name: {cell[k] for cell in next(iter(expected.values()))} for k, name in enumerate(by)}
    shown = 0
    for row in found.to_dict("records"):
        cell = tuple(row[name] for name in by)
        middle = any(len(value) != 4 for name, value in zip(by, cell, strict=True) if name == "municipality")
        if row["status"] != "shown" or (middle and "Total" not in cell):
            continue
        if any(
            name == "municipality" and not value.isdigit() and value != "Total"
            for name, value in zip(by, cell, strict=True)
        ):
            continue
        for measure, counts in expected.items():
            assert int(row[measure]) == counts.get(cell, 0), f"{table}: {measure} at {cell}"
        shown += any(counts.get(cell, 0) for counts in expected.values())
    assert shown >= least * len(next(iter(expected.values()))), (
        f"{table}: {shown} cells with somebody are shown"
    )
    assert all(known.values())


# ---- everybody who is observed on a day --------------------------------------------------------------------


@pytest.fixture(scope="module")
def adults(truth: Recount) -> pd.DataFrame:
    """Person, start and end of follow-up."""
    day = pd.Timestamp("2020-01-01")
    here = truth.observed_on(day)
    here = here[here["first"] <= day - 365 * DAY]
    found = pd.DataFrame({"person": here.person, "start": day, "end": here["last"]})
    found["end"] = found.end.clip(upper=pd.Timestamp("2023-12-31"))
    return with_facts(truth, found[truth.ages(found.person, found.start) >= 18])


def with_facts(truth: Recount, members: pd.DataFrame) -> pd.DataFrame:
    members = members.reset_index(drop=True)
    members["sex"] = truth.sexes(members.person)
    return members


def test_deaths_by_sex_and_age(region: Path, truth: Recount, adults: pd.DataFrame) -> None:
    dead = truth.within(adults, truth.such(["VITAL/DEATH"], "death"))
    dead["age"] = groups(truth.ages(dead.person, dead.start), 20, 80)
    assert len(dead) > 40
    counts = {"persons": cells(dead, ["sex", "age"], "persons"), "events": cells(dead, ["sex", "age"])}
    compare(region, "adults", "deaths", ["sex_label", "age_group_label"], counts)


def test_time_at_risk_by_sex_and_age(region: Path, truth: Recount, adults: pd.DataFrame) -> None:
    days = every_day(adults)
    days["sex"] = truth.sexes(days.person)
    days["age"] = groups(truth.ages(days.person, days.day), 20, 80)
    by = ["sex", "age"]
    counts = {"persons": cells(days, by, "persons"), "person_days": cells(days, by)}
    compare(region, "adults", "deaths-time", ["sex_label", "age_group_label"], counts, least=0.8)


def test_new_illness_and_the_days_at_risk_of_it(region: Path, truth: Recount, adults: pd.DataFrame) -> None:
    """None in the 365 days before, whether in follow-up or not; and such days are not at risk."""
    ill = truth.such(["ICD-10-SE/J"], "diagnosis")[["person", "start"]].drop_duplicates().sort_values("start")
    ill["before"] = ill.groupby("person").start.shift()
    new = truth.within(adults, ill[~((ill.start - ill.before).dt.days <= 365)])
    days = every_day(adults).sort_values("day", kind="stable")
    last = ill[["person", "start"]].rename(columns={"start": "latest"})
    days = pd.merge_asof(days, last, left_on="day", right_on="latest", by="person", allow_exact_matches=False)
    days = days[~((days.day - days.latest).dt.days <= 365)].rename(columns={"day": "start"})
    by = ["place", "year", "age"]
    for rows in (new, days):
        rows["place"], rows["year"] = truth.place(rows.person, rows.start), rows.start.dt.year.astype(str)
        rows["age"] = groups(truth.ages(rows.person, rows.start), 20, 80)
    columns = ["municipality", "year", "age_group_label"]
    counts = {"persons": cells(new, by, "persons"), "events": cells(new, by)}
    compare(region, "adults", "airways", columns, counts, least=0.05)
    counts = {"persons": cells(days, by, "persons"), "person_days": cells(days, by)}
    compare(region, "adults", "airways-time", columns, counts)


def periods(rows: pd.DataFrame, name: str, whats: dict[str, str]) -> dict[str, Cells]:
    """Cells of periods and of their years."""
    both = [rows, rows.assign(**{name: rows.year})]
    return {
        measure: {key: number for each in both for key, number in cells(each, [name], what).items()}
        for measure, what in whats.items()
    }


def test_prevalence_on_days(region: Path, truth: Recount, adults: pd.DataFrame) -> None:
    such = truth.such(["ICD-10-SE/I"], "diagnosis").groupby("person").start.min()
    rows = []
    for day in pd.to_datetime(["2020-06-30", "2021-12-31", "2023-06-30"]):
        here = adults[(adults.start <= day) & (adults.end >= day)].copy()
        here["day"], here["ill"] = f"{day:%Y-%m-%d}", here.person.map(such) <= day
        rows.append(here)
    followed = pd.concat(rows)
    by, columns = ["day", "sex"], ["day", "sex_label"]
    compare(region, "adults", "ill", columns, {"persons": cells(followed[followed.ill], by, "persons")})
    compare(region, "adults", "ill-time", columns, {"persons": cells(followed, by, "persons")}, least=0.9)


def test_table_one(region: Path, truth: Recount, adults: pd.DataFrame) -> None:
    rows = adults.copy()
    rows["age"] = groups(truth.ages(rows.person, rows.start), 20, 80)
    compare(
        region,
        "adults",
        "table-one-age-group",
        ["sex_label", "age_group_label"],
        {"persons": cells(rows, ["sex", "age"])},
    )
    before = truth.events.merge(adults[["person", "start"]].rename(columns={"start": "index"}), on="person")
    window = before[(before.start >= before["index"] - 1095 * DAY) & (before.start <= before["index"])]
    heart = window[window.code.str.startswith("ICD-10-SE/I") & (window.kind == "diagnosis")].person.unique()
    rows["heart"] = rows.person.isin(heart).map({True: "Yes", False: "No"})
    compare(
        region,
        "adults",
        "table-one-heart",
        ["sex_label", "heart_label"],
        {"persons": cells(rows, ["sex", "heart"])},
    )
    visits = window[(window.kind == "visit") & (window.start < window["index"])]
    number = rows.person.map(visits.groupby("person").start.nunique()).fillna(0)
    rows["visits"] = pd.cut(number, [-1, 0, 2, 9, 10**6], labels=["0", "1-2", "3-9", "10+"]).astype(str)
    compare(
        region,
        "adults",
        "table-one-visits",
        ["sex_label", "visits_label"],
        {"persons": cells(rows, ["sex", "visits"])},
    )


def test_readmissions(region: Path, truth: Recount, adults: pd.DataFrame) -> None:
    stays = truth.such(kind="visit", setting="inpatient").sort_values(["person", "start", "end"])
    joined: list[list[Any]] = []
    for stay in stays.itertuples():
        if joined and joined[-1][0] == stay.person and stay.start <= joined[-1][2] + DAY:
            joined[-1][2] = max(joined[-1][2], stay.end)
        else:
            joined.append([stay.person, stay.start, stay.end])
    follow = adults.set_index("person")
    death = truth.persons.death
    rows = []
    for place, (person, _, discharge) in enumerate(joined):
        if person not in follow.index or not follow.start[person] <= discharge <= follow.end[person]:
            continue
        back = next((one for who, one, _ in joined[place + 1 : place + 2] if who == person), pd.NaT)
        ends = {"event": back, "competing": death[person]}
        rows.append({"person": person, **ending(discharge, follow.end[person], ends, 10, 30)})
    found = pd.DataFrame(rows)
    assert len(found) > 100 and (found.how == "event").any()
    by = ["band", "how"]
    counts = {"persons": cells(found, by, "persons"), "intervals": cells(found, by)}
    compare(region, "adults", "back", ["days_back", "outcome_back"], counts, least=0.1)


# ---- two diagnoses or one stay -----------------------------------------------------------------------------

HEART = tuple(f"ICD-10-SE/{code}" for code in ("I20", "I21", "I22", "I23", "I24", "I25", "I48", "I50"))


@pytest.fixture(scope="module")
def hearts(truth: Recount) -> pd.DataFrame:
    such = truth.such(HEART, "diagnosis")

    def certain(rows: pd.DataFrame) -> pd.Series:
        """Are there two days, or a stay, from the index day to a year after?"""
        both = (
            rows[["person", "start"]]
            .reset_index()
            .merge(such[["person", "start", "setting"]], on="person", suffixes=("", "_of"))
        )
        days = (both.start_of - both.start).dt.days
        both = both[(days >= 0) & (days <= 365)]
        twice = both.groupby("index").start_of.nunique() >= 2
        stayed = both[both.setting == "inpatient"]["index"]
        return pd.Series(rows.index.map(twice).fillna(False).astype(bool), rows.index) | rows.index.isin(
            stayed
        )

    return entered(truth, such, washout=730, age=40, follow_up=730, rule=certain)


def entered(
    truth: Recount,
    such: pd.DataFrame,
    washout: int,
    age: int = 0,
    follow_up: int = 10**4,
    prior: int = 365,
    rule: Callable[[pd.DataFrame], pd.Series] | None = None,
) -> pd.DataFrame:
    """The earliest event of each person that meets the rules, and the follow-up from it on."""
    first, last = pd.Timestamp("2018-01-01"), pd.Timestamp("2023-12-31")
    rows = such[["person", "start"]].drop_duplicates().sort_values(["person", "start"])
    rows["before"] = rows.groupby("person").start.shift()
    rows = rows[(rows.start >= first) & (rows.start <= last) & rows.person.isin(truth.persons.index)]
    rows = rows[~((rows.start - rows.before).dt.days <= washout)]
    rows = rows[truth.ages(rows.person, rows.start) >= age]
    rows = rows.merge(truth.periods.rename(columns={"first": "since", "last": "until"}), on="person")
    rows = rows[(rows.since <= rows.start - prior * DAY) & (rows.start <= rows.until)]
    if rule is not None:
        rows = rows[rule(rows)]
    rows = rows.sort_values("start").drop_duplicates("person").sort_values("person")
    end = pd.concat([rows.until, rows.start + (follow_up - 1) * DAY], axis=1).min(axis=1).clip(upper=last)
    return with_facts(truth, pd.DataFrame({"person": rows.person, "start": rows.start, "end": end}))


def test_members_by_year(region: Path, truth: Recount, hearts: pd.DataFrame) -> None:
    rows = hearts.assign(year=hearts.start.dt.year.astype(str))
    assert len(rows) > 60
    compare(
        region, "heart", "new", ["sex_label", "year"], {"persons": cells(rows, ["sex", "year"])}, least=0.2
    )


def test_first_events_and_the_time_until_them(region: Path, truth: Recount, hearts: pd.DataFrame) -> None:
    such = truth.such(["ICD-10-SE/E", "ICD-10-SE/F", "ICD-10-SE/J"], "diagnosis")
    found = truth.within(hearts, such).sort_values("start").drop_duplicates("person")
    counts = {"persons": cells(found, ["sex"], "persons"), "events": cells(found, ["sex"])}
    compare(region, "heart", "first-other", ["sex_label"], counts)
    until = hearts.person.map(found.set_index("person").start).fillna(hearts.end)
    days = every_day(hearts.assign(end=until))
    days["sex"] = truth.sexes(days.person)
    compare(region, "heart", "first-other-time", ["sex_label"], {"person_days": cells(days, ["sex"])})


def test_what_lies_together(region: Path, truth: Recount, hearts: pd.DataFrame) -> None:
    known = truth.events.merge(hearts[["person", "start"]].rename(columns={"start": "index"}), on="person")
    known = known[(known.start <= known["index"]) & (known.kind == "diagnosis")]
    rows, by = hearts.copy(), ["metabolism", "airways"]
    for name, chapter in zip(by, ("E", "J"), strict=True):
        having = known[known.code.str.startswith(f"ICD-10-SE/{chapter}")].person.unique()
        rows[name] = rows.person.isin(having).map({True: "yes", False: "no"})
    compare(region, "heart", "together", by, {"persons": cells(rows, by)})


def test_events_of_a_setting_by_quarter(region: Path, truth: Recount, hearts: pd.DataFrame) -> None:
    found = truth.within(hearts, truth.such(["ICD-10-SE/"], "diagnosis", "outpatient"))
    found = found[found.position == "1"]
    found["year"] = found.start.dt.year.astype(str)
    found["quarter"] = found.year + "-Q" + found.start.dt.quarter.astype(str)
    counts = periods(found, "quarter", {"persons": "persons", "events": "rows"})
    compare(region, "heart", "specialised", ["quarter"], counts)


# ---- mothers, cancer, cases --------------------------------------------------------------------------------


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


@pytest.fixture(scope="module")
def cancer(truth: Recount) -> pd.DataFrame:
    return entered(truth, truth.such(["ICD-10-SE/C"], "diagnosis"), washout=1000)


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


@pytest.fixture(scope="module")
def cases(truth: Recount) -> pd.DataFrame:
    return entered(truth, truth.such(["ICD-10-SE/E11"], "diagnosis"), washout=1000, age=18)


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


# ---- users of drugs ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def users(truth: Recount) -> pd.DataFrame:
    return entered(truth, truth.such(["ATC/"], "drug"), washout=365, follow_up=365)


def test_days_that_a_supply_covers(region: Path, truth: Recount, users: pd.DataFrame) -> None:
    """Each dispensing is a day; days between two that are at most 30 apart are covered, too."""
    days = (
        truth.such(["ATC/"], "drug")[["person", "start"]].drop_duplicates().sort_values(["person", "start"])
    )
    after = days.groupby("person").start.shift(-1)
    near = (after - days.start).dt.days - 1 <= 30
    spans = pd.DataFrame({"person": days.person, "start": days.start, "end": days.start.where(~near, after)})
    both = spans.merge(users.rename(columns={"start": "entry", "end": "exit"}), on="person")
    both["start"] = both.start.where(both.start >= both.entry, both.entry)
    both["end"] = both.end.where(both.end <= both.exit, both.exit)
    covered = every_day(both[both.start <= both.end].reset_index(drop=True)).drop_duplicates()
    followed = every_day(users)
    for rows in (covered, followed):
        rows["year"] = rows.day.dt.year.astype(str)
        rows["quarter"] = rows.year + "-Q" + rows.day.dt.quarter.astype(str)
    counts = periods(covered, "quarter", {"persons": "persons", "days_covered": "rows"})
    compare(region, "users", "use", ["quarter"], counts)
    counts = periods(followed, "quarter", {"persons": "persons", "person_days": "rows"})
    compare(region, "users", "use-time", ["quarter"], counts)


def test_waits_from_the_first_visit_to_the_diagnosis(
    region: Path, truth: Recount, users: pd.DataFrame
) -> None:
    visits = truth.within(users, truth.such(kind="visit")).sort_values("start").drop_duplicates("person")
    ill = truth.such(["ICD-10-SE/I"], "diagnosis")
    both = visits[["person", "start"]].merge(ill[["person", "start"]], on="person", suffixes=("", "_ill"))
    first = both[both.start_ill >= both.start].groupby("person").start_ill.min()
    rows = [
        {
            "person": each.person,
            **ending(each.start, each.exit, {"event": first.get(each.person, pd.NaT)}, 60, 360),
        }
        for each in visits.itertuples()
    ]
    by = ["band", "how"]
    counts = {"persons": cells(pd.DataFrame(rows), by), "intervals": cells(pd.DataFrame(rows), by)}
    compare(region, "users", "waits", ["days_waits", "outcome_waits"], counts, least=0.1)


def test_deaths_of_users(region: Path, truth: Recount, users: pd.DataFrame) -> None:
    rows = [
        {
            "person": each.person,
            **ending(each.start, each.end, {"event": truth.persons.death[each.person]}, 90, 360),
        }
        for each in users.itertuples()
    ]
    assert any(row["how"] == "event" for row in rows)
    counts = {"persons": cells(pd.DataFrame(rows), ["band", "how"])}
    compare(region, "users", "dying", ["days_dying", "outcome_dying"], counts, least=0.1)


def ending(
    start: pd.Timestamp, end: pd.Timestamp, ends: dict[str, Any], step: int, until: int
) -> dict[str, str]:
    """Band and outcome of a time from `start`, followed to `end`; of two on one day the event counts."""
    known = {how: day for how, day in ends.items() if not pd.isna(day) and day <= end}
    how = min(known, key=lambda each: (known[each], each != "event"), default="censored")
    days = (known.get(how, end) - start).days
    if days >= until:
        return {"band": f"{until}+", "how": "censored"}
    return {"band": f"{days // step * step}-{days // step * step + step - 1}", "how": how}
