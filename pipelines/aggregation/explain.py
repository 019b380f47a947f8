"""A table of a permit in sentences: nothing that decides what stands in a cell is left unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pipelines.aggregation.layout import ALWAYS
from pipelines.aggregation.survival import words
from pipelines.site.permit import Table
from pipelines.study.characteristic import sentence
from pipelines.study.event_filter import words as words_of
from pipelines.study.rates import SEXES, Standardise, by_sex

_COUNTS = {
    "members": "members of the cohort, each once, as they are on their index day",
    "events": "{events} in the follow-up of members",
    "weekly": "{events} in the follow-up of members, by ISO week under its ISO year",
    "monthly": "{events} in the follow-up of members, by calendar month under its year",
    "survival": "members of the cohort, each once, by the time to the {outcome} and by how it ended",
    "values": "values of {events} in the follow-up of members, in {unit}, between {low:g} and {high:g}; "
    "others are never added to them",
    "prevalence": "members who are followed on {days}, and those of them who have had {events} by "
    "then{lookback}",
    "baseline": "members of the cohort, each once in each of its tables, as they are on their index day",
    "intervals": "times to the first of {events} after it, {since}; of clocks that begin in the follow-up of "
    "members, which a time ends with at the latest",
    "exposure": "days of the follow-up of members that {events} cover, from the first day of each to its last"
    "{gap}",
    "transitions": "steps from the state of one day with {events} to that of the member's next such day, "
    "the same state or another",
}
_MEASURES = {
    "persons": "persons, each once in a cell",
    "events": "events",
    "admissions": "inpatient stays with such an event",
    "bed_days": "days of those stays",
    "person_days": "days at risk, in a table of their own, of which rates are made",
    "values": "values",
    "sum": "their sum",
    "squares": "the sum of their squares",
    "transitions": "steps",
    "intervals": "times",
    "days_covered": "days covered, beside all days of follow-up in a table of their own",
}
_DIMENSIONS = {
    "sex": "sex",
    "municipality": "the municipality where the person lived that day, under its part of the county",
    "year": "calendar year",
    "quarter": "quarter, under its year",
    "chapter": "ICD chapter",
    "diagnosis": "ICD chapter and block",
}


def sentences(table: Table) -> Iterator[str]:
    """The table's name and title, then a line for each thing that it says."""
    yield f"{table.table}: {table.title}"
    low, high = table.range or (0, 0)
    said = _COUNTS[table.count].format(
        events=_events(table),
        outcome=words(table) if table.count == "survival" else "",
        unit=table.unit,
        low=low,
        high=high,
        days=", ".join(day.isoformat() for day in table.days),
        lookback=f", in the {table.lookback} days up to it" if table.lookback else "",
        since=table.since.sentence() if table.since else "",
        gap=f", and the days between two of them where they are at most {table.gap}" if table.gap else "",
    )
    yield f"  counts {said}"
    if table.washout:
        yield (
            f"  new events alone: the member had none in the {table.washout} days before, and days so "
            "near to one are not at risk"
        )
    if table.first and "person_days" in table.measures:
        yield "  the time at risk of a member ends with the first such event"
    if table.competing and table.count == "intervals":
        rival = table.competing if isinstance(table.competing, str) else _or(table.competing)
        yield f"  in competition with {rival}, of which a time may end first"
    if table.step:
        yield (
            f"  in bands of {table.step} days, up to {table.until}; who is followed longer stands in a "
            "last, open band"
        )
    if table.net:
        yield (
            f"  beside the survival of {table.net.title}, people of the same sex, age and calendar year, by "
            f"{table.net.lifetable} ({table.net.sha256[:12]}…): net survival"
        )
    if isinstance(table.states, dict):
        yield f"  states, of several on a day the first: {_groups(table.states)}"
    elif table.states:
        yield (
            "  states are levels of care, of several on a day the first: inpatient, emergency, "
            "outpatient, primary, not said"
        )
    if table.classes and table.range:
        ends = (table.range[0], *table.classes, table.range[1])
        spans = ", ".join(f"{begin:g} to {end:g}" for begin, end in pairwise(ends))
        yield f"  in the classes {spans}, each without its end but the last, and one of what is not usable"
    if "sum" in table.measures:
        yield f"  values are rounded to {table.decimals} decimals before they are added up"
    always = ("persons", *ALWAYS.get(table.count, ()))
    yield f"  measures {'; '.join(_MEASURES[name] for name in dict.fromkeys((*always, *table.measures)))}"
    if table.count == "baseline":
        for name in table.rows or table.characteristics:
            yield f"  a table by {_dimension(table, name)}"
    if table.controls:
        yield (
            "  each for members, as cases, and for the controls of the definition, as they are on the index "
            "day of their case; with standardised mean differences of the two"
        )
    for name in table.dimensions:
        yield f"  {'each by' if table.count == 'baseline' else 'by'} {_dimension(table, name)}"
    yield "  with every margin"
    if table.standardise:
        yield f"  {_standardised(table.standardise)}"
    if table.forecast:
        yield f"  {_foreseen(table)}"
    if table.compare:
        yield f"  {_beside(table).format(to=table.compare.to, over=table.compare.over)}"


