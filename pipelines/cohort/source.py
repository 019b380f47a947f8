"""What the engine asks of the data: persons, their observation periods, and events of a domain found by concept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.cdm import Values
from pipelines.cohort.query import SetId


@dataclass(frozen=True)
class Periods:
    """Observation periods. `offsets`: int64 (persons + 1,): those of each person in `start`, `end`: int64, both days in."""

    offsets: np.ndarray
    start: np.ndarray
    end: np.ndarray


@dataclass(frozen=True)
class Events:
    """Events of one domain, by (person, start, id).

    `row`: int64 (n,), where each stands in its domain; `person`: int32 (n,), position among the source's persons; `start`, `end`: int64
    (n,), days; `visit`, `id`: int64 (n,). Unknown is `cdm.MISSING`; a start is never unknown.
    """

    row: np.ndarray
    person: np.ndarray
    start: np.ndarray
    end: np.ndarray
    visit: np.ndarray
    id: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, places: np.ndarray) -> Events:
        """The events at `places`: positions or a mask."""
        return Events(
            self.row[places], self.person[places], self.start[places], self.end[places], self.visit[places], self.id[places]
        )  # fmt: skip


class Source(Protocol):
    """Persons of a whole data set, or of a shard."""

    @property
    def persons(self) -> np.ndarray:
        """int64 (n,), ascending: the ids of its persons."""
        ...

    @property
    def periods(self) -> Periods:
        """Their observation periods."""
        ...

    def concepts(self, set: SetId) -> np.ndarray:
        """int64, ascending: what a concept set holds."""
        ...

    def events(self, domain: str, concepts: np.ndarray | None, source_concepts: np.ndarray | None) -> Events:
        """Events whose concept, and whose source's concept, are among those given; None asks nothing."""
        ...

    def values(self, domain: str, field: str, events: Events) -> Values:
        """A field of each event that is no derived one."""
        ...

    def birth_years(self, person: np.ndarray) -> np.ndarray:
        """int64: year of birth of the persons at `person`, `cdm.MISSING` if unknown."""
        ...

    def birth_days(self, person: np.ndarray) -> np.ndarray:
        """int64: day of birth, `cdm.MISSING` if unknown."""
        ...

    def of_persons(self, field: str, person: np.ndarray) -> Values:
        """A field of `domains.DEMOGRAPHIC` for the persons at `person`."""
        ...
