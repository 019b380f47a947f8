"""What comparing two records field by field needs to know: the values, the plan, and room to work in.

Level 0 is "not known on one side", 1 is "different", and each level that a field names is one more, the best
one the highest: a field with levels equal, JW 0.9, JW 0.8 has 4, 3, 2. Two tests may lead to one level. A
pattern holds four bits for each field, the first lowest.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

BITS: Final = 4
LEVELS: Final = 1 << BITS
MOST_FIELDS: Final = 15
BATCH: Final = 1024  # pairs compared at once, at most

# Kinds of values.
TEXT, DATE, NUMBER, SET, BLOOM, CODE = range(6)

# Tests. The bound of each is a number; of SAME the row of `Values.derived`; of some nothing.
EQUAL, JARO_WINKLER, DAMERAU_LEVENSHTEIN, LEVENSHTEIN, PREFIX, SAME, WORD = range(7)  # of texts
DAY_MONTH, PARTS, SLIP, DAYS, YEAR, YEAR_PART, MONTH_DAY = range(7, 14)  # of dates
WITHIN, PERCENT, OVERLAP, JACCARD, DICE = range(14, 19)  # of numbers, sets, filters
SWAPPED, ELSEWHERE = range(19, 21)  # of a field beside another


class Values(NamedTuple):
    """The distinct values of all fields; what a record holds is a position among those of its field's kind.

    Texts: `symbols` uint16, one text after another; `starts` int64 (texts + 1,); `signatures` uint64
    (texts,); `derived` int64 (keys, texts), -1 for none; `breaks` bool (alphabet,), symbols between words.
    Dates: `days` int32, days since 1970-01-01, and `digits` int32, yyyymmdd. `numbers` float64. Sets:
    `members` int32, ascending within each; `set_starts` int64 (sets + 1,). Bloom filters: `words` uint64
    (filters, words); `bits_set` int32. `alphabet`: number of symbols.
    """

    symbols: np.ndarray
    starts: np.ndarray
    signatures: np.ndarray
    derived: np.ndarray
    breaks: np.ndarray
    days: np.ndarray
    digits: np.ndarray
    numbers: np.ndarray
    members: np.ndarray
    set_starts: np.ndarray
    words: np.ndarray
    bits_set: np.ndarray
    alphabet: int


class Plan(NamedTuple):
    """What is compared how.

    `kinds`: int8 (fields,); `tops`: int8 (fields,), level of equal values, 0 for a field that is not
    compared. `firsts`: int32 (fields + 1,), where each field's tests begin in `tests` (int8), `bounds`
    (float64), `sizes` (int32, symbols that both texts must have at least) and `levels` (int8, to which it
    leads), the best first and always EQUAL. `edits`: int8 (fields,), the most edits that a test allows, -1
    for none. `least`: uint8 (fields, places), see `signatures.least_common`, as one row; all 0 where no bound
    holds. `partners`: int8 (fields,), the field with which values may be swapped, -1 for none; `echoes`:
    int8 (fields,), the field whose swap this one would only say again, -1 for none. `group`: int32 (fields,),
    bits of the fields in which a value may stand instead.
    """

    kinds: np.ndarray
    tops: np.ndarray
    firsts: np.ndarray
    tests: np.ndarray
    bounds: np.ndarray
    sizes: np.ndarray
    levels: np.ndarray
    edits: np.ndarray
    least: np.ndarray
    partners: np.ndarray
    echoes: np.ndarray
    group: np.ndarray


class Batch(NamedTuple):
    """Pairs of columns that are compared at once. `codes`: int32 (fields, m), the position of each column's
    value among those of its field's kind, -1 if unknown. `left`, `right`: int32 (pairs,), columns of these.
    `patterns`: int64 (pairs,), what comparing fills, BITS bits for each field.
    """

    codes: np.ndarray
    left: np.ndarray
    right: np.ndarray
    patterns: np.ndarray


class Scratch(NamedTuple):
    """Memory of one thread. `masks`: uint64 (alphabet,), `last`: int32 (alphabet,), both zero. `table`: int32
    (66, 66). `memo`: uint64 (fields, 2**k), zero: levels of pairs of values that were met before. Of each
    pair of a batch: `waiting`, `rest`, `common`, `places`: int32; `first`, `second`: uint64, signatures;
    `texts`: int64 (batch, 4), where both texts begin and how long they are; `similarity`: float64; `edits`,
    `levels`: int64; `reached`: bool."""

    masks: np.ndarray
    last: np.ndarray
    table: np.ndarray
    memo: np.ndarray
    waiting: np.ndarray
    rest: np.ndarray
    common: np.ndarray
    places: np.ndarray
    first: np.ndarray
    second: np.ndarray
    texts: np.ndarray
    similarity: np.ndarray
    edits: np.ndarray
    levels: np.ndarray
    reached: np.ndarray


def scratch(values: Values, plan: Plan, memo: int, batch: int = BATCH) -> Scratch:
    """Memory for one thread. `memo`: 2**memo pairs of values of each field are remembered."""
    size = max(values.alphabet, 1)
    waiting, rest, common, places = np.empty((4, batch), np.int32)
    first, second = np.empty((2, batch), np.uint64)
    edits, levels = np.empty((2, batch), np.int64)
    return Scratch(
        masks=np.zeros(size, np.uint64),
        last=np.zeros(size, np.int32),
        table=np.empty((66, 66), np.int32),
        memo=np.zeros((len(plan.kinds), 1 << memo), np.uint64),
        waiting=waiting,
        rest=rest,
        common=common,
        places=places,
        first=first,
        second=second,
        texts=np.empty((batch, 4), np.int64),
        similarity=np.empty(batch),
        edits=edits,
        levels=levels,
        reached=np.empty(batch, np.bool_),
    )
