"""Everybody of a snapshot, as far as matching needs them: all shards in memory at once, with matching about
330 bytes for each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kernels import matching
from kernels.ages import birthdays
from kernels.postings import row_starts
from pipelines.cohort.columns import MISSING
from pipelines.cohort.groups import Evaluator
from pipelines.cohort.query import Cohort
from pipelines.cohort.shard_source import ShardReader, ShardSource
from pipelines.files.frames import Category, array
from pipelines.files.schemas import SEX_MAN, SEX_WOMAN
from pipelines.study.definition import Definition

FAR = 2**40  # days beyond every day
_SEX = {"man": SEX_MAN, "woman": SEX_WOMAN}


@dataclass(frozen=True)
class Spans:
    """Spans of days of each person. `offsets`: int64 (persons + 1,), into `start`, `end`: int64, both days
    in, and `place`: int64."""

    offsets: np.ndarray
    start: np.ndarray
    end: np.ndarray
    place: np.ndarray

    def of(self, rows: np.ndarray) -> Spans:
        """Those of the persons at `rows`, int64 (m,), in their order."""
        count = self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        at = np.repeat(self.offsets[rows] - offsets[:-1], count) + np.arange(offsets[-1])
        return Spans(offsets, self.start[at], self.end[at], self.place[at])

    def arrays(self) -> matching.Spans:
        """As the kernel that matches takes them."""
        return matching.Spans(offsets=self.offsets, start=self.start, end=self.end, place=self.place)

    @staticmethod
    def together(parts: Sequence[Spans]) -> Spans:
        """Those of several shards."""
        begins = np.cumsum([0, *(part.offsets[-1] for part in parts)])
        offsets = [part.offsets[:-1] + begin for part, begin in zip(parts, begins[:-1], strict=True)]
        columns = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("start", "end", "place")
        )
        return Spans(np.concatenate([*offsets, begins[-1:]]).astype(np.int64), *columns)


@dataclass(frozen=True)
class Population:
    """Persons of one shard or several, those who opted out without a period; or of a CDM.

    `person`: int64 (n,); `sex`: int8 (n,); `birth`: int64 (n,), the day of birth, and `year`: int64 (n,), its
    year, which may be known alone; `cdm.MISSING` if unknown. `opens`, `closes`:
    int64 (n,), the days between which each may be a control as far as age, sex and index events go, both in.
    `event`: int64 (n,), the first day of an event as that of the index, `FAR` if none. `homes`: with the
    number of the municipality as place.
    """

    person: np.ndarray
    sex: np.ndarray
    birth: np.ndarray
    year: np.ndarray
    opens: np.ndarray
    closes: np.ndarray
    event: np.ndarray
    periods: Spans
    homes: Spans

    @cached_property
    def rows(self) -> np.ndarray:
        """int64 (n,): positions by ascending person."""
        return np.argsort(self.person, kind="stable")

    def places(self, person: np.ndarray) -> np.ndarray:
        """int64 (m,): where those of `person`, int64 (m,), stand, who all have to be there."""
        return self.rows[np.searchsorted(self.person, person, sorter=self.rows)]

    @staticmethod
    def together(parts: Sequence[Population]) -> Population:
        """Those of several shards, in the order of the parts."""
        columns = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("person", "sex", "birth", "year", "opens", "closes", "event")
        )
        spans = (Spans.together([getattr(part, name) for part in parts]) for name in ("periods", "homes"))
        return Population(*columns, *spans)  # type: ignore[arg-type]


def evaluators(
    shards: Sequence[ShardReader], sources: tuple[str, ...] | None, cohort: Cohort
) -> list[Evaluator]:
    """One for each shard."""
    return [Evaluator(ShardSource(shard, sources), cohort.sets) for shard in shards]


def population(
    shards: Sequence[ShardReader], found: Sequence[Evaluator], cohort: Cohort, asked: Definition
) -> Population:
    """Everybody of the shards. `found`: an evaluator for each."""
    municipality: dict[str, int] = {}
    parts = [
        _of_shard(shard, each, cohort, asked, municipality) for shard, each in zip(shards, found, strict=True)
    ]
    return Population.together(parts)


def of_cdm(evaluator: Evaluator, cohort: Cohort, asked: Definition, death: np.ndarray) -> Population:
    """Everybody of a CDM. `death`: int64 (n,), days, `FAR` if none is known."""
    count = len(evaluator.source.persons)
    sex = np.asarray(evaluator.source.of_persons("sex", np.arange(count)))
    nowhere = Spans(np.zeros(count + 1, np.int64), *(np.empty(0, np.int64) for _ in range(3)))
    found = _of(evaluator, cohort, asked, sex, nowhere)
    return replace(found, closes=np.minimum(found.closes, death))


def _of_shard(
    shard: ShardReader, evaluator: Evaluator, cohort: Cohort, asked: Definition, municipality: dict[str, int]
) -> Population:
    homes = _homes(shard, len(evaluator.source.persons), municipality)
    return _of(evaluator, cohort, asked, array(shard.read("persons", ("sex",)), "sex"), homes)


def _of(evaluator: Evaluator, cohort: Cohort, asked: Definition, sex: np.ndarray, homes: Spans) -> Population:
    source, count = evaluator.source, len(evaluator.source.persons)
    birth, year = source.birth_days(np.arange(count)), source.birth_years(np.arange(count))
    event = _first_events(evaluator, cohort, count)
    opens, closes = _risk(asked, sex, birth, year, event)
    periods = source.periods
    return Population(
        person=source.persons,
        sex=sex,
        birth=birth,
        year=year,
        opens=opens,
        closes=closes,
        event=event,
        periods=Spans(periods.offsets, periods.start, periods.end, np.zeros(len(periods.start), np.int64)),
        homes=homes,
    )


def _first_events(evaluator: Evaluator, cohort: Cohort, count: int) -> np.ndarray:
    """int64 (n,): the first day of an event as that of the index, in or out of the study, `FAR` if none."""
    days = np.full(count, FAR)
    for each in cohort.entry:
        events = evaluator.events(replace(each, nth=0, since=0, filters=(), start=None, end=None))
        np.minimum.at(days, events.person, events.start)
    return days


def _risk(
    asked: Definition, sex: np.ndarray, birth: np.ndarray, year: np.ndarray, event: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First and last day on which each is of the age and sex asked for, and has had no index event; the last
    before the first for never. An age is by calendar years where the year of birth alone is known."""
    opens, closes = np.full(len(sex), -FAR), event - 1
    if asked.controls is not None and asked.controls.never_cases:
        closes = np.where(event < FAR, -FAR - 1, closes)
    if asked.age is not None:
        born = np.where(birth != MISSING, birth, _new_year(np.where(year != MISSING, year, 1970)))
        opens = birthdays(born, asked.age.first)
        if asked.age.last is not None:
            closes = np.minimum(closes, birthdays(born, asked.age.last + 1) - 1)
        closes = np.where(year != MISSING, closes, -FAR - 1)
    if asked.sex is not None:
        closes = np.where(sex == _SEX[asked.sex], closes, -FAR - 1)
    return opens, closes


def _new_year(year: np.ndarray) -> np.ndarray:
    """int64 (n,): 1 January of each year, on which who was born that day reaches an age as by calendar
    years."""
    return (year - 1970).astype("M8[Y]").astype("M8[D]").astype(np.int64)


def _homes(shard: ShardReader, count: int, municipality: dict[str, int]) -> Spans:
    frame = shard.read("residences")
    column = frame["municipality"]
    labels = column.labels if isinstance(column, Category) else ()
    numbers = np.array(
        [municipality.setdefault(label, len(municipality)) for label in labels] + [-1], np.int64
    )
    offsets = row_starts(array(frame, "person"), count)
    return Spans(
        offsets,
        array(frame, "start").astype(np.int64),
        array(frame, "end").astype(np.int64),
        numbers[array(frame, "municipality")],
    )
