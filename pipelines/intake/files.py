"""One delivered file, from its bytes to sealed frames: what a worker does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kernels import text
from pipelines.errors import ContractError
from pipelines.files import sealed
from pipelines.files.digests import content_hash
from pipelines.files.frames import Category, Column, Frame, array, concat, empty, length, take
from pipelines.files.schemas import ACCEPTED_EVENTS, DAY_UNKNOWN, IDENTITIES, QUARANTINE
from pipelines.files.sealing import Zone
from pipelines.intake.adapters import blocks
from pipelines.intake.ancestors import Occurring
from pipelines.intake.columns import Block, Ledger
from pipelines.intake.concept_table import Digests, concept_table
from pipelines.intake.contract import AgreedTable, Contract
from pipelines.intake.events import Births, Setting, Whose, events
from pipelines.intake.identities import Keys, identities
from pipelines.intake.mapping import BY_CONCEPT


@dataclass(frozen=True)
class FileTask:
    """What a worker needs to know: settings and paths, no data. `people`: identity files of the delivery,
    with the hash of each."""

    contract: Contract
    table: AgreedTable
    path: Path
    number: int
    source: str
    delivered: int
    identity: Path
    store: Path
    identity_zone: Zone
    store_zone: Zone
    concepts: Digests = ()
    people: Digests | None = None

    def knowing(self, people: Digests) -> FileTask:
        """The same task, told who there is."""
        return replace(self, people=people)

    @property
    def keys(self) -> Keys:
        derived = self.identity_zone.derived
        return Keys(derived("record"), derived("token"), derived("encounter"), derived("opaque token"))


@dataclass(frozen=True)
class Part:
    """A file written. `file`: its name in the attempt's folder; `hash`: of its decoded content."""

    file: str
    rows: int
    hash: str


@dataclass
class FileResult:
    """What a worker tells of its file: counts, hashes, places; never a value. `stopped`: the three parts of a
    `ContractError`."""

    number: int
    table: str
    file: str
    identities: list[Part] = field(default_factory=list)
    events: list[Part] = field(default_factory=list)
    rows_read: int = 0
    rows_accepted: int = 0
    warnings: dict[str, int] = field(default_factory=dict)
    quarantined: dict[tuple[str, str], int] = field(default_factory=dict)
    quarantine: Frame = field(default_factory=lambda: empty(QUARANTINE))
    quality: dict[str, dict[str, Any]] = field(default_factory=dict)
    occurring: set[Occurring] = field(default_factory=set)
    stopped: tuple[str, str, str] | None = None


def map_file(task: FileTask) -> FileResult:
    """Read, check and map one file; write its frames to the staging folders. What breaks the contract, a
    ContractError within, or is not UTF-8, comes back as `stopped`."""
    result = FileResult(task.number, task.table.name, task.path.name)
    ragged: list[int] = []
    people: list[Frame] = []
    bad = 0
    try:
        for count, block in enumerate(blocks(task.contract, task.table, task.path, ragged)):
            bad += _map_block(task, block, count, people, result)
        _note(result, np.array(sorted(ragged), np.int64), "ragged_row", "")
        _write_people(task, people, result)
        read, bad = result.rows_read + len(ragged), bad + len(ragged)
        if bad > task.contract.agreement.quarantine_share * read:
            what = f"{bad:,} of {read:,} rows are faulty ({_worst(result)}), more than the contract bears"
            raise ContractError(task.path.name, what, "ask the sender to mend and deliver it again")
        result.rows_read = read
    except ContractError as fault:
        return _stopped(task, fault)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return _stopped(task, ContractError(task.path.name, "a column holds text that is not UTF-8", _AGAIN))
    except (MemoryError, RecursionError, OverflowError):
        what = "unpacks to more than this machine can hold"
        return _stopped(task, ContractError(task.path.name, what, "ask the sender for smaller files"))
    return result


_AGAIN = "ask the sender to deliver it again"


def _stopped(task: FileTask, fault: ContractError) -> FileResult:
    said = (fault.where, fault.what, fault.next_step)
    return FileResult(task.number, task.table.name, task.path.name, stopped=said)


def _worst(result: FileResult) -> str:
    (reason, column), _ = max(result.quarantined.items(), key=lambda each: (each[1], each[0]))
    reasons, rows = result.quarantine["reason"], array(result.quarantine, "row")
    of_reason = np.array([label == reason for label in _labels_of(reasons)], bool)
    first = int(rows[of_reason].min()) + 1
    return f"most often {reason}{f' in {column}' if column else ''}, first in data row {first:,}"


def _labels_of(column: Column) -> list[str | None]:
    return column.decoded() if isinstance(column, Category) else []


def _map_block(task: FileTask, block: Block, count: int, people: list[Frame], result: FileResult) -> int:
    """Map one block; returns how many of its rows are faulty."""
    ledger = Ledger(len(block))
    _required(block, ledger)
    whose = _who(task, block, ledger, people, result)
    faulty = _quarantine(result, block, ledger)
    if task.table.mapping.events:
        usable = np.flatnonzero(~faulty)
        faulty[usable[_happened(task, block.take(~faulty), whose and whose.take(usable), count, result)]] = (
            True
        )
    result.rows_read += len(block)
    result.rows_accepted += int((~faulty).sum())
    _measure(result.quality, block)
    return int(faulty.sum())


def _required(block: Block, ledger: Ledger) -> None:
    """Mark rows with nothing in a column that the contract requires; a refusal without a date is still
    one."""
    refusals = {event.start for event in block.table.mapping.events if event.kind == "opt_out"}
    for column in block.table.columns:
        if column.required and column.name not in refusals:
            ledger.mark(block.empty(column.name), "missing", column.name)


