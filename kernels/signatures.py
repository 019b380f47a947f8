"""A word for each text that bounds how alike two texts can be, so that most pairs of texts need no closer
look.

Bits 0-43: 22 classes of symbols, for each whether the text has it once (even bits) and twice (odd bits). Bits
44-55: classes of the first four symbols, modulo 8, 7 where the text is shorter. Bits 56-63: length, 255 for
that or more.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from kernels.bits import ones
from kernels.distances import winkler
from kernels.jit import compiled, inlined

CLASSES: Final = 22
LONG: Final = 255
_BAG: Final = (1 << 44) - 1
_HEAD: Final = 44
_LENGTH: Final = 56
_SHORT: Final = 64  # texts as long as this are always looked at
_ALIKE: Final = 5  # so many beginnings of two texts are told apart


@compiled
def signatures(symbols: np.ndarray, starts: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """uint64 (n,). `symbols`: unsigned; `starts`: int64 (n + 1,). `classes`: uint8 (alphabet,), below
    `CLASSES`."""
    n = len(starts) - 1
    out = np.empty(n, np.uint64)
    for i in range(n):
        bag = np.uint64(0)
        length = starts[i + 1] - starts[i]
        for k in range(starts[i], starts[i + 1]):
            once = np.uint64(1) << np.uint64(2 * classes[symbols[k]])
            bag |= once if bag & once == np.uint64(0) else once << np.uint64(1)
        for k in range(4):
            head = np.uint64(classes[symbols[starts[i] + k]] % 7) if k < length else np.uint64(7)
            bag |= head << np.uint64(_HEAD + 3 * k)
        out[i] = bag | np.uint64(min(length, LONG)) << np.uint64(_LENGTH)
    return out


@inlined
def length_of(signature: np.uint64) -> int:
    """Symbols of the text, at most 255."""
    return np.int64(signature >> np.uint64(_LENGTH))


@inlined
def common_bound(a: np.uint64, b: np.uint64) -> int:
    """At most so many symbols do two texts of less than 255 share."""
    bag_a, bag_b = a & np.uint64(_BAG), b & np.uint64(_BAG)
    return ones(bag_a & bag_b) + min(length_of(a) - ones(bag_a), length_of(b) - ones(bag_b))


@inlined
def prefix_bound(a: np.uint64, b: np.uint64) -> int:
    """At most so many of their first four symbols do two texts have in common."""
    differ = ((a ^ b) >> np.uint64(_HEAD)) & np.uint64(0xFFF) | np.uint64(0x1000)
    return ones(~differ & (differ - np.uint64(1))) // 3


@compiled
def least_common(near: float, edits: int, prefix: int) -> np.ndarray:
    """How many symbols two different texts must share to pass one of a field's tests, by their lengths and
    the symbols with which both may begin: uint8 (65, 65, 5), 0 for texts of 64 symbols or more.

    `near`: the lowest Jaro-Winkler bound, above 1 for none. `edits`: the most edits, -1 for none. `prefix`:
    the shortest prefix, 0 for none.
    """
    out = np.full((_SHORT + 1, _SHORT + 1, _ALIKE), LONG, np.uint8)
    out[_SHORT], out[:, _SHORT] = 0, 0
    for a in range(_SHORT):
        for b in range(_SHORT):
            for alike in range(_ALIKE):
                for common in range(min(a, b) + 1):
                    edited = max(a, b) - common <= edits
                    similar = (
                        near <= 1.0
                        and common > 0
                        and winkler((common / a + common / b + 1.0) / 3.0, alike) + 1e-9 >= near
                    )
                    if edited or similar or 0 < min(prefix, 4) <= alike:
                        out[a, b, alike] = common
                        break
    return out


@inlined
def place_of(a: np.uint64, b: np.uint64) -> int:
    """Where `least_common`, as one row, says how many symbols two texts must share."""
    return (min(length_of(a), _SHORT) * (_SHORT + 1) + min(length_of(b), _SHORT)) * _ALIKE + prefix_bound(
        a, b
    )


@compiled
def those_alike(
    a: np.ndarray, b: np.ndarray, least: np.ndarray, common: np.ndarray, places: np.ndarray, which: np.ndarray
) -> int:
    """Leave those pairs of different texts that may pass one of a field's tests; returns how many.

    `a`, `b`: uint64 (m,), signatures; `least`: see `least_common`, as one row. Changes `which`: int32 (m,),
    what the pairs are called. `common`, `places`: int32 (m,), room.
    """
    for k in range(len(a)):  # no branch, so that many pairs are looked at at once
        common[k], places[k] = common_bound(a[k], b[k]), place_of(a[k], b[k])
    found = 0
    for k in range(len(a)):
        which[found] = which[k]
        found += common[k] >= least[places[k]]
    return found
