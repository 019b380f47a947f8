"""What became of the records of one index in the next, as flows from person to person with their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.files.frames import Frame, array
from pipelines.files.schemas import NO_PERSON
from pipelines.linkage.ties import CERTAIN, held

NEW, GONE, MERGE, SPLIT, MOVED = range(5)  # positions in CHANGES
# Positions in EVIDENCE.
_DELIVERED, _WITHDRAWN, _CORRECTED, _REWEIGHED, _NUMBER, _WEIGHT, _UNKNOWN = range(7)


@dataclass(frozen=True)
class Changes:
    """Flows of records, ascending by (before, after). `kind`: int32 (m,), position in CHANGES; `evidence`: in
    EVIDENCE."""

    before: np.ndarray
    after: np.ndarray
    records: np.ndarray
    kind: np.ndarray
    evidence: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Side:
    """One index. `record`: int64 (n,), ascending; `person`: int64 (n,); `unit`, `hold`: as `ties.held`
    returns them."""

    record: np.ndarray
    person: np.ndarray
    unit: np.ndarray
    hold: np.ndarray

    @staticmethod
    def of(index: Frame, units_of: Frame, ties: Frame) -> Side:
        return Side(array(index, "record"), array(index, "person"), *held(index, units_of, ties))


def compared(was: Side, now: Side, fresh: np.ndarray, corrects: np.ndarray) -> Changes:
    """What became of the records of one index in the next.

    `fresh`, `corrects`: bool (n,), for the records of `now`: said by a delivery that was not there before; by
    one that replaces another.
    """
    if not len(was.record):
        return _all_new(now)
    each = _Records.of(was, now, fresh, corrects)
    flows, flow = np.unique(np.stack([each.before, each.after], 1)[each.moved], axis=0, return_inverse=True)
    flow = flow.reshape(-1)  # numpy 2.0 gives it another shape
    before, after = np.ascontiguousarray(flows[:, 0]), np.ascontiguousarray(flows[:, 1])
    records = np.bincount(flow, minlength=len(flows)).astype(np.int64)
    kind = _kinds(before, after, records, np.isin(before, each.after), np.isin(after, each.before))
    lost = _link(flow, before, each.before, each.moved, *_looked_up(was, each.there))
    made = _link(flow, after, each.after, each.moved, *_looked_up(now, each.here))
    return _explained(before, after, records, kind, _causes(before, each), lost, made)


def _all_new(now: Side) -> Changes:
    person, records = np.unique(now.person, return_counts=True)
    nothing = np.zeros(len(person), np.int32)
    return Changes(
        before=np.full(len(person), NO_PERSON, np.int64),
        after=person,
        records=records,
        kind=nothing + NEW,
        evidence=nothing + _DELIVERED,
        weight=nothing,
    )


@dataclass(frozen=True)
class _Records:
    """Every record of a person who gained or lost one. `before`, `after`: its person; `there`, `here`: its
    place in either index, -1 if it is not in it; `moved`: bool; `news`: int8, what a delivery that was not
    there before does to it, the better reason the larger."""

    before: np.ndarray
    after: np.ndarray
    there: np.ndarray
    here: np.ndarray
    moved: np.ndarray
    news: np.ndarray

    @staticmethod
    def of(was: Side, now: Side, fresh: np.ndarray, corrects: np.ndarray) -> _Records:
        here = _places(now.record, was.record)
        more = np.ones(len(now.record), bool)
        more[here[here >= 0]] = False
        added = np.flatnonzero(more)
        before = np.append(was.person, np.full(len(added), NO_PERSON, np.int64))
        after = np.append(_at(now.person, here, NO_PERSON), now.person[added])
        moved = before != after
        touched = np.unique(np.concatenate([before[moved], after[moved]]))
        touched = touched[touched != NO_PERSON]
        some = np.flatnonzero((_places(touched, before) >= 0) | (_places(touched, after) >= 0))
        there = np.append(np.arange(len(was.record)), np.full(len(added), -1))[some]
        here = np.append(here, added)[some]
        news = np.where(
            here < 0, 2, np.where(_at(corrects, here, False), 3, np.where(_at(fresh, here, False), 1, 0))
        )
        return _Records(
            before=before[some],
            after=after[some],
            there=there,
            here=here,
            moved=moved[some],
            news=news.astype(np.int8),
        )


def _places(records: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """int64 (m,): where each of `wanted` stands in `records`, ascending; -1 where it does not."""
    if not len(records):
        return np.full(len(wanted), -1, np.int64)
    place = np.minimum(np.searchsorted(records, wanted), len(records) - 1)
    return np.where(records[place] == wanted, place, -1)


def _at(values: np.ndarray, place: np.ndarray, otherwise: Any) -> np.ndarray:
    """`values` at each `place`, `otherwise` where that is -1."""
    return np.append(values, np.array([otherwise], values.dtype))[place]


def _looked_up(side: Side, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A record that is not there is in no flow of that side."""
    return _at(side.unit, place, 0), _at(side.hold, place, 0)


