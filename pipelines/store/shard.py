"""One shard: everything that is known of a range of persons, in the order that cohorts read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kernels.ordering import distinct_order
from kernels.spans import merge_spans
from pipelines.files import documents, sealed
from pipelines.files.digests import content_hash, digest
from pipelines.files.frames import Category, Frame, array, concat, length, take
from pipelines.files.schemas import (
    DAY_OPEN,
    DAY_UNKNOWN,
    KIND,
    NO_CATEGORY,
    SHARD_EVENTS,
    SHARD_RESIDENCES,
    Schema,
)
from pipelines.files.sealing import Zone
from pipelines.site.snapshot import RAW, SHARD_FILES
from pipelines.store.slices import SLICE, compact

FORMAT: Final = 3  # part of a shard's name: raise it when shards come out otherwise for the same input
_SOURCED: Final[Schema] = {**SLICE, "source": "category"}
_OBSERVED: Final = (KIND["residence"], KIND["observation"])
_NOT_EVENTS: Final = (*_OBSERVED, KIND["opt_out"])


@dataclass(frozen=True)
class Slice:
    """Events of one source for one shard. `hash`: of their content."""

    source: str
    hash: str
    path: Path


def shard_hash(position: int, shards: int, persons_hash: str, slices: Sequence[Slice], death_gap: int) -> str:
    """Name of a shard: the hash of what it is made from, in whatever order the slices come."""
    made_from = sorted({(each.source, each.hash) for each in slices})
    return digest("shard", FORMAT, position, shards, persons_hash, made_from, death_gap)


def build_shard(
    persons: Frame, slices: Sequence[Slice], into: Path, zone: Zone, death_gap: int
) -> dict[str, Any]:
    """Build and write one shard; `shard.json`, written last, says that it is whole.

    `persons`: columns of `schemas.PERSONS`, ascending. `death_gap`: days from the last one observed to death,
    at most, for the day of death to be observed. Returns {"rows": {file: rows}, "hashes": {file: hash},
    "duplicates": rows, "deaths": {"observed": persons, "not_observed": persons}}.
    """
    events = _placed(_read(slices, zone), array(persons, "person"))
    delivered = length(events)
    kept = ~np.isin(array(events, "kind"), _NOT_EVENTS)
    facts, events = take(events, ~kept), take(events, kept)
    facts, events = _sorted(facts), _sorted(events)
    duplicates = delivered - length(facts) - length(events)
    frames = _frames(persons, facts, events, death_gap)
    for name, frame in frames.items():
        sealed.write(frame, into / f"{name}.parquet", SHARD_FILES[name], zone, RAW.get(name, ()))
    description = {
        "rows": {name: length(frame) for name, frame in frames.items()},
        "hashes": {name: content_hash(frame, SHARD_FILES[name]) for name, frame in frames.items()},
        "duplicates": duplicates,
        "deaths": _deaths(frames["persons"], frames["periods"]),
    }
    documents.write_json(description, into / "shard.json")
    return description


def _read(slices: Sequence[Slice], zone: Zone) -> Frame:
    frames: list[Frame] = []
    for each in slices:
        frame = sealed.read(each.path, SLICE, zone)
        frame["source"] = Category.constant(each.source, length(frame))
        frames.append(frame)
    return concat(frames, _SOURCED)


def _placed(events: Frame, persons: np.ndarray) -> Frame:
    """The same events with positions in the shard's persons instead of person ids."""
    return {**events, "person": np.searchsorted(persons, array(events, "person")).astype(np.int32)}


def _sorted(events: Frame) -> Frame:
    """The same events as `SHARD_EVENTS` says, those equal in every column once."""
    columns = {name: array(events, name) for name in SHARD_EVENTS}
    columns["end"] = columns["end"].astype(np.int64) - columns["start"]  # the same order in fewer bits
    return compact(take(events, distinct_order(list(columns.values()))))


def _frames(persons: Frame, facts: Frame, events: Frame, death_gap: int) -> dict[str, Frame]:
    """All files of the shard. `facts`: residence, observation and opt-out; `events`: the rest; both
    sorted."""
    kind = array(facts, "kind")
    deaths = take(events, array(events, "kind") == KIND["death"])
    people: Frame = {
        **persons,
        "death_day": _earliest(deaths, length(persons)),
        "opt_out_day": _earliest(
            take(facts, kind == KIND["opt_out"]), length(persons), unknown=DAY_UNKNOWN + 1
        ),
    }
    return {
        "persons": people,
        "periods": _periods(people, take(facts, np.isin(kind, _OBSERVED)), events, death_gap),
        "residences": _residences(people, take(facts, kind == KIND["residence"]), death_gap),
        "events": {name: events[name] for name in SHARD_EVENTS},
        "postings": postings(events),
        "codes": codes(events),
    }


def _earliest(events: Frame, count: int, unknown: int = DAY_OPEN) -> np.ndarray:
    """First day of each person's `events`, `DAY_UNKNOWN` for who has none. `unknown`: what an event without a
    day counts as."""
    day = np.full(count, DAY_OPEN, np.int32)
    start = array(events, "start")
    np.minimum.at(day, array(events, "person"), np.where(start == DAY_UNKNOWN, np.int32(unknown), start))
    return np.where(day == DAY_OPEN, np.int32(DAY_UNKNOWN), day)


