"""A definition as numbered sentences for whoever must judge it: complete, in the order in which it is
applied, concept sets at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from pipelines.cohort.domains import DEMOGRAPHIC, DOMAINS
from pipelines.cohort.query import (
    Among,
    Cohort,
    ConceptSet,
    Correlated,
    Criterion,
    CustomEra,
    DateOffset,
    Edge,
    Exactly,
    Filter,
    Group,
    Item,
    Occurrence,
    Range,
    SetId,
    Shift,
    Text,
    Window,
)
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
_TEXTS: Final = {
    "eq": "is like",
    "contains": "contains",
    "startsWith": "starts with",
    "endsWith": "ends with",
    "!eq": "is not like",
    "!contains": "does not contain",
    "!startsWith": "does not start with",
    "!endsWith": "does not end with",
}
_GROUPS: Final = {"all": "all of these hold", "any": "any of these holds"}
_LIMITS: Final = {
    "all": "all of them count",
    "first": "the first of each person counts",
    "last": "the last of each person counts",
}
_ROMAN: Final = (
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)


@dataclass(frozen=True)
class _Line:
    """A sentence and those under it."""

    text: str
    under: tuple[_Line, ...] = ()


def sentences(cohort: Cohort) -> list[str]:
    """The definition, a sentence a line, numbered 1, 1.a, 1.a.i, 1.a.i.1 and so on, each level indented by
    two blanks."""
    return list(_numbered(_Explainer(cohort).lines(), ()))


def _numbered(lines: Sequence[_Line], above: tuple[str, ...]) -> Iterator[str]:
    kind = len(above) % 3
    for place, line in enumerate(lines, 1):
        number = (*above, (str(place), _letters(place), _roman(place))[kind])
        yield f"{'  ' * len(above)}{'.'.join(number)}. {line.text}"
        yield from _numbered(line.under, number)


def _letters(place: int) -> str:
    """a … z, aa, ab …"""
    text = ""
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(97 + rest) + text
    return text


def _roman(place: int) -> str:
    text = ""
    for value, sign in _ROMAN:
        text += sign * (place // value)
        place %= value
    return text


class _Explainer:
    """Words for one definition, which knows the names of its concept sets."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort

    def lines(self) -> list[_Line]:
        """Every part of the definition, in the order in which it is applied."""
        cohort = self._cohort
        lines = [_Line(f"Definition “{cohort.title}”.")] if cohort.title else []
        lines.append(
            _Line(
                "People enter with any of these events:",
                tuple(self._criterion(each) for each in cohort.entry),
            )
        )
        lines.append(_Line(self._observed()))
        if cohort.additional is not None:
            lines.append(self._group(cohort.additional, "Conditions on an entry event: "))
            lines.append(_Line(f"Of the events that meet them, {_LIMITS[cohort.qualified_limit]}."))
        for number, rule in enumerate(cohort.rules, 1):
            about = f" ({rule.description})" if rule.description else ""
            lines.append(self._group(rule.group, f"Inclusion rule {number}, “{rule.name}”{about}: "))
        lines.append(
            _Line(
                f"Of the events that meet {'every inclusion rule' if cohort.rules else 'all of this'}, "
                f"{_LIMITS[cohort.limit]}."
            )
        )
        if cohort.spacing:
            lines.append(
                _Line(
                    f"Of these, an event counts if it begins {_days(cohort.spacing)} or more after the last "
                    "one that counted."
                )
            )
        lines += [_Line(self._exit()), *self._censoring(), *self._eras()]
        if cohort.sets:
            lines.append(
                _Line("Concept sets:", tuple(self._set(id, each) for id, each in cohort.sets.items()))
            )
        return lines

    def _observed(self) -> str:
        cohort = self._cohort
        return (
            f"The event lies in an observation period that began {_days(cohort.prior_days)} or more before "
            "it and ends "
            f"{_days(cohort.post_days)} or more after it; of such events, {_LIMITS[cohort.entry_limit]}."
        )

    def _exit(self) -> str:
        exit = self._cohort.exit
        if isinstance(exit, DateOffset):
            return (
                f"The cohort ends {_away(exit.days, f'the {exit.of} of the event')}, and with its "
                "observation period at the latest."
            )
        if not isinstance(exit, CustomEra):
            return "The cohort ends with the observation period."
        lasting = (
            "" if exit.days_supply is None else f", each lasting {_days(exit.days_supply)} whatever it says"
        )
        return (
            "The cohort ends with the observation period, or earlier with the era that the event lies in: "
            f"events of {_words(exit.domain)} "
            f"whose concept or source concept is in {self._named(exit.drugs)}{lasting}, with at most "
            f"{_days(exit.gap)} between them, "
            f"and {_days(exit.offset)} more at the end."
        )

    def _censoring(self) -> list[_Line]:
        criteria = self._cohort.censoring
        if not criteria:
            return []
        return [
            _Line(
                "It ends earlier at the start of any of these events, on its first day or later:",
                tuple(map(self._criterion, criteria)),
            )
        ]

    def _eras(self) -> list[_Line]:
        lines = [
            _Line(
                f"Stays of a person with at most {_days(self._cohort.era_pad)} from the end of one to the "
                "start of the next are one."
            )
        ]
        first, last = self._cohort.censor_window
        if first is not None or last is not None:
            begins = f" before {_day(first)}" if first is not None else ""
            ends = f" after {_day(last)}" if last is not None else ""
            lines.append(
                _Line(
                    f"Days{begins}{' or' if begins and ends else ''}{ends} are cut off, and stays without "
                    "any other day left out."
                )
            )
        return lines

    def _named(self, id: SetId) -> str:
        known = self._cohort.sets.get(id)
        if known is None:
            return f"concept set {id}, which is not defined and holds nothing"
        return f"concept set {id}" if known.name in ("", id) else f"concept set {id} “{known.name}”"

    def _criterion(self, asked: Criterion, before: str = "", after: str = "") -> _Line:
        """`before`, `after`: words around those for the events."""
        parts = [f"{_words(asked.domain)}{self._of(asked)}"]
        parts += (
            [f"narrowed to those where {self._filters(asked.narrowed, asked.domain)}"]
            if asked.narrowed
            else []
        )
        parts += [_nth(asked.nth)] if asked.nth else []
        if asked.start or asked.end:
            parts.append(
                f"taken to start {_shift(asked.start, 'start')} and to end {_shift(asked.end, 'end')}, and "
                "not to end before it starts"
            )
        parts += [f"where {self._filters(asked.filters, asked.domain)}"] if asked.filters else []
        for side, day in zip(("first", "last"), asked.period, strict=True):
            parts += [f"that holds {_day(day)}, which is taken as its {side} day"] if day is not None else []
        whole = f"{before}{', '.join(parts)}{after}"
        if asked.group is None:
            return _Line(f"{whole}.")
        return self._group(
            asked.group, f"{whole}; such an event counts if it lies in an observation period and "
        )

    def _of(self, asked: Criterion) -> str:
        of = [] if asked.concepts is None else [f" whose concept is in {self._named(asked.concepts)}"]
        of += (
            []
            if asked.source_concepts is None
            else [f" whose source concept is in {self._named(asked.source_concepts)}"]
        )
        return " and".join(of) or " of any concept"

    def _group(self, group: Group, before: str) -> _Line:
        under = [self._correlated(each) for each in group.correlated]
        under += [_Line(f"the person: {self._filters(each.filters)}.") for each in group.demographics]
        under += [self._group(each, "") for each in group.groups]
        if not under:
            return _Line(f"{before}nothing is asked.")
        how = _GROUPS.get(
            group.kind,
            f"{group.kind.replace('_', ' ')} {group.count} of these "
            f"{'hold' if group.count != 1 else 'holds'}",
        )
        return _Line(f"{before}{how}:", tuple(under))

    def _correlated(self, asked: Correlated) -> _Line:
        after = f", {_window(asked.start, asked.any_period)}"
        after += f" and {_window(asked.end, asked.any_period)}" if asked.end else ""
        after += ", in the same visit" if asked.same_visit else ""
        after += (
            ", in whatever observation period" if asked.any_period else ", in the same observation period"
        )
        return self._criterion(asked.criterion, f"{_occurrence(asked.occurrence)} ", after)

    def _filters(self, filters: tuple[Filter, ...], domain: str = "") -> str:
        return " and ".join(self._filter(each, domain) for each in filters) or "is known"

    def _filter(self, asked: Filter, domain: str) -> str:
        field = asked.field.replace("_", " ")
        if isinstance(asked, Text):
            return f"{field} {_TEXTS[asked.op]} “{asked.text}”"
        if isinstance(asked, Exactly):
            return f"{field} is one of {', '.join(f'“{each}”' for each in sorted(asked.texts))}"
        if isinstance(asked, Among):
            if asked.set is not None:
                return f"{field} is {'not in' if asked.excluded else 'in'} {self._named(asked.set)}"
            return (
                f"{field} is {'none' if asked.excluded else 'one'} of "
                f"{', '.join(map(str, sorted(asked.concepts)))}"
            )
        return f"{field} is {_range(asked, domain)}"

    def _set(self, id: SetId, concepts: ConceptSet) -> _Line:
        items = [_item(each) for each in concepts.items]
        items += [_code("codes that begin with", "", each) for each in concepts.prefixes]
        items += [_code("but none that begins with", "but not ", each) for each in concepts.without]
        return _Line(f"{self._named(id)}: {'; '.join(items) or 'nothing'}.")


