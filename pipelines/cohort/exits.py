"""When a stay ends: with the observation period, days after its event, with an era of drug exposures, or with
an event that censors."""

from __future__ import annotations

import numpy as np

from kernels.eras import merge_eras
from pipelines.cohort.columns import MISSING
from pipelines.cohort.domains import DOMAINS
from pipelines.cohort.groups import Evaluator
from pipelines.cohort.index_events import IndexEvents
from pipelines.cohort.query import Cohort, CustomEra, DateOffset
from pipelines.cohort.source import Events, Source

_NEVER = 2**62


def last_days(cohort: Cohort, evaluator: Evaluator, included: IndexEvents) -> np.ndarray:
    """int64 (n,): the earliest end of each event on or after its start, `MISSING` where there is none."""
    ends = [included.period_end]
    if isinstance(cohort.exit, DateOffset):
        ends = [_offset(cohort.exit, included)]
    elif isinstance(cohort.exit, CustomEra):
        ends.append(_era_ends(cohort.exit, evaluator, included))
    for criterion in cohort.censoring:
        ends.append(_first_after(evaluator.events(criterion), included, len(evaluator.source.persons)))
    earliest = np.full(len(included), _NEVER, np.int64)
    for end in ends:
        counts = (end != MISSING) & (end >= included.start)
        earliest[counts] = np.minimum(earliest[counts], end[counts])
    return np.where(earliest == _NEVER, MISSING, earliest)


def _offset(exit: DateOffset, included: IndexEvents) -> np.ndarray:
    of = included.start if exit.of == "start" else included.end
    return np.where(of == MISSING, MISSING, np.minimum(of + exit.days, included.period_end))


def _era_ends(exit: CustomEra, evaluator: Evaluator, included: IndexEvents) -> np.ndarray:
    """The end of the era of exposures that each event's start lies in."""
    person, start, end = _eras(exit, evaluator)
    out = np.full(len(included), MISSING, np.int64)
    # An event lies in the last era that begins on or before it, if in any.
    width = np.int64(2**40)
    place = (
        np.searchsorted(
            person.astype(np.int64) * width + start,
            included.person.astype(np.int64) * width + included.start,
            "right",
        )
        - 1
    )
    held = place >= 0
    held[held] &= (person[place[held]] == included.person[held]) & (end[place[held]] >= included.start[held])
    out[held] = end[place[held]]
    return out


def _eras(exit: CustomEra, evaluator: Evaluator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person, first and last day of the eras: exposures with at most gap + offset days between; the offset
    stays at the end."""
    parts = [
        _exposures(exit, events)
        for events in _exposed(exit, evaluator.source, evaluator.concepts(exit.drugs))
    ]
    person, start, end = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((end, start, person))
    person, start, end = merge_eras(person[order], start[order], end[order], exit.gap + exit.offset)
    return person, start, end + exit.offset


def _exposed(exit: CustomEra, source: Source, drugs: np.ndarray) -> list[Events]:
    """By their own concept, and, where the domain has one, by their source's."""
    found = [source.events(exit.domain, drugs, None)]
    if DOMAINS[exit.domain].source:
        found.append(source.events(exit.domain, None, drugs))
    return found


def _exposures(exit: CustomEra, events: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    end = events.end if exit.days_supply is None else events.start + exit.days_supply
    return events.person, events.start, end


def _first_after(events: Events, included: IndexEvents, persons: int) -> np.ndarray:
    """The first start, within the observation period, of an event on or after each included one."""
    width = np.int64(2**40)
    order = np.lexsort((events.start, events.person))
    keys = events.person[order].astype(np.int64) * width + events.start[order]
    place = np.searchsorted(keys, included.person.astype(np.int64) * width + included.start)
    held = place < len(keys)
    held[held] = events.person[order][place[held]] == included.person[held]
    out = np.full(len(included), MISSING, np.int64)
    out[held] = events.start[order][place[held]]
    return np.where(out > included.period_end, MISSING, out)