def _kinds(
    before: np.ndarray, after: np.ndarray, records: np.ndarray, stays: np.ndarray, stood: np.ndarray
) -> np.ndarray:
    """int32 (m,), positions in CHANGES. `stays`: is the person before still there? `stood`: was the person
    after there already?"""
    between = (before != NO_PERSON) & (after != NO_PERSON)
    heir, parent = _largest(before, after, records, between), _largest(after, before, records, between)
    # The record that named the person is gone, the person is not.
    renamed = between & ~stays & ~stood & heir & parent
    goes_on = np.isin(before, before[renamed])
    kind = np.full(len(before), MOVED, np.int32)
    kind[between & ~stood & (stays | ~heir)] = SPLIT
    kind[between & ~stays & ~goes_on & (stood | (heir & ~parent))] = MERGE
    kind[(before == NO_PERSON) & ~stood & ~np.isin(after, after[between])] = NEW
    kind[(after == NO_PERSON) & ~stays & ~np.isin(before, before[between])] = GONE
    return kind


def _largest(of: np.ndarray, other: np.ndarray, records: np.ndarray, which: np.ndarray) -> np.ndarray:
    """bool (m,): is it, of the flows of one person that are `which`, that of most records, then of the
    smallest other?"""
    rows = np.flatnonzero(which)
    rows = rows[np.lexsort((other[rows], -records[rows], of[rows]))]
    first = np.append(True, of[rows][1:] != of[rows][:-1])[: len(rows)]
    largest = np.zeros(len(of), bool)
    largest[rows[first]] = True
    return largest


def _causes(before: np.ndarray, each: _Records) -> np.ndarray:
    """int32 (m,), positions in EVIDENCE: the best reason that any record of the person before gives."""
    person, place = np.unique(np.append(each.before, before), return_inverse=True)
    best = np.zeros(len(person), np.int8)
    place = place.reshape(-1)
    np.maximum.at(best, place[: len(each.before)], each.news)
    reasons = np.array([_REWEIGHED, _DELIVERED, _WITHDRAWN, _CORRECTED], np.int32)
    return reasons[best[place[len(each.before) :]]]


