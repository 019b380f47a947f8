"""What happened: event columns to the frame of `schemas.ACCEPTED_EVENTS`, each row checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kernels import text
from pipelines.files.frames import Category, Frame, take
from pipelines.files.schemas import (
    ACCEPTED_EVENTS,
    DAY_OPEN,
    DAY_UNKNOWN,
    KIND,
    SETTING,
    SETTINGS,
    VALUE_MISSING,
    VALUE_SCALE,
)
from pipelines.intake.ancestors import Occurring
from pipelines.intake.by_concept import Concepts, NoConcepts, Own, by_concept
from pipelines.intake.columns import Block, Ledger, keyed
from pipelines.intake.contract import Agreement
from pipelines.intake.identities import Keys
from pipelines.intake.mapping import BY_CONCEPT, BY_VISIT, Coded, Event
from pipelines.study import codes


class Births(Protocol):
    """Who a delivery speaks of."""

    def find(self, record: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each record of `record`, int64 (n,): is it known, bool (n,), and the day of birth, int32 (n,),
        days since 1970-01-01, `DAY_UNKNOWN` if unknown."""
        ...


ALWAYS = -719_162  # the first day of year 1: an opt-out whose date is not known


@dataclass(frozen=True)
class Setting:
    """What an event is checked against. `delivered`: day of delivery. `warnings` counts what was doubtful but
    let through; `occurring` is filled with the labels of events and the concepts that they have of their
    own."""

    source: str
    delivered: int
    agreement: Agreement
    keys: Keys
    births: Births | None
    concepts: Concepts | None
    warnings: dict[str, int]
    occurring: set[Occurring]


@dataclass(frozen=True)
class Whose:
    """Record, int64 (n,), and day of birth, int32 (n,), of the person whom each row is about."""

    record: np.ndarray
    birth: np.ndarray

    def take(self, rows: np.ndarray) -> Whose:
        """The same at `rows`, int64 (m,)."""
        return Whose(self.record[rows], self.birth[rows])


def events(block: Block, event: Event, whose: Whose | None, setting: Setting, ledger: Ledger) -> Frame:
    """The good rows of the block as events, in their order; the others are marked in the ledger.

    `whose`: whom the rows are about, where the table itself says it; else they refer to the delivery's other
    tables.
    """
    asked = _asked(block, event)
    whose = whose or _referred(block, event, asked, setting, ledger)
    start, end = (
        _opt_outs(block, event, setting) if event.kind == "opt_out" else _period(block, event, asked, ledger)
    )
    care = _settings(block, event, asked, ledger)
    concept, own = _concept(block, event, care, asked, setting, ledger)
    value, asked = _value(block, event, asked, ledger)
    unit = _unit(block, event, concept, value, asked, ledger)
    if event.kind != "opt_out":
        _plausible(event, start, whose.birth, setting, asked, ledger)
    frame: Frame = {
        "record": whose.record,
        "start": start,
        "end": end,
        "concept": concept,
        "value": value,
        "unit": unit,
        "kind": np.full(len(block), KIND[event.kind], np.int8),
        "position": _position(block, event),
        "setting": care,
        "care_unit": _labels(block, event.care_unit),
        "encounter": _encounter(block, event, setting),
    }
    if event.duplicates == "quarantine":
        ledger.mark(_repeated(frame, asked & ledger.good), "duplicate", "")
    accepted = np.flatnonzero(asked & ledger.good)
    if own is not None:
        own.told(concept, accepted, setting.warnings, setting.occurring)
    return take(frame, accepted)


def _referred(block: Block, event: Event, asked: np.ndarray, setting: Setting, ledger: Ledger) -> Whose:
    reference = block.bytes(event.reference or "")
    ledger.mark(asked & (reference == b""), "missing", event.reference or "")
    record = keyed(setting.source, reference, setting.keys.record)
    if setting.births is None:
        return Whose(record, np.full(len(block), DAY_UNKNOWN, np.int32))
    known, birth = setting.births.find(record)
    ledger.mark(asked & ~known, "unknown_person", event.reference or "")
    return Whose(record, birth)


def _asked(block: Block, event: Event) -> np.ndarray:
    """bool (n,): rows that tell of this kind of event at all."""
    asked = np.ones(len(block), bool)
    for column, values in event.where.items():
        labels, index = block.category(column)
        asked &= np.array([label in values for label in labels] + [False])[index]
    if event.optional:
        asked &= block.category(event.code or "")[1] >= 0
    return asked


