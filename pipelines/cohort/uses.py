"""Which columns of an OMOP CDM a definition's answer hangs on, and whether they are there: one question,
asked in the same words before a run and by a dry run.

A column that no answer hangs on may be absent. One that an answer hangs on is never read as null.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.cohort.cdm import Cdm
from pipelines.cohort.columns import MISSING
from pipelines.cohort.domains import DEMOGRAPHIC, DOMAINS, Domain
from pipelines.cohort.query import (
    INDEX_DAY,
    STAY,
    Among,
    Cohort,
    Correlated,
    Criterion,
    CustomEra,
    DateOffset,
    Filter,
    Group,
    SetId,
)
from pipelines.errors import DataError

_PERIOD = tuple(
    f"observation_period_{side}_date" for side in ("start", "end")
)  # without which nobody is observed
_DERIVED = {
    "range_low_ratio": ("value_as_number", "range_low"),
    "range_high_ratio": ("value_as_number", "range_high"),
    "abnormal": ("value_as_number", "range_low", "range_high", "value_as_concept"),
}
_AT_END = ("end_date", "age_at_end", "length")
_AGES = ("age_at_start", "age_at_end")
_BIRTH = ("year_of_birth", "month_of_birth", "day_of_birth")


@dataclass(frozen=True, order=True)
class Use:
    """A column of a table. `filling`: another one of the same table, whose gaps it fills; where that has
    none, it is not looked at."""

    table: str
    column: str
    filling: str = ""


# Who may be a control: of an age and sex, and alive.
OF_CONTROLS: Final = frozenset(
    {
        *(Use("person", name) for name in ("person_id", "gender_concept_id", *_BIRTH)),
        *(Use("death", name) for name in ("person_id", "death_date")),
    }
)


def lacking(cohort: Cohort, cdm: Cdm, more: frozenset[Use] = frozenset()) -> list[Use]:
    """What the answer hangs on, and `more`, and the CDM does not have, in order. Raises `DataError` where a
    column that would have to be filled does not read."""
    return [use for use in sorted(uses(cohort) | more) if not _is_there(use, cdm) and _is_asked(use, cdm)]


def refuse(cohort: Cohort, cdm: Cdm, definition: object, more: frozenset[Use] = frozenset()) -> None:
    """DataError: the CDM lacks what the definition's answer hangs on, or `more`; the first such column, by
    name."""
    try:
        missing = lacking(cohort, cdm, more)
    except DataError as fault:
        raise DataError(definition, f"{fault.where}: {fault.what}", fault.next_step) from None
    if not missing:
        return
    table, column = missing[0].table, missing[0].column
    rest = f"; {len(missing) - 1} more columns are missing" if len(missing) > 1 else ""
    if cdm.has(table):
        what = f"{cdm.place(table)}: has no column {column}, on which its answer hangs{rest}"
        raise DataError(
            definition, what, "add the column, empty where nothing is known, or change the definition"
        )
    what = f"{cdm.place(table)}: is not there, and its answer hangs on {table}.{column}{rest}"
    raise DataError(definition, what, "add the table, or change the definition")


def _is_there(use: Use, cdm: Cdm) -> bool:
    return cdm.has(use.table) and use.column in cdm.columns(use.table)


def _is_asked(use: Use, cdm: Cdm) -> bool:
    if not use.filling or not cdm.has(use.table) or use.filling not in cdm.columns(use.table):
        return True
    return bool((cdm.numbers(use.table, use.filling, "day") == MISSING).any())


def uses(cohort: Cohort) -> frozenset[Use]:
    """Everything that the definition's answer may hang on."""
    found = {Use("observation_period", name) for name in ("person_id", *_PERIOD)}
    by_the_end = isinstance(cohort.exit, DateOffset) and cohort.exit.of == "end"
    groups = [each for each in (cohort.additional, *(rule.group for rule in cohort.rules)) if each]
    for entry in cohort.entry:
        found.update(_events(entry, by_the_end))
        for group in groups:
            found.update(_conditions(group, entry))
    for censoring in cohort.censoring:
        found.update(_events(censoring, False))
    if isinstance(cohort.exit, CustomEra):
        about = DOMAINS[cohort.exit.domain]
        found.update(_rows(about, about.concept, about.source))
        found.update(() if cohort.exit.days_supply is not None else _own_end(about))
    for id in concept_sets(cohort):
        found.update(_vocabulary(cohort, id))
    if cohort.calendar is not None and cohort.calendar.age:
        found.update(Use("person", name) for name in ("person_id", *_BIRTH))
    own = frozenset(each for each in found if each.table not in (INDEX_DAY, STAY))  # no table of the CDM
    return own.union(*(uses(each) for each in cohort.others.values()))


def concept_sets(cohort: Cohort) -> tuple[SetId, ...]:
    """Those of the definition's concept sets that it asks anything of, in its order."""
    asked: set[SetId] = {cohort.exit.drugs} if isinstance(cohort.exit, CustomEra) else set()
    filters: list[Filter] = []
    groups = [each for each in (cohort.additional, *(rule.group for rule in cohort.rules)) if each]
    for each in cohort.criteria():
        asked |= {set for set in (each.concepts, each.source_concepts) if set is not None}
        filters += [*each.narrowed, *each.filters]
        groups += [each.group] if each.group else []
    while groups:
        group = groups.pop()
        groups += group.groups
        filters += [one for each in group.demographics for one in each.filters]
    asked |= {each.set for each in filters if isinstance(each, Among) and each.set is not None}
    return tuple(id for id in cohort.sets if id in asked)