def _beside(table: Table) -> str:
    if table.count == "baseline":
        return "shares also beside those of {to}, by {over}: standardised mean difference"
    return "rates also beside that of {to}, by {over}: ratio and difference"


def _foreseen(table: Table) -> str:
    asked, period = table.forecast, "weeks" if table.count == "weekly" else "months"
    if asked is None:
        return ""
    usual = {"weeks": (26, 52), "months": (6, 12)}[period]
    season = asked.season or usual[1]
    seasons = f"with a season of {season} {period}" if season > 1 else "without a season"
    room = asked.capacity
    beside = "" if room is None else f", beside room for {room.beds or room.visits:,} a day"
    return f"{_MEASURES[asked.of]} foreseen for {asked.horizon or usual[0]} {period}, {seasons}{beside}"


def _standardised(asked: Standardise) -> str:
    ages = f"from {asked.ages_from} years" if asked.ages_from else "of all ages"
    over = " and ".join(asked.axes)
    if asked.to == "table":
        return (
            f"events also beside as many as the rates of all in the table by {over} would give "
            f"(indirect standardisation), {ages}"
        )
    if asked.rates:
        return (
            f"events also beside as many as the rates of {asked.title} by {over} would give (indirect "
            f"standardisation), {ages}; "
            f"events per 100,000 person-years from each age on {_numbers(asked.rates)}"
        )
    own = f"; people from each age on {_numbers(asked.weights)}" if asked.weights else ""
    title, shares = next(iter(asked.standards.values())).title, asked.sexes or {"Men": 1, "Women": 1}
    if len(asked.axes) > 1 and not by_sex(asked.weights):
        own += f"; {shares['Men']:,} men to {shares['Women']:,} women at every age"
    return f"rates also standardised over {over} to the {title}, {ages}{own}"


def _numbers(given: Mapping[Any, Any]) -> str:
    """Numbers by age, of each sex where they are said so."""
    if by_sex(given):
        return "; ".join(f"{sex} {_numbers(given[sex])}" for sex in SEXES)
    texts = {
        age: f"{number:g}" if isinstance(number, float) else str(number) for age, number in given.items()
    }
    return ", ".join(f"{age}: {text}" for age, text in sorted(texts.items()))


def _events(table: Table) -> str:
    return f"the first of the {words_of(table)}" if table.first else words_of(table)


def _dimension(table: Table, name: str) -> str:
    if name in table.characteristics:
        return sentence(name, table.characteristics[name])
    if name == "age_group":
        return (
            f"age that day, in groups of {table.age_width} years up to "
            f"{table.age_top - table.age_top % table.age_width} and over"
        )
    if name == "follow_up":
        return (
            "days since the index day, with a new band on day "
            f"{', '.join(str(day) for day in table.follow_up)}"
        )
    if name == "care_unit":
        return f"the care unit of the index day, of several the first: {_groups(table.care_units)}"
    return _DIMENSIONS.get(name, name)


def _groups(named: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{name} ({_or(prefixes)}…)" for name, prefixes in named.items())


def _or(texts: Sequence[str]) -> str:
    return " or ".join(texts)
