"""How the persons came to be: every change between one index and the next, by whom it was and on what evidence.

The index is a function of what holds; the history tells the nights. `store/history/current.json` names both, since a receipt is gone while
its stage runs. Replaying the history gives the present persons, each with their number of records.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.compute.ranks import Ranks
from pipelines.errors import DataError
from pipelines.files import documents, sealed
from pipelines.files.digests import content_hash, digest
from pipelines.files.frames import Category, Frame, array, concat, empty
from pipelines.files.schemas import CHANGES, DAY_UNKNOWN, EVIDENCE, LINKAGE_HISTORY, NO_PERSON, PERSON_INDEX, TIES, UNITS, Schema
from pipelines.linkage.rows import Rows
from pipelines.linkage.ties import CERTAIN, held
from pipelines.site.deliveries import Accepted
from pipelines.site.site import Site
from pipelines.site.snapshot import index_folder

Frames = tuple[Frame, Frame, Frame]  # schemas PERSON_INDEX, UNITS, TIES

_FILES: Final[dict[str, Schema]] = {"index": PERSON_INDEX, "units": UNITS, "ties": TIES}
_NEW, _GONE, _MERGE, _SPLIT, _MOVED = range(5)
_DELIVERED, _WITHDRAWN, _CORRECTED, _REWEIGHED, _NUMBER, _WEIGHT, _UNKNOWN = range(7)


def history_file(site: Site, name: str) -> Path:
    """Where a history lies, named by its content."""
    return site.store / "history" / name / "history.parquet"


def current_file(site: Site) -> Path:
    """Where the present index and its history are named."""
    return site.store / "history" / "current.json"


def read_history(site: Site) -> Frame:
    """The history of the present index. Raises `DataError` if there is none."""
    path = history_file(site, str(documents.read_object(current_file(site), "history")["history"]["name"]))
    if not path.exists():
        raise DataError(path, "is not there", f"restore it, or remove {current_file(site)} to begin another history")
    return sealed.read(path, LINKAGE_HISTORY, site.zone("store"))


def gather_speakers(ranks: Ranks, rows: Rows) -> np.ndarray | None:
    """int32 (n,), on rank 0: for each record, ascending, the place of the delivery that says what holds of it."""
    last = np.flatnonzero(np.append(rows["record"][1:] != rows["record"][:-1], True)[: len(rows["record"])])
    gathered = ranks.gather(rows["order"][last])
    return np.concatenate(gathered) if gathered is not None else None


def publish(site: Site, name: str, frames: Frames, deliveries: Sequence[Accepted], speakers: np.ndarray) -> dict[str, Any]:
    """Add to the history what the index of that name changes; counts of it, with where the history stands.

    `frames`: the index, its units and ties. `speakers`: int32 (n,), for each record its delivery's place in `deliveries`.
    Nothing is added where the index is the one that the history ends with. Returns {"name", "version", "day", "new", "gone", "merged",
    "split": persons, "moved": records that came, went or changed person without that a person came or went}.
    """
    former = documents.read_object(current_file(site), "index", "history", "deliveries") if current_file(site).exists() else None
    if former is not None and former["index"] == name:
        return former["history"]  # type: ignore[no-any-return]
    zone = site.zone("store")
    past = read_history(site) if former is not None else empty(LINKAGE_HISTORY)
    version = former["history"]["version"] + 1 if former is not None else 1
    day = max((each.delivered for each in deliveries), default=None)
    changes = _changes(site, former, past, Side.of(*frames), deliveries, speakers)
    rows = _rows(changes, version, DAY_UNKNOWN if day is None else (day - date(1970, 1, 1)).days)
    whole = concat([past, rows], LINKAGE_HISTORY)
    name_of_it = digest(content_hash(whole, LINKAGE_HISTORY))
    history: dict[str, Any] = {"name": name_of_it, "version": version, "day": day and day.isoformat(), **_counts(changes)}
    sealed.write(whole, history_file(site, name_of_it), LINKAGE_HISTORY, zone)
    listed = [[each.source, each.delivery] for each in deliveries]
    documents.write_json({"index": name, "history": history, "deliveries": listed}, current_file(site))
    if former is not None and former["history"]["name"] != name_of_it:
        _forget(site, former["history"]["name"])
    return history


def _forget(site: Site, name: str) -> None:
    """The former history is the beginning of the new one."""
    with contextlib.suppress(OSError):
        history_file(site, name).unlink(missing_ok=True)
        history_file(site, name).parent.rmdir()


# ---- what changed -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Changes:
    """Flows of records, ascending by (before, after). `kind`: int32 (m,), position in CHANGES; `evidence`: in EVIDENCE."""

    before: np.ndarray
    after: np.ndarray
    records: np.ndarray
    kind: np.ndarray
    evidence: np.ndarray
    weight: np.ndarray


def _rows(changes: Changes, version: int, day: int) -> Frame:
    count = len(changes.before)
    return {
        "version": np.full(count, version, np.int32), "day": np.full(count, day, np.int32),
        "kind": Category.of(CHANGES, changes.kind), "before": changes.before, "after": changes.after, "records": changes.records,
        "evidence": Category.of(EVIDENCE, changes.evidence), "weight": changes.weight,
    }  # fmt: skip


def _counts(changes: Changes) -> dict[str, int]:
    def persons(which: np.ndarray, kind: int) -> int:
        return len(np.unique(which[changes.kind == kind]))

    return {
        "new": persons(changes.after, _NEW), "gone": persons(changes.before, _GONE),
        "merged": persons(changes.before, _MERGE), "split": persons(changes.after, _SPLIT),
        "moved": int(changes.records[changes.kind == _MOVED].sum()),
    }  # fmt: skip


def _changes(
    site: Site, former: dict[str, Any] | None, past: Frame, now: Side, deliveries: Sequence[Accepted], speakers: np.ndarray
) -> Changes:
    if former is None:
        nothing = np.zeros(len(speakers), bool)
        return compared(Side.of(*(empty(schema) for schema in _FILES.values())), now, nothing, nothing)
    folder = index_folder(site, former["index"])
    if not all((folder / f"{name}.parquet").exists() for name in _FILES):
        return _by_number_of_records(past, now)
    was = Side.of(*(sealed.read(folder / f"{name}.parquet", schema, site.zone("store")) for name, schema in _FILES.items()))
    known = {(source, delivery) for source, delivery in former["deliveries"]}
    standing = {(each.source, each.delivery) for each in deliveries}
    corrected = {source for source, delivery in known - standing}
    fresh = np.array([(each.source, each.delivery) not in known for each in deliveries], bool)
    corrects = fresh & np.array([each.source in corrected for each in deliveries], bool)
    return compared(was, now, fresh[speakers], corrects[speakers])


@dataclass(frozen=True)
class Side:
    """One index. `record`: int64 (n,), ascending; `person`: int64 (n,); `unit`, `hold`: as `ties.held` returns them."""

    record: np.ndarray
    person: np.ndarray
    unit: np.ndarray
    hold: np.ndarray

    @staticmethod
    def of(index: Frame, units_of: Frame, ties: Frame) -> Side:
        return Side(array(index, "record"), array(index, "person"), *held(index, units_of, ties))


def replayed(history: Frame, version: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The persons after that version (the last by default), ascending, and how many records each has: int64 (p,), int64 (p,)."""
    rows = np.flatnonzero(array(history, "version") <= (version if version is not None else np.iinfo(np.int32).max))
    records = array(history, "records")[rows]
    person, place = np.unique(np.concatenate([array(history, "after")[rows], array(history, "before")[rows]]), return_inverse=True)
    count = np.zeros(len(person), np.int64)
    np.add.at(count, place.reshape(-1), np.concatenate([records, -records]))
    there = (person != NO_PERSON) & (count != 0)
    return person[there], count[there]