def _link(
    flow: np.ndarray,
    person: np.ndarray,
    of_record: np.ndarray,
    moved: np.ndarray,
    unit: np.ndarray,
    hold: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """What ties the records of each flow to the others of their person in one index: bool (m,), a number;
    int32 (m,), else the weight.

    `flow`: of each record that moved; `person`: of each flow; `of_record`, `moved`, `unit`, `hold`: of all
    records. The others are those who do not move, and where all do, those of other flows.
    """
    stay = np.flatnonzero(~moved)
    staying = np.isin(person, of_record[stay])
    units, which = np.unique(unit[moved], return_inverse=True)
    pairs = np.unique(np.stack([which.reshape(-1), flow], 1), axis=0)
    in_flows = np.bincount(pairs[:, 0], minlength=len(units))[which.reshape(-1)]
    shared = np.where(staying[flow], np.isin(unit[moved], unit[stay]), in_flows > 1)
    number = np.zeros(len(person), bool)
    number[flow[shared]] = True

    strongest = np.full(len(person), np.iinfo(np.int32).min, np.int32)
    np.maximum.at(strongest, flow, hold[moved])
    known, place = np.unique(np.append(of_record[stay], person), return_inverse=True)
    place = place.reshape(-1)
    best = np.full(len(known), np.iinfo(np.int32).min, np.int32)
    np.maximum.at(best, place[: len(stay)], hold[stay])
    others = np.where(staying, best[place[len(stay) :]], _best_of_others(person, strongest))
    weight = np.minimum(strongest, others)
    return number, np.where(number | (weight == CERTAIN), 0, weight).astype(np.int32)


def _best_of_others(person: np.ndarray, strongest: np.ndarray) -> np.ndarray:
    """int32 (m,): the largest of `strongest` over the other flows of the person, `CERTAIN` where there is
    none."""
    order = np.lexsort((-strongest.astype(np.int64), person))
    first = np.append(True, person[order][1:] != person[order][:-1])[: len(order)]
    group = np.cumsum(first) - 1
    best = strongest[order][first][group] if len(order) else strongest
    following = np.append(strongest[order][1:], np.int32(CERTAIN))[: len(order)]
    second = np.where(np.append(first[1:], True)[: len(order)], np.int32(CERTAIN), following)
    found = np.empty(len(person), np.int32)
    found[order] = np.where(first, second, best)
    return found


def _explained(
    before: np.ndarray,
    after: np.ndarray,
    records: np.ndarray,
    kind: np.ndarray,
    cause: np.ndarray,
    lost: tuple[np.ndarray, np.ndarray],
    made: tuple[np.ndarray, np.ndarray],
) -> Changes:
    """The flows with their evidence: of what came together the link that made it, of what came apart the
    cause and the lost link."""
    came, went = before == NO_PERSON, after == NO_PERSON
    by_link = (kind == MERGE) | ((kind == MOVED) & came)
    evidence = np.where(by_link, np.where(made[0], _NUMBER, _WEIGHT), cause)
    evidence = np.where(kind == NEW, _DELIVERED, np.where(went, _WITHDRAWN, evidence)).astype(np.int32)
    weight = np.where(kind == SPLIT, lost[1], np.where((kind == MERGE) | (kind == MOVED), made[1], 0))
    return Changes(
        before=before,
        after=after,
        records=records,
        kind=kind,
        evidence=evidence,
        weight=np.where(went | (kind == NEW), 0, weight).astype(np.int32),
    )


def by_number_of_records(before: np.ndarray, had: np.ndarray, now: Side) -> Changes:
    """Where the former index itself is no longer kept: what the history still knows of it.

    `before`: int64 (p,), its persons, ascending; `had`: int64 (p,), how many records each had.
    """
    after, has = np.unique(now.person, return_counts=True)
    person, place = np.unique(np.append(before, after), return_inverse=True)
    more = np.zeros(len(person), np.int64)
    np.add.at(more, place.reshape(-1), np.append(-had, has))
    rows = np.flatnonzero(more)
    person, more = person[rows], more[rows]
    stays, stood = np.isin(person, after), np.isin(person, before)
    came = more > 0
    kind = np.where(came & ~stood, NEW, np.where(~came & ~stays, GONE, MOVED)).astype(np.int32)
    source, target = np.where(came, NO_PERSON, person), np.where(came, person, NO_PERSON)
    order = np.lexsort((target, source))
    nothing = np.zeros(len(rows), np.int32)
    return Changes(
        before=source[order],
        after=target[order],
        records=np.abs(more)[order],
        kind=kind[order],
        evidence=nothing + _UNKNOWN,
        weight=nothing,
    )
