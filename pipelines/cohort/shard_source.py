"""A shard of a snapshot as the engine sees it: events found by code, of which only the parts that hold them
are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from kernels.postings import row_starts
from pipelines.cohort.columns import MISSING, Texts, Values
from pipelines.cohort.query import ConceptSet
from pipelines.cohort.source import Events, Periods
from pipelines.files.frames import Category, Frame, array
from pipelines.files.schemas import DAY_UNKNOWN, KIND, NO_CATEGORY, VALUE_MISSING
from pipelines.study.concepts import prefix_range

_COLUMNS = {"end": "end", "visit": "encounter", "id": "row"}
_FIELDS = {
    "care_unit": "care_unit",
    "unit": "unit",
    "setting": "setting",
    "position": "position",
    "value": "value",
    "kind": "kind",
}


class Parts(Protocol):
    """Reads some rows of one file."""

    def __len__(self) -> int:
        """All its rows."""
        ...

    def rows(self, columns: Iterable[str], rows: np.ndarray) -> Frame:
        """The rows that stand at `rows`, int64 (n,), in any order."""
        ...

    def spans(self, columns: Iterable[str], spans: Sequence[tuple[int, int]]) -> Frame:
        """Rows from the first of each span to before its end."""
        ...


class ShardReader(Protocol):
    """Reads columns of one shard's files (`snapshot.SHARD_FILES`)."""

    def read(self, name: str, columns: Iterable[str] | None = None) -> Frame:
        """All rows of a file."""
        ...

    def parts(self, name: str) -> Parts:
        """A file of which some rows are wanted."""
        ...