def compared(was: Side, now: Side, fresh: np.ndarray, corrects: np.ndarray) -> Changes:
    """What became of the records of one index in the next.

    `fresh`, `corrects`: bool (n,), for the records of `now`: said by a delivery that was not there before; by one that replaces another.
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
    return Changes(np.full(len(person), NO_PERSON, np.int64), person, records, nothing + _NEW, nothing + _DELIVERED, nothing)


@dataclass(frozen=True)
class _Records:
    """Every record of a person who gained or lost one. `before`, `after`: its person; `there`, `here`: its place in either index, -1 if it
    is not in it; `moved`: bool; `news`: int8, what a delivery that was not there before does to it, the better reason the larger."""

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
        news = np.where(here < 0, 2, np.where(_at(corrects, here, False), 3, np.where(_at(fresh, here, False), 1, 0)))
        return _Records(before[some], after[some], there, here, moved[some], news.astype(np.int8))


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
    return _at(side.unit, place, 0), _at(side.hold, place, 0)  # a record that is not there is in no flow of that side


def _kinds(before: np.ndarray, after: np.ndarray, records: np.ndarray, stays: np.ndarray, stood: np.ndarray) -> np.ndarray:
    """int32 (m,), positions in CHANGES. `stays`: is the person before still there? `stood`: was the person after there already?"""
    between = (before != NO_PERSON) & (after != NO_PERSON)
    heir, parent = _largest(before, after, records, between), _largest(after, before, records, between)
    renamed = between & ~stays & ~stood & heir & parent  # the record that named the person is gone, the person is not
    goes_on = np.isin(before, before[renamed])
    kind = np.full(len(before), _MOVED, np.int32)
    kind[between & ~stood & (stays | ~heir)] = _SPLIT
    kind[between & ~stays & ~goes_on & (stood | (heir & ~parent))] = _MERGE
    kind[(before == NO_PERSON) & ~stood & ~np.isin(after, after[between])] = _NEW
    kind[(after == NO_PERSON) & ~stays & ~np.isin(before, before[between])] = _GONE
    return kind


def _largest(of: np.ndarray, other: np.ndarray, records: np.ndarray, which: np.ndarray) -> np.ndarray:
    """bool (m,): is it, of the flows of one person that are `which`, that of most records, then of the smallest other?"""
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
    return np.array([_REWEIGHED, _DELIVERED, _WITHDRAWN, _CORRECTED], np.int32)[best[place[len(each.before) :]]]


def _link(
    flow: np.ndarray, person: np.ndarray, of_record: np.ndarray, moved: np.ndarray, unit: np.ndarray, hold: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What ties the records of each flow to the others of their person in one index: bool (m,), a number; int32 (m,), else the weight.

    `flow`: of each record that moved; `person`: of each flow; `of_record`, `moved`, `unit`, `hold`: of all records. The others are those
    who do not move, and where all do, those of other flows.
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
    """int32 (m,): the largest of `strongest` over the other flows of the person, `CERTAIN` where there is none."""
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
    before: np.ndarray, after: np.ndarray, records: np.ndarray, kind: np.ndarray, cause: np.ndarray,
    lost: tuple[np.ndarray, np.ndarray], made: tuple[np.ndarray, np.ndarray],
) -> Changes:  # fmt: skip
    """The flows with their evidence: of what came together the link that made it, of what came apart the cause and the lost link."""
    came, went = before == NO_PERSON, after == NO_PERSON
    by_link = (kind == _MERGE) | ((kind == _MOVED) & came)
    evidence = np.where(by_link, np.where(made[0], _NUMBER, _WEIGHT), cause)
    evidence = np.where(kind == _NEW, _DELIVERED, np.where(went, _WITHDRAWN, evidence)).astype(np.int32)
    weight = np.where(kind == _SPLIT, lost[1], np.where((kind == _MERGE) | (kind == _MOVED), made[1], 0))
    return Changes(before, after, records, kind, evidence, np.where(went | (kind == _NEW), 0, weight).astype(np.int32))


def _by_number_of_records(past: Frame, now: Side) -> Changes:
    """Where the former index itself is no longer kept: what the history still knows of it, persons and their number of records."""
    before, had = replayed(past)
    after, has = np.unique(now.person, return_counts=True)
    person, place = np.unique(np.append(before, after), return_inverse=True)
    more = np.zeros(len(person), np.int64)
    np.add.at(more, place.reshape(-1), np.append(-had, has))
    rows = np.flatnonzero(more)
    person, more = person[rows], more[rows]
    stays, stood = np.isin(person, after), np.isin(person, before)
    came = more > 0
    kind = np.where(came & ~stood, _NEW, np.where(~came & ~stays, _GONE, _MOVED)).astype(np.int32)
    source, target = np.where(came, NO_PERSON, person), np.where(came, person, NO_PERSON)
    order = np.lexsort((target, source))
    nothing = np.zeros(len(rows), np.int32)
    return Changes(source[order], target[order], np.abs(more)[order], kind[order], nothing + _UNKNOWN, nothing)
