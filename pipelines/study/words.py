"""Who is in a cohort, in plain words: the parts of a definition's sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.study.code_list import CodeList, said
from pipelines.study.conditions import Condition, Events, Membership, Rule, Together, Value
from pipelines.study.days import Study
from pipelines.study.index import AnyIndex, Calendar, Later, Residence, Start

Codes = Mapping[str, CodeList]
MEETS = ", that meets all of what follows"


def entry(index: AnyIndex, codes: Codes, study: Study) -> str:
    """By what a person enters, and when."""
    inside = f"if that day lies in {study.first} to {study.last}"
    if isinstance(index, Calendar):
        days = [str(day) for day in index.days(study)]
        each = "each of these days that meets" if len(days) > 1 else "this day, if it meets"
        shown = days if len(days) <= 12 else [*days[:6], f"and {len(days) - 7} more", days[-1]]
        return f"Everybody enters on {each} all of what follows: {', '.join(shown)}."
    if isinstance(index, Residence):
        of = "each period" if index.residence == "each" else "the first period"
        again = f", and again every {days_of(index.every)} as long as it lasts" if index.every else ""
        return (
            f"Everybody enters on the first day in {study.first} to {study.last} on which they are observed, "
            f"have been as long and are as old as follows, of {of} that has one{again}."
        )
    events = " or ".join(named(each, codes) for each in index.events)
    which: str | int | Later = index.which
    shifted = _shifted(index.start)
    if which == "any":
        return f"A person enters on {shifted}the earliest event of {events}{MEETS}, {inside}."
    if which == "all" or isinstance(which, Later):
        later = f", from number {which.first} in all time on" if isinstance(which, Later) else ""
        return f"A person enters on {shifted}each event of {events}{later}{MEETS}, {inside}."
    in_time = f"event number {which}" if isinstance(which, int) else f"{which} event"
    return f"A person enters on {shifted}the {in_time} in all time of {events}, {inside}."


def _shifted(start: Start | None) -> str:
    if start is None:
        return "the day of "
    day = "first" if start.of == "start" else "last"
    if not start.after:
        return f"the {day} day of "
    side = "after" if start.after > 0 else "before"
    return f"the day {days_of(abs(start.after))} {side} the {day} day of "


def condition(asked: Condition, codes: Codes) -> str:
    """What holds, as a clause."""
    if isinstance(asked, Membership):
        day = "the index day" if asked.day == "entry" else "a day of follow-up"
        return f"{day} in the cohort {asked.cohort} lies {_when(asked.first, asked.last, 'start')}"
    if isinstance(asked, Together):
        return f"{_how(asked)}: ({'; '.join(condition(part, codes) for part in asked.parts)})"
    when = _when(asked.first, asked.last, asked.of)
    return f"there {_many(asked)} {when}: {named(asked, codes)}"


def _how(together: Together) -> str:
    if together.all is not None:
        return "all of these hold"
    if together.any is not None:
        return "any of these holds"
    if together.at_least is not None:
        return f"at least {together.at_least} of these hold"
    return f"at most {together.at_most} of these hold" if together.at_most else "none of these holds"


def _many(rule: Rule) -> str:
    kind, count = rule.count
    apart = " on different days" if rule.distinct else ""
    if kind == "at_least" and count == 1:
        return "is one or more of these"
    if count == 0:
        return "is none of these"
    return f"are {kind.replace('_', ' ')} {count} of these{apart}"


def _when(first: int | None, last: int | None, of: str) -> str:
    day = "that day" if of == "start" else "the last day of that event"
    if first is None and last is None:
        return "at any time"
    if first is None:
        return f"at any time until {_away(last or 0, day)}"
    if last is None:
        return f"from {_away(first, day)} on"
    return f"on {day}" if first == last == 0 else f"from {_away(first, day)} to {_away(last, day)}"


def _away(days: int, day: str) -> str:
    return day if days == 0 else f"{days_of(abs(days))} {'before' if days < 0 else 'after'} {day}"


def days_of(days: int) -> str:
    """A number of days."""
    return f"{days} day{'' if days == 1 else 's'}"


def age(first: int, last: int | None) -> str:
    """Of what age."""
    if last is None:
        return f"at least {first} years old"
    return f"at most {last} years old" if first == 0 else f"{first} to {last} years old"


def named(events: Events, codes: Codes) -> str:
    """A code list by its name and prefixes, with what narrows it."""
    asked = codes[events.codes]
    listed = ", ".join(
        [*(said(each) for each in asked.include), *(f"concept {each} and below" for each in asked.concepts)]
    )
    if asked.exclude:
        listed += f", but not {', '.join(said(each) for each in asked.exclude)}"
    narrowed: Sequence[str] = [
        events.kind or "",
        ", ".join(events.setting),
        "in primary position" if events.primary else "",
        _worth(events.value),
    ]
    return f"{events.codes} ({'; '.join([listed, *(each for each in narrowed if each)])})"


def _worth(value: Value | None) -> str:
    if value is None:
        return ""
    bounds = [
        f"{name.replace('_', ' ')} {bound}"
        for name, bound in value.model_dump(exclude={"unit"}).items()
        if bound is not None
    ]
    return f"value {' and '.join(bounds)} {value.unit}"
