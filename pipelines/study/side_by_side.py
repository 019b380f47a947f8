"""Tables of one permit beside one another: which of them cannot stand together, and why."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from pipelines.study.table import Table


def together(tables: Iterable[Table]) -> Iterable[str]:
    """Why tables of one permit cannot stand together: ways to part the same people that do not nest, so that
    differences between two tables, which disclosure control does not see, would tell of people that neither
    shows."""
    tables = [part for table in tables for part in table.parts]
    for table in tables:
        if "sum" in table.measures:
            yield (
                f"table {table.table} asks for sums of values, which a permit cannot protect yet: ask for "
                "classes"
            )
    for one, other in combinations(tables, 2):
        names = f"tables {one.table} and {other.table}"
        if one.table == other.table:
            yield f"two tables are called {one.table}"
        if one.count == other.count == "survival" and one.outcome == other.outcome:
            yield f"{names} count time to the same event: make them one"
        yield from _same_names(one, other, names)
        if one.count == other.count == "intervals" and one.counted == other.counted:
            yield f"{names} count the same times: make them one"
        if one.count == other.count == "exposure" and one.asked == other.asked and one.gap != other.gap:
            yield f"{names} count the same supplies with another gap: give them the same"
        if one.days and other.days and one.days != other.days:
            yield f"{names} ask who is followed on different days: give them the same"
        if one.days and other.days and one.asked == other.asked and one.lookback != other.lookback:
            yield f"{names} count the same events with another lookback: give them the same"
        if one.counts_events and other.counts_events and one.asked == other.asked:
            yield from _same_events(one, other, names)
        yield from _nearly_the_same(one, other, names)
        if not _same_people(one, other):
            continue
        if _parts(one) and _parts(other) and _parts(one) != _parts(other):
            yield f"{names} part the same events by periods that do not nest: leave one out"
        if _ages(one) and _ages(other) and _ages(one) != _ages(other):
            yield (
                f"{names} part the same people by different age groups: give them the same age_width and "
                "age_top"
            )
        if one.follow_up and other.follow_up and one.follow_up != other.follow_up:
            yield f"{names} part the same people by different bands of follow_up: give them the same"
        if one.care_units and other.care_units and one.care_units != other.care_units:
            yield f"{names} part the same people by different care_units: give them the same"


def _same_names(one: Table, other: Table, names: str) -> Iterable[str]:
    """Why two tables cannot stand together whose characteristics part the same people a little otherwise."""
    for table, beside in ((one, other), (other, one)):
        own = table.table.replace("-", "_")
        if table.step and {f"days_{own}", f"outcome_{own}"} & set(beside.characteristics):
            yield f"{names} use one name for a characteristic and for a part of {table.table}: rename it"
    for name, asked in one.characteristics.items():
        for other_name, also in other.characteristics.items():
            if name == other_name and asked.meaning != also.meaning:
                yield f"{names} mean two things by the characteristic {name}: give it one meaning"
            if name != other_name and asked.asked == also.asked and asked.comorbidity == also.comorbidity:
                yield (
                    f"{names} look for the same events by the characteristics {name} and {other_name}: make "
                    "them one"
                )


def _nearly_the_same(one: Table, other: Table, names: str) -> Iterable[str]:
    """Why two tables cannot stand together that count the same events in two ways, as such and as what time
    runs from or as days that they cover: few persons have the one without the other."""
    events = _looked_at(one)
    in_two_ways = one.count != other.count and {one.count, other.count} & {"intervals", "exposure"}
    if events is not None and events == _looked_at(other) and in_two_ways:
        yield f"{names} look at the same events in two ways: leave one out"
    if one.is_followed and other.is_followed and (one.first or other.first) and one.time != other.time:
        yield (
            f"{names} count time at risk of the same people, once up to a first event and once otherwise: "
            "leave one out"
        )


def _looked_at(table: Table) -> tuple[object, ...] | None:
    """The events whose persons a table counts; None if it counts members."""
    if table.since is not None:
        return table.since.asked
    return table.asked if table.counts_events or table.count == "exposure" else None


def _same_events(one: Table, other: Table, names: str) -> Iterable[str]:
    """Why two tables cannot stand together whose events have the same codes and kind: persons with such an
    event and those with a first, a new or a usable one are nearly the same."""
    counts = {one.count, other.count}
    if "transitions" not in counts and (one.washout != other.washout or one.first != other.first):
        yield (
            f"{names} count the same events with another washout, or once all and once the first: give "
            "them the same"
        )
    if counts == {"values"} and one.values != other.values:
        yield f"{names} count the same values by other classes, range, unit or decimals: give them the same"
    if counts == {"transitions"} and one.states != other.states:
        yield f"{names} count transitions of the same events between other states: give them the same"


def _same_people(one: Table, other: Table) -> bool:
    followed = [bool(table.days) or table.is_followed for table in (one, other)]
    return one.counted == other.counted or all(followed)


def _ages(table: Table) -> Any:
    return (
        (table.age_width, table.age_top - table.age_top % table.age_width)
        if "age_group" in table.dimensions
        else None
    )


def _parts(table: Table) -> str | None:
    """The kind of period that people or events are parted by."""
    by = next((name for name in ("quarter", "year") if name in table.dimensions), None)
    return {"weekly": "week", "monthly": "month"}.get(table.count, by)
