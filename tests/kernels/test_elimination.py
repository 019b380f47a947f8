"""Exact elimination and its slow twin in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels.elimination import determined


def slow(block: np.ndarray) -> list[bool]:
    """Reduced echelon form in fractions; an unknown is fixed if a row has it alone."""
    rows = [[Fraction(int(value)) for value in row] for row in block]
    done = 0
    for column in range(block.shape[1]):
        pivot = next((row for row in range(done, len(rows)) if rows[row][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for row in range(len(rows)):
            if row != done:
                rows[row] = [
                    value - rows[row][column] * lead
                    for value, lead in zip(rows[row], rows[done], strict=True)
                ]
        done += 1
    alone = [
        row.index(next(value for value in row if value))
        for row in rows
        if sum(bool(value) for value in row) == 1
    ]
    return [column in alone for column in range(block.shape[1])]


@given(arrays(np.int64, st.tuples(st.integers(1, 7), st.integers(1, 8)), elements=st.integers(-1, 1)))
def test_agrees_with_fractions(block: np.ndarray) -> None:
    assert determined(block).tolist() == slow(block)


def test_a_row_of_one_unknown_fixes_it() -> None:
    assert determined(np.array([[1, 1, 0], [0, 0, 2]])).tolist() == [False, False, True]


def test_no_equation_fixes_nothing() -> None:
    assert determined(np.empty((0, 3), np.int64)).tolist() == [False, False, False]