def _vocabulary(cohort: Cohort, id: SetId) -> Iterator[Use]:
    asked = cohort.sets[id]
    if asked.name in cohort.others:
        return
    if asked.items:
        yield Use("concept", "concept_id")
    if asked.prefixes:
        yield from (Use("concept", name) for name in ("concept_id", "vocabulary_id", "concept_code"))
    if any(item.descendants for item in asked.items):
        yield Use("concept", "invalid_reason")
        yield from (Use("concept_ancestor", f"{side}_concept_id") for side in ("ancestor", "descendant"))
    if any(item.mapped for item in asked.items):
        names = ("concept_id_1", "concept_id_2", "relationship_id", "invalid_reason")
        yield from (Use("concept_relationship", name) for name in names)


def _rows(about: Domain, *more: str) -> Iterator[Use]:
    yield from (Use(about.table, name) for name in ("person_id", about.id, about.start, *more) if name)


def _own_end(about: Domain) -> Iterator[Use]:
    """The ways to an event's end, as far as the ones before leave gaps."""
    before = ""
    for way in about.end:
        if isinstance(way, tuple) and len(way) == 2:
            return
        name = way if isinstance(way, str) else "days_supply"
        yield Use(about.table, name, filling=before)
        before = name


def _events(asked: Criterion, end: bool) -> Iterator[Use]:
    """`end`: does somebody ask on which day these events end?"""
    about = DOMAINS[asked.domain]
    yield from _rows(
        about,
        about.concept if asked.concepts is not None else "",
        about.source if asked.source_concepts is not None else "",
    )
    for each in (*asked.narrowed, *asked.filters):
        yield from _filtered(each, about)
    if asked.group is not None:
        yield from _conditions(asked.group, asked)
    if _hangs_on_end(asked, end):
        yield from _own_end(about)


def _hangs_on_end(asked: Criterion, end: bool) -> bool:
    """Does the event's own end say whether it counts, or where it lies?"""
    stays = asked.end is None or asked.end.of == "end"  # else DateAdjustment puts the end elsewhere
    moved = asked.start is not None or asked.end is not None
    return (
        any(each.field in _AT_END for each in asked.narrowed)
        or (asked.start is not None and asked.start.of == "end")
        or (moved and stays)
        or (stays and any(each.field in _AT_END for each in asked.filters))
        or (stays and asked.period != (None, None))
        or (stays and asked.period[1] is None and (end or _asks_end(asked.group)))
    )


def _asks_end(group: Group | None) -> bool:
    """Do conditions on an event ask on which day it ends?"""
    if group is None:
        return False
    return (
        any(
            window is not None and window.index == "end"
            for each in group.correlated
            for window in (each.start, each.end)
        )
        or any(one.field == "end_date" for each in group.demographics for one in each.filters)
        or any(_asks_end(inner) for inner in group.groups)
    )


def _conditions(group: Group, index: Criterion) -> Iterator[Use]:
    """What conditions on events of `index` hang on, of those events too."""
    if _asks_end(group) and _hangs_on_end(index, True):
        yield from _own_end(DOMAINS[index.domain])
    for each in group.correlated:
        yield from _correlated(each, index)
    for demographic in group.demographics:
        yield Use("person", "person_id")
        for asked in demographic.filters:
            if asked.field == "completed_age":
                yield from (Use("person", name) for name in _BIRTH)
            elif asked.field in _AGES:
                yield Use("person", "year_of_birth")
            elif asked.field == "sex":
                yield Use("person", "gender_concept_id")
            elif DEMOGRAPHIC[asked.field].column:
                yield Use("person", DEMOGRAPHIC[asked.field].column)
    for inner in group.groups:
        yield from _conditions(inner, index)


def _correlated(asked: Correlated, index: Criterion) -> Iterator[Use]:
    distinct, about = asked.occurrence.distinct, DOMAINS[asked.criterion.domain]
    at_end = any(window is not None and window.event == "end" for window in (asked.start, asked.end))
    yield from _events(asked.criterion, at_end or distinct in ("end_date", "length"))
    visits = [DOMAINS[index.domain], about] if asked.same_visit else [about] if distinct == "visit" else []
    yield from (Use(each.table, each.visit) for each in visits if each.visit)
    if distinct == "concept":
        yield Use(about.table, about.concept)
    elif distinct in about.fields and distinct not in ("start_date", *_AT_END):
        yield Use(about.table, about.fields[distinct].column)


def _filtered(asked: Filter, about: Domain) -> Iterator[Use]:
    if asked.field in ("start_date", "end_date", "length"):
        return
    if asked.field in _AGES:
        yield from (Use("person", name) for name in ("person_id", "year_of_birth"))
    elif asked.field in _DERIVED:
        yield from (Use(about.table, about.fields[name].column) for name in _DERIVED[asked.field])
    else:
        field = about.fields[asked.field]
        table, key, own = {
            "event": (about.table, "", ""),
            "person": ("person", "person_id", ""),
            "visit": ("visit_occurrence", "visit_occurrence_id", about.visit),
            "provider": ("provider", "provider_id", about.provider),
            "care_site": ("care_site", "care_site_id", about.care_site),
        }[field.via]
        yield Use(table, field.column)
        yield from (Use(*each) for each in ((about.table, own), (table, key)) if each[1])
        if field.via == "visit":
            yield Use(table, "person_id")
