"""Which tables may not stand together in one permit."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.aggregation.layout import Layout
from pipelines.site.permit import Table
from pipelines.study.days import Study
from pipelines.study.side_by_side import together

STUDY = Study(**{"from": date(2020, 1, 1), "to": date(2021, 3, 1)})
YEARLY = {"count": "prevalence", "codes": ["A"], "days": ["2020-06-30", "2020-12-31"]}
VALUES = {"count": "values", "unit": "mmol/mol", "range": [0, 100]}
RATE = {"count": "events", "measures": ["persons", "events", "person_days"]}
INDIRECT = {**RATE, "dimensions": ["sex", "age_group"], "age_width": 20, "age_top": 80}
REFERENCE = {"to": "own", "title": "Region X, 2019"}


def table(name: str = "t", **more: Any) -> Table:
    return Table(table=name, title="t", **{"count": "events", **more})


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ({"dimensions": ["sex"], "washout": 30}, {"dimensions": ["sex"]}, "another washout"),
        ({**VALUES, "classes": [5]}, {**VALUES, "classes": [6]}, "by other classes"),
        (
            {**VALUES, "classes": [5]},
            {**VALUES, "classes": [5], "first": True},
            "once all and once the first",
        ),
        ({"dimensions": ["sex"]}, {"count": "weekly", "first": True}, "once all and once the first"),
        ({"dimensions": ["sex"], "washout": 30}, {"count": "weekly"}, "another washout"),
        ({"dimensions": ["sex"], "first": True}, {**VALUES, "classes": [5]}, "once all and once the first"),
        (
            {"count": "transitions", "states": "care_level"},
            {"count": "transitions", "states": {"a": ["A"], "b": ["B"]}},
            "between other states",
        ),
        ({**YEARLY, "lookback": 30}, {**YEARLY, "lookback": 60}, "another lookback"),
        (
            {"dimensions": ["follow_up"], "follow_up": [30]},
            {"dimensions": ["follow_up"], "follow_up": [31]},
            "bands of follow_up",
        ),
    ],
)
def test_the_same_events_are_not_counted_in_two_ways(
    one: dict[str, Any], other: dict[str, Any], says: str
) -> None:
    """Two tables that count the same events by another washout, other classes, states or bands are refused:
    their differences are in no table. Of other events they may stand together."""
    assert any(says in text for text in together([table("a", **one), table("b", **other)]))
    assert not list(together([table("a", **one), table("b", **other, kind="measurement")]))


HAD = {"count": "members", "dimensions": ["a"], "characteristics": {"a": {"codes": ["A"]}}}


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (HAD, {**HAD, "characteristics": {"a": {"codes": ["A"], "to": -1}}}, "mean two things by the"),
        (HAD, {"count": "baseline", "characteristics": {"b": {"codes": ["A"], "to": -1}}}, "the same events"),
        (
            {"count": "exposure", "codes": ["A"], "dimensions": ["year"]},
            {"count": "exposure", "codes": ["A"], "dimensions": ["sex"], "gap": 9},
            "another gap",
        ),
        (
            {"count": "baseline", "rows": ["age_group"]},
            {"count": "members", "dimensions": ["age_group"], "age_width": 7},
            "different age groups",
        ),
        (
            {"count": "survival", "codes": ["B"], "step": 1, "until": 2},
            {"count": "members", "dimensions": ["days_a"], "characteristics": {"days_a": {"codes": ["A"]}}},
            "use one name",
        ),
        (
            {"codes": ["A"], "first": True, "dimensions": ["sex"], "measures": ["persons", "person_days"]},
            {"codes": ["B"], "dimensions": ["sex"], "measures": ["persons", "person_days"]},
            "up to a first event",
        ),
        ({"dimensions": ["year"]}, {"dimensions": ["quarter"]}, "periods that do not nest"),
        ({"count": "monthly"}, {"dimensions": ["quarter", "sex"]}, "periods that do not nest"),
        (
            {"dimensions": ["year"], "measures": ["persons", "person_days"], "codes": ["B"]},
            {"count": "exposure", "codes": ["A"], "dimensions": ["quarter"]},
            "periods that do not nest",
        ),
        (
            {"count": "members", "dimensions": ["year"]},
            {"count": "baseline", "rows": ["quarter"]},
            "periods that do not nest",
        ),
        (
            {"codes": ["A"], "dimensions": ["sex"]},
            {"count": "exposure", "codes": ["A"], "dimensions": ["sex"]},
            "the same events in two ways",
        ),
        (
            {"codes": ["A"], "dimensions": ["sex"]},
            {"count": "intervals", "codes": ["B"], "since": {"codes": ["A"]}, "step": 1, "until": 2},
            "the same events in two ways",
        ),
    ],
)
def test_the_same_members_are_not_parted_in_two_ways(
    one: dict[str, Any], other: dict[str, Any], says: str
) -> None:
    assert any(says in text for text in together([table("a", **one), table("b", **other)]))
    assert not list(together([table("a", **one)])) and not list(together([table("b", **other)]))


def test_who_is_followed_is_asked_on_the_same_days_and_in_the_same_age_groups() -> None:
    """Two prevalence tables with other days, or other age groups, are refused, whatever events they ask of:
    who is followed is the same."""
    other = {**YEARLY, "codes": ["B"]}
    assert not list(together([table("a", **YEARLY), table("b", **other)]))
    assert any(
        "different days" in text
        for text in together([table("a", **YEARLY), table("b", **{**other, "days": ["2020-12-31"]})])
    )
    ages = [
        table(name, **asked, dimensions=["age_group"], age_width=width)
        for name, asked, width in (("a", YEARLY, 5), ("b", other, 10))
    ]
    assert any("age groups" in text for text in together(ages))


def test_the_same_people_are_not_parted_in_ways_that_do_not_nest() -> None:
    """Tables that part the same people by other age groups, periods or units are refused: their differences
    are in no table."""
    tens, fives = (
        table("a", dimensions=["age_group"], age_width=10),
        table("b", dimensions=["age_group"], age_width=5),
    )
    assert any("age groups" in text for text in together([tens, fives]))
    assert not list(together([tens, table("b", dimensions=["age_group"], age_width=5, kind="drug")]))
    assert any(
        "periods" in text for text in together([table("a", count="weekly"), table("b", count="monthly")])
    )
    one, other = (table(name, dimensions=["care_unit"], care_units={"x": [name]}) for name in ("a", "b"))
    assert any("care_units" in text for text in together([one, other]))
    times = [
        table(name, count="survival", codes=["A"], step=step, until=90)
        for name, step in (("a", 30), ("b", 45))
    ]
    assert any("the same event" in text for text in together(times))
    assert any("called a" in text for text in together([tens, tens]))


def test_the_tables_that_the_handbook_shows_may_stand_in_one_permit() -> None:
    page = (Path(__file__).parents[2] / "docs" / "aggregation.md").read_text(encoding="utf-8")
    shown = [Table(**each) for each in yaml.safe_load(page.split("```yaml")[1].split("```")[0])["tables"]]
    assert len(shown) > 5 and list(together(shown)) == []
    assert all(Layout.of(each, STUDY).dimensions for each in shown if not each.days)
