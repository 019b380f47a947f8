"""Values of every kind of field, and their levels as the words of the settings say, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import numpy as np
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler, Levenshtein

from kernels.strings import fold, sounds
from pipelines.linkage.fields import Field

Record = Mapping[str, str | None]

TEXT_LEVELS = (
    ("equal",),
    ("equal", "jaro_winkler 0.92003", "jaro_winkler 0.80007"),
    ("equal", "jaro_winkler 0.70003 5", "jaro_winkler 0.6001"),
    ("equal", "damerau_levenshtein 1", "damerau_levenshtein 2", "damerau_levenshtein 4"),
    ("equal", "damerau_levenshtein 1 5", "levenshtein 1", "levenshtein 3 4"),
    ("equal", "damerau_levenshtein 1 | jaro_winkler 0.95003", "levenshtein 2 | prefix 3", "prefix 2"),
    ("equal", "prefix 5", "damerau_levenshtein 1"),
    ("equal", "word", "jaro_winkler 0.85003"),
    ("equal", "sound", "stem", "prefix 1"),
    ("equal", "stem | sound", "levenshtein 1"),
    ("equal", "prefix 70", "jaro_winkler 0.90003", "levenshtein 70"),
)
DATE_LEVELS = (
    ("equal", "day_month_swapped", "slip", "year_part", "month_day", "year"),
    ("equal", "slip", "days 31", "parts 2", "parts 1"),
    ("equal", "days 0", "days 2", "year_part | month_day"),
    ("equal", "year", "day_month_swapped"),
)
NUMBER_LEVELS = (
    ("equal", "within 1"),
    ("equal", "within 0.5", "percent 5", "percent 50"),
    ("equal", "percent 0", "within 0"),
)
SET_LEVELS = (
    ("equal", "jaccard 0.5", "overlap 1"),
    ("equal", "overlap 3", "jaccard 0.25", "overlap 2"),
    ("equal", "overlap 0"),
)
BLOOM_LEVELS = (("equal", "dice 0.9", "dice 0.75", "dice 0.5"), ("equal", "dice 0"))

NAMES = st.one_of(
    st.text("abåö -😀", min_size=1, max_size=7),
    st.sampled_from(["anna", "anan", "ana lisa", "lisa ana", "lena", "åke", "ake", "c-å berg"]),
)
LONG = st.builds(
    lambda part, times: part * times, st.text("abcå ", min_size=1, max_size=5), st.integers(1, 40)
)
DATES = st.builds(
    lambda year, month, day: f"{year:04d}-{month:02d}-{day:02d}",
    st.sampled_from([1949, 1950, 1951, 1960, 2019]),
    st.integers(1, 12),
    st.integers(1, 31),
)
NUMBERS = st.one_of(
    st.integers(-3, 3).map(str),
    st.floats(-100, 100, width=16).map(repr),
    st.sampled_from(["0", "1,5", "100", "104.9"]),
)
SETS = st.sets(st.sampled_from("abcdefg"), max_size=5).map(lambda members: " ".join(sorted(members)) or None)
FILTERS = st.one_of(st.integers(0, 2**128 - 1), st.sampled_from([0, 1, 3, 7, 2**64, 2**128 - 1])).map(
    lambda bits: f"{bits:032x}"
)


def slipped(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """A few texts, and of some of them near copies."""

    def copies(each: tuple[list[str], list[tuple[int, int, str]]]) -> list[str]:
        first, slips = each
        near = [first[which % len(first)] for which, _, _ in slips]
        return first + [
            text[: place % (len(text) + 1)] + letter + text[place % (len(text) + 1) + 1 :] or "x"
            for text, (_, place, letter) in zip(near, slips, strict=True)
        ]

    slip = st.tuples(st.integers(0, 9), st.integers(0, 99), st.sampled_from(["", "a", "b", "ab", " "]))
    return st.tuples(st.lists(texts, min_size=1, max_size=4), st.lists(slip, max_size=4)).map(copies)


# The twin: a field's words, and two values.


def words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text).split()


def slow_stem(text: str) -> str:
    first = next((k for k, letter in enumerate(text) if not letter.isalnum()), max(len(text) // 2, 1))
    return text[:first]


def slow_sound(text: str) -> int:
    """Of the first 64 letters."""
    row = np.zeros((1, 4 * len(text) + 80), np.uint8)
    row[0, : len(text.encode())] = list(text.encode())
    letters = fold(row)[:, :65]
    letters[:, 64 - int(letters[0, 63] == 27) :] = 0
    return int(sounds(letters, 3)[0])


def ymd(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("-"))


def days_apart(a: str, b: str) -> int:
    first, second = (date(y, m, 1) + timedelta(d - 1) for y, m, d in (ymd(a), ymd(b)))
    return abs((first - second).days)


def slow_slip(a: str, b: str) -> bool:
    x, y = a.replace("-", ""), b.replace("-", "")
    neighbours = {x[:k] + x[k + 1] + x[k] + x[k + 2 :] for k in range(7)}
    return sum(p != q for p, q in zip(x, y, strict=True)) == 1 or y in neighbours


def number(text: str) -> float:
    return float(text.replace(",", "."))


def common(a: str, b: str) -> int:
    return len(set(a.split()) & set(b.split()))


def slow_dice(a: str, b: str) -> float:
    x, y = int(a, 16), int(b, 16)
    return 2 * (x & y).bit_count() / max(x.bit_count() + y.bit_count(), 1)


TWINS: dict[str, Callable[..., bool]] = {
    "jaro_winkler": lambda a, b, bound: JaroWinkler.similarity(a, b) >= bound,
    "damerau_levenshtein": lambda a, b, bound: DamerauLevenshtein.distance(a, b) <= bound,
    "levenshtein": lambda a, b, bound: Levenshtein.distance(a, b) <= bound,
    "prefix": lambda a, b, bound: min(len(a), len(b)) >= bound and a[: int(bound)] == b[: int(bound)],
    "word": lambda a, b: any(len(word) > 1 for word in set(words(a)) & set(words(b))),
    "sound": lambda a, b: slow_sound(a) == slow_sound(b) > 0,
    "stem": lambda a, b: slow_stem(a) == slow_stem(b) != "",
    "group": lambda a, b: GROUPS.get(a, 1) == GROUPS.get(b, 2),
    "day_month_swapped": lambda a, b: ymd(a)[0] == ymd(b)[0] and ymd(a)[1:] == ymd(b)[:0:-1],
    "slip": slow_slip,
    "parts": lambda a, b, bound: sum(p == q for p, q in zip(ymd(a), ymd(b), strict=True)) >= bound,
    "days": lambda a, b, bound: days_apart(a, b) <= bound,
    "year": lambda a, b: ymd(a)[0] == ymd(b)[0],
    "year_part": lambda a, b: ymd(a)[0] == ymd(b)[0] and (ymd(a)[1] == ymd(b)[1] or ymd(a)[2] == ymd(b)[2]),
    "month_day": lambda a, b: ymd(a)[1:] == ymd(b)[1:],
    "within": lambda a, b, bound: abs(number(a) - number(b)) <= bound,
    "percent": lambda a, b, bound: (
        abs(number(a) - number(b)) <= bound / 100 * max(abs(number(a)), abs(number(b)))
    ),
    "overlap": lambda a, b, bound: common(a, b) >= max(bound, 1),
    "jaccard": lambda a, b, bound: (
        common(a, b) and common(a, b) / len(set(a.split()) | set(b.split())) >= bound
    ),
    "dice": lambda a, b, bound: slow_dice(a, b) >= bound,
}
GROUPS = {"anna": "a", "anan": "a", "lena": "l", "åke": "å", "ake": "å"}


def reached(test: str, a: str, b: str) -> bool:
    name, *numbers = test.split()
    if name in ("swapped", "elsewhere"):
        return False
    if len(numbers) > 1 and min(len(a), len(b)) < int(numbers.pop()):
        return False
    return bool(TWINS[name](a, b, *map(float, numbers)))


def slow_level(field: Field, a: str | None, b: str | None) -> int:
    """The first level of which one test is reached."""
    if a is None or b is None:
        return 0
    if a == b or (field.kind == "number" and number(a) == number(b)):
        return len(field.tests()) + 1
    ranked = zip(range(len(field.tests()), 1, -1), field.tests()[1:], strict=True)
    return next(
        (level for level, tests in ranked if any(reached(test.strip(), a, b) for test in tests.split("|"))), 1
    )


def slow_pattern(fields: Mapping[str, Field], i: Record, j: Record) -> tuple[int, ...]:
    def swapped(one: str, other: str) -> bool:
        return (
            None not in (i[one], i[other]) and i[one] != i[other] and (i[one], i[other]) == (j[other], j[one])
        )

    levels = {name: slow_level(field, i[name], j[name]) for name, field in fields.items()}
    for name, field in fields.items():
        ranks = {level: len(field.tests()) + 1 - place for place, level in enumerate(field.tests())}
        if field.swapped_with and swapped(name, field.swapped_with):
            levels[name] = max(levels[name], ranks["swapped"])
        if levels[name] and any(j[other] == i[name] or i[other] == j[name] for other in field.shared_with):
            levels[name] = max(levels[name], ranks["elsewhere"])
    said: set[str] = set()
    for name, field in fields.items():
        if field.swapped_with and name not in said and swapped(name, field.swapped_with):
            levels[field.swapped_with] = 0  # the same swap is evidence once
            said.add(field.swapped_with)
    return tuple(levels.values())
