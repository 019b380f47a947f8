"""What a settings file says of a field: its kind, and the levels at which two of its values agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, Self

import numpy as np
from pydantic import model_validator

from kernels import comparisons as tests
from kernels.comparisons import LEVELS, Plan
from kernels.signatures import least_common
from pipelines.files.yaml import Strict

Kind = Literal["name", "text", "code", "date", "number", "set", "encoded"]

_KINDS: Final = {
    "name": tests.TEXT,
    "text": tests.TEXT,
    "code": tests.TEXT,
    "date": tests.DATE,
    "number": tests.NUMBER,
    "set": tests.SET,
    "encoded": tests.BLOOM,
}

# Levels when the settings name none, best first.
_LEVELS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("equal", "jaro_winkler 0.92", "jaro_winkler 0.8"),
    "text": ("equal", "jaro_winkler 0.92", "jaro_winkler 0.8"),
    "code": ("equal", "damerau_levenshtein 1", "damerau_levenshtein 2"),
    "date": ("equal", "day_month_swapped", "slip", "year_part", "month_day", "year"),
    "number": ("equal", "within 1"),
    "set": ("equal", "jaccard 0.5", "overlap 1"),
    "encoded": ("equal", "dice 0.95", "dice 0.9", "dice 0.85", "dice 0.8", "dice 0.75", "dice 0.7"),
}


class _Test(NamedTuple):
    code: int
    kinds: tuple[int, ...]  # of values that it can tell apart
    numbers: int  # that it takes: none, a bound, or a bound and the symbols that both texts must have
    derived: bool = False  # does it ask for a key derived from the value?


_WHOLE: Final = ("damerau_levenshtein", "levenshtein", "prefix", "parts", "overlap")
_RANGES: Final = {  # of the first number
    "jaro_winkler": (0.01, 1.0),
    "dice": (0.0, 1.0),
    "jaccard": (0.0, 1.0),
    "damerau_levenshtein": (0.0, 100.0),
    "levenshtein": (0.0, 100.0),
    "prefix": (1.0, 1000.0),
    "parts": (1.0, 3.0),
}
_TEXT, _DATE = (tests.TEXT,), (tests.DATE,)
_TESTS: Final = {
    "equal": _Test(tests.EQUAL, (*range(6),), 0),
    "jaro_winkler": _Test(tests.JARO_WINKLER, _TEXT, 2),
    "damerau_levenshtein": _Test(tests.DAMERAU_LEVENSHTEIN, _TEXT, 2),
    "levenshtein": _Test(tests.LEVENSHTEIN, _TEXT, 2),
    "prefix": _Test(tests.PREFIX, _TEXT, 1),
    "word": _Test(tests.WORD, _TEXT, 0),
    "sound": _Test(tests.SAME, _TEXT, 0, True),
    "stem": _Test(tests.SAME, _TEXT, 0, True),
    "group": _Test(tests.SAME, _TEXT, 0, True),
    "swapped": _Test(tests.SWAPPED, _TEXT, 0),
    "elsewhere": _Test(tests.ELSEWHERE, _TEXT, 0),
    "day_month_swapped": _Test(tests.DAY_MONTH, _DATE, 0),
    "slip": _Test(tests.SLIP, _DATE, 0),
    "parts": _Test(tests.PARTS, _DATE, 1),
    "days": _Test(tests.DAYS, _DATE, 1),
    "year": _Test(tests.YEAR, _DATE, 0),
    "year_part": _Test(tests.YEAR_PART, _DATE, 0),
    "month_day": _Test(tests.MONTH_DAY, _DATE, 0),
    "within": _Test(tests.WITHIN, (tests.NUMBER,), 1),
    "percent": _Test(tests.PERCENT, (tests.NUMBER,), 1),
    "overlap": _Test(tests.OVERLAP, (tests.SET,), 1),
    "jaccard": _Test(tests.JACCARD, (tests.SET,), 1),
    "dice": _Test(tests.DICE, (tests.BLOOM,), 1),
}


class Field(Strict):
    """One field that is compared.

    `column`: its column, or {source: column} where sources name it differently; a source left out does not
    have it. `kind`: what its values are. `levels`: best first, each a test: a name, for most a bound, for
    distances also the symbols that both texts must have; "a | b" is one level that either test reaches; what
    reaches none is different. `swapped_with`: the field with which its value may have been exchanged, both
    ways; `shared_with`: fields in which its value may stand instead, for the level `elsewhere`.
    `term_frequency`: do rare values weigh more? `groups`: a CSV of `value` and `group`, for the level
    `group`. `tidy`: does case not matter, nor how many blanks? `compare`: is it compared, or does it only
    give blocking keys? `separator`: between the members of a set.
    """

    column: str | dict[str, str]
    kind: Kind = "text"
    levels: tuple[str, ...] = ()
    swapped_with: str | None = None
    shared_with: tuple[str, ...] = ()
    term_frequency: bool | None = None
    groups: str | None = None
    tidy: bool = True
    separator: str | None = None
    compare: bool = True

    @model_validator(mode="after")
    def _levels_fit_the_kind(self) -> Self:
        for level in self.tests():
            for test in _alternatives(level):
                self._check(test)
        if self.tests()[0] != "equal" or len(self.tests()) > LEVELS - 2:
            raise ValueError(f"the first level is equal, and there are at most {LEVELS - 2}")
        if ("group" in self.levels) != (self.groups is not None):
            raise ValueError("the level group and the file of groups go together")
        if ("elsewhere" in self.levels) != bool(self.shared_with):
            raise ValueError("the level elsewhere and shared_with go together")
        return self

    def _check(self, text: str) -> None:
        name, *numbers = text.split()
        test = _TESTS.get(name)
        if test is None or _KINDS[self.kind] not in test.kinds:
            fitting = [known for known, each in _TESTS.items() if _KINDS[self.kind] in each.kinds]
            raise ValueError(f"a level of a {self.kind} is one of {', '.join(fitting)}")
        if len(numbers) not in range(min(test.numbers, 1), test.numbers + 1) or not all(
            _is_number(each) for each in numbers
        ):
            raise ValueError(
                f"the level {name} takes {('no number', 'one number', 'one number, or two')[test.numbers]}"
            )
        least, most = _RANGES.get(name, (0.0, 1e9))
        if numbers and not least <= float(numbers[0]) <= most:
            raise ValueError(f"the level {name} takes a number from {least:g} to {most:g}")
        if (name in _WHOLE and not float(numbers[0]).is_integer()) or not all(
            float(number).is_integer() for number in numbers[1:]
        ):
            raise ValueError(f"the level {name} counts whole symbols or members")

    def tests(self) -> tuple[str, ...]:
        """The levels, best first; `swapped` comes after `equal` where another field is named for it."""
        levels = self.levels or _LEVELS[self.kind]
        named = any("swapped" in _alternatives(level) for level in levels)
        return (levels[0], "swapped", *levels[1:]) if self.swapped_with and not named else levels

    def level_names(self) -> tuple[str, ...]:
        """Names of the levels as the kernels number them."""
        return ("unknown", "different", *reversed(self.tests()))

    def value_kind(self) -> int:
        """The kind of values, as the kernels number them."""
        return _KINDS[self.kind]

    def weighs_rarity(self) -> bool:
        """Do rare values weigh more? Names, texts and codes do unless the settings say otherwise."""
        return (
            self.term_frequency if self.term_frequency is not None else self.kind in ("name", "text", "code")
        )


def _is_number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def _alternatives(level: str) -> list[str]:
    return [each.strip() for each in level.split("|")]


def derived_levels(fields: Mapping[str, Field]) -> list[tuple[str, str]]:
    """Field and test of each key that levels ask for, in the order of `Values.derived`."""
    return [
        (name, test)
        for name, field in fields.items()
        for level in field.tests()
        for test in _alternatives(level)
        if _TESTS[test.split()[0]].derived
    ]


def plan(fields: Mapping[str, Field]) -> Plan:
    """The fields as the kernels take them."""
    names, derived = list(fields), derived_levels(fields)
    rows: list[tuple[int, float, int, int]] = []  # test, bound, symbols at least, level
    firsts, tops, edits, least, partners, echoes, groups = [0], [], [], [], [], [-1] * len(names), []
    for position, (name, field) in enumerate(fields.items()):
        near, most, prefix, bounded = 2.0, -1, 0, True
        levels = field.tests()
        for place, level in enumerate(levels):
            for test in _alternatives(level):
                word, *numbers = test.split()
                known = _TESTS[word]
                bound = (
                    float(derived.index((name, test)))
                    if known.derived
                    else float(numbers[0])
                    if numbers
                    else 0.0
                )
                rows.append(
                    (known.code, bound, int(numbers[1]) if len(numbers) > 1 else 0, len(levels) + 1 - place)
                )
                near = min(near, bound) if word == "jaro_winkler" else near
                most = max(most, int(bound)) if word in ("damerau_levenshtein", "levenshtein") else most
                prefix = min(prefix or int(bound), int(bound)) if word == "prefix" else prefix
                bounded = bounded and not known.derived and word != "word"
        firsts.append(len(rows))
        tops.append(len(levels) + 1 if field.compare else 0)
        edits.append(most)
        least.append(least_common(near, most, prefix).ravel() * np.uint8(bounded))
        partners.append(names.index(field.swapped_with) if field.swapped_with else -1)
        groups.append(sum(1 << names.index(other) for other in field.shared_with))
        # The two may name each other: one of them speaks.
        if field.swapped_with and echoes[position] != names.index(field.swapped_with):
            echoes[names.index(field.swapped_with)] = position
    codes, bounds, sizes, reached = zip(*rows, strict=True)
    return Plan(
        kinds=np.array([field.value_kind() for field in fields.values()], np.int8),
        tops=np.array(tops, np.int8),
        firsts=np.array(firsts, np.int32),
        tests=np.array(codes, np.int8),
        bounds=np.array(bounds, np.float64),
        sizes=np.array(sizes, np.int32),
        levels=np.array(reached, np.int8),
        edits=np.array(edits, np.int8),
        least=np.stack(least),
        partners=np.array(partners, np.int8),
        echoes=np.array(echoes, np.int8),
        group=np.array(groups, np.int32),
    )
