"""When the next version of a standing permit may go out: by the day of its data, never by the clock.

Versions follow the calendar and not the age of the last one, so that all permits move in the same night: two
that moved in different nights of a month would show together what each was kept from showing.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal

from pipelines.errors import DataError
from pipelines.files import documents
from pipelines.files.yaml import Strict
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot

Every = Literal["night", "week", "month", "quarter"]
DEFAULT: Final[Every] = "month"


class ReleaseCalendar(Strict):
    """How often a standing permit's tables go out anew. `every`: each night in which something changed; or at
    most one version for the data of a week from Monday, a month or a quarter of the year."""

    every: Every = DEFAULT


def begins(day: date, every: Every) -> date:
    """The first day of the week, month or quarter that a day lies in; the day itself for nights."""
    if every == "week":
        return day - timedelta(days=day.weekday())
    if every == "month":
        return day.replace(day=1)
    if every == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day


def next_from(day: date, every: Every) -> date:
    """The first day of data with which a version after one of this day may go out."""
    within = {"night": 1, "week": 7, "month": 31, "quarter": 92}[every]
    return begins(begins(day, every) + timedelta(days=within), every)


def data_day(site: Site, snapshot: Snapshot) -> date:
    """The latest day on which anything in a snapshot was delivered. Raises `DataError` where nothing was."""
    days = [
        str(documents.read_object(site.receipts / "intake" / source / f"{name}.json")["delivered"])
        for source, name in snapshot.deliveries
    ]
    if not days:
        raise DataError(f"snapshot {snapshot.id}", "holds no delivery", "refresh the site")
    return date.fromisoformat(max(days))


def last_day(site: Site, name: str) -> date | None:
    """The day of the data that a permit's latest version was first made of, None where there is none, or
    where it is older than calendars."""
    told: dict[int, list[str]] = {}
    for path in sorted((site.projects / name / "runs").glob("*/release.json")):
        receipt = documents.read_object(path)
        if not receipt.get("held") and "data_day" in receipt:
            told.setdefault(int(receipt["version"]), []).append(str(receipt["data_day"]))
    return date.fromisoformat(min(told[max(told)])) if told else None


def waits_until(site: Site, name: str, every: Every, snapshot: Snapshot) -> date | None:
    """The day of data from which the next version is due, None where it is due on this snapshot, as it is
    every night where that is how often."""
    last = None if every == "night" else last_day(site, name)
    if last is None or not _released(site.release / name):
        return None
    due = next_from(last, every)
    return due if data_day(site, snapshot) < due else None


def _released(home: Path) -> bool:
    return home.is_dir() and any(path.name.isdigit() for path in home.iterdir())
