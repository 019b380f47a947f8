"""The cohort engine: a definition's entry events, conditions, rules, exits and eras, for a whole data set or
a shard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.eras import merge_eras, spaced
from pipelines.cohort.columns import MISSING
from pipelines.cohort.ended import why_ended
from pipelines.cohort.exits import last_days
from pipelines.cohort.groups import Evaluator
from pipelines.cohort.index_events import IndexEvents, observed
from pipelines.cohort.query import Cohort, Limit
from pipelines.cohort.results import Results
from pipelines.cohort.source import Events, Source


def run(cohort: Cohort, source: Source, deaths: np.ndarray | None = None) -> Results:
    """Stays, inclusion statistics and attrition of one definition; and why each stay ends, where the days of
    the persons' deaths are given: int64 (persons,), `MISSING` for none."""
    evaluator = Evaluator(source, cohort.sets)
    found = [evaluator.events(criterion) for criterion in cohort.entry]
    entries = _entries(cohort, source, found)
    qualified = _qualified(cohort, evaluator, entries)
    masks = _masks(cohort, evaluator, qualified)
    included = qualified.take(_limited(qualified, cohort.limit, masks == (1 << len(cohort.rules)) - 1))
    if cohort.spacing:
        included = included.take(spaced(included.person, included.start, cohort.spacing))
    person, start, end = _stays(cohort, evaluator, included)
    person, start, end, lost = _windowed(cohort, person, start, end)
    ever = np.diff(source.periods.offsets) > 0
    attrition = (
        _persons(*(events.person[ever[events.person]] for events in found)),
        _persons(entries.person),
        *([_persons(qualified.person)] if cohort.additional is not None else []),
        *(
            _persons(qualified.person[masks & (1 << met) - 1 == (1 << met) - 1])
            for met in range(1, len(cohort.rules) + 1)
        ),
    )
    rules = len(cohort.rules)
    return Results(
        person=source.persons[person],
        start=start,
        end=end,
        masks=_statistics(qualified, masks, rules),
        lost=lost,
        rules=rules,
        attrition=attrition,
        ended=None if deaths is None else why_ended(cohort, evaluator, deaths, person, end),
        by_year=_by_year(source, qualified) if cohort.asks_birthday else 0,
    )


def _by_year(source: Source, asked: IndexEvents) -> int:
    """How many persons have a year of birth and no birthday."""
    year, day = source.birth_years(asked.person), source.birth_days(asked.person)
    return _persons(asked.person[(year != MISSING) & (day == MISSING)])


def _persons(*columns: np.ndarray) -> int:
    """How many different persons stand in the columns, each ascending."""
    if len(columns) > 1:
        return len(np.unique(np.concatenate(columns)))
    return len(_firsts(columns[0]))


def _entries(cohort: Cohort, source: Source, found: Sequence[Events]) -> IndexEvents:
    """Entry events by (person, order): the order in which they count, which is what `key` holds."""
    entries = IndexEvents.together([observed(events, source)[0] for events in found])
    enough = (entries.start - entries.period_start >= cohort.prior_days) & (
        entries.period_end - entries.start >= cohort.post_days
    )
    entries = entries.take(np.flatnonzero(enough))
    if cohort.entry_limit == "last" or not entries.events.in_order:
        day = entries.events.order.astype(np.int64)
        entries = entries.take(
            np.lexsort((entries.events.id, -day if cohort.entry_limit == "last" else day, entries.person))
        )
    entries = entries.numbered()
    return entries if cohort.entry_limit == "all" else entries.take(_firsts(entries.person))


def _qualified(cohort: Cohort, evaluator: Evaluator, entries: IndexEvents) -> IndexEvents:
    if cohort.additional is None:
        return entries
    return entries.take(
        _limited(entries, cohort.qualified_limit, evaluator.holds(cohort.additional, entries))
    )


def _masks(cohort: Cohort, evaluator: Evaluator, qualified: IndexEvents) -> np.ndarray:
    """int64 (n,): which inclusion rules each event meets, one bit a rule."""
    masks = np.zeros(len(qualified), np.int64)
    for number, rule in enumerate(cohort.rules):
        masks |= evaluator.holds(rule.group, qualified).astype(np.int64) << number
    return masks


def _limited(index: IndexEvents, limit: Limit, keep: np.ndarray) -> np.ndarray:
    """int64, ascending: positions of the kept events, or of each person's first or last of them; ties by
    order."""
    places = np.flatnonzero(keep)
    if limit == "all" or len(_firsts(index.person[places])) == len(places):
        return places
    day = index.start[places] if limit == "first" else -index.start[places]
    order = places[np.lexsort((index.key[places], day, index.person[places]))]
    return np.sort(order[_firsts(index.person[order])])


def _stays(
    cohort: Cohort, evaluator: Evaluator, included: IndexEvents
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person, first and last day of each stay, merged over `era_pad`."""
    end = last_days(cohort, evaluator, included)
    some = end != MISSING
    person, start, end = included.person[some], included.start[some], end[some]
    order = np.lexsort((end, start, person))
    return merge_eras(person[order], start[order], end[order], cohort.era_pad)


def _windowed(
    cohort: Cohort, person: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int | None]:
    """Stays cut to the censor window, and how many persons it leaves nothing of."""
    first, last = cohort.censor_window
    if first is None and last is None:
        return person, start, end, None
    start = start if first is None else np.maximum(start, first)
    end = end if last is None else np.minimum(end, last)
    keep = start <= end
    return person[keep], start[keep], end[keep], len(np.unique(person)) - len(np.unique(person[keep]))


def _statistics(
    qualified: IndexEvents, masks: np.ndarray, rules: int
) -> tuple[dict[int, int], dict[int, int]]:
    """Events by mask: all of them, and the best of each person: most rules, then the lowest rule, then the
    earliest."""
    met = sum((masks >> rule & 1 for rule in range(rules)), np.zeros(len(masks), np.int64))
    lowest = np.full(len(masks), rules, np.int64)
    for rule in reversed(range(rules)):
        lowest[masks >> rule & 1 == 1] = rule
    best = _firsts(qualified.person)
    if len(best) < len(qualified):
        order = np.lexsort((qualified.key, qualified.start, lowest, -met, qualified.person))
        best = order[_firsts(qualified.person[order])]
    return _counted(masks), _counted(masks[best])


def _counted(masks: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(masks, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _firsts(person: np.ndarray) -> np.ndarray:
    """int64: where each person begins in a sorted column."""
    return np.flatnonzero(np.append(True, person[1:] != person[:-1])[: len(person)])
