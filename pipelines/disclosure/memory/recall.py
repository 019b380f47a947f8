"""What a memory says of the people of a new release, and how it comes to remember that release."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pipelines.disclosure.inner import Inner, Placed
from pipelines.disclosure.memory.joint import Past
from pipelines.disclosure.memory.store import Release, Remembered, opened
from pipelines.errors import SettingsError

Remember = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], None]


@contextlib.contextmanager
def recalled(inner: Inner, placed: Sequence[Placed], folder: Path) -> Iterator[tuple[Past | None, Remember]]:
    """What was released before, None if nothing was, and what remembers the new release: it takes for each
    table the hidden cells and those that are sensitive, bool (cells,). The memory is held until the end.

    Raises SettingsError where it is not known who is who.
    """
    if inner.persons is None:
        raise SettingsError("specification: memory", "needs to know who is who", "name the column: person")
    with opened(folder) as memory:
        persons = memory.pseudonyms(inner.persons.names)
        order = np.lexsort((persons[:, 1], persons[:, 0]))
        places = tuple(each.places[inner.persons.cell] for each in placed)

        def remember(hidden: Sequence[np.ndarray], sensitive: Sequence[np.ndarray]) -> None:
            tables = [
                Remembered(each.cube.table, each.cube.dimensions, own[order], gone, why & gone)
                for each, own, gone, why in zip(placed, places, hidden, sensitive, strict=True)
            ]
            release = Release(persons[order], tuple(tables))
            if not any(_same(release, each) for each in releases):
                memory.add(release)

        releases = tuple(memory.releases())
        yield (Past(persons, places, releases) if releases else None), remember


def _same(one: Release, other: Release) -> bool:
    """The same tables of the same people, the same cells hidden: nothing to remember twice."""
    return (
        np.array_equal(one.persons, other.persons)
        and len(one.tables) == len(other.tables)
        and all(
            (a.name, [(each.name, each.codes, each.parents) for each in a.dimensions])
            == (b.name, [(each.name, each.codes, each.parents) for each in b.dimensions])
            and np.array_equal(a.places, b.places)
            and np.array_equal(a.hidden, b.hidden)
            for a, b in zip(one.tables, other.tables, strict=True)
        )
    )
