"""A definition as numbered sentences for whoever must judge it: complete, in the order in which it is
applied, concept sets at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.cohort.phrases import (
    away_words,
    calendar_words,
    code_words,
    day_words,
    days_words,
    domain_words,
    item_words,
    label_words,
    nth_words,
    occurrence_words,
    range_words,
    shift_words,
    window_words,
)
from pipelines.cohort.query import (
    INDEX_DAY,
    STAY,
    Among,
    Cohort,
    ConceptSet,
    Correlated,
    Criterion,
    CustomEra,
    DateOffset,
    Exactly,
    Filter,
    Group,
    SetId,
    Text,
)

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
                    f"Of these, an event counts if it begins {days_words(cohort.spacing)} or more after the "
                    "last one that counted."
                )
            )
        lines += [_Line(self._exit()), *self._censoring(), *self._eras()]
        sets = {id: each for id, each in cohort.sets.items() if each.name not in cohort.others}
        if sets:
            lines.append(_Line("Concept sets:", tuple(self._set(id, each) for id, each in sets.items())))
        for name, other in cohort.others.items():
            lines.append(_Line(f"The cohort {name}:", tuple(_Explainer(other).lines())))
        return lines

    def _observed(self) -> str:
        cohort = self._cohort
        around = [f"began {days_words(cohort.prior_days)} or more before it"] if cohort.prior_days else []
        around += [f"ends {days_words(cohort.post_days)} or more after it"] if cohort.post_days else []
        long = f" that {' and '.join(around)}" if around else ""
        return (
            f"The event lies in an observation period{long}; of such events, {_LIMITS[cohort.entry_limit]}."
        )

    def _exit(self) -> str:
        exit = self._cohort.exit
        if isinstance(exit, DateOffset):
            return (
                f"The cohort ends {away_words(exit.days, f'the {exit.of} of the event')}, and with its "
                "observation period at the latest."
            )
        if not isinstance(exit, CustomEra):
            return "The cohort ends with the observation period."
        lasting = (
            ""
            if exit.days_supply is None
            else f", each lasting {days_words(exit.days_supply)} whatever it says"
        )
        return (
            "The cohort ends with the observation period, or earlier with the era that the event lies in: "
            f"events of {domain_words(exit.domain)} "
            f"whose concept or source concept is in {self._named(exit.drugs)}{lasting}, with at most "
            f"{days_words(exit.gap)} between them, "
            f"and {days_words(exit.offset)} more at the end."
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
        apart = f"at most {days_words(self._cohort.era_pad)} from the end of one to the start of the next"
        near = f"with {apart}" if self._cohort.era_pad else "that overlap"
        lines = [_Line(f"Stays of a person {near} are one.")]
        first, last = self._cohort.censor_window
        if first is not None or last is not None:
            begins = f" before {day_words(first)}" if first is not None else ""
            ends = f" after {day_words(last)}" if last is not None else ""
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
        parts = [f"{domain_words(asked.domain)}{self._of(asked)}"]
        if asked.domain == STAY and asked.concepts is not None:
            parts = [f"stay in the cohort {self._cohort.sets[asked.concepts].name}"]
        if asked.domain == INDEX_DAY and self._cohort.calendar is not None:
            parts = [calendar_words(self._cohort.calendar)]
        parts += (
            [f"narrowed to those where {self._filters(asked.narrowed, asked.domain)}"]
            if asked.narrowed
            else []
        )
        parts += [nth_words(asked.nth)] if asked.nth else []
        parts += (
            [f"number {asked.since} of each person in all time and all later ones"] if asked.since else []
        )
        if asked.start or asked.end:
            parts.append(
                f"taken to start {shift_words(asked.start, 'start')} and to end "
                f"{shift_words(asked.end, 'end')}, and not to end before it starts"
            )
        parts += [f"where {self._filters(asked.filters, asked.domain)}"] if asked.filters else []
        for side, day in zip(("first", "last"), asked.period, strict=True):
            parts += (
                [f"that holds {day_words(day)}, which is taken as its {side} day"] if day is not None else []
            )
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
        how = _GROUPS.get(group.kind) or (
            "none of these holds"
            if (group.kind, group.count) == ("at_most", 0)
            else f"{group.kind.replace('_', ' ')} {group.count} of these "
            f"{'hold' if group.count != 1 else 'holds'}"
        )
        return _Line(f"{before}{how}:", tuple(under))

    def _correlated(self, asked: Correlated) -> _Line:
        after = f", {window_words(asked.start, asked.any_period)}"
        after += f" and {window_words(asked.end, asked.any_period)}" if asked.end else ""
        after += ", in the same visit" if asked.same_visit else ""
        after += (
            ", in whatever observation period" if asked.any_period else ", in the same observation period"
        )
        return self._criterion(asked.criterion, f"{occurrence_words(asked.occurrence)} ", after)

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
            names = [label_words(asked.field, each) for each in sorted(asked.concepts)]
            return f"{field} is {'none' if asked.excluded else 'one'} of {', '.join(names)}"
        return f"{field} is {range_words(asked, domain)}"

    def _set(self, id: SetId, concepts: ConceptSet) -> _Line:
        items = [item_words(each) for each in concepts.items]
        items += [code_words("codes that begin with", "", each) for each in concepts.prefixes]
        items += [code_words("but none that begins with", "but not ", each) for each in concepts.without]
        return _Line(f"{self._named(id)}: {'; '.join(items) or 'nothing'}.")
