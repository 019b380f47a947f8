"""The cohort engine: Numba over postings, one shard at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.ages import completed_years
from kernels.postings import row_starts
from kernels.windows import count_in_windows, interval_at
from pipelines.cohort.events import Facts, Matches
from pipelines.definition import Definition, Rule, day_number
from pipelines.schemas import DAY_UNKNOWN
from pipelines.storage import Frame


@dataclass(frozen=True)
class Selection:
    """Members of a shard (schema MEMBERS) and how many persons were left after each step."""

    members: Frame
    attrition: tuple[tuple[str, int], ...]


def select(facts: Facts, definition: Definition) -> Selection:
    """The members of one shard."""
    steps = _Steps(facts.count)
    steps.note("in the snapshot", np.arange(facts.count))
    free = np.asarray(facts.persons["opt_out_day"]) == DAY_UNKNOWN
    steps.note("have not opted out", np.flatnonzero(free))

    entries = facts.matching(definition.index, definition.codes[definition.index.codes])
    person, day = _candidates(entries, definition, free)
    steps.note("have an index event in the study", person)

    if definition.age:
        age = completed_years(np.asarray(facts.persons["birth_day"])[person], day)
        keep = (age >= definition.age.first) & (age <= definition.age.last)
        person, day = person[keep], day[keep]
        steps.note("are of the right age", person)

    person, day, last = _observed(facts, definition, person, day)
    steps.note(f"are observed, with {definition.prior_observation} days before", person)

    for rule in definition.require:
        keep = _counts(facts, definition, rule, person, day) >= rule.at_least
        person, day, last = person[keep], day[keep], last[keep]
        steps.note(f"have {rule.codes}", person)
    for rule in definition.exclude:
        keep = _counts(facts, definition, rule, person, day) < rule.at_least
        person, day, last = person[keep], day[keep], last[keep]
        steps.note(f"have no {rule.codes}", person)

    person, first_row = np.unique(person, return_index=True)
    start, last = day[first_row], last[first_row]
    members: Frame = {"person": np.asarray(facts.persons["person"])[person], "start": start, "end": (last + 1).astype(np.int32)}
    return Selection(members, steps.taken)


class _Steps:
    """Persons left after each step."""

    def __init__(self, persons: int) -> None:
        self._persons = persons
        self.taken: tuple[tuple[str, int], ...] = ()

    def note(self, label: str, person: np.ndarray) -> None:
        seen = np.zeros(self._persons, bool)
        seen[person] = True
        self.taken = (*self.taken, (label, int(seen.sum())))


def _candidates(entries: Matches, definition: Definition, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(person, day) of each event by which a person may enter, by person and day."""
    person, day = entries.person, entries.start
    keep = free[person]
    if definition.index.which == "first":
        keep &= np.append(True, person[1:] != person[:-1])[: len(person)]
    keep &= (day >= day_number(definition.study.first)) & (day <= day_number(definition.study.last))
    return person[keep], day[keep]


def _observed(facts: Facts, definition: Definition, person: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates inside an observation period that began early enough, and the last day of each one's follow-up."""
    periods = facts.periods
    start, end = np.asarray(periods["start"]), np.asarray(periods["end"])
    offsets = row_starts(np.asarray(periods["person"]), facts.count)
    period = interval_at(person, day, offsets, start, end)
    keep = period >= 0
    keep[keep] &= day[keep].astype(np.int64) - start[period[keep]] >= definition.prior_observation
    person, day, period = person[keep], day[keep], period[keep]

    last = np.minimum(end[period].astype(np.int64), day_number(definition.study.last))
    death = np.asarray(facts.persons["death_day"])[person].astype(np.int64)
    last = np.where(death == DAY_UNKNOWN, last, np.minimum(last, death))
    if definition.follow_up:
        last = np.minimum(last, day.astype(np.int64) + definition.follow_up - 1)
    return person, day, np.maximum(last, day)


def _counts(facts: Facts, definition: Definition, rule: Rule, person: np.ndarray, day: np.ndarray) -> np.ndarray:
    matches = facts.matching(rule, definition.codes[rule.codes])
    return count_in_windows(person, day, matches.offsets, matches.start, rule.first, rule.last)
