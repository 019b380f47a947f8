"""Blocking rules in words, and the keys that they derive: "surname", "sound(surname)", "prefix(given, 3)",
"year(birth)", "words(name)"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from kernels import comparisons
from kernels import keys as kernels
from kernels.blocks import combine
from kernels.comparisons import Values
from pipelines.linkage.fields import Field

_KEY: Final = re.compile(r"^(?:(\w+)\(\s*(\w+)\s*((?:,\s*\w+\s*)*)\)|(\w+))$")
_MOST_WORDS: Final = 8
_START: Final = 4  # letters that a word begins with
_PARTICLE: Final = 3  # letters of "af", "von" and their like, which a surname may begin with


class Key(NamedTuple):
    """`how` it is derived, from which field, and what else it takes: a number, or fields after commas."""

    how: str
    field: str
    more: str | None = None

    def others(self) -> list[str]:
        """The other fields."""
        return self.more.split(", ") if self.more else []

    def __str__(self) -> str:
        inside = self.field if self.more is None else f"{self.field}, {self.more}"
        return self.field if self.how == "value" else f"{self.how}({inside})"


# How a key is derived: the kinds of values it is made from, what it takes besides, whether a record has
# several.
_HOW: Final[dict[str, tuple[tuple[int, ...], str, bool]]] = {
    "value": ((*range(6),), "", False),
    "prefix": ((comparisons.TEXT,), "number", False),
    "suffix": ((comparisons.TEXT,), "number", False),
    "initial": ((comparisons.TEXT,), "", False),
    "without_last": ((comparisons.TEXT,), "number", False),
    "sound": ((comparisons.TEXT,), "", False),
    "sounds": ((comparisons.TEXT,), "field", False),
    "unordered": ((comparisons.TEXT,), "field", False),
    "stem": ((comparisons.TEXT,), "", False),
    "words": ((comparisons.TEXT,), "fields", True),
    "word_sounds": ((comparisons.TEXT,), "fields", True),
    "word_starts": ((comparisons.TEXT,), "fields", True),
    "year": ((comparisons.DATE,), "", False),
    "month": ((comparisons.DATE,), "", False),
    "day": ((comparisons.DATE,), "", False),
    "month_day": ((comparisons.DATE,), "", False),
    "year_month": ((comparisons.DATE,), "", False),
    "year_day": ((comparisons.DATE,), "", False),
    "members": ((comparisons.SET,), "", True),
}


def parse_rule(rule: Sequence[str], fields: Mapping[str, Field]) -> tuple[Key, ...]:
    """A rule as keys; ValueError says what does not fit."""
    keys = tuple(_parse(text, fields) for text in rule)
    if not keys or sum(_HOW[key.how][2] for key in keys) > 1:
        raise ValueError(
            "blocking: a rule has at least one key, and at most one of which a record has several"
        )
    return keys


def _parse(text: str, fields: Mapping[str, Field]) -> Key:
    found = _KEY.match(text.strip())
    if not found:
        raise ValueError("blocking: a key reads like surname, sound(surname) or prefix(surname, 3)")
    key = (
        Key("value", found[4])
        if found[4]
        else Key(found[1], found[2], ", ".join(found[3].replace(",", " ").split()) or None)
    )
    if key.how not in _HOW:
        raise ValueError(f"blocking: a key is derived by one of {', '.join(_HOW)}")
    if key.field not in fields:
        raise ValueError(f"blocking: {key.field} is not a field")
    kinds, takes, _ = _HOW[key.how]
    if fields[key.field].value_kind() not in kinds:
        raise ValueError(f"blocking: {key.how} does not go with a {fields[key.field].kind}")
    if takes == "field" and (key.more not in fields or fields[str(key.more)].value_kind() not in kinds):
        raise ValueError(f"blocking: {key.how} takes two fields of names")
    if takes == "fields" and any(
        other not in fields or fields[other].value_kind() not in kinds for other in key.others()
    ):
        raise ValueError(f"blocking: {key.how} takes fields of text")
    if takes == "number" and not (key.more or ("1" if key.how == "without_last" else "")).isdigit():
        raise ValueError(f"blocking: {key.how} takes a field and a number")
    if not takes and key.more is not None:
        raise ValueError(f"blocking: {key.how} takes one field alone")
    return key


def has_several(key: Key) -> bool:
    """May a record have several of it?"""
    return _HOW[key.how][2]


def fixed_fields(rule: Sequence[Key]) -> set[str]:
    """Fields that a rule holds equal, wholly or in part, by its keys."""
    return {key.field for key in rule} | {
        other for key in rule if _HOW[key.how][1].startswith("field") for other in key.others()
    }


class Deriver:
    """Derives keys of records, each key of distinct values once."""

    def __init__(
        self,
        values: Values,
        alphabet: Sequence[str],
        codes: Mapping[str, np.ndarray],
        numbers: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """`codes`: {field: int32 (n,)}, the value that each record holds, -1 if unknown; `numbers`: {field:
        int64 (values,)}, by which an index knows each value, where that is not its position.
        """
        self._values, self._codes, self._numbers = values, codes, numbers or {}
        self._folded = np.array([_folded(letter) for letter in alphabet] or [0], np.uint8)
        self._known: dict[tuple[str, str | None], np.ndarray] = {}

    def rule(self, rule: Sequence[Key]) -> list[np.ndarray]:
        """For each of the keys that a record may have by the rule: uint64 (n,), 0 for none. `rule`: keys, at
        most one of several."""
        n = len(next(iter(self._codes.values())))
        base = np.full(n, 1, np.uint64)
        several: list[np.ndarray] | None = None
        for key in rule:
            if _HOW[key.how][2]:
                several = self._several(key)
            elif _HOW[key.how][1] == "field":
                combine(base, np.arange(n, dtype=np.int32), self._of_two(key))
            else:
                combine(base, np.ascontiguousarray(self._codes[key.field]), self.values_key(key))
        if several is None:
            return [base]
        columns = []
        for column in several:
            keys = base.copy()
            combine(keys, np.arange(n, dtype=np.int32), column)
            columns.append(keys)
        return [column for column in columns if column.any()] or [np.zeros(n, np.uint64)]

    def forget(self) -> None:
        """Derive keys anew when they are asked for again."""
        self._known.clear()

    def several(self, key: Key) -> list[np.ndarray]:
        """int64 (n,) for each key that a record may have by `key`, -1 for none; one where it has but one."""
        if _HOW[key.how][2]:
            return self._several(key)
        if _HOW[key.how][1] == "field":
            return [self._of_two(key)]
        return [np.append(self.values_key(key), -1)[self._codes[key.field]]]

    def codes(self, field: str) -> np.ndarray:
        """int32 (n,): the values that records hold in a field."""
        return self._codes[field]

    def values_key(self, key: Key) -> np.ndarray:
        """int64 (values,): the key of each distinct value of the field's kind, -1 for none."""
        known = (key.how, key.more) if key.how != "value" else ("value", key.field)
        if known not in self._known:
            self._known[known] = self._derive(key)
        return self._known[known]

    def _derive(self, key: Key) -> np.ndarray:
        symbols, starts = self._values.symbols, self._values.starts
        number = int(key.more or 1) if (key.more or "1").isdigit() else 1
        match key.how:
            case "prefix" | "initial":
                return kernels.run_keys(symbols, starts, 0, number, 0)
            case "suffix":
                return kernels.run_keys(symbols, starts, -number, number, 0)
            case "without_last":
                return kernels.run_keys(symbols, starts, 0, 1 << 30, number)
            case "sound" | "sounds":
                return kernels.sound_keys(symbols, starts, self._folded, _PARTICLE)
            case "stem":
                return kernels.stem_keys(symbols, starts, self._values.breaks)
            case "year_month":
                return (self._values.digits // 100).astype(np.int64)
            case "year_day":
                return (self._values.digits // 10_000 * 100 + self._values.digits % 100).astype(np.int64)
            case "year":
                return (self._values.digits // 10_000).astype(np.int64)
            case "month":
                return (self._values.digits // 100 % 100).astype(np.int64)
            case "day":
                return (self._values.digits % 100).astype(np.int64)
            case "month_day":
                return (self._values.digits % 10_000).astype(np.int64)
        return self._number(key.field, int(max(self._codes[key.field].max(initial=-1), 0)) + 1)

    def _number(self, field: str, size: int) -> np.ndarray:
        return self._numbers[field] if field in self._numbers else np.arange(size, dtype=np.int64)

    def _of_two(self, key: Key) -> np.ndarray:
        """int64 (n,): one key of two fields in either order."""
        first, second = (self._codes[name] for name in (key.field, str(key.more)))
        # Without its last no letters: the text itself, for codes tell fields apart.
        how = Key("sound", key.field) if key.how == "sounds" else Key("without_last", key.field, "0")
        padded = np.append(self.values_key(how), -1)
        return kernels.unordered(padded[first], padded[second])

    def _several(self, key: Key) -> list[np.ndarray]:
        """int64 (n,) for each of the keys that a record may have."""
        keys = [self._of_members(name, key.how) for name in (key.field, *key.others())]
        table = keys[0]
        for more in keys[1:]:
            table = kernels.together(table, more)
        return [
            np.ascontiguousarray(table[:, place])
            for place in range(table.shape[1])
            if (table[:, place] >= 0).any()
        ]

    def _of_members(self, name: str, how: str) -> np.ndarray:
        """int64 (n, most): keys of the words or members in one field, -1 at the end."""
        if how == "members":
            table = _spread(self._values.members, self._values.set_starts)
        else:
            sound, wanted = how == "word_sounds", _START if how == "word_starts" else 0
            least = 1 if sound else 2
            texts = (self._values.symbols, self._values.starts, self._folded, self._values.breaks)
            table = kernels.word_keys(*texts, least, sound, _MOST_WORDS, wanted)
        return np.vstack([table, np.full((1, table.shape[1]), -1, np.int64)])[self._codes[name]]


def _spread(members: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """int64 (sets, most): the members of each set, -1 at the end."""
    sizes = np.diff(starts)
    table = np.full((len(sizes), max(int(sizes.max(initial=1)), 1)), -1, np.int64)
    place = np.arange(len(members)) - np.repeat(starts[:-1], sizes)
    table[np.repeat(np.arange(len(sizes)), sizes), place] = members
    return table


def _folded(letter: str) -> int:
    """Base letter of a code point: 1-26, 27 for blank and hyphen, 28 for digits' sake never, 0 for what is
    left out."""
    if letter in " -_,.'/":
        return 27 if letter != "'" else 0
    base = unicodedata.normalize("NFKD", letter)[:1].upper()[:1]  # ß becomes SS
    base = {"Ø": "O", "Æ": "A", "Ð": "D", "Ł": "L", "Đ": "D", "Þ": "T", "ẞ": "S", "ß": "S"}.get(base, base)
    return ord(base) - ord("A") + 1 if "A" <= base <= "Z" else 0
