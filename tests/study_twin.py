"""What is known of one member by the index day, how long it waits and what its supplies cover, in plain
loops."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from pipelines.files.schemas import VALUE_MISSING

if TYPE_CHECKING:
    from pipelines.study.characteristic import Characteristic
    from pipelines.study.table import Table
    from tests.time_twin import Member


def known_of(member: Member, asked: Characteristic) -> str:
    """The class in which the member stands, by its code."""
    found = [
        each
        for each in member.such(asked)
        if (asked.first is None or each["day"] >= member.start + asked.first)
        and each["day"] <= member.start + asked.last
    ]
    if asked.classes:
        return last_value(found, asked)
    if asked.number:
        days = len({each["day"] for each in found})
        begins = [0, *asked.number]
        place = max(k for k, begin in enumerate(begins) if days >= begin)
        if place == len(asked.number):
            return f"{begins[place]}+"
        first, last = begins[place], begins[place + 1] - 1
        return str(first) if first == last else f"{first}-{last}"
    return "yes" if found else "no"


def last_value(found: list[dict], asked: Characteristic) -> str:
    assert asked.range
    usable = [
        (each["day"], Fraction(each["value"], 10_000))
        for each in found
        if each["unit"] == asked.unit
        and each["value"] != VALUE_MISSING
        and asked.range[0] <= Fraction(each["value"], 10_000) <= asked.range[1]
    ]
    if not usable:
        return "none"
    ends = [asked.range[0], *asked.classes, asked.range[1]]
    return max((low, f"{low:g}-{high:g}") for low, high in pairwise(ends) if low <= max(usable)[1])[1]


def stays(found: list[dict], join: int | None) -> list[list[int]]:
    """First and last day of each, those joined that lie near to each other."""
    out: list[list[int]] = []
    for each in found:
        first, last = each["day"], max(each["day"], each["last"])
        if join is not None and out and first - out[-1][1] <= join:
            out[-1][1] = max(out[-1][1], last)
        else:
            out.append([first, last])
    return out


def times(member: Member, table: Table) -> Iterator[tuple[tuple[str, str], int, int]]:
    """Band and outcome, the day on which the clock begins, and which clock it is."""
    mark = table.since
    assert mark and table.step and table.until
    since = stays(member.such(mark), mark.join)
    same = mark.asked == table.asked
    to = since if same else stays(member.such(table), None)
    rivals = (
        [each["day"] for each in member.during(table.competing or ())] if table.competing != "death" else []
    )
    if table.competing == "death":
        rivals = [member.death]
    for clock, (first, last) in enumerate(since):
        day = first if mark.clock == "start" else last
        if not member.start <= day < member.end:
            continue
        after = [each[0] for k, each in enumerate(to) if each[0] >= day and (k > clock or not same)]
        yield (
            ends(day, min(after, default=None), rivals if table.competing else [], member, table),
            day,
            clock,
        )
        if mark.first:
            return


def ends(day: int, event: int | None, rivals: list[int], member: Member, table: Table) -> tuple[str, str]:
    assert table.step and table.until
    for now in range(day, member.end):
        if now - day >= table.until:
            return f"{table.until}+", "censored"
        if now == event:
            return span(now - day, table.step), "event"
        if now in rivals:
            return span(now - day, table.step), "competing"
    return span(member.end - 1 - day, table.step), "censored"


def span(days: int, step: int) -> str:
    return f"{days // step * step}-{days // step * step + step - 1}"


def is_covered(member: Member, table: Table, day: int) -> bool:
    """Does a supply cover the day, or lie so near before and after it that the gap does?"""
    spans = [(each["day"], max(each["day"], each["last"])) for each in member.such(table)]
    if any(first <= day <= last for first, last in spans):
        return True
    before = max((last for _, last in spans if last < day), default=None)
    after = min((first for first, _ in spans if first > day), default=None)
    return before is not None and after is not None and after - before - 1 <= table.gap
