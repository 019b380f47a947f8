"""Three permits of the made-up region, from its deliveries to their bundles, beside a plain recount of what
was delivered and who is truly behind it: every cell that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipelines.release.publish import latest
from pipelines.site.permit import Permit, sign
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from pipelines.synthetic import settings
from tests.recount import DAY, Recount, every_day, groups
from tests.whole.truth_permits import DEFINITIONS, PERMITS
from workflows.demo.quality import linkage_quality
from workflows.demo.run import make_site
from workflows.stages import Call, run

PEOPLE = 2500
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
    for name, definition in DEFINITIONS.items():
        text = yaml.safe_dump({"cohort": name, **definition}, allow_unicode=True, sort_keys=False)
        (root / "definitions" / f"{name}.yaml").write_text(text, encoding="utf-8")
    for name, asked in PERMITS.items():
        text = yaml.safe_dump({"permit": name, **asked}, allow_unicode=True, sort_keys=False)
        (root / "permits" / f"{name}.yaml").write_text(text, encoding="utf-8")
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


def test_diagnoses_by_place_and_year(region: Path, truth: Recount, adults: pd.DataFrame) -> None:
    found = truth.within(adults, truth.such(["ICD-10-SE/"], "diagnosis"))
    found["place"], found["year"] = truth.place(found.person, found.start), found.start.dt.year.astype(str)
    by = ["place", "year"]
    counts = {"persons": cells(found, by, "persons"), "events": cells(found, by)}
    compare(region, "adults", "diagnoses", ["municipality", "year"], counts)


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
        ends = {how: day for how, day in ends.items() if not pd.isna(day) and day <= follow.end[person]}
        how = min(ends, key=lambda each: (ends[each], each != "event"), default="censored")
        last = ends.get(how, follow.end[person])
        days = (last - discharge).days
        band = f"{days // 10 * 10}-{days // 10 * 10 + 9}" if days < 30 else "30+"
        rows.append({"person": person, "band": band, "how": how if days < 30 else "censored"})
    found = pd.DataFrame(rows)
    assert len(found) > 100
    by = ["band", "how"]
    counts = {"persons": cells(found, by, "persons"), "intervals": cells(found, by)}
    compare(region, "adults", "back", ["days_back", "outcome_back"], counts)


# ---- new high blood pressure -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pressed(truth: Recount) -> pd.DataFrame:
    return entered(truth, truth.such(["ICD-10-SE/I10"], "diagnosis"), washout=730, age=40, follow_up=730)


def entered(truth: Recount, such: pd.DataFrame, washout: int, age: int, follow_up: int) -> pd.DataFrame:
    """The earliest event of each person that meets the rules, and the follow-up from it on."""
    first, last = pd.Timestamp("2018-01-01"), pd.Timestamp("2023-12-31")
    rows = such[["person", "start"]].drop_duplicates().sort_values(["person", "start"])
    rows["before"] = rows.groupby("person").start.shift()
    rows = rows[(rows.start >= first) & (rows.start <= last) & rows.person.isin(truth.persons.index)]
    rows = rows[~((rows.start - rows.before).dt.days <= washout)]
    rows = rows[truth.ages(rows.person, rows.start) >= age]
    rows = rows.merge(truth.periods.rename(columns={"first": "since", "last": "until"}), on="person")
    rows = rows[(rows.since <= rows.start - 365 * DAY) & (rows.start <= rows.until)]
    rows = rows.sort_values("start").drop_duplicates("person").sort_values("person")
    end = pd.concat([rows.until, rows.start + (follow_up - 1) * DAY], axis=1).min(axis=1).clip(upper=last)
    return with_facts(truth, pd.DataFrame({"person": rows.person, "start": rows.start, "end": end}))


def test_members_by_year(region: Path, truth: Recount, pressed: pd.DataFrame) -> None:
    rows = pressed.assign(year=pressed.start.dt.year.astype(str))
    assert len(rows) > 100
    compare(region, "pressed", "new", ["sex_label", "year"], {"persons": cells(rows, ["sex", "year"])})


def test_first_events_and_the_time_until_them(region: Path, truth: Recount, pressed: pd.DataFrame) -> None:
    such = truth.such(["ICD-10-SE/E", "ICD-10-SE/F", "ICD-10-SE/J"], "diagnosis")
    found = truth.within(pressed, such).sort_values("start").drop_duplicates("person")
    counts = {"persons": cells(found, ["sex"], "persons"), "events": cells(found, ["sex"])}
    compare(region, "pressed", "first-other", ["sex_label"], counts)
    until = pressed.person.map(found.set_index("person").start).fillna(pressed.end)
    days = every_day(pressed.assign(end=until))
    days["sex"] = truth.sexes(days.person)
    compare(region, "pressed", "first-other-time", ["sex_label"], {"person_days": cells(days, ["sex"])})


def test_what_lies_together(region: Path, truth: Recount, pressed: pd.DataFrame) -> None:
    known = truth.events.merge(pressed[["person", "start"]].rename(columns={"start": "index"}), on="person")
    known = known[(known.start <= known["index"]) & (known.kind == "diagnosis")]
    rows = pressed.copy()
    for name, chapter in (("sugar", "E"), ("lungs", "J")):
        having = known[known.code.str.startswith(f"ICD-10-SE/{chapter}")].person.unique()
        rows[name] = rows.person.isin(having).map({True: "yes", False: "no"})
    compare(region, "pressed", "together", ["sugar", "lungs"], {"persons": cells(rows, ["sugar", "lungs"])})


def test_events_of_a_setting_by_quarter(region: Path, truth: Recount, pressed: pd.DataFrame) -> None:
    found = truth.within(pressed, truth.such(["ICD-10-SE/"], "diagnosis", "outpatient"))
    found = found[found.position == "1"]
    found["quarter"] = found.start.dt.year.astype(str) + "-Q" + found.start.dt.quarter.astype(str)
    both = [found, found.assign(quarter=found.start.dt.year.astype(str))]
    counts = {
        what: {key: number for rows in both for key, number in cells(rows, ["quarter"], how).items()}
        for what, how in (("persons", "persons"), ("events", "rows"))
    }
    compare(region, "pressed", "specialised", ["quarter"], counts)


# ---- users of drugs ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def users(truth: Recount) -> pd.DataFrame:
    return entered(truth, truth.such(["ATC/"], "drug"), washout=365, age=0, follow_up=365)


def test_drugs_by_month(region: Path, truth: Recount, users: pd.DataFrame) -> None:
    found = truth.within(users, truth.such(["ATC/"], "drug"))
    found["month"], found["year"] = found.start.dt.strftime("%Y-%m"), found.start.dt.year.astype(str)
    both = [found, found.assign(month=found.year)]
    counts = {
        what: {key: number for rows in both for key, number in cells(rows, ["month"], how).items()}
        for what, how in (("persons", "persons"), ("events", "rows"))
    }
    compare(region, "users", "dispensed", ["month"], counts)


def test_waits_from_the_drug_to_the_diagnosis(region: Path, truth: Recount, users: pd.DataFrame) -> None:
    drugs = truth.within(users, truth.such(["ATC/"], "drug")).sort_values("start").drop_duplicates("person")
    ill = truth.such(["ICD-10-SE/I"], "diagnosis")
    rows = []
    for each in drugs.itertuples():
        later = ill[
            (ill.person == each.person) & (ill.start >= each.start) & (ill.start <= each.exit)
        ].start.min()
        days = ((each.exit if pd.isna(later) else later) - each.start).days
        band = f"{days // 60 * 60}-{days // 60 * 60 + 59}" if days < 360 else "360+"
        rows.append(
            {
                "person": each.person,
                "band": band,
                "how": "event" if not pd.isna(later) and days < 360 else "censored",
            }
        )
    found = pd.DataFrame(rows)
    counts = {"persons": cells(found, ["band", "how"], "persons"), "intervals": cells(found, ["band", "how"])}
    compare(region, "users", "waits", ["days_waits", "outcome_waits"], counts, least=0.1)


def test_deaths_of_users(region: Path, truth: Recount, users: pd.DataFrame) -> None:
    died = truth.within(users, truth.such(["VITAL/DEATH"], "death"))
    died["how"] = "event"
    ends = users.person.map(died.set_index("person").start)
    days = ((ends.fillna(users.end) - users.start).dt.days).astype(int)
    bands = days.map(lambda each: f"{each // 90 * 90}-{each // 90 * 90 + 89}" if each < 360 else "360+")
    how = (ends.notna() & (days < 360)).map({True: "event", False: "censored"})
    rows = users.assign(band=bands, how=how)
    assert (how == "event").any()
    compare(
        region, "users", "dying", ["days_dying", "outcome_dying"], {"persons": cells(rows, ["band", "how"])}
    )
