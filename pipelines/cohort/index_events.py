"""Index events: those that conditions are asked of, each in an observation period that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kernels.windows import periods_holding
from pipelines.cohort.source import Events, Source


@dataclass(frozen=True)
class IndexEvents:
    """`events`: by person. `start`, `period_start`, `period_end`: int64 (n,), days. `key`: int64 (n,), equal
    for copies of one event that several periods hold."""

    events: Events
    start: np.ndarray
    period_start: np.ndarray
    period_end: np.ndarray
    key: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    @property
    def person(self) -> np.ndarray:
        """int32 (n,): position among the source's persons."""
        return self.events.person

    @property
    def end(self) -> np.ndarray:
        """int64 (n,): last day of the event."""
        return self.events.end

    @property
    def visit(self) -> np.ndarray:
        """int64 (n,): id of its visit."""
        return self.events.visit

    def take(self, places: np.ndarray) -> IndexEvents:
        """The events at `places`: positions, int64 (m,), or a mask, bool (n,)."""
        columns = (each[places] for each in (self.start, self.period_start, self.period_end, self.key))
        return IndexEvents(self.events.take(places), *columns)

    def keyed(self) -> IndexEvents:
        """The same, where events of a person with one id are copies of each other."""
        _, key = np.unique(
            np.stack([self.person.astype(np.int64), self.events.id]), axis=1, return_inverse=True
        )
        return replace(self, key=key.reshape(-1))

    def numbered(self) -> IndexEvents:
        """The same, where each event has a key of its own, ascending."""
        return replace(self, key=np.arange(len(self), dtype=np.int64))

    @staticmethod
    def together(parts: Sequence[IndexEvents]) -> IndexEvents:
        """Index events of several criteria, one after the other."""
        if len(parts) == 1:
            return parts[0]
        columns = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("start", "period_start", "period_end", "key")
        )
        return IndexEvents(Events.together([part.events for part in parts]), *columns)


def observed(events: Events, source: Source) -> tuple[IndexEvents, np.ndarray]:
    """Each event with each observation period that holds its start, n in all; int64 (n,): which event that
    is."""
    periods = source.periods
    event, period = periods_holding(events.person, events.start, periods.offsets, periods.start, periods.end)
    found = events.take(event)
    return IndexEvents(
        found, found.start.astype(np.int64), periods.start[period], periods.end[period], event
    ), event