def _who(
    task: FileTask, block: Block, ledger: Ledger, people: list[Frame], result: FileResult
) -> Whose | None:
    """Who the rows are about; each person's first row is added to `people`."""
    mapping = task.table.mapping.identities
    if mapping is None:
        return None
    frame = identities(block, mapping, task.source, task.delivered, task.keys, ledger, result.warnings)
    record = np.asarray(frame["record"])
    good = np.flatnonzero(ledger.good)
    first = np.zeros(len(block), bool)
    first[good[np.unique(record[good], return_index=True)[1]]] = True
    if not mapping.repeats:
        ledger.mark(~first, "duplicate", mapping.reference or mapping.number or mapping.token or "")
    people.append(take(frame, np.flatnonzero(first)))
    return Whose(record, np.asarray(frame["birth_day"]))


def _happened(
    task: FileTask, block: Block, whose: Whose | None, count: int, result: FileResult
) -> np.ndarray:
    """Write the events that the rows tell of; returns which rows are faulty, bool (n,)."""
    mapping, faulty = task.table.mapping, np.zeros(len(block), bool)
    concepts = (
        concept_table(task.contract, task.concepts)
        if any(each.system == BY_CONCEPT for each in mapping.events)
        else None
    )
    setting = Setting(
        source=task.source,
        delivered=task.delivered,
        agreement=task.contract.agreement,
        keys=task.keys,
        births=_births(task),
        concepts=concepts,
        warnings=result.warnings,
        occurring=result.occurring,
    )
    frames = []
    for event in mapping.events:
        ledger = Ledger(len(block))
        frames.append(events(block, event, whose, setting, ledger))
        faulty |= _quarantine(result, block, ledger)
    _write_events(task, concat(frames, ACCEPTED_EVENTS), count, result)
    return faulty


def _quarantine(result: FileResult, block: Block, ledger: Ledger) -> np.ndarray:
    """Note the ledger's faulty rows; returns them, bool (n,)."""
    for reason in range(len(ledger.reasons)):
        for column in range(len(ledger.columns)):
            rows = (ledger.reason == reason) & (ledger.column == column)
            if rows.any():
                _note(result, block.row[rows], ledger.reasons[reason], ledger.columns[column])
    return ~ledger.good


def _note(result: FileResult, row: np.ndarray, reason: str, column: str) -> None:
    if not len(row):
        return
    frame: Frame = {
        "file": Category.constant(result.file, len(row)),
        "row": row,
        "reason": Category.constant(reason, len(row)),
        "column": Category.constant(column or None, len(row)),
    }
    result.quarantine = concat([result.quarantine, frame], QUARANTINE)
    result.quarantined[reason, column] = result.quarantined.get((reason, column), 0) + len(row)


def _write_people(task: FileTask, people: list[Frame], result: FileResult) -> None:
    """One row for each record of the file, by record."""
    if not people:
        return
    frame = concat(people, IDENTITIES)
    _, first = np.unique(np.asarray(frame["record"]), return_index=True)
    frame = take(frame, first)
    name = f"identities-{task.number:04d}.parquet"
    sealed.write(frame, task.identity / name, IDENTITIES, task.identity_zone)
    result.identities.append(Part(name, length(frame), content_hash(frame, IDENTITIES)))


def _write_events(task: FileTask, frame: Frame, count: int, result: FileResult) -> None:
    name = f"events-{task.number:04d}-{count:03d}.parquet"
    sealed.write(frame, task.store / name, ACCEPTED_EVENTS, task.store_zone)
    result.events.append(Part(name, length(frame), content_hash(frame, ACCEPTED_EVENTS)))


# ---- who there is ------------------------------------------------------------------------------------------


class _People:
    """Records, ascending, and days of birth."""

    def __init__(self, record: np.ndarray, birth: np.ndarray) -> None:
        self._record, self._birth = record, birth

    def find(self, record: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `events.Births`."""
        if not len(self._record):
            return np.zeros(len(record), bool), np.full(len(record), DAY_UNKNOWN, np.int32)
        place = np.minimum(np.searchsorted(self._record, record), len(self._record) - 1)
        known = self._record[place] == record
        return known, np.where(known, self._birth[place], DAY_UNKNOWN).astype(np.int32)


def _births(task: FileTask) -> Births | None:
    return None if task.people is None else _people(task.people, task.identity_zone)


@lru_cache(maxsize=2)
def _people(files: Digests, zone: Zone) -> _People:
    frames = [sealed.read(Path(path), IDENTITIES, zone, ["record", "birth_day"]) for path, _ in files]
    record = np.concatenate([np.asarray(frame["record"]) for frame in frames] or [np.empty(0, np.int64)])
    birth = np.concatenate([np.asarray(frame["birth_day"]) for frame in frames] or [np.empty(0, np.int32)])
    record, first = np.unique(record, return_index=True)
    return _People(record, birth[first])


# ---- quality -----------------------------------------------------------------------------------------------


def _measure(quality: dict[str, dict[str, Any]], block: Block) -> None:
    """Add to the file's quality: rows, missing values, and the first and last day of dates, but for birth
    days: those are someone's."""
    who = block.table.mapping.identities
    for column in block.table.columns:
        held = quality.setdefault(column.name, {"rows": 0, "missing": 0})
        held["rows"] += len(block)
        held["missing"] += int(block.empty(column.name).sum())
        if column.type == "date" and not (who and column.name == who.birth):
            days, state = block.days(column.name)
            good = days[state == text.GOOD]
            if len(good):
                low, high = str(good.min().astype("datetime64[D]")), str(good.max().astype("datetime64[D]"))
                held["first"], held["last"] = (
                    min(held.get("first", low), low),
                    max(held.get("last", high), high),
                )
