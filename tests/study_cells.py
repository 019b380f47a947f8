"""Cells of a released table beside cells that were counted plainly, and how people enter a study."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.release.publish import latest
from pipelines.site.site import Site
from tests.recount import DAY, Recount

Cells = dict[tuple[str, ...], int]


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


def periods(rows: pd.DataFrame, name: str, whats: dict[str, str]) -> dict[str, Cells]:
    """Cells of periods and of their years."""
    both = [rows, rows.assign(**{name: rows.year})]
    return {
        measure: {key: number for each in both for key, number in cells(each, [name], what).items()}
        for measure, what in whats.items()
    }


def with_facts(truth: Recount, members: pd.DataFrame) -> pd.DataFrame:
    members = members.reset_index(drop=True)
    members["sex"] = truth.sexes(members.person)
    return members


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
