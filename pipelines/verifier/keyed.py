"""Checking tables whose every number cell keys changed: a bundle's for itself, and, at the gate, each number
made again from the true ones, the people behind them and the secret keys.

The rule: people are changed as the table of transitions says for how many they are and for their keys' sum.
Of a count that is never less, what it exceeds people by is changed so; another count is, itself. Days and
sums of values are scaled as their count was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sparse

from pipelines.verifier.certificate import above
from pipelines.verifier.tables import PublishedTable

Check = tuple[str, Callable[[], bool]]
STATUS = "perturbed"
_MODULUS = 10**12
_BASES = {
    "person_days": "persons",
    "days_covered": "persons",
    "bed_days": "admissions",
    "sum": "values",
    "squares": "values",
}
_CLOSE = 1e-6


def can_give(table: PublishedTable, hidden: int) -> bool:
    """Could the method have made these numbers? None of 1 to `hidden`, and nothing where nobody is shown."""
    persons = table.measures["persons"]
    if table.hidden.any() or any((each[persons == 0] != 0).any() for each in table.measures.values()):
        return False
    for name, values in table.measures.items():
        if _BASES.get(name) in table.measures:
            base = table.measures[_BASES[name]]
            if (values[base == 0] != 0).any():
                return False
            continue
        rest = values - persons if (name, "persons") in table.at_least else values
        if (rest < 0).any() or ((rest > 0) & (rest <= hidden)).any():
            return False
    return True


class Changes(NamedTuple):
    """A table of transitions: a count `of` changes `by` so much for keys below `bound` and not below the one
    before; int64 (n,) each. The last count stands for all larger ones."""

    of: np.ndarray
    by: np.ndarray
    bound: np.ndarray

    def look_up(self, count: np.ndarray, key: np.ndarray) -> np.ndarray:
        """What each count becomes: int64 (n,)."""
        made, row = count.copy(), np.minimum(count, int(self.of.max()))
        for each in np.unique(row).tolist():
            own, here = self.of == each, np.flatnonzero(row == each)
            place = (key[here][:, None] >= self.bound[own][None, :-1]).sum(axis=1)
            made[here] += self.by[own][place]
        return made

    def hold(self, public: Mapping[str, Any], minimum: int) -> bool:
        """Are they what the public parameters say, 0 in the mean, and do they never show a small count?"""
        counts = np.unique(self.of)
        if not np.array_equal(counts, np.arange(len(counts))) or int(public["hidden"]) < minimum - 1:
            return False
        after, rows = self.of + self.by, [self.of == each for each in counts]
        chances = [np.diff(self.bound[row], prepend=0) / _MODULUS for row in rows]
        mean = [float(self.by[row] @ each) for row, each in zip(rows, chances, strict=True)]
        spread = [float(self.by[row] ** 2 @ each) for row, each in zip(rows, chances, strict=True)]
        return bool(
            all((each >= 0).all() and abs(float(each.sum()) - 1) < _CLOSE for each in chances)
            and (after >= 0).all()
            and not ((after > 0) & (after <= int(public["hidden"]))).any()
            and np.abs(self.by).max() <= int(public["most"])
            and not self.by[rows[0]].any()
            and max(map(abs, mean)) < _CLOSE
            and abs(spread[-1] - float(public["variance"])) < _CLOSE
            and max(spread) <= float(public["variance_of_few"]) + 0.005
        )


@dataclass(frozen=True)
class Keyed:
    """What the gate has before it. `true`: the tables as they were counted, `shown` as they would go out.
    `people`: of each table, who stands in which finest cell, int64 (n,) twice. `secret`: of a purpose, 16
    bytes."""

    true: Sequence[PublishedTable]
    shown: Sequence[PublishedTable]
    people: Sequence[tuple[np.ndarray, np.ndarray]]
    changes: Changes
    secret: Callable[[str], bytes]

    def checks(self, public: Mapping[str, Any], minimum: int) -> list[Check]:
        """Every claim, of parameters as they are to be published."""
        return [
            (
                "the table of changes is as its public parameters say, and shows no small count",
                lambda: self.changes.hold(public, minimum),
            ),
            (
                "the people who stand in each cell are as many as it counts",
                lambda: all(
                    np.array_equal(np.diff(_standing(table, *who)[0].indptr), table.measures["persons"])
                    for table, who in zip(self.true, self.people, strict=True)
                ),
            ),
            (
                "every number is the one that the people, their keys and the table of changes give",
                lambda: self._made_again(),
            ),
        ]

    def _made_again(self) -> bool:
        return len(self.true) == len(self.shown) and all(
            list(true.measures) == list(shown.measures)
            and (true.name, true.population, true.axes) == (shown.name, shown.population, shown.axes)
            and not shown.hidden.any()
            and all(np.array_equal(again[name], shown.measures[name]) for name in true.measures)
            for true, shown, again in (
                (true, shown, self._again(true, *who))
                for true, shown, who in zip(self.true, self.shown, self.people, strict=True)
            )
        )

    def _again(self, table: PublishedTable, person: np.ndarray, cell: np.ndarray) -> dict[str, np.ndarray]:
        """Every measure as it has to be shown: int64 (cells,)."""
        inside, ids = _standing(table, person, cell)
        key = _added(inside, siphash(ids, self.secret("cell keys")) % _MODULUS)
        true = table.measures
        persons = self.changes.look_up(true["persons"], key)
        made = {"persons": persons}
        for name, values in true.items():
            if name == "persons" or name in _BASES:
                continue
            more = (name, "persons") in table.at_least
            rest = values - true["persons"] if more else values
            changed = self.changes.look_up(rest, self._of_count(name, rest, key))
            made[name] = np.where(persons > 0, changed + (persons if more else 0), 0)
        for name in (name for name in true if name in _BASES):
            base = _BASES[name] if _BASES[name] in true else "persons"
            amount = _scaled(true[name], made[base], true[base])
            if _BASES[name] not in true:
                own = self._of_count(name, true[name], key)
                amount = np.where(persons > 0, self.changes.look_up(amount, own), 0)
            made[name] = amount
        return made

    def _of_count(self, name: str, count: np.ndarray, key: np.ndarray) -> np.ndarray:
        secret = self.secret(f"cell keys of {name}")
        return siphash(siphash(key, secret) ^ count, secret) % _MODULUS


def _standing(
    table: PublishedTable, person: np.ndarray, cell: np.ndarray
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Which persons each cell holds, once each, int64 (cells, persons), and who they are, int64
    (persons,)."""
    places = np.stack(np.unravel_index(cell, [len(axis.codes) for axis in table.axes]), axis=1)
    ids, number = np.unique(person, return_inverse=True)
    whose = sparse.csr_matrix(
        (np.ones(len(cell), np.int64), (np.arange(len(cell)), number)), (len(cell), len(ids))
    )
    inside = (above(table, places) @ whose).tocsr()
    inside.data = np.ones(len(inside.data), np.int64)
    return inside, ids