def _periods(people: Frame, observed: Frame, events: Frame, death_gap: int) -> Frame:
    """Observation periods: the union of residence and observation; for who has neither, from first to last
    event; none after death, whose day is observed where a period ends at most `death_gap` days before it."""
    person, start, end = _observed_spans(observed, array(people, "birth_day"))
    without = np.bincount(person, minlength=length(people)) == 0
    person, start, end = (
        np.append(*pair) for pair in zip((person, start, end), _event_spans(events, without), strict=True)
    )
    death = array(people, "death_day")[person]
    end = np.where(death == DAY_UNKNOWN, end, np.minimum(end, death))
    rows = np.flatnonzero(start <= end)
    rows = rows[np.lexsort((end[rows], start[rows], person[rows]))]
    person, start, end = merge_spans(person[rows], start[rows], end[rows])
    return {"person": person, "start": start, "end": _to_death(people, person, start, end, death_gap)}


def _to_death(
    people: Frame, person: np.ndarray, start: np.ndarray, end: np.ndarray, death_gap: int
) -> np.ndarray:
    """Ends of spans, int32 (n,): the day of death for the last of a person's that begins until then, if it
    ends 1 to `death_gap` days before; a register may end with the day before (Swedish population register:
    residence ends, death is dated)."""
    death = array(people, "death_day")[person]
    rows = np.flatnonzero((death != DAY_UNKNOWN) & (start <= death))
    rows = rows[np.lexsort((rows, end[rows], person[rows]))]
    rows = rows[np.append(person[rows][1:] != person[rows][:-1], True)[: len(rows)]]
    between = death[rows].astype(np.int64) - end[rows]
    rows = rows[(between > 0) & (between <= death_gap)]
    reaching = end.copy()
    reaching[rows] = death[rows]
    return reaching


def _deaths(people: Frame, periods: Frame) -> dict[str, int]:
    """How many have died on a day that is observed, and how many on another."""
    person, death = array(periods, "person"), array(people, "death_day")
    died = death != DAY_UNKNOWN
    last = np.full(len(death), DAY_UNKNOWN, np.int32)
    np.maximum.at(last, person, array(periods, "end"))
    observed = int((died & (last == death)).sum())  # none lies after death
    return {"observed": observed, "not_observed": int(died.sum()) - observed}


def _observed_spans(observed: Frame, birth_day: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spans as delivered; without a first day they begin at birth, without a last day they are open; dropped
    if birth is unknown too."""
    person, start, end = (array(observed, name) for name in ("person", "start", "end"))
    start = np.where(start == DAY_UNKNOWN, birth_day[person], start)
    end = np.where(end == DAY_UNKNOWN, np.int32(DAY_OPEN), end)
    known = start != DAY_UNKNOWN
    return person[known], start[known], end[known]


def _event_spans(events: Frame, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First to last event day of each person that is `wanted` (bool (persons,))."""
    rows = np.flatnonzero((array(events, "start") != DAY_UNKNOWN) & wanted[array(events, "person")])
    person, start, end = (array(events, name)[rows] for name in ("person", "start", "end"))
    if not len(rows):
        return person, start, end
    end = np.where((end == DAY_UNKNOWN) | (end == DAY_OPEN), start, end)
    first = np.flatnonzero(np.append(True, person[1:] != person[:-1]))
    return person[first], np.minimum.reduceat(start, first), np.maximum.reduceat(end, first)


def _residences(people: Frame, residences: Frame, death_gap: int) -> Frame:
    """Where people lived, on the day of death as in the days before: the residence's concept without its code
    system. Ascending by all columns."""
    labels = residences["concept"].labels  # type: ignore[union-attr]
    municipality = Category.of([label.rpartition("/")[2] for label in labels], array(residences, "concept"))
    person, start, end = (array(residences, name) for name in ("person", "start", "end"))
    frame: Frame = {
        "person": person,
        "start": start,
        "end": _to_death(people, person, start, end, death_gap),
        "municipality": municipality,
    }
    return take(frame, distinct_order([array(frame, name) for name in SHARD_RESIDENCES]))


def postings(events: Frame) -> Frame:
    """The events by (concept, person, start, row), those without a concept last. `events`: sorted as
    `SHARD_EVENTS` says."""
    concept = array(events, "concept")
    wide = np.uint16 if len(_labels(events)) < 2**16 - 1 else np.uint32
    order = np.argsort(
        concept.astype(wide), kind="stable"
    )  # -1 becomes the largest; a radix sort where 16 bits are enough
    columns: Frame = {name: events[name][order] for name in SHARD_EVENTS if name != "concept"}
    return {"concept": concept[order], "row": order.astype(np.int32), **columns}


def codes(events: Frame) -> Frame:
    """The labels of the events' concepts, and how many events have each."""
    labels, concept = _labels(events), array(events, "concept")
    counts = np.bincount(concept[concept != NO_CATEGORY], minlength=len(labels))
    return {
        "concept": Category(labels, np.arange(len(labels), dtype=np.int32)),
        "rows": counts.astype(np.int64),
    }


def _labels(events: Frame) -> tuple[str, ...]:
    concept = events["concept"]
    if not isinstance(concept, Category):
        raise TypeError("concept is no category")
    return concept.labels
