"""An attack on versions of one release: the difference of two nights, and a number that one of them hides and
the other shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.verifier.nights import differ_by_few
from pipelines.verifier.tables import Axis, PublishedTable

TOWNS = Axis("town", ("", "A", "B", "C"), (-1, 0, 0, 0))
SEXES = Axis("sex", ("", "m", "w"), (-1, 0, 0))


def table(*inner: int, hidden: tuple[int, ...] = ()) -> PublishedTable:
    """Towns by sex with margins; `hidden`: cells, row by row."""
    grid = np.zeros((4, 3), np.int64)
    grid[1:, 1:] = np.array(inner).reshape(3, 2)
    grid[0], grid[:, 0] = grid.sum(axis=0), 0
    grid[:, 0] = grid.sum(axis=1)
    gone = np.isin(np.arange(12), hidden)
    return PublishedTable(
        "t",
        "all",
        (TOWNS, SEXES),
        {"persons": np.where(gone, 0, grid.ravel())},
        gone,
        {"persons": (True, True)},
        (),
    )


BEFORE = table(40, 30, 22, 51, 3, 44, hidden=(7, 8, 10, 11))


@pytest.mark.parametrize(
    ("after", "tells"),
    [
        (BEFORE, False),
        (table(42, 30, 22, 51, 3, 44, hidden=(7, 8, 10, 11)), True),  # two came to A
        (table(40, 25, 22, 51, 3, 44, hidden=(7, 8, 10, 11)), False),  # five left
        (
            table(50, 41, 22, 51, 3, 44, hidden=(4, 5, 10, 11)),
            True,
        ),  # B, unchanged, is shown now: with it all of before
        (table(50, 41, 32, 61, 3, 44, hidden=(4, 5, 10, 11)), False),  # everything has changed that is shown
    ],
    ids=["nothing", "two came", "five left", "another pattern", "another pattern of other people"],
)
def test_what_changed_between_two_versions_tells_of_few(after: PublishedTable, tells: bool) -> None:
    assert differ_by_few(after, BEFORE, 5) == tells


def test_a_code_that_is_new_is_compared_with_nothing() -> None:
    other = replace(BEFORE, axes=(Axis("town", ("", "A", "B", "D"), (-1, 0, 0, 0)), SEXES))
    assert not differ_by_few(other, BEFORE, 5)
