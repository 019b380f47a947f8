"""Everybody who is observed on a day: every shown cell of the bundle beside a plain recount."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.release.publish import latest
from pipelines.site.site import Site
from tests.recount import DAY, Recount, every_day, groups
from tests.study_cells import cells, compare, ending


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


def test_survival_beside_that_of_the_population(region: Path, truth: Recount, adults: pd.DataFrame) -> None:
    """Each one's chance of dying by Gompertz's law, with which the region was made, not by the life table."""
    rows = []
    for each in adults.itertuples():
        ends = {"event": truth.persons.death[each.person]}
        rows.append({"person": each.person, "sex": each.sex, **ending(each.start, each.end, ends, 360, 1440)})
    left = pd.DataFrame(rows)
    by, columns = ["band", "how", "sex"], ["days_alive", "outcome_alive", "sex_label"]
    compare(region, "adults", "alive", columns, {"persons": cells(left, by)})
    figures = pd.read_csv(latest(Site.load(region), "adults") / "figures" / "alive.csv", dtype=str)
    figures = figures[(figures.outcome_alive == "Total") | figures.outcome_alive.isna()]
    birth = adults.person.map(truth.persons.birth)
    age = ((adults.start - birth).dt.days / 365.25).to_numpy()
    at_birth = 1.9e-5 * np.where(adults.person.map(truth.persons.sex) == 2, 0.72, 1.0)
    alive, share, died = np.ones(5), 1.0, left.how.to_numpy() == "event"
    begins = left.band.str.extract(r"^(\d+)")[0].astype(int).to_numpy()
    told = 0
    for band in range(4):
        at_risk = begins >= 360 * band
        years = age + 360 * band / 365.25, age + 360 * (band + 1) / 365.25
        hazard = at_birth / 0.0985 * (np.exp(0.0985 * years[1]) - np.exp(0.0985 * years[0]))
        alive[band + 1] = alive[band] * (1 - (1 - np.exp(-hazard))[at_risk].mean())
        share *= 1 - (died & (begins == 360 * band)).sum() / at_risk.sum()
        label = f"{360 * band}-{360 * band + 359}"
        (row,) = figures[(figures.days_alive == label) & (figures.sex_label == "Total")].to_dict("records")
        if isinstance(row["net"], str):
            told += 1
            # chances are told to 1.5 %, and the life table has whole years of age
            assert abs(float(row["population_share"]) - alive[band + 1]) < 0.03 * (1 - alive[band + 1])
            assert abs(float(row["net"]) - share / alive[band + 1]) < 0.002
            assert float(row["net_low"]) < 1 < float(row["net_high"])
    assert told >= 2
