"""How a definition's days, numbers and fields are said."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from pipelines.cohort.domains import DEMOGRAPHIC, DOMAINS, STORED
from pipelines.cohort.query import Calendar, Edge, Item, Occurrence, Range, Shift, Window
from pipelines.files.schemas import SETTINGS, SEX_MAN, SEX_WOMAN, VALUE_SCALE
from pipelines.study.code_list import said

_NUMBERS: Final = {
    "lt": "less than",
    "lte": "at most",
    "eq": "equal to",
    "!eq": "other than",
    "gte": "at least",
    "gt": "more than",
    "bt": "between",
    "!bt": "not between",
}
_DAYS: Final = {
    **_NUMBERS,
    "lt": "before",
    "lte": "on or before",
    "eq": "on",
    "!eq": "not on",
    "gte": "on or after",
    "gt": "after",
}


def code_words(beginning: str, alone: str, code: str) -> str:
    """A line of a code list: a prefix, or what names one code."""
    return f"{beginning} {code}" if said(code).endswith("*") else f"{alone}{code}"


def domain_words(domain: str) -> str:
    """ConditionOccurrence: condition occurrence."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", domain).lower()


def nth_words(nth: int) -> str:
    if abs(nth) == 1:
        return f"the {'first' if nth > 0 else 'last'} of each person"
    return f"number {nth} of each person" if nth > 0 else f"number {-nth} from the last of each person"


def days_words(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"


def day_words(day: float) -> str:
    return (date(1970, 1, 1) + timedelta(days=int(day))).isoformat()


def away_words(days: int, of: str) -> str:
    """30 days before the start."""
    if days == 0:
        return f"at {of}"
    return f"{days_words(abs(days))} {'before' if days < 0 else 'after'} {of}"


def shift_words(shift: Shift | None, side: str) -> str:
    return f"at its {side}" if shift is None else away_words(shift.days, f"its {shift.of}")


def range_words(asked: Range, domain: str) -> str:
    fields = DOMAINS[domain].fields if domain else DEMOGRAPHIC
    day = asked.field in fields and fields[asked.field].kind == "day"
    scale = VALUE_SCALE if domain in STORED and asked.field == "value" else 1
    low, high = (
        None if each is None else day_words(each) if day else number_words(each / scale)
        for each in (asked.value, asked.extent)
    )
    return f"{(_DAYS if day else _NUMBERS)[asked.op]} {low}{f' and {high}' if high is not None else ''}"


def label_words(field: str, number: int) -> str:
    """A number that stands for a word of our own store, as that word."""
    if field == "setting" and 0 <= number < len(SETTINGS):
        return SETTINGS[number]
    return {SEX_MAN: "man", SEX_WOMAN: "woman"}.get(number, str(number)) if field == "sex" else str(number)


def calendar_words(calendar: Calendar) -> str:
    """The index days of everybody who is observed."""
    if calendar.days:
        return f"being observed on {', '.join(day_words(each) for each in calendar.days)}"
    asked = [f"{days_words(calendar.prior)} or more into an observation period"] if calendar.prior else []
    asked += [f"at the age of {calendar.age} or more, where the birth day is known"] if calendar.age else []
    again = (
        f", and again every {days_words(calendar.every)} to the end of the period" if calendar.every else ""
    )
    between = f"from {day_words(calendar.first)} to {day_words(calendar.last)}"
    return f"the first day of each observation period {between}{', '.join(['', *asked])}{again}"


def number_words(value: float) -> str:
    """Without an exponent, and without a point where there is nothing after it."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def occurrence_words(asked: Occurrence) -> str:
    none = {"exactly": "no", "at_most": "not one"}.get(asked.kind) if asked.count == 0 else None
    how = none or f"{asked.kind.replace('_', ' ')} {asked.count}"
    if asked.distinct is None:
        return how
    if asked.distinct == "start_date":
        return f"on different days, {how}"
    if asked.distinct == "person":
        return f"{how}, where any number counts as one,"
    return f"{how} with different values of {asked.distinct.replace('_', ' ')}:"


def window_words(window: Window, any_period: bool) -> str:
    first, last = (edge_words(edge, window, any_period) for edge in (window.first, window.last))
    return f"with its {window.event} from {first} to {last}"


def edge_words(edge: Edge, window: Window, any_period: bool) -> str:
    side = "before" if edge.sign < 0 else "after"
    if edge.days is None:
        end = "first" if edge.sign < 0 else "last"
        return f"any day {side}" if any_period else f"the {end} day of the index event's observation period"
    of = f"the index event's {window.index}"
    return of if edge.days == 0 else away_words(edge.days, of)


def item_words(item: Item) -> str:
    asked = [
        name
        for name, yes in (("with descendants", item.descendants), ("with what maps to it", item.mapped))
        if yes
    ]
    return f"{'not ' if item.excluded else ''}{item.concept}{' ' + ' and '.join(asked) if asked else ''}"
