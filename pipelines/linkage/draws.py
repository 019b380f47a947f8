"""Draws of the linkage: what the persons might be, given how sure each tie is.

Of the persons that a unit might belong to it belongs to one, or to none: the odds of a tie of w bits are 2^w,
those of none are 1. So a tie without rivals holds with probability 1 / (1 + 2^-w). Which it is in a draw is a
keyed hash of (unit, draw): the same on every machine, with no random source. Pairs that no blocking rule
made, or that weigh next to nothing, have no tie, so draws say nothing of them.
"""

from __future__ import annotations

import numpy as np

from kernels.hashing import hash_integers, hash_rows
from pipelines.errors import DataError
from pipelines.files.frames import Frame, array, concat, take
from pipelines.files.schemas import PERSONS
from pipelines.linkage.ties import ways

_MOST_BITS = 500_000  # beyond which odds would not fit a float


def odds(weight: np.ndarray) -> np.ndarray:
    """float64 (n,). `weight`: int32 (n,), in 1/1000 bits."""
    return np.exp2(np.clip(np.asarray(weight, np.float64), -_MOST_BITS, _MOST_BITS) / 1000.0)


def lots(units: np.ndarray, draw: int, key: bytes) -> np.ndarray:
    """A number in [0, 1) for each unit: float64 (u,). `units`: int64 (u,); `key`: 16 bytes."""
    # The draw is never 0: trailing zeros are not hashed.
    numbered = np.stack([units, np.full(len(units), draw + 1, np.int64)], 1).astype("<i8")
    return hash_rows(np.ascontiguousarray(numbered).view(np.uint8).reshape(len(units), 16), key) / 2.0**63


def choices(ties: Frame, units: np.ndarray, lot: np.ndarray) -> np.ndarray:
    """Which tie each unit has in a draw: int64 (u,), a row of `ties` (schema TIES), -1 for none.

    `units`: int64 (u,), ascending, all that have a tie; `lot`: float64 (u,). None comes first, then the ties
    in their order, so that of the one that was made, the last, even the smallest doubt counts.
    """
    unit, weighed = np.searchsorted(units, array(ties, "unit")), odds(array(ties, "weight"))
    share = weighed / (1.0 + np.bincount(unit, weighed, len(units)))[unit]
    none = 1.0 / (1.0 + np.bincount(unit, weighed, len(units)))
    before = np.cumsum(share) - share
    first = np.append(True, unit[1:] != unit[:-1])[: len(unit)]
    begin = none[unit] + before - np.maximum.accumulate(np.where(first, before, 0.0))
    reached = np.flatnonzero(lot[unit] >= begin)
    choice = np.full(len(units), -1, np.int64)
    choice[unit[reached]] = reached  # the last to be written wins
    return choice


def drawn_index(
    index: Frame, persons: Frame, units_of: Frame, ties: Frame, draw: int, key: bytes
) -> tuple[Frame, Frame]:
    """The index and the persons of one draw. A unit that leaves its person takes with it all that hang on it.

    `index`, `persons`, `units_of`, `ties`: schemas PERSON_INDEX, PERSONS, UNITS, TIES. `key`: 16 bytes, known
    to the secure zone alone. Who leaves for nobody stands alone, under a name that means nothing outside of
    the draw and with the sex and birth day that the unit says itself; who is joined keeps theirs.
    """
    units, toward, _ = ways(units_of, ties)
    choice = choices(ties, units, lots(units, draw, key))
    made = np.append(array(ties, "made") == 1, False)[choice]
    root = toward == np.arange(len(units))
    head = np.append(np.where(made, toward, np.arange(len(units))), len(units))
    while (head != head[head]).any():
        head = head[head]
    person, of_record = array(index, "person").copy(), array(index, "record")
    goes = np.full(len(units) + 1, -1, np.int64)  # to whom each unit that heads others goes; -1: stays
    elsewhere = np.flatnonzero((choice >= 0) & ~made)
    goes[elsewhere] = person[np.searchsorted(of_record, array(ties, "toward")[choice[elsewhere]])]
    alone = np.flatnonzero((choice < 0) & ~root)
    goes[alone] = hash_integers(units[alone], key)
    at = goes[head[np.searchsorted(units, array(units_of, "unit"))]]
    moved = np.flatnonzero(at >= 0)
    if not len(moved):
        return index, persons
    person[np.searchsorted(of_record, array(units_of, "record")[moved])] = at[moved]
    return {**index, "person": person}, _persons(persons, units_of, units, alone, goes[alone], person)


def _persons(
    persons: Frame,
    units_of: Frame,
    units: np.ndarray,
    alone: np.ndarray,
    names: np.ndarray,
    person: np.ndarray,
) -> Frame:
    """Those who still have a record, and those who stand alone."""
    first = np.unique(array(units_of, "unit"), return_index=True)[1][alone]
    more: Frame = {
        "person": names,
        "sex": array(units_of, "sex")[first],
        "birth_day": array(units_of, "birth_day")[first],
    }
    everyone = concat([take(persons, np.isin(array(persons, "person"), person)), more], PERSONS)
    everyone = take(everyone, np.argsort(array(everyone, "person"), kind="stable"))
    if (np.diff(array(everyone, "person")) == 0).any():
        raise DataError(
            "draws of the linkage", "two people have come to the same id", "draw with another key"
        )
    return everyone
