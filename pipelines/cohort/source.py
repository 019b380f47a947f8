"""What the engine asks of the data: persons, their observation periods, and events of a domain found by
concept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.cohort.columns import Values
from pipelines.cohort.query import ConceptSet


@dataclass(frozen=True)
class Periods:
    """Observation periods. `offsets`: int64 (persons + 1,): those of each person in `start`, `end`: int64,
    both days in."""

    offsets: np.ndarray
    start: np.ndarray
    end: np.ndarray


class Events:
    """Events of one domain, by (person, start, id).

    `row`: int64 (n,), where each stands in its domain; `person`: int32 (n,), position among the source's
    persons; `start`: int32 or int64 (n,), days, never unknown. The others are read when they are first asked
    for: `end`, int64 (n,), days; `visit`, `id`: int64 (n,); `order`: the day by which entry events are put in
    order, which is not the start where a definition gives that. Unknown is `cdm.MISSING`.
    """

    def __init__(
        self,
        row: np.ndarray | range,
        person: np.ndarray,
        start: np.ndarray,
        read: Callable[[str, np.ndarray], np.ndarray],
        known: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """`row`: int64 (n,), or a range; `person`: int32 (n,); `start`: int32 or int64 (n,). `read`: gives
        `end`, `visit` or `id`, int64 (m,), of rows, int64 (m,). `known`: those that are read already."""
        self._row, self.person, self.start = row, person, start
        self._read, self._known = read, dict(known or {})

    def __len__(self) -> int:
        return len(self.person)

    @property
    def row(self) -> np.ndarray:
        """Where each stands: int64 (n,)."""
        return np.arange(self._row.start, self._row.stop) if isinstance(self._row, range) else self._row

    def _column(self, name: str) -> np.ndarray:
        if name not in self._known:
            self._known[name] = self._read(name, self.row)
        return self._known[name]

    @property
    def end(self) -> np.ndarray:
        """Last day: int64 (n,), `MISSING` if unknown."""
        return self._column("end")

    @property
    def visit(self) -> np.ndarray:
        """Id of the visit: int64 (n,), `MISSING` if unknown."""
        return self._column("visit")

    @property
    def id(self) -> np.ndarray:
        """Id of the event among its person's: int64 (n,)."""
        return self._column("id")

    @property
    def order(self) -> np.ndarray:
        """Day by which entry events are put in order: int32 or int64 (n,)."""
        return self._known.get("order", self.start)

    def take(self, places: np.ndarray) -> Events:
        """The events at `places`: positions, int64 (m,), or a mask, bool (n,)."""
        places = np.flatnonzero(places) if places.dtype == np.bool_ else places
        known = {name: column[places] for name, column in self._known.items()}
        row = places + self._row.start if isinstance(self._row, range) else self._row[places]
        return Events(row, self.person[places], self.start[places], self._read, known)

    def placed(self, start: np.ndarray, **known: np.ndarray) -> Events:
        """The same events elsewhere in time. `start`: int64 (n,), days; `known`: other columns that differ,
        int64 (n,) each."""
        return Events(self._row, self.person, start, self._read, {**self._known, **known})

    @property
    def in_order(self) -> bool:
        """Do they stand by (person, order, id)? Those that a definition has not put elsewhere do."""
        return "order" not in self._known

    @staticmethod
    def together(parts: Sequence[Events]) -> Events:
        """Events of several domains, one after the other, in no order."""
        whole: dict[str, np.ndarray] = {}

        def read(name: str, rows: np.ndarray) -> np.ndarray:
            if name not in whole:
                whole[name] = np.concatenate([getattr(part, name) for part in parts])
            return whole[name][rows]

        rows = np.arange(sum(len(part) for part in parts))
        person, start, order = (read(name, rows) for name in ("person", "start", "order"))
        return Events(rows, person, start, read, {"order": order})


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

    def concepts(self, asked: ConceptSet) -> np.ndarray:
        """int64 (concepts,), ascending: what a concept set holds."""
        ...

    def events(self, domain: str, concepts: np.ndarray | None, source_concepts: np.ndarray | None) -> Events:
        """Events whose concept is one of `concepts`, and whose source's concept is one of `source_concepts`:
        int64 (m,), ascending; None asks nothing."""
        ...

    def values(self, domain: str, field: str, events: Events) -> Values:
        """A field of each event that is no derived one."""
        ...

    def birth_years(self, person: np.ndarray) -> np.ndarray:
        """int64 (m,): year of birth of the persons at `person`, int32 (m,), `cdm.MISSING` if unknown."""
        ...

    def birth_days(self, person: np.ndarray) -> np.ndarray:
        """int64 (m,): day of birth of the persons at `person`, int32 (m,), in days since 1970-01-01,
        `cdm.MISSING` if unknown."""
        ...

    def of_persons(self, field: str, person: np.ndarray) -> Values:
        """A field of `domains.DEMOGRAPHIC` for the persons at `person`, int32 (m,)."""
        ...
