"""When a new version of a standing permit may go out: by the day of its data, the same night for all."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.files import documents
from pipelines.site.calendar import Every, begins, data_day, next_from, waits_until
from pipelines.site.site import Site
from pipelines.site.snapshot import Contribution, Snapshot

EVERY: tuple[Every, ...] = ("night", "week", "month", "quarter")
DAYS = st.dates(date(2020, 1, 1), date(2040, 12, 31))


def snapshot(site: Site, *days: str) -> Snapshot:
    """One to which a delivery came on each day."""
    for day in days:
        documents.write_json({"delivered": day}, site.receipts / "intake" / "care" / f"{day}.json")
    return Snapshot("id", "index", (), {"care": Contribution("owner", False, days)})


def released(site: Site, run: str, version: int, day: str, held: bool = False) -> None:
    (site.release / "moving" / str(version)).mkdir(parents=True, exist_ok=True)
    receipt = {"version": version, "data_day": day, "held": held}
    documents.write_json(receipt, site.projects / "moving" / "runs" / run / "release.json")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(root=tmp_path, site="site", sources={})


@given(DAYS, st.sampled_from(EVERY))
def test_the_next_version_is_of_the_next_week_month_or_quarter(day: date, every: Every) -> None:
    first, then = begins(day, every), next_from(day, every)
    assert first <= day < then and begins(then, every) == then
    assert begins(then - timedelta(days=1), every) == first


@pytest.mark.parametrize(
    ("every", "last", "due"),
    [
        ("week", "2026-11-25", "2026-11-30"),  # a Wednesday, a Monday
        ("month", "2026-11-30", "2026-12-01"),
        ("month", "2026-01-31", "2026-02-01"),
        ("quarter", "2026-11-30", "2027-01-01"),
    ],
)
def test_a_version_waits_for_data_of_its_next_turn(site: Site, every: Every, last: str, due: str) -> None:
    released(site, "a", 1, last)
    before = (date.fromisoformat(due) - timedelta(days=1)).isoformat()
    assert waits_until(site, "moving", every, snapshot(site, last, before)) == date.fromisoformat(due)
    assert waits_until(site, "moving", every, snapshot(site, last, due)) is None
    assert waits_until(site, "moving", "night", snapshot(site, last)) is None


def test_the_day_of_data_is_that_of_the_latest_delivery(site: Site) -> None:
    assert data_day(site, snapshot(site, "2026-03-01", "2026-04-02", "2026-01-09")) == date(2026, 4, 2)
    with pytest.raises(DataError, match="holds no delivery"):
        data_day(site, snapshot(site))


def test_what_has_not_been_released_is_due_and_what_was_held_or_the_same_counts_as_it_was(site: Site) -> None:
    new = snapshot(site, "2026-05-20")
    assert waits_until(site, "moving", "month", new) is None
    released(site, "a", 1, "2026-05-02")
    released(site, "b", 1, "2026-06-03")  # the same bytes again, a month later
    released(site, "c", 1, "2026-07-01", held=True)
    assert waits_until(site, "moving", "month", new) == date(2026, 6, 1)
    assert waits_until(site, "moving", "month", snapshot(site, "2026-06-03")) is None
    released(site, "d", 2, "2026-06-03")
    assert waits_until(site, "moving", "month", snapshot(site, "2026-06-30")) == date(2026, 7, 1)
