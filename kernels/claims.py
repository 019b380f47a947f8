"""Exact linkage: which records with one identity number belong together, given when each used it and what
else is known."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kernels.jit import compiled
from kernels.pairs import People, birth_level, clear_names, fill_names
from kernels.strings import SYMBOLS, jaro_winkler

# What a row says of its number, in the order in which rows of one number stand.
ANCHOR, ANCHOR_BEFORE, OTHER, OTHER_BEFORE = 0, 1, 2, 3
_ALIKE: Final = 0.85
_BEGINNING, _END = -(2**31), 2**31 - 1  # of time: days that nobody knows or that have not come


class Claims(NamedTuple):
    """What rows say of their number, ascending by (token, role, …), the rest of the order stating ties.

    `token`: int64 (n,). `role`: int8 (n,): `ANCHOR` (the register gives this number to this person),
    `ANCHOR_BEFORE` (the number that the register's replaced), `OTHER` and `OTHER_BEFORE` likewise for records
    of other sources. `record`: int64 (n,). `first_day`, `last_day`: int32 (n,), use of the number, both
    included.
    """

    token: np.ndarray
    role: np.ndarray
    record: np.ndarray
    first_day: np.ndarray
    last_day: np.ndarray


@compiled
def settle(claims: Claims, people: People) -> np.ndarray:
    """The row that each row joins by its number, or itself where it stands for the number, or -1 where its
    claim is in dispute.

    Returns int64 (n,).

    Among several claims on a number the one in use at the same time is chosen, then the one that agrees best
    in names, birth day and sex, then the present over the replaced number, then the longer time in common,
    then the first. No row joins one that contradicts it in birth day and name both, nor in both names where a
    birth day is unknown, nor, without a day in common, one that agrees in no name; nor one of two that agree
    alike, where the row says nothing of time.
    """
    n = len(claims.token)
    target = np.full(n, -1, np.int64)
    masks = np.zeros((2, SYMBOLS), np.uint64)
    begin = 0
    while begin < n:
        anchors, before, end = _group(claims, begin)
        for i in range(begin, end):
            last = anchors if claims.role[i] == ANCHOR_BEFORE else max(before, begin + 1)
            if claims.role[i] == ANCHOR or last == begin or (before == begin and i == begin):
                target[i] = i
                continue
            fill_names(masks, people, i)
            target[i] = _best(masks, claims, people, i, begin, last, before > begin)
            clear_names(masks, people, i)
        begin = end
    return target


@compiled
def _group(claims: Claims, begin: int) -> tuple[int, int, int]:
    """Where the rows of one number end: those of `ANCHOR`, those of `ANCHOR_BEFORE`, all."""
    end = begin
    anchors = begin
    before = begin
    while end < len(claims.token) and claims.token[end] == claims.token[begin]:
        anchors += claims.role[end] == ANCHOR
        before += claims.role[end] <= ANCHOR_BEFORE
        end += 1
    return anchors, before, end


@compiled
def _best(
    masks: np.ndarray, claims: Claims, people: People, i: int, begin: int, end: int, anchored: bool
) -> int:
    best = np.int64(-1)
    best_score = np.int64(-1)
    tied = False
    a = people.facts[i]
    for j in range(begin, end):
        if claims.record[i] == claims.record[j]:
            return j
        b = people.facts[j]
        name = 0
        other_name = 0
        for part in range(2):
            if people.lengths[i, part] > 0 and people.lengths[j, part] > 0:
                alike = _alike(masks, people, i, j, part)
                name += alike
                other_name += not alike
        birth = birth_level(a[0], b[0])
        shared = (
            np.int64(min(claims.last_day[i], claims.last_day[j]))
            - np.int64(max(claims.first_day[i], claims.first_day[j]))
            + 1
        )
        contradicted = name == 0 and ((birth == 1 and other_name > 0) or (birth == 0 and other_name == 2))
        if contradicted or (anchored and shared <= 0 and name == 0):
            continue
        agreement = name - other_name + (2 if birth == 4 else -2 if birth == 1 else 0)
        if a[1] > 0 and b[1] > 0:
            agreement += 1 if a[1] == b[1] else -1
        score = (
            np.int64(shared > 0) << 41
            | np.int64(agreement + 8) << 34
            | np.int64(claims.role[j] == ANCHOR) << 33
            | max(shared, 0)
        )
        if score >> 33 == best_score >> 33 and claims.record[j] != claims.record[best]:
            tied = True
        if score > best_score:
            tied = tied and score >> 33 == best_score >> 33
            best, best_score = j, score
    timeless = claims.first_day[i] == _BEGINNING and claims.last_day[i] == _END
    return -1 if tied and timeless and anchored else best


@compiled
def _alike(masks: np.ndarray, people: People, i: int, j: int, part: int) -> bool:
    """Is a name like its counterpart, or like the other name of the other record (given name and surname
    swapped)?"""
    for other in (part, 1 - part):
        length = people.lengths[j, other]
        if length > 0:
            alike = jaro_winkler(
                masks[part], people.names[i, part], people.lengths[i, part], people.names[j, other], length
            )
            if alike >= _ALIKE:
                return True
    return False
