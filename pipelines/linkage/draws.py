"""Draws of the linkage: what the persons might be, given how sure each tie is.

A tie of w bits holds with probability 1 / (1 + 2^-w). Whether it does in a draw is a keyed hash of (unit, draw), so a draw is the same on
every machine and needs no random source. What no tie was made for is never joined: draws tell of false links, not of missed ones.
"""

from __future__ import annotations

import numpy as np

from kernels.hashing import hash_rows
from pipelines import storage
from pipelines.errors import DataError
from pipelines.linkage.ties import ways
from pipelines.schemas import PERSONS
from pipelines.storage import Frame, array


def probability(weight: np.ndarray) -> np.ndarray:
    """Of a link of that weight: float64 (n,). `weight`: int32 (n,), in 1/1000 bits."""
    return 1.0 / (1.0 + np.exp2(-np.asarray(weight, np.float64) / 1000.0))


def holding(units: np.ndarray, weight: np.ndarray, draw: int, key: bytes) -> np.ndarray:
    """bool (u,): does the tie of each unit hold in this draw? `units`: int64 (u,); `weight`: int32 (u,); `key`: 16 bytes."""
    numbered = np.stack([units, np.full(len(units), draw + 1, np.int64)], 1).astype("<i8")  # never 0: trailing zeros are not hashed
    lot = hash_rows(np.ascontiguousarray(numbered).view(np.uint8).reshape(len(units), 16), key)
    return lot >= probability(-weight) * 2.0**63


def drawn_index(index: Frame, persons: Frame, ties: Frame, draw: int, key: bytes) -> tuple[Frame, Frame]:
    """The index and the persons of one draw: a unit whose tie does not hold leaves its person, with all that hang on it.

    `index`, `persons`, `ties`: schemas PERSON_INDEX, PERSONS, TIES. `key`: 16 bytes, known to the secure zone alone. Who leaves stands
    alone under a name that means nothing outside of the draw, with the sex and birth day that the unit says itself; who stays keeps theirs.
    """
    units, toward, weight = ways(ties)
    away = np.flatnonzero(~holding(units, weight, draw, key))
    if not len(away):
        return index, persons
    head = np.append(toward, len(units))
    head[away] = away
    while (head != head[head]).any():
        head = head[head]
    of_record = head[np.searchsorted(units, array(ties, "unit"))]
    left = np.flatnonzero(of_record < len(units))
    name = hash_rows(np.ascontiguousarray(units, "<i8").view(np.uint8).reshape(len(units), 8), key)
    person = array(index, "person").copy()
    person[np.searchsorted(array(index, "record"), array(ties, "record")[left])] = name[of_record[left]]
    _, first = np.unique(array(ties, "unit"), return_index=True)
    alone: Frame = {"person": name[away], "sex": array(ties, "sex")[first[away]], "birth_day": array(ties, "birth_day")[first[away]]}
    everyone = storage.concat([persons, alone], PERSONS)
    everyone = storage.take(everyone, np.argsort(array(everyone, "person"), kind="stable"))
    if (np.diff(array(everyone, "person")) == 0).any():
        raise DataError("draws of the linkage", "two people have come to the same id", "draw with another key")
    return {**index, "person": person}, everyone