def _code(beginning: str, alone: str, code: str) -> str:
    """A line of a code list: a prefix, or what names one code."""
    return f"{beginning} {code}" if said(code).endswith("*") else f"{alone}{code}"


def _words(domain: str) -> str:
    """ConditionOccurrence: condition occurrence."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", domain).lower()


def _nth(nth: int) -> str:
    if abs(nth) == 1:
        return f"the {'first' if nth > 0 else 'last'} of each person"
    return f"number {nth} of each person" if nth > 0 else f"number {-nth} from the last of each person"


def _days(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"


def _day(day: float) -> str:
    return (date(1970, 1, 1) + timedelta(days=int(day))).isoformat()


def _away(days: int, of: str) -> str:
    """30 days before the start."""
    if days == 0:
        return f"at {of}"
    return f"{_days(abs(days))} {'before' if days < 0 else 'after'} {of}"


def _shift(shift: Shift | None, side: str) -> str:
    return f"at its {side}" if shift is None else _away(shift.days, f"its {shift.of}")


def _range(asked: Range, domain: str) -> str:
    fields = DOMAINS[domain].fields if domain else DEMOGRAPHIC
    day = asked.field in fields and fields[asked.field].kind == "day"
    low, high = (
        None if each is None else _day(each) if day else _number(each) for each in (asked.value, asked.extent)
    )
    return f"{(_DAYS if day else _NUMBERS)[asked.op]} {low}{f' and {high}' if high is not None else ''}"


def _number(value: float) -> str:
    """Without an exponent, and without a point where there is nothing after it."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _occurrence(asked: Occurrence) -> str:
    how = f"{asked.kind.replace('_', ' ')} {asked.count}"
    if asked.distinct is None:
        return how
    if asked.distinct == "person":
        return f"{how}, where any number counts as one,"
    return f"{how} with different values of {asked.distinct.replace('_', ' ')}:"


def _window(window: Window, any_period: bool) -> str:
    first, last = (_edge(edge, window, any_period) for edge in (window.first, window.last))
    return f"with its {window.event} from {first} to {last}"


def _edge(edge: Edge, window: Window, any_period: bool) -> str:
    side = "before" if edge.sign < 0 else "after"
    if edge.days is None:
        end = "first" if edge.sign < 0 else "last"
        return f"any day {side}" if any_period else f"the {end} day of the index event's observation period"
    of = f"the index event's {window.index}"
    return of if edge.days == 0 else _away(edge.days, of)


def _item(item: Item) -> str:
    asked = [
        name
        for name, yes in (("with descendants", item.descendants), ("with what maps to it", item.mapped))
        if yes
    ]
    return f"{'not ' if item.excluded else ''}{item.concept}{' ' + ' and '.join(asked) if asked else ''}"
