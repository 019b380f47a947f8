"""Comparing people: from two records to a comparison pattern, and the stream of pairs that a blocking rule
makes.

A pattern is one number: the level of each field in mixed radix, `FIELDS` in order. Level 0 is "not known on
one side", level 1 is "different"; higher levels agree better.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kernels.jit import compiled
from kernels.strings import SYMBOLS, clear_masks, fill_masks, jaro_winkler

# Levels of each field, in the order of the pattern.
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "given": ("unknown", "different", "near", "close", "swapped", "equal"),
    "surname": ("unknown", "different", "near", "close", "equal"),
    "birth_day": ("unknown", "different", "near", "day and month swapped", "equal"),
    "sex": ("unknown", "different", "equal"),
    "postcode": ("unknown", "different", "same area", "equal"),
    "number": ("unknown", "different", "one slip", "equal"),
}
PATTERNS: Final = int(np.prod([len(levels) for levels in FIELDS.values()]))
_STRIDES = np.cumprod([1] + [len(levels) for levels in reversed(list(FIELDS.values()))])[-2::-1].astype(
    np.int64
)
_GIVEN, _SURNAME, _BIRTH, _SEX, _POSTCODE, _NUMBER = (int(stride) for stride in _STRIDES)


class People(NamedTuple):
    """Rows to compare.

    `cluster`: int64 (n,), no pair lies within one. `names`: uint8 (n, 2, width), symbols of given name and
    surname; `lengths`: uint8 (n, 2); `codes`: int64 (n, 2), equal for equal names, 0 if empty. `facts`: int32
    (n, 4): packed birth day (see `birth_level`), -1 if unknown; sex, 0 if unknown; postcode of five digits,
    -1 if unknown; last four digits of the identity number, -1 if unknown.
    """

    cluster: np.ndarray
    names: np.ndarray
    lengths: np.ndarray
    codes: np.ndarray
    facts: np.ndarray


class Blocked(NamedTuple):
    """The blocks of one rule. `keys`: int64 (n, rules), of all rules, -1 for none; `rule`: which of them.
    `begins`: int64 (blocks + 1,), where each block begins. `seekers`: int64 (blocks,), seekers of each block,
    0 to pass it over."""

    keys: np.ndarray
    rule: int
    begins: np.ndarray
    seekers: np.ndarray


class Pairs(NamedTuple):
    """Room for pairs that are found: rows `left` and `right`, int64 (room,), and `weight`, int32 (room,), in
    1/1000 bits."""

    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray


def pattern_levels(patterns: np.ndarray) -> np.ndarray:
    """int64 (n, fields): level of each field in each of `patterns`, int64 (n,)."""
    sizes = np.array([len(levels) for levels in FIELDS.values()])
    return patterns[:, None] // _STRIDES % sizes


@compiled
def birth_level(a: int, b: int) -> int:
    """Level of two birth days, each year << 9 | month << 5 | day, -1 if unknown."""
    if a < 0 or b < 0:
        return 0
    if a == b:
        return 4
    same_year = a >> 9 == b >> 9
    if same_year and a >> 5 & 15 == b & 31 and b >> 5 & 15 == a & 31:
        return 3
    alike = np.int64(same_year) + np.int64(a >> 5 & 15 == b >> 5 & 15) + np.int64(a & 31 == b & 31)
    return 2 if alike == 2 else 1


@compiled
def number_level(a: int, b: int) -> int:
    """Level of the last four digits of two identity numbers, -1 if unknown; one slip is one other digit, or
    two neighbours swapped."""
    if a < 0 or b < 0:
        return 0
    if a == b:
        return 3
    differ = 0
    first = -1
    for k in range(4):
        if a // 10**k % 10 != b // 10**k % 10:
            differ += 1
            if first < 0:
                first = k
    if differ == 1:
        return 2
    low, high = 10**first, 10 ** (first + 1)
    if differ == 2 and first < 3 and a // low % 10 == b // high % 10 and a // high % 10 == b // low % 10:
        return 2
    return 1


@compiled
def stream(
    people: People,
    blocked: Blocked,
    near: float,
    close: float,
    histogram: np.ndarray,
    weights: np.ndarray,
    floor: int,
    found: Pairs,
) -> int:
    """Walk over every pair of a rule's blocks that has a seeker in it and that no earlier rule has made.

    `people`: ascending by this rule's key, in each block seekers first. `near`, `close`: Jaro-Winkler bounds.
    `weights`: int32 (PATTERNS,), in 1/1000 bits.

    With no room in `found` it counts patterns into `histogram`: int64 (2**rules, PATTERNS), by the set of
    rules that make the pair. Otherwise pairs of weight >= `floor` go to `found` as far as there is room.
    Returns the number of pairs counted, or found.
    """
    keys, rule, begins, seekers = blocked
    counting = len(found.left) == 0
    masks = np.zeros((2, SYMBOLS), np.uint64)
    number = 0
    for block in range(len(seekers)):
        for i in range(begins[block], begins[block] + seekers[block]):
            fill_names(masks, people, i)
            for j in range(i + 1, begins[block + 1]):
                if people.cluster[i] == people.cluster[j]:
                    continue
                made = _rules(keys, i, j)
                if made & ((1 << rule) - 1):
                    continue
                pattern = _pattern(masks, people, i, j, near, close)
                if counting:
                    histogram[made, pattern] += 1
                    number += 1
                elif weights[pattern] >= floor:
                    if number < len(found.left):
                        found.left[number], found.right[number], found.weight[number] = i, j, weights[pattern]
                    number += 1
            clear_names(masks, people, i)
    return number


@compiled
def sample_patterns(
    people: People, lefts: np.ndarray, rights: np.ndarray, near: float, close: float, histogram: np.ndarray
) -> None:
    """Count the pattern of each pair of `lefts` and `rights` (int64, rows) of two clusters into `histogram`:
    int64 (PATTERNS,)."""
    masks = np.zeros((2, SYMBOLS), np.uint64)
    for i in lefts:
        fill_names(masks, people, i)
        for j in rights:
            if people.cluster[i] != people.cluster[j]:
                histogram[_pattern(masks, people, i, j, near, close)] += 1
        clear_names(masks, people, i)


@compiled
def _rules(keys: np.ndarray, i: int, j: int) -> int:
    """The set of rules that make the pair, as bits."""
    made = 0
    for rule in range(keys.shape[1]):
        if keys[i, rule] == keys[j, rule] and keys[i, rule] >= 0:
            made |= 1 << rule
    return made


@compiled
def fill_names(masks: np.ndarray, people: People, i: int) -> None:
    """`fill_masks` for both names of row i. `masks`: uint64 (2, SYMBOLS), zero before."""
    for part in range(2):
        fill_masks(masks[part], people.names[i, part], people.lengths[i, part])


@compiled
def clear_names(masks: np.ndarray, people: People, i: int) -> None:
    """Undo `fill_names`. `masks`: uint64 (2, SYMBOLS), zero after."""
    for part in range(2):
        clear_masks(masks[part], people.names[i, part], people.lengths[i, part])


@compiled
def _pattern(masks: np.ndarray, people: People, i: int, j: int, near: float, close: float) -> int:
    a, b, codes = people.facts[i], people.facts[j], people.codes
    pattern = np.int64(0)
    if (
        codes[i, 0] == codes[j, 1]
        and codes[i, 1] == codes[j, 0]
        and codes[i, 0] != codes[i, 1]
        and codes[i, 0] != 0
        and codes[i, 1] != 0
    ):
        pattern += 4 * _GIVEN  # swapped; the surname would only say the same again
    else:
        pattern += _name_level(masks[0], people, i, j, 0, near, close) * _GIVEN
        level = _name_level(masks[1], people, i, j, 1, near, close)
        pattern += (4 if level == 5 else level) * _SURNAME
    pattern += birth_level(a[0], b[0]) * _BIRTH
    if a[1] > 0 and b[1] > 0:
        pattern += (2 if a[1] == b[1] else 1) * _SEX
    if a[2] >= 0 and b[2] >= 0:
        pattern += (3 if a[2] == b[2] else 2 if a[2] // 100 == b[2] // 100 else 1) * _POSTCODE
    return pattern + number_level(a[3], b[3]) * _NUMBER


@compiled
def _name_level(
    masks: np.ndarray, people: People, i: int, j: int, part: int, near: float, close: float
) -> int:
    if people.codes[i, part] == 0 or people.codes[j, part] == 0:
        return 0
    if people.codes[i, part] == people.codes[j, part]:
        return 5
    alike = jaro_winkler(
        masks, people.names[i, part], people.lengths[i, part], people.names[j, part], people.lengths[j, part]
    )
    return 3 if alike >= close else 2 if alike >= near else 1
