"""New users of drugs: every shown cell of the bundle beside a plain recount."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.recount import Recount, every_day
from tests.study_cells import cells, compare, ending, periods


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