def _period(block: Block, event: Event, asked: np.ndarray, ledger: Ledger) -> tuple[np.ndarray, np.ndarray]:
    start, state = block.days(event.start)
    ledger.mark(asked & (state == text.EMPTY), "missing", event.start)
    ledger.mark(asked & (state == text.BAD), "bad_date", event.start)
    if event.end is None:
        return start, np.full(len(block), DAY_OPEN, np.int32) if event.open_end else start
    end, state = block.days(event.end)
    ledger.mark(asked & (state == text.BAD), "bad_date", event.end)
    end = np.where(state == text.EMPTY, DAY_OPEN if event.open_end else start, end).astype(np.int32)
    ledger.mark(asked & (end < start), "end_before_start", event.end)
    return start, end


def _opt_outs(block: Block, event: Event, setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """A refusal is not lost to a bad date: one that does not read, or is missing, holds from the
    beginning."""
    start, state = block.days(event.start)
    unread = state != text.GOOD
    if unread.any():
        setting.warnings["opt_out_undated"] = setting.warnings.get("opt_out_undated", 0) + int(unread.sum())
    start = np.where(unread, ALWAYS, start).astype(np.int32)
    return start, start


def _settings(block: Block, event: Event, asked: np.ndarray, ledger: Ledger) -> np.ndarray:
    if isinstance(event.setting, Coded):
        values = {theirs: SETTING[ours] for theirs, ours in event.setting.values.items()}
        found, strange = block.mapped(event.setting.column, values, 0)
        ledger.mark(asked & strange, "unknown_code", event.setting.column)
        return found
    return np.full(len(block), SETTING[event.setting or "unknown"], np.int8)


# ---- concepts ----------------------------------------------------------------------------------------------


def _concept(
    block: Block, event: Event, care: np.ndarray, asked: np.ndarray, setting: Setting, ledger: Ledger
) -> tuple[Category, Own | None]:
    if event.code is None and event.concept is None:
        return Category.of([f"VISIT/{name.upper()}" for name in SETTINGS], care.astype(np.int32)), None
    if event.code is None:
        return Category.constant(event.concept, len(block)), None
    own = None
    if event.system == BY_CONCEPT:
        labels, index, own = by_concept(block, event, setting.concepts or NoConcepts())
    else:
        written, index = block.category(event.code)
        ledger.mark(asked & (index < 0), "missing", event.code)
        if event.system == BY_VISIT:
            labels, index = _by_visit(written, index, block.bytes(event.encounter or ""))
        else:
            labels = [_label(event.systems, code) for code in written]
            index = np.where(np.array([bool(label) for label in labels] + [False])[index], index, -1)
    ledger.mark(asked & (index < 0), "unknown_code", event.code)
    return Category.of(labels, index.astype(np.int32)), own


def _label(systems: tuple[str, ...], code: str) -> str:
    """The label in the first system that the code is of, empty if it is of none."""
    written = ((system, codes.written(system, code)) for system in systems)
    return next((f"{system}/{each}" for system, each in written if codes.known(system, each)), "")


def _by_visit(written: list[str], index: np.ndarray, visit: np.ndarray) -> tuple[list[str], np.ndarray]:
    """ICD-9-CM and ICD-10-CM in one column. A code that both have is of the revision that the other codes of
    its visit are of; where they are of both, or there are none, it stays unknown (a hospital stay is coded in
    one revision).
    """
    normal = [codes.normal(code) for code in written]
    labels = [f"ICD-9-CM/{code}" for code in normal] + [f"ICD-10-CM/{code}" for code in normal]
    form = np.array([codes.icd_revision(code) for code in normal] + [0])[index]
    shared = np.array(
        [codes.SYSTEMS["ICD-9-CM"].holds(code) and codes.SYSTEMS["ICD-10-CM"].holds(code) for code in normal]
        + [False]
    )[index]
    visits, of_visit = np.unique(visit, return_inverse=True)
    seen = np.zeros((len(visits), 2), bool)
    seen[of_visit[form == 9], 0] = True
    seen[of_visit[form == 10], 1] = True
    one = np.where(seen[:, 0] & ~seen[:, 1], 9, np.where(seen[:, 1] & ~seen[:, 0], 10, 0))
    one[visits == b""] = 0
    revision = np.where((form == 0) & shared, one[of_visit], form)
    return labels, np.where(revision == 9, index, np.where(revision == 10, index + len(normal), -1))


# ---- values ------------------------------------------------------------------------------------------------


def _value(block: Block, event: Event, asked: np.ndarray, ledger: Ledger) -> tuple[np.ndarray, np.ndarray]:
    """Values, and which rows still tell of this event: a measurement whose value is empty and not required
    does not; but one of a CDM does, which keeps values as concepts, too."""
    if event.value is None:
        return np.full(len(block), VALUE_MISSING, np.int64), asked
    agreed = block.table.column(event.value)
    value, state = block.fixed(event.value)
    if agreed.required:
        ledger.mark(asked & (state == text.EMPTY), "missing", event.value)
    elif event.kind == "measurement" and event.system != BY_CONCEPT:
        asked = asked & (state != text.EMPTY)
    ledger.mark(asked & (state == text.BAD), "bad_value", event.value)
    for bound, outside in ((agreed.lowest, np.less), (agreed.highest, np.greater)):
        if bound is not None:
            ledger.mark(
                asked & (state == text.GOOD) & outside(value, round(bound * VALUE_SCALE)),
                "out_of_range",
                event.value,
            )
    return value, asked


def _unit(
    block: Block, event: Event, concept: Category, value: np.ndarray, asked: np.ndarray, ledger: Ledger
) -> Category:
    """Units as delivered, which must be those of the analysis where it is one of ours; and values within its
    bounds."""
    analyses = [
        codes.laboratory().get(label.removeprefix("LAB/")) if label.startswith("LAB/") else None
        for label in concept.labels
    ]
    expected = np.array([-1] * (len(analyses) + 1), np.int32)
    written, index = block.category(event.unit) if event.unit else ([], np.full(len(block), -1, np.int32))
    labels = sorted({*written, *(each.unit for each in analyses if each)})
    place = {label: position for position, label in enumerate(labels)}
    for position, each in enumerate(analyses):
        expected[position] = place[each.unit] if each else -1
    due = expected[concept.places]
    given = np.array([place[label] for label in written] + [-1], np.int32)[index]
    if event.unit:
        ledger.mark(asked & (due >= 0) & (given != due), "unknown_unit", event.unit)
    if event.value:
        lowest = np.array(
            [round(each.lowest * VALUE_SCALE) if each else -(2**62) for each in analyses] + [-(2**62)]
        )[concept.places]
        highest = np.array(
            [round(each.highest * VALUE_SCALE) if each else 2**62 for each in analyses] + [2**62]
        )[concept.places]
        there = asked & (value != VALUE_MISSING)
        ledger.mark(there & ((value < lowest) | (value > highest)), "out_of_range", event.value)
    return Category.of(labels, np.where(given >= 0, given, due if event.value else -1))


def _plausible(
    event: Event, start: np.ndarray, birth: np.ndarray, setting: Setting, asked: np.ndarray, ledger: Ledger
) -> None:
    if setting.agreement.before_birth:
        ledger.mark(
            asked & (birth != DAY_UNKNOWN) & (start != DAY_UNKNOWN) & (start < birth),
            "before_birth",
            event.start,
        )
    if setting.agreement.after_delivery:
        ledger.mark(asked & (start > setting.delivered), "after_delivery", event.start)


def _position(block: Block, event: Event) -> np.ndarray:
    if event.position is None:
        return np.zeros(len(block), np.int8)
    value, state = block.fixed(event.position)
    return np.where(state == text.GOOD, np.clip(value // VALUE_SCALE, 0, 127), 0).astype(np.int8)


def _labels(block: Block, column: str | None) -> Category:
    if column is None:
        return Category.constant(None, len(block))
    labels, index = block.category(column)
    return Category.of(labels, index)


def _encounter(block: Block, event: Event, setting: Setting) -> np.ndarray:
    if event.encounter is None:
        return np.zeros(len(block), np.int64)
    visit = block.bytes(event.encounter)
    return np.where(visit == b"", 0, keyed(setting.source, visit, setting.keys.encounter))


def _repeated(frame: Frame, rows: np.ndarray) -> np.ndarray:
    """bool (n,): rows among `rows` that are equal in every column to one before them. A hash finds them, the
    columns decide."""
    place = np.flatnonzero(rows)
    out = np.zeros(len(rows), bool)
    digest = np.zeros(len(place), np.uint64)
    for name in ACCEPTED_EVENTS:
        digest = (digest ^ _plain(frame[name])[place].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        digest ^= digest >> np.uint64(29)
    ranked = np.sort(digest)
    twice = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
    if len(twice):
        near = place[twice[np.minimum(np.searchsorted(twice, digest), len(twice) - 1)] == digest]
        few = np.stack([_plain(frame[name])[near].astype(np.int64) for name in ACCEPTED_EVENTS], 1)
        _, first, group = np.unique(few, axis=0, return_index=True, return_inverse=True)
        out[near[first[group.reshape(-1)] != np.arange(len(near))]] = True
    return out


def _plain(column: np.ndarray | Category) -> np.ndarray:
    return column.places if isinstance(column, Category) else column
