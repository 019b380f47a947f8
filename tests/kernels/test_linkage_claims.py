"""Settling a number: the fast kernel and a plain one agree on generated claims."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.claims import ANCHOR, ANCHOR_BEFORE, OTHER, OTHER_BEFORE, Claims, settle
from kernels.pairs import People
from kernels.strings import lengths
from pipelines.files.schemas import DAY_OPEN, DAY_UNKNOWN
from tests.kernels.test_linkage_strings import fold, rows, slow_jaro_winkler

BIRTHS = [-1, 1950 << 9 | 3 << 5 | 4, 1950 << 9 | 3 << 5 | 5, 1971 << 9 | 8 << 5 | 9]


class Row(NamedTuple):
    token: int
    role: int
    record: int
    first: int
    last: int
    given: str
    surname: str
    birth: int
    sex: int


NAMES = st.sampled_from(["", "ANNA", "ANNE", "ERIK", "HOLMQVIST"])
FIRST, LAST = st.integers(0, 9) | st.just(DAY_UNKNOWN), st.integers(0, 9) | st.just(DAY_OPEN)
ROLES = st.sampled_from([ANCHOR, ANCHOR_BEFORE, OTHER, OTHER_BEFORE])
ROWS = st.lists(
    st.builds(
        Row,
        st.integers(0, 2),
        ROLES,
        st.integers(0, 5),
        FIRST,
        LAST,
        NAMES,
        NAMES,
        st.sampled_from(BIRTHS),
        st.integers(0, 2),
    ),
    max_size=12,
).map(sorted)


def arrays(table: list[Row]) -> tuple[Claims, People]:
    claims = Claims(
        *(
            np.array([row[k] for row in table], type_)
            for k, type_ in enumerate((np.int64, np.int8, np.int64, np.int32, np.int32))
        )
    )
    names = np.stack(
        [fold(rows(*(row[k] for row in table))) if table else np.zeros((0, 32), np.uint8) for k in (5, 6)], 1
    )
    facts = np.array([[row.birth, row.sex, -1, -1] for row in table], np.int32).reshape(len(table), 4)
    sizes = np.stack([lengths(np.ascontiguousarray(names[:, k])) for k in range(2)], 1)
    return claims, People(
        np.zeros(len(table), np.int64), names, sizes, np.zeros((len(table), 2), np.int64), facts
    )


def slow_settle(table: list[Row]) -> list[int]:
    """One row after the other, as the rules are said."""
    target = []
    for i, row in enumerate(table):
        group = [j for j, other in enumerate(table) if other.token == row.token]
        claims = [j for j in group if table[j].role in (ANCHOR, ANCHOR_BEFORE)]
        rivals = (
            [j for j in group if table[j].role == ANCHOR]
            if row.role == ANCHOR_BEFORE
            else claims or group[:1]
        )
        if row.role == ANCHOR or not rivals or (not claims and i == group[0]):
            target.append(i)
            continue
        target.append(next((j for j in rivals if table[j].record == row.record), -1))
        same = rivals.index(target[-1]) if target[-1] >= 0 else len(rivals)
        scored = [(slow_score(row, table[j], bool(claims)), -j) for j in rivals[:same]]
        if target[-1] < 0:
            allowed = [(score, j) for score, j in scored if score is not None]
            best, place = max(allowed, default=(None, 1))
            rivals = {table[-j].record for score, j in allowed if best and score[:3] == best[:3]}
            timeless = (row.first, row.last) == (DAY_UNKNOWN, DAY_OPEN)
            target[-1] = -1 if timeless and claims and len(rivals) > 1 else -place
    return target


def slow_score(row: Row, other: Row, anchored: bool) -> tuple[bool, int, bool, int] | None:
    sides = ((row.given, other.given, other.surname), (row.surname, other.surname, other.given))
    known = [each for each in sides if each[0] and each[1]]
    alike = [
        slow_jaro_winkler(a, b) >= 0.85 or (c != "" and slow_jaro_winkler(a, c) >= 0.85) for a, b, c in known
    ]
    apart = len(alike) - sum(alike)
    births = [(each >> 9, each >> 5 & 15, each & 31) for each in (row.birth, other.birth)]
    contradicts = row.birth >= 0 <= other.birth and sum(a == b for a, b in zip(*births, strict=True)) < 2
    shared = min(row.last, other.last) - max(row.first, other.first) + 1
    unknown = row.birth < 0 or other.birth < 0
    if not sum(alike) and ((contradicts and apart) or (unknown and apart == 2) or (anchored and shared <= 0)):
        return None
    agreement = sum(alike) - apart + (2 if row.birth == other.birth >= 0 else -2 if contradicts else 0)
    if row.sex and other.sex:
        agreement += 1 if row.sex == other.sex else -1
    return shared > 0, agreement, other.role == ANCHOR, max(shared, 0)


@given(ROWS)
def test_settling_is_the_slow_one(table: list[Row]) -> None:
    assert settle(*arrays(table)).tolist() == slow_settle(table)


@given(ROWS)
def test_a_row_joins_a_row_of_its_own_number(table: list[Row]) -> None:
    for row, target in zip(table, settle(*arrays(table)), strict=True):
        assert target < 0 or table[target].token == row.token
