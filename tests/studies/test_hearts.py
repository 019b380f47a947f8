"""Two diagnoses on distinct days, or one stay: every shown cell of the bundle beside a plain recount."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.recount import Recount, every_day
from tests.study_cells import cells, compare, periods


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
