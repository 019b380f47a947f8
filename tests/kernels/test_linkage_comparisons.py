"""Levels of two values and patterns of two records, against what the settings' words say, in plain Python and rapidfuzz."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler, Levenshtein

from kernels.comparisons import BITS, LEVELS, Plan, Scratch, scratch
from kernels.patterns import add_levels
from kernels.strings import fold, sounds
from pipelines.files import people
from pipelines.linkage.encode import Encoded, encode_columns
from pipelines.linkage.fields import Field, plan

# Uninterpreted, numpy warns of the overflow that hashing and the sum of bits are made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")

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
NUMBER_LEVELS = (("equal", "within 1"), ("equal", "within 0.5", "percent 5", "percent 50"), ("equal", "percent 0", "within 0"))
SET_LEVELS = (("equal", "jaccard 0.5", "overlap 1"), ("equal", "overlap 3", "jaccard 0.25", "overlap 2"), ("equal", "overlap 0"))
BLOOM_LEVELS = (("equal", "dice 0.9", "dice 0.75", "dice 0.5"), ("equal", "dice 0"))

NAMES = st.one_of(
    st.text("abåö -😀", min_size=1, max_size=7), st.sampled_from(["anna", "anan", "ana lisa", "lisa ana", "lena", "åke", "ake", "c-å berg"])
)
LONG = st.builds(lambda part, times: part * times, st.text("abcå ", min_size=1, max_size=5), st.integers(1, 40))
DATES = st.builds(
    lambda year, month, day: f"{year:04d}-{month:02d}-{day:02d}",
    st.sampled_from([1949, 1950, 1951, 1960, 2019]),
    st.integers(1, 12),
    st.integers(1, 31),
)
NUMBERS = st.one_of(st.integers(-3, 3).map(str), st.floats(-100, 100, width=16).map(repr), st.sampled_from(["0", "1,5", "100", "104.9"]))
SETS = st.sets(st.sampled_from("abcdefg"), max_size=5).map(lambda members: " ".join(sorted(members)) or None)
FILTERS = st.one_of(st.integers(0, 2**128 - 1), st.sampled_from([0, 1, 3, 7, 2**64, 2**128 - 1])).map(lambda bits: f"{bits:032x}")


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
    "percent": lambda a, b, bound: abs(number(a) - number(b)) <= bound / 100 * max(abs(number(a)), abs(number(b))),
    "overlap": lambda a, b, bound: common(a, b) >= max(bound, 1),
    "jaccard": lambda a, b, bound: common(a, b) and common(a, b) / len(set(a.split()) | set(b.split())) >= bound,
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
    return next((level for level, tests in ranked if any(reached(test.strip(), a, b) for test in tests.split("|"))), 1)


def slow_pattern(fields: Mapping[str, Field], i: Record, j: Record) -> tuple[int, ...]:
    def swapped(one: str, other: str) -> bool:
        return None not in (i[one], i[other]) and i[one] != i[other] and (i[one], i[other]) == (j[other], j[one])

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


# The kernels.


def encoded(fields: Mapping[str, Field], records: Sequence[Record]) -> Encoded:
    columns = {name: people.code([pa.chunked_array([pa.array([record[name] for record in records], pa.string())])]) for name in fields}
    return encode_columns(fields, columns, np.array([0, len(records)], np.int64))


ROOM = 1 << 14  # pairs


def patterns(how: Plan, rows: Encoded, pairs: Iterable[tuple[int, int]], room: Scratch) -> np.ndarray:
    """The pattern of each pair, computed in one batch."""
    codes = np.ascontiguousarray(rows.matrix().T)
    left, right = (np.array(side, np.int32) for side in zip(*pairs, strict=True))
    out = np.full(len(left), -1, np.int64)
    add_levels(rows.values, how, room, codes, left, right, len(left), out)
    assert not room.masks.any()
    assert not room.last.any()
    return out


def levels(found: np.ndarray, fields: int) -> list[tuple[int, ...]]:
    return [tuple(int(each) >> (BITS * field) & (LEVELS - 1) for field in range(fields)) for each in found]


@cache
def planned(kind: str, words_of_levels: tuple[str, ...]) -> tuple[dict[str, Field], Plan]:
    fields = {"field": Field(column="x", kind=kind, levels=words_of_levels)}
    return fields, plan(fields)


def agree(fields: Mapping[str, Field], how: Plan, records: Sequence[Record]) -> None:
    """Every pair, both ways round, with a memory of few pairs and of many, shows what the words say."""
    rows, pairs = encoded(fields, records), list(product(range(len(records)), repeat=2))
    small = patterns(how, rows, pairs, scratch(rows.values, how, 4, ROOM))
    assert levels(small, len(fields)) == [slow_pattern(fields, records[i], records[j]) for i, j in pairs]
    large = scratch(rows.values, how, 16, ROOM)
    assert (patterns(how, rows, pairs, large) == small).all()
    assert (patterns(how, rows, pairs[::-1], large)[::-1] == small).all()
    assert (small.reshape(len(records), -1) == small.reshape(len(records), -1).T).all()


def of_one_field(kind: str, words_of_levels: tuple[str, ...], values: Sequence[str | None]) -> None:
    fields, how = planned(kind, words_of_levels)
    agree(fields, how, [{"field": value} for value in (*values, values[0], None)])


@settings(max_examples=150)
@given(st.sampled_from(TEXT_LEVELS), st.one_of(slipped(NAMES), slipped(NAMES), slipped(LONG)))
@example(TEXT_LEVELS[3], ["ca", "abc", "ac"])
@example(TEXT_LEVELS[7], ["ana-lisa", "lisa b", "a b", "b a", "c"])
@example(TEXT_LEVELS[8], ["-", " a", "a", "11", "12"])
def test_texts_reach_the_level_that_the_words_say(words_of_levels: tuple[str, ...], values: list[str]) -> None:
    of_one_field("text", words_of_levels, values)


@settings(max_examples=100)
@given(st.sampled_from(DATE_LEVELS), st.lists(DATES, min_size=1, max_size=6), st.integers(0, 9))
@example(DATE_LEVELS[0], ["1950-03-04", "1950-04-03", "1951-03-04", "1950-03-14", "1950-02-31", "1905-03-04"], 0)
def test_dates_reach_the_level_that_the_words_say(words_of_levels: tuple[str, ...], values: list[str], turn: int) -> None:
    near = [
        value[:turn] + value[turn + 1 :][:1] + value[turn : turn + 1] + value[turn + 2 :]
        for value in values
        if "-" not in value[turn : turn + 2]
    ]
    of_one_field("date", words_of_levels, values + [each for each in near if 1 <= int(each[5:7]) <= 12 and int(each[8:]) and int(each[:4])])


@settings(max_examples=60)
@given(st.sampled_from(NUMBER_LEVELS), st.lists(NUMBERS, min_size=1, max_size=7))
def test_numbers_reach_the_level_that_the_words_say(words_of_levels: tuple[str, ...], values: list[str]) -> None:
    of_one_field("number", words_of_levels, values)


@settings(max_examples=60)
@given(st.sampled_from(SET_LEVELS), st.lists(SETS, min_size=1, max_size=7))
def test_sets_reach_the_level_that_the_words_say(words_of_levels: tuple[str, ...], values: list[str | None]) -> None:
    of_one_field("set", words_of_levels, values)


@settings(max_examples=60)
@given(st.sampled_from(BLOOM_LEVELS), st.lists(FILTERS, min_size=1, max_size=6))
def test_filters_reach_the_level_that_the_words_say(words_of_levels: tuple[str, ...], values: list[str]) -> None:
    of_one_field("encoded", words_of_levels, values)


def test_values_of_one_group_reach_its_level(tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("value,group\n" + "".join(f"{value},{group}\n" for value, group in GROUPS.items()))
    fields = {"name": Field(column="x", levels=("equal", "group", "prefix 1"), groups=str(file))}
    agree(fields, plan(fields), [{"name": name} for name in (*GROUPS, "lisa", "anders", None)])


FEW = st.sampled_from(["anna", "anne", "lisa", "erik", None])
NAMES_OF_FEW = st.fixed_dictionaries({"given": FEW, "middle": FEW, "surname": FEW})


def names(*, both: bool = False, shared: bool = False) -> dict[str, Field]:
    near, elsewhere = ("equal", "jaro_winkler 0.80007"), ("equal", "elsewhere", "damerau_levenshtein 2")
    return {
        "given": Field(column="x", levels=("equal", "prefix 1", "swapped") if both else near, swapped_with="surname"),
        "middle": Field(column="x", levels=elsewhere, shared_with=("given", "surname")) if shared else Field(column="x"),
        "surname": Field(column="x", levels=near if both else (), swapped_with="given" if both else None),
    }


@settings(max_examples=80)
@given(st.sampled_from([(False, False), (True, False), (False, True), (True, True)]), st.lists(NAMES_OF_FEW, min_size=2, max_size=8))
@example((False, False), [{"given": "anna", "middle": None, "surname": "erik"}, {"given": "erik", "middle": None, "surname": "anna"}])
@example((True, False), [{"given": "anna", "middle": None, "surname": "erik"}, {"given": "erik", "middle": None, "surname": "anna"}])
@example((True, False), [{"given": "anna", "middle": None, "surname": "anne"}, {"given": "anne", "middle": None, "surname": "anna"}])
@example((False, False), [{"given": "anna", "middle": None, "surname": "anna"}, {"given": "anna", "middle": None, "surname": "anna"}])
def test_swapped_values_count_once_and_others_may_stand_elsewhere(how: tuple[bool, bool], records: list[dict[str, str | None]]) -> None:
    fields = names(both=how[0], shared=how[1])
    agree(fields, _plan_of_names(*how), records)


@cache
def _plan_of_names(both: bool, shared: bool) -> Plan:
    return plan(names(both=both, shared=shared))


@settings(max_examples=30)
@given(st.data())
def test_fields_of_all_kinds_stand_side_by_side_in_one_pattern(data: st.DataObject) -> None:
    fields, how = _all_kinds()
    strategies = {"text": NAMES, "date": DATES, "number": NUMBERS, "set": SETS, "encoded": FILTERS}
    values = {
        name: data.draw(st.lists(st.one_of(strategies[field.kind], st.none()), min_size=5, max_size=5)) for name, field in fields.items()
    }
    agree(fields, how, [{name: column[place] for name, column in values.items()} for place in range(5)])


@cache
def _all_kinds() -> tuple[dict[str, Field], Plan]:
    chosen = [("text", TEXT_LEVELS), ("date", DATE_LEVELS), ("number", NUMBER_LEVELS), ("set", SET_LEVELS), ("encoded", BLOOM_LEVELS)]
    fields = {f"{kind}{place}": Field(column="x", kind=kind, levels=each) for kind, some in chosen for place, each in enumerate(some[:3])}
    return fields, plan(fields)


def test_a_memory_of_few_pairs_forgets_and_never_confuses() -> None:
    """Many values, so that pairs push one another out."""
    random = np.random.default_rng(5)
    fields, how = planned("text", TEXT_LEVELS[3])
    records = [{"field": "".join(random.choice(list("ab"), random.integers(3, 8)))} for _ in range(60)]
    rows, pairs = encoded(fields, records), [(int(i), int(j)) for i, j in random.integers(0, 60, (1500, 2))]
    found = [patterns(how, rows, pairs, scratch(rows.values, how, memo, ROOM)) for memo in (4, 6, 16)]
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    room = scratch(rows.values, how, 4, ROOM)
    alone = [int(patterns(how, rows, [pair], room)[0]) for pair in pairs[:300]]
    assert alone == found[0][:300].tolist()
