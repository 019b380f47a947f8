"""Blocking rules at work: who meets whom, what it will cost, and what becomes of too large a block."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import SettingsError
from pipelines.files import people
from pipelines.linkage.encode import Encoded, encode_columns
from pipelines.linkage.fields import Field
from pipelines.linkage.keys import fixed_fields, parse_rule
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.rules import Blocked, Candidates, block, chunks
from tests.amount import share_of

# Uninterpreted, numpy warns of the overflow that mixing is made of.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")

Record = Mapping[str, str]

FIELDS = {
    "given": Field(column="x"),
    "surname": Field(column="x"),
    "birth": Field(column="x", kind="date"),
    "tags": Field(column="x", kind="set"),
    "size": Field(column="x", kind="number"),
}
POOLS = {
    "given": ["anna", "anna lisa", "lisa anna", "erik", "åke-erik", None],
    "surname": ["ek", "ekman", "eklund", "holm", "holmer", "erik", "anna", None],
    "birth": ["1950-03-04", "1950-03-05", "1950-04-04", "1961-03-04", None],
    "tags": ["a", "a b", "b c", "c b", "d", None],
    "size": ["1", "2", "2.0", None],
}


def words(text: str | None) -> list[str]:
    return (text or "").replace("-", " ").replace("å", "a").split()


# How each key is derived, in plain Python: what records must share, or all that they may share.
HOW: dict[str, Callable[[Record], Hashable | Iterable[Hashable]]] = {
    "surname": lambda each: each["surname"],
    "size": lambda each: float(each["size"]),
    "prefix(surname, 2)": lambda each: each["surname"][:2],
    "suffix(surname, 2)": lambda each: each["surname"][-2:],
    "initial(given)": lambda each: each["given"][0],
    "without_last(surname)": lambda each: each["surname"][:-1],
    "without_last(surname, 2)": lambda each: each["surname"][:-2] or None,
    "stem(given)": lambda each: (
        words(each["given"])[0] if len(words(each["given"])) > 1 else each["given"][: len(each["given"]) // 2]
    ),
    "unordered(given, surname)": lambda each: tuple(sorted((each["given"], each["surname"]))),
    "words(given)": lambda each: words(each["given"]),
    "words(given, surname)": lambda each: words(each["given"]) + words(each["surname"]),
    "members(tags)": lambda each: each["tags"].split(),
    "year(birth)": lambda each: each["birth"][:4],
    "month(birth)": lambda each: each["birth"][5:7],
    "day(birth)": lambda each: each["birth"][8:],
    "month_day(birth)": lambda each: each["birth"][5:],
    "year_month(birth)": lambda each: each["birth"][:7],
    "year_day(birth)": lambda each: each["birth"][:4] + each["birth"][8:],
}
SEVERAL = {"words(given)", "words(given, surname)", "members(tags)"}
SINGLE = sorted(set(HOW) - SEVERAL)
RULES = st.builds(
    lambda single, several: (*single, *several),
    st.lists(st.sampled_from(SINGLE), max_size=2, unique=True),
    st.lists(st.sampled_from(sorted(SEVERAL)), max_size=1),
).filter(len)
SEEDS = st.integers(0, 2**32 - 1)


def records(seed: int, n: int) -> list[dict[str, str | None]]:
    random = np.random.default_rng(seed)
    columns = {name: random.choice(np.array(pool, object), n).tolist() for name, pool in POOLS.items()}
    return [{name: column[place] for name, column in columns.items()} for place in range(n)]


def encoded(rows: Sequence[Mapping[str, str | None]]) -> Encoded:
    columns = {
        name: people.code([pa.chunked_array([pa.array([row[name] for row in rows], pa.string())])])
        for name in FIELDS
    }
    return encode_columns(FIELDS, columns, np.array([0, len(rows)], np.int64))


def held(row: Record, key: str) -> set[Hashable]:
    """The keys that a record has, none where a field is not known."""
    try:
        found = HOW[key](row)
    except (TypeError, AttributeError, IndexError):
        return set()
    if key in SEVERAL:
        return set(found)  # type: ignore[arg-type]
    return set() if found is None else {found}


class Slow:
    """The blocks of a rule in a dictionary, and the heavy ones divided."""

    def __init__(
        self,
        rows: Sequence[Record],
        rule: Sequence[str],
        seekers: np.ndarray | None,
        largest: int,
        divisors: Sequence[str],
    ) -> None:
        self._seekers = seekers
        blocks: dict[Hashable, list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            keys: list[tuple[Hashable, ...]] = [()]
            for key in rule:
                keys = [(*one, other) for one in keys for other in held(row, key)]
            for each in keys:
                blocks[each].append(place)
        self.divided = self.left_out = 0
        for divisor in divisors:
            heavy = [
                key
                for key, members in blocks.items()
                if len(members) > 1 and self.pairs_of(members) > largest
            ]
            self.divided += len(heavy)
            for key in heavy:
                members = blocks.pop(key)
                for place in members:
                    for part in held(rows[place], divisor):
                        blocks[key, divisor, part].append(place)
                self.left_out += sum(not held(rows[place], divisor) for place in members)
        self.blocks = [members for members in blocks.values() if len(members) > 1]
        self.heavy = any(self.pairs_of(members) > largest for members in self.blocks)

    def pairs_of(self, members: Sequence[int]) -> int:
        others = 0 if self._seekers is None else int((~self._seekers[list(members)]).sum())
        return (len(members) * (len(members) - 1) - others * (others - 1)) // 2

    def pairs(self) -> Counter[tuple[int, int]]:
        return Counter(
            (i, j) for members in self.blocks for i, j in combinations(members, 2) if self.pairs_of((i, j))
        )


def made(blocked: Blocked) -> Counter[tuple[int, int]]:
    records, found = blocked.records.tolist(), Counter[tuple[int, int]]()
    begins = blocked.begins.tolist() or range(1, len(records) + 1)
    for a, begin, end in zip(records, begins, blocked.ends, strict=True):
        found.update((min(a, b), max(a, b)) for b in records[begin:end])
    return found


def blocked_by(
    rows: Encoded,
    rule: Sequence[str],
    seekers: np.ndarray | None = None,
    largest: int = 1 << 40,
    divisors: Sequence[str] = (),
) -> Blocked:
    candidates = Candidates(rows.matrix(), np.full(len(rows), -1, np.int32), seekers)
    return block(
        rows.deriver,
        [parse_rule(rule, FIELDS)],
        candidates,
        largest,
        [parse_rule((key,), FIELDS)[0] for key in divisors],
    ).rules[0]


@pytest.mark.parametrize("key", sorted(HOW))
def test_two_records_meet_if_and_only_if_they_share_the_key(key: str) -> None:
    rows = records(1, 60)
    slow = Slow(rows, [key], None, 1 << 40, [])
    assert made(blocked_by(encoded(rows), [key])) == slow.pairs()
    assert sum(slow.pairs().values()) > 10


def test_words_of_one_sound_or_one_beginning_meet() -> None:
    names = [
        {"given": name, "surname": None, "birth": None, "tags": None, "size": None}
        for name in ("filip", "anna philip", "erik", "erikson", "anna")
    ]
    rows = encoded(names)
    assert set(made(blocked_by(rows, ["word_sounds(given)"]))) == {(0, 1), (1, 4)}
    assert set(made(blocked_by(rows, ["word_starts(given)"]))) == set()  # a start is that of a longer word
    assert set(made(blocked_by(encoded([*names, names[3]]), ["word_starts(given)"]))) == {(3, 5)}


def test_names_of_one_sound_meet_in_either_order() -> None:
    names = [("karin", "ek"), ("eck", "carin"), ("karin", None), ("eva", "ek")]
    rows = encoded([{"given": a, "surname": b, "birth": None, "tags": None, "size": None} for a, b in names])
    assert set(made(blocked_by(rows, ["sounds(given, surname)"]))) == {(0, 1)}
    assert set(made(blocked_by(rows, ["sound(given)"]))) == {(0, 2)}


@settings(max_examples=share_of(150))
@given(
    SEEDS,
    st.integers(0, 40),
    RULES,
    st.booleans(),
    st.integers(0, 40),
    st.lists(st.sampled_from(SINGLE), max_size=2),
)
@example(0, 40, ("month(birth)",), False, 3, ["surname", "initial(given)"])
@example(5, 40, ("members(tags)",), True, 10, ["year(birth)", "surname"])
def test_the_analysis_counts_what_the_rule_makes(
    seed: int, n: int, rule: tuple[str, ...], with_seekers: bool, largest: int, divisors: list[str]
) -> None:
    rows = records(seed, n)
    seekers = np.random.default_rng(seed).random(n) < 0.4 if with_seekers else None
    candidates = Candidates(np.zeros((n, 1), np.int32), np.full(n, -1, np.int32), seekers)
    slow, deriver = Slow(rows, rule, seekers, largest, divisors), encoded(rows).deriver
    given = (
        [parse_rule(rule, FIELDS)],
        candidates,
        largest,
        [parse_rule((key,), FIELDS)[0] for key in divisors],
    )
    if slow.heavy:
        with pytest.raises(SettingsError, match="largest_block"):
            block(deriver, *given)
        return
    blocking = block(deriver, *given)
    assert made(blocking.rules[0]) == slow.pairs()
    assert blocking.pairs() == sum(slow.pairs().values())
    sizes = sorted(map(len, slow.blocks), reverse=True)
    assert blocking.analysis() == [
        {
            "keys": ", ".join(map(str, given[0][0])),
            "pairs_at_most": sum(slow.pairs().values()),
            "blocks": len(sizes),
            "largest_blocks": sizes[:5],
            "blocks_divided": slow.divided,
            "rows_left_out": slow.left_out,
            "seconds_a_core": 0.0,
        }
    ]
    together = [
        (i, j) for i, j in combinations(range(n), 2) if set(blocking.keys[i]) & set(blocking.keys[j]) - {-1}
    ]
    assert together == sorted({pair for members in slow.blocks for pair in combinations(members, 2)})


def test_a_block_that_is_too_large_is_refused_with_what_to_do() -> None:
    rows = encoded([{"given": "secret", "surname": None, "birth": None, "tags": None, "size": None}] * 100)
    assert blocked_by(rows, ["given"], largest=4950).pairs == 4950
    with pytest.raises(SettingsError) as caught:
        blocked_by(rows, ["given", "initial(given)"], largest=4949)
    said = str(caught.value)
    assert said.startswith(
        "blocking: given, initial(given): a block makes 4,950 pairs, more than largest_block (4,949); "
    )
    assert "divide_by" in said
    assert "secret" not in said


def test_a_large_block_is_divided_key_after_key_and_others_are_not() -> None:
    named = (
        [("a", "x", "1950-01-01")] * 3
        + [("a", "y", "1950-01-01")] * 2
        + [("a", "y", "1960-01-01")] * 3
        + [("a", None, None)]
        + [("b", None, None), ("b", "x", None)]
    )
    rows = encoded(
        [
            {"given": given, "surname": surname, "birth": birth, "tags": None, "size": None}
            for given, surname, birth in named
        ]
    )
    once = blocked_by(rows, ["given"], largest=10, divisors=["surname"])
    assert (once.divided, once.left_out, once.largest) == (1, 1, (5, 3, 2))
    twice = blocked_by(rows, ["given"], largest=3, divisors=["surname", "year(birth)"])
    assert (twice.divided, twice.left_out, twice.largest) == (2, 1, (3, 3, 2, 2))
    with pytest.raises(SettingsError, match="a block makes 3 pairs, more than largest_block"):
        blocked_by(rows, ["given"], largest=2, divisors=["surname", "year(birth)"])
    unneeded = blocked_by(rows, ["given"], largest=36, divisors=["surname"])
    assert (unneeded.divided, unneeded.left_out, unneeded.largest) == (0, 0, (9, 2))


@settings(max_examples=share_of(60))
@given(SEEDS, st.integers(0, 40), RULES, st.booleans(), st.integers(1, 30), st.integers(1, 12))
def test_pieces_of_work_cover_every_row_once(
    seed: int, n: int, rule: tuple[str, ...], with_seekers: bool, pairs: int, rows: int
) -> None:
    seekers = np.random.default_rng(seed).random(n) < 0.4 if with_seekers else None
    blocked = blocked_by(encoded(records(seed, n)), rule, seekers)
    pieces = list(chunks(blocked, pairs, rows))
    assert [row for begin, end in pieces for row in range(begin, end)] == list(range(len(blocked.records)))
    assert all(begin < end for begin, end in pieces)
    room = blocked.room()
    for begin, end in pieces:  # beyond its share a piece holds one row
        assert room[begin : end - 1].sum() < pairs + room[begin]
        assert end - begin <= rows + 1


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (("surnam",), "surnam is not a field"),
        (("sound(birth)",), "sound does not go with a date"),
        (("year(surname)",), "year does not go with a text"),
        (("prefix(surname)",), "takes a field and a number"),
        (("prefix(surname, x)",), "takes a field and a number"),
        (("initial(surname, 1)",), "takes one field alone"),
        (("unordered(surname)",), "takes two fields of names"),
        (("unordered(surname, birth)",), "takes two fields of names"),
        (("words(surname, birth)",), "takes fields of text"),
        (("round(surname)",), "is derived by one of value, prefix"),
        (("sur name",), "a key reads like"),
        ((), "at least one key"),
        (("words(given)", "members(tags)"), "at most one of which"),
    ],
)
def test_a_rule_that_does_not_fit_says_why(rule: tuple[str, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_rule(rule, FIELDS)


def test_a_block_is_divided_by_keys_of_which_a_record_has_one() -> None:
    given = {"data": [{"source": "a", "file": "a.csv"}], "fields": FIELDS, "blocking": [["surname"]]}
    assert [str(key) for key in LinkSettings(**given, divide_by=["unordered(given, surname)"]).divisors] == [
        "unordered(given, surname)"
    ]
    with pytest.raises(ValueError, match="divide_by: a key of which a record has but one"):
        LinkSettings(**given, divide_by=["words(given)"])


def test_a_rule_holds_fixed_the_fields_of_its_keys() -> None:
    assert fixed_fields(parse_rule(("prefix( surname ,3 )", "year(birth)"), FIELDS)) == {"surname", "birth"}
    assert fixed_fields(parse_rule(("unordered(given, surname)",), FIELDS)) == {"given", "surname"}
    assert fixed_fields(parse_rule(("words(given, surname)", "size"), FIELDS)) == {"given", "surname", "size"}
    assert [
        str(key) for key in parse_rule(("prefix( surname ,3 )", "words(given,surname)", "size"), FIELDS)
    ] == [
        "prefix(surname, 3)",
        "words(given, surname)",
        "size",
    ]
