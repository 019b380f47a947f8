"""What is known of members by their index day, as classifications: had such an event, on how many days, which
value, how many points of comorbidity."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from kernels.postings import in_order
from pipelines.aggregation import values
from pipelines.aggregation.dimensions import Classification, Occurrences, People, flat
from pipelines.aggregation.matching import matching
from pipelines.files.frames import Frame, take
from pipelines.files.schemas import DAY_UNKNOWN
from pipelines.site.permit import Table
from pipelines.study.characteristic import Characteristic, sentence
from pipelines.study.comorbidity import conditions
from pipelines.study.event_filter import EventFilter

_DAYS = 2**33  # more than there are day numbers
_LONG_AGO = -(2**31)


def of_characteristic(name: str, table: Table) -> Classification:
    """The classification of one of the table's characteristics. A member stands at one place all the time."""
    asked = table.characteristics[name]
    title = asked.title or name.replace("_", " ").capitalize()
    codes, labels = _groups(asked)
    dimension = replace(flat(name, title, codes, labels), about=sentence(name, asked))
    if asked.classes and asked.range is not None:
        ends = [values.fixed(each) for each in (asked.range[0], *asked.classes, asked.range[1])]
        dimension = replace(dimension, role="classes", values=(*ends, 0))

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        pairs, row = np.unique(
            np.stack([rows.person, people.index_day(rows)], axis=1), axis=0, return_inverse=True
        )
        place = _places(asked, people.events(), pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64))
        return (place + 1).astype(np.int32)[row.ravel()]

    return Classification(dimension, locate, per_person=True)


def _groups(asked: Characteristic) -> tuple[list[str], list[str]]:
    """Codes and labels of the classes, in order."""
    if asked.classes and asked.range is not None:
        ends = [f"{each:g}" for each in (asked.range[0], *asked.classes, asked.range[1])]
        spans = [f"{low}-{high}" for low, high in pairwise(ends)]
        labels = [f"{low} to under {high}" for low, high in pairwise(ends)]
        labels[-1] = f"{ends[-2]} to {ends[-1]}"
        return [*spans, "none"], [*labels, "No such value"]
    if asked.number:
        spans = [
            str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise((0, *asked.number))
        ] + [f"{asked.number[-1]}+"]
        return spans, spans
    return ["yes", "no"], ["Yes", "No"]


def _places(asked: Characteristic, events: Frame, person: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The class of each pair of a person and an index day, from 0: int64 (n,)."""
    if asked.comorbidity:
        points = _points(asked, events, person, index)
        return np.searchsorted(np.array(asked.number), points, "right")
    found = matching(events, asked)
    if asked.classes and asked.range is not None:
        return _last_value(asked, found, person, index)
    low, high = _window(asked, *_days(found), person, index)
    if asked.number:
        return np.searchsorted(np.array(asked.number), high - low, "right")
    return (high == low).astype(np.int64)


def _days(events: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Distinct days of each person with such an event: person int64 (n,) and day int64 (n,), ascending."""
    person, day = np.asarray(events["person"], np.int64), np.asarray(events["start"], np.int64)
    key = np.unique((person * _DAYS + day - _LONG_AGO)[day != DAY_UNKNOWN])
    return key // _DAYS, key % _DAYS + _LONG_AGO


def _window(
    asked: Characteristic, person: np.ndarray, day: np.ndarray, who: np.ndarray, index: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the events of each of `who` in the window around `index` begin and end in `person` and `day`,
    which ascend: int64 (n,) twice."""
    key = person * _DAYS + day - _LONG_AGO
    since = np.full(len(index), _LONG_AGO) if asked.first is None else index + asked.first
    low = np.searchsorted(key, who * _DAYS + since - _LONG_AGO, "left")
    return low, np.maximum(low, np.searchsorted(key, who * _DAYS + index + asked.last - _LONG_AGO, "right"))


def _points(asked: Characteristic, events: Frame, person: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Points by the conditions that a person has had a diagnosis of in the window, int64 (n,)."""
    had: dict[str, np.ndarray] = {}
    known = conditions(asked.comorbidity or "")
    for each in known:
        found = matching(events, EventFilter(codes=each.prefixes, kind="diagnosis"))
        low, high = _window(asked, *_days(found), person, index)
        had[each.title] = high > low
    for each in known:
        if each.instead_of:
            had[each.instead_of] &= ~had[each.title]
    points = np.zeros(len(person), np.int64)
    for each in known:
        points += each.weight * had[each.title]
    return points


def _last_value(asked: Characteristic, events: Frame, person: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The class of the last usable value in the window, of several on a day the highest; the last class where
    there is none. int64 (n,)."""
    day = np.asarray(events["start"])
    usable = values.usable(events, asked.unit, asked.range) & (day != DAY_UNKNOWN)
    events = take(events, np.flatnonzero(usable))
    events = take(events, np.argsort(np.asarray(events["value"]), kind="stable"))
    events = take(events, in_order(np.asarray(events["person"]), np.asarray(events["start"])))
    who, day = np.asarray(events["person"], np.int64), np.asarray(events["start"], np.int64)
    low, high = _window(asked, who, day, person, index)
    inner = np.array([values.fixed(each) for each in asked.classes], np.int64)
    place = np.searchsorted(inner, np.append(np.asarray(events["value"]), 0)[high - 1], "right")
    return np.where(high > low, place, len(inner) + 1)