class ShardSource:
    """Events of the sources that a permit names (None: all), of people who have not opted out.

    A domain is a kind of event (`schemas.KINDS`), or `event` for all; `Events.row` is a position in the
    postings.
    """

    def __init__(self, shard: ShardReader, sources: tuple[str, ...] | None) -> None:
        self.shard, self.sources = shard, sources

    @cached_property
    def people(self) -> Frame:
        """The shard's persons, and the days on which they opted out or died."""
        return self.shard.read("persons", ("person", "opt_out_day", "death_day"))

    @cached_property
    def _demography(self) -> Frame:
        return self.shard.read("persons", ("sex", "birth_day"))

    @cached_property
    def free(self) -> np.ndarray:
        """bool (persons,): who has not opted out."""
        return array(self.people, "opt_out_day") == DAY_UNKNOWN

    @cached_property
    def deaths(self) -> np.ndarray:
        """int64 (persons,): the day of each one's death, `MISSING` if none is known."""
        day = array(self.people, "death_day").astype(np.int64)
        return np.where(day == DAY_UNKNOWN, MISSING, day)

    def with_events(self) -> int:
        """How many persons who have not opted out have an event that may be seen. Reads some columns of all
        events."""
        frame = self.shard.read(
            "events", ("person", "start", *(["source"] if self.sources is not None else []))
        )
        person = array(frame, "person")[self.visible(frame)]
        return int(np.count_nonzero(np.append(True, person[1:] != person[:-1])[: len(person)]))

    @property
    def persons(self) -> np.ndarray:
        """See `Source`."""
        return array(self.people, "person")

    @cached_property
    def periods(self) -> Periods:
        """Observation periods, to death at the latest, of those who have not opted out: nobody else can
        enter."""
        frame = self.shard.read("periods")
        person = array(frame, "person")
        keep = self.free[person]
        person, start, end = (
            person[keep],
            array(frame, "start")[keep].astype(np.int64),
            array(frame, "end")[keep].astype(np.int64),
        )
        death = self.deaths[person]
        return Periods(
            row_starts(person, len(self.persons)),
            start,
            np.where(death == MISSING, end, np.minimum(end, death)),
        )

    @cached_property
    def _codes(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Labels of the shard's codes, and int64 (labels + 1,): the postings of each."""
        frame = self.shard.read("codes")
        concept = frame["concept"]
        labels = concept.labels if isinstance(concept, Category) else ()
        return labels, np.concatenate([[0], np.cumsum(array(frame, "rows"))]).astype(np.int64)

    def concepts(self, asked: ConceptSet) -> np.ndarray:
        """See `Source`: positions among the shard's codes."""
        labels, _ = self._codes
        found = {place for prefix in asked.prefixes for place in range(*prefix_range(labels, prefix))}
        found -= {place for prefix in asked.without for place in range(*prefix_range(labels, prefix))}
        return np.array(sorted(found), np.int64)

    def events(self, domain: str, concepts: np.ndarray | None, source_concepts: np.ndarray | None) -> Events:
        """See `Source`. There are no source concepts: codes are the source's own."""
        spans = self._spans(concepts)
        wanted = [
            "person",
            "start",
            *(["kind"] if domain != "event" else []),
            *(["source"] if self.sources is not None else []),
        ]
        ordered = concepts is not None and len(concepts) < 2  # postings of one code are in order already
        frame = self._postings.spans([*wanted, *([] if ordered else ["row"])], spans)
        keep = self.visible(frame)
        if domain != "event":
            keep &= array(frame, "kind") == KIND[domain]
        person, start = array(frame, "person"), array(frame, "start")
        if ordered and keep.all():
            return Events(range(*spans[0]) if spans else range(0), person, start, self._read)
        places = np.flatnonzero(keep)
        if not ordered:
            places = places[np.lexsort((array(frame, "row")[places], start[places], person[places]))]
        rows = np.concatenate([np.empty(0, np.int64), *(np.arange(begin, end) for begin, end in spans)])
        return Events(rows[places], person[places], start[places], self._read)

    def _read(self, name: str, rows: np.ndarray) -> np.ndarray:
        column = array(self._postings.rows((_COLUMNS[name],), rows), _COLUMNS[name]).astype(np.int64)
        if name == "id":
            return column
        return np.where(column == (DAY_UNKNOWN if name == "end" else 0), MISSING, column)

    def _spans(self, concepts: np.ndarray | None) -> list[tuple[int, int]]:
        """Rows of the postings that hold the codes: codes that follow each other make one span."""
        _, begins = self._codes
        if concepts is None:
            return [(0, len(self._postings))] if len(self._postings) else []
        if not len(concepts):
            return []
        breaks = np.flatnonzero(np.diff(concepts, prepend=-2) != 1)
        last = np.append(breaks[1:], len(concepts)) - 1
        spans = zip(begins[concepts[breaks]].tolist(), begins[concepts[last] + 1].tolist(), strict=True)
        return [(begin, end) for begin, end in spans if end > begin]

    @cached_property
    def _postings(self) -> Parts:
        return self.shard.parts("postings")

    def visible(self, frame: Frame) -> np.ndarray:
        """bool (n,): events with a day, of people and sources that may be seen."""
        keep = array(frame, "start") != DAY_UNKNOWN
        if not self.free.all():
            keep &= self.free[array(frame, "person")]
        return keep if self.sources is None else keep & _labelled(frame["source"], self.sources)

    @property
    def labels(self) -> tuple[str, ...]:
        """The shard's codes."""
        return self._codes[0]

    def sources_of(self, concepts: np.ndarray) -> tuple[str, ...]:
        """Sources that have events of these codes (`concepts`, int64 (m,), ascending), whether or not a
        permit names them."""
        if not len(concepts):
            return ()
        column = self._postings.spans(("source",), self._spans(concepts))["source"]
        return column.labels if isinstance(column, Category) else ()

    def values(self, domain: str, field: str, events: Events) -> Values:
        """See `Source`."""
        if field == "sex":
            return self.of_persons(field, events.person)
        column = self._postings.rows(("concept" if field == "concept" else _FIELDS[field],), events.row)
        found = next(iter(column.values()))
        if isinstance(found, Category):
            return Texts(found.labels, found.places)
        values = found.astype(np.int64)
        return np.where(values == (VALUE_MISSING if field == "value" else NO_CATEGORY), MISSING, values)

    def birth_years(self, person: np.ndarray) -> np.ndarray:
        """See `Source`."""
        day = self.birth_days(person)
        year = np.where(day == MISSING, 0, day).astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970
        return np.where(day == MISSING, MISSING, year)

    def birth_days(self, person: np.ndarray) -> np.ndarray:
        """See `Source`."""
        day = array(self._demography, "birth_day")[person].astype(np.int64)
        return np.where(day == DAY_UNKNOWN, MISSING, day)

    def of_persons(self, field: str, person: np.ndarray) -> Values:
        """See `Source`. Sex is as `schemas` has it."""
        return array(self._demography, field)[person].astype(np.int64)


def _labelled(column: object, labels: Iterable[str]) -> np.ndarray:
    """bool (n,): rows with one of the labels."""
    if not isinstance(column, Category):
        raise TypeError("the column is no category")
    wanted = np.array([label in labels for label in column.labels] + [False])
    return wanted[column.places]
