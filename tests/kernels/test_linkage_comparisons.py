"""Levels of two values and patterns of two records, against what the settings' words say, in plain Python and
rapidfuzz."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernels.comparisons import BITS, LEVELS, Batch, Plan, Scratch, scratch
from kernels.patterns import add_levels
from pipelines.files import people
from pipelines.linkage.encode import Encoded, encode_columns
from pipelines.linkage.fields import Field, plan
from tests.amount import share_of
from tests.comparison_twin import (
    BLOOM_LEVELS,
    DATE_LEVELS,
    DATES,
    FILTERS,
    GROUPS,
    LONG,
    NAMES,
    NUMBER_LEVELS,
    NUMBERS,
    SET_LEVELS,
    SETS,
    TEXT_LEVELS,
    Record,
    slipped,
    slow_pattern,
)

# Uninterpreted, numpy warns of the overflow that hashing and the sum of bits are made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")


def encoded(fields: Mapping[str, Field], records: Sequence[Record]) -> Encoded:
    columns = {
        name: people.code([pa.chunked_array([pa.array([record[name] for record in records], pa.string())])])
        for name in fields
    }
    return encode_columns(fields, columns, np.array([0, len(records)], np.int64))


ROOM = 1 << 14  # pairs


def patterns(how: Plan, rows: Encoded, pairs: Iterable[tuple[int, int]], room: Scratch) -> np.ndarray:
    """The pattern of each pair, computed in one batch."""
    codes = np.ascontiguousarray(rows.matrix().T)
    left, right = (np.array(side, np.int32) for side in zip(*pairs, strict=True))
    out = np.full(len(left), -1, np.int64)
    add_levels(rows.values, how, room, Batch(codes, left, right, out), len(left))
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


@settings(max_examples=share_of(150))
@given(st.sampled_from(TEXT_LEVELS), st.one_of(slipped(NAMES), slipped(NAMES), slipped(LONG)))
@example(TEXT_LEVELS[3], ["ca", "abc", "ac"])
@example(TEXT_LEVELS[7], ["ana-lisa", "lisa b", "a b", "b a", "c"])
@example(TEXT_LEVELS[8], ["-", " a", "a", "11", "12"])
def test_texts_reach_the_level_that_the_words_say(
    words_of_levels: tuple[str, ...], values: list[str]
) -> None:
    of_one_field("text", words_of_levels, values)


@settings(max_examples=share_of(100))
@given(st.sampled_from(DATE_LEVELS), st.lists(DATES, min_size=1, max_size=6), st.integers(0, 9))
@example(
    DATE_LEVELS[0], ["1950-03-04", "1950-04-03", "1951-03-04", "1950-03-14", "1950-02-31", "1905-03-04"], 0
)
def test_dates_reach_the_level_that_the_words_say(
    words_of_levels: tuple[str, ...], values: list[str], turn: int
) -> None:
    near = [
        value[:turn] + value[turn + 1 :][:1] + value[turn : turn + 1] + value[turn + 2 :]
        for value in values
        if "-" not in value[turn : turn + 2]
    ]
    of_one_field(
        "date",
        words_of_levels,
        values + [each for each in near if 1 <= int(each[5:7]) <= 12 and int(each[8:]) and int(each[:4])],
    )


@settings(max_examples=share_of(60))
@given(st.sampled_from(NUMBER_LEVELS), st.lists(NUMBERS, min_size=1, max_size=7))
def test_numbers_reach_the_level_that_the_words_say(
    words_of_levels: tuple[str, ...], values: list[str]
) -> None:
    of_one_field("number", words_of_levels, values)


@settings(max_examples=share_of(60))
@given(st.sampled_from(SET_LEVELS), st.lists(SETS, min_size=1, max_size=7))
def test_sets_reach_the_level_that_the_words_say(
    words_of_levels: tuple[str, ...], values: list[str | None]
) -> None:
    of_one_field("set", words_of_levels, values)


@settings(max_examples=share_of(60))
@given(st.sampled_from(BLOOM_LEVELS), st.lists(FILTERS, min_size=1, max_size=6))
def test_filters_reach_the_level_that_the_words_say(
    words_of_levels: tuple[str, ...], values: list[str]
) -> None:
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
        "given": Field(
            column="x", levels=("equal", "prefix 1", "swapped") if both else near, swapped_with="surname"
        ),
        "middle": Field(column="x", levels=elsewhere, shared_with=("given", "surname"))
        if shared
        else Field(column="x"),
        "surname": Field(column="x", levels=near if both else (), swapped_with="given" if both else None),
    }


@settings(max_examples=share_of(80))
@given(
    st.sampled_from([(False, False), (True, False), (False, True), (True, True)]),
    st.lists(NAMES_OF_FEW, min_size=2, max_size=8),
)
@example(
    (False, False),
    [
        {"given": "anna", "middle": None, "surname": "erik"},
        {"given": "erik", "middle": None, "surname": "anna"},
    ],
)
@example(
    (True, False),
    [
        {"given": "anna", "middle": None, "surname": "erik"},
        {"given": "erik", "middle": None, "surname": "anna"},
    ],
)
@example(
    (True, False),
    [
        {"given": "anna", "middle": None, "surname": "anne"},
        {"given": "anne", "middle": None, "surname": "anna"},
    ],
)
@example(
    (False, False),
    [
        {"given": "anna", "middle": None, "surname": "anna"},
        {"given": "anna", "middle": None, "surname": "anna"},
    ],
)
def test_swapped_values_count_once_and_others_may_stand_elsewhere(
    how: tuple[bool, bool], records: list[dict[str, str | None]]
) -> None:
    fields = names(both=how[0], shared=how[1])
    agree(fields, _plan_of_names(*how), records)


@cache
def _plan_of_names(both: bool, shared: bool) -> Plan:
    return plan(names(both=both, shared=shared))


@settings(max_examples=share_of(30))
@given(st.data())
def test_fields_of_all_kinds_stand_side_by_side_in_one_pattern(data: st.DataObject) -> None:
    fields, how = _all_kinds()
    strategies = {"text": NAMES, "date": DATES, "number": NUMBERS, "set": SETS, "encoded": FILTERS}
    values = {
        name: data.draw(st.lists(st.one_of(strategies[field.kind], st.none()), min_size=5, max_size=5))
        for name, field in fields.items()
    }
    agree(fields, how, [{name: column[place] for name, column in values.items()} for place in range(5)])


@cache
def _all_kinds() -> tuple[dict[str, Field], Plan]:
    chosen = [
        ("text", TEXT_LEVELS),
        ("date", DATE_LEVELS),
        ("number", NUMBER_LEVELS),
        ("set", SET_LEVELS),
        ("encoded", BLOOM_LEVELS),
    ]
    fields = {
        f"{kind}{place}": Field(column="x", kind=kind, levels=each)
        for kind, some in chosen
        for place, each in enumerate(some[:3])
    }
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