def _added(inside: sparse.csr_matrix, keys: np.ndarray) -> np.ndarray:
    """Sums of keys less whole multiples of the modulus, in two halves, so that no sum is too large."""
    half = 10**6
    high, low = inside @ (keys // half), inside @ (keys % half)
    return ((high % half) * half + low) % _MODULUS


def _scaled(amount: np.ndarray, shown: np.ndarray, true: np.ndarray) -> np.ndarray:
    """amount × shown / true to the nearest whole number, halves up; 0 where either count is 0."""
    made = np.zeros(len(amount), np.int64)
    for place in np.flatnonzero((shown > 0) & (true > 0)).tolist():
        a, s, t = int(amount[place]), int(shown[place]), int(true[place])
        made[place] = (2 * a * s + t) // (2 * t)
    return made


# ---- SipHash-2-4 (Aumasson and Bernstein 2012), of many whole numbers at once ------------------------------


def siphash(values: np.ndarray, key: bytes) -> np.ndarray:
    """Of whole numbers from 0, int64 (n,), each as its bytes from the lowest to the last that is not 0.
    `key`: 16 bytes. Returns int64 (n,), the top bit cleared."""
    values = values.astype(np.uint64)
    length = np.zeros(len(values), np.uint64)
    for place in range(8):
        length[values >> np.uint64(8 * place) > 0] = place + 1
    full = length == 8
    k0, k1 = (np.uint64(int.from_bytes(key[at : at + 8], "little")) for at in (0, 8))
    begin = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    state = [
        np.full(len(values), k ^ np.uint64(word)) for k, word in zip((k0, k1, k0, k1), begin, strict=True)
    ]
    # A number of eight bytes is a block of its own; the last block tells how many bytes there were.
    once = _block(state, values)
    state = [np.where(full, one, each) for one, each in zip(once, state, strict=True)]
    last = (length << np.uint64(56)) | np.where(full, np.uint64(0), values)
    state = _block(state, last)
    state[2] = state[2] ^ np.uint64(0xFF)
    for _ in range(4):
        state = _round(*state)
    out = state[0] ^ state[1] ^ state[2] ^ state[3]
    return (out & np.uint64(0x7FFFFFFFFFFFFFFF)).astype(np.int64)


def _block(state: Sequence[np.ndarray], block: np.ndarray) -> list[np.ndarray]:
    made = [state[0], state[1], state[2], state[3] ^ block]
    for _ in range(2):
        made = _round(*made)
    return [made[0] ^ block, *made[1:]]


def _round(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> list[np.ndarray]:
    a = a + b
    b = _turned(b, 13) ^ a
    a = _turned(a, 32)
    c = c + d
    d = _turned(d, 16) ^ c
    a = a + d
    d = _turned(d, 21) ^ a
    c = c + b
    b = _turned(b, 17) ^ c
    return [a, b, _turned(c, 32), d]


def _turned(x: np.ndarray, by: int) -> np.ndarray:
    return (x << np.uint64(by)) | (x >> np.uint64(64 - by))
