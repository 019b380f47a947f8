"""Which earlier tables a new release has to be proved beside: those that show nearly the same people, and
those that show nearly the same people as these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.disclosure.history.memory import Entry, Remembered
from pipelines.disclosure.history.pairs import Counted, compared
from pipelines.disclosure.history.together import Released

Place = tuple[int, str]  # number of a release, and name of a table in it


def recalled(
    new: Sequence[Counted], entries: Sequence[Entry], minimum: int
) -> tuple[list[Released], list[tuple[Place, ...]]]:
    """Earlier tables for `system_of`, and for each new table which of them show nearly the same people."""
    recall = _Recall(entries)
    near: list[set[Place]] = [set() for _ in new]
    people = np.unique(np.concatenate([np.empty(0, np.int64), *(each.standing.person for each in new)]))
    for entry in entries:
        if np.isin(entry.people, people).any():
            for name in entry.tables:
                earlier = recall.table(entry.number, name).counted
                for own, each in zip(near, new, strict=True):
                    if compared(each, earlier, minimum) is not None:
                        own.add((entry.number, name))
    found = recall.closure(set().union(*near))
    tables = [(number, recall.table(number, name)) for number, name in sorted(found)]
    released = [Released(each.counted, number, each.hidden, each.sensitive) for number, each in tables]
    return released, [tuple(sorted(each)) for each in near]


class _Recall:
    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = {each.number: each for each in entries}
        self._known: dict[Place, Remembered] = {}

    def table(self, number: int, name: str) -> Remembered:
        if (number, name) not in self._known:
            self._known[number, name] = self._entries[number].table(name)
        return self._known[number, name]

    def closure(self, places: set[Place]) -> set[Place]:
        """Those, and all that are near one of them, as was found when the later of the two was proved."""
        beside: dict[Place, set[Place]] = {}
        for number, entry in self._entries.items():
            for name, about in entry.about["tables"].items():
                for other in about["near"]:
                    if int(other[0]) in self._entries:
                        one, its = (number, name), (int(other[0]), str(other[1]))
                        beside.setdefault(one, set()).add(its)
                        beside.setdefault(its, set()).add(one)
        found, waiting = set(places), sorted(places)
        while waiting:
            for each in sorted(beside.get(waiting.pop(), set()) - found):
                found.add(each)
                waiting.append(each)
        return found
