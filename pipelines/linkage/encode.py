"""Records encoded once: each field a column of codes into the distinct values, the values as the kernels
compare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from pathlib import Path

import numpy as np

from kernels import comparisons
from kernels.comparisons import Values
from kernels.signatures import CLASSES, signatures
from pipelines.errors import DataError
from pipelines.files import people
from pipelines.files.people import Coded
from pipelines.linkage.fields import Field, derived_levels
from pipelines.linkage.keys import Deriver, Key
from pipelines.linkage.link_settings import InputTable, LinkSettings

_CHUNK = 200_000
_MEMBER_MARK = "\x1f"


@dataclass(frozen=True)
class Given:
    """How values are written down, so that two readings agree. `alphabet`: the letter of each symbol;
    `classes`: uint8 (alphabet,), their classes in signatures; `month_first`: {field: is the month the first
    of two numbers?}; `members`: texts of the members of sets."""

    alphabet: str = ""
    classes: np.ndarray | None = None
    month_first: Mapping[str, bool] = dataclass_field(default_factory=dict)
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Encoded:
    """`sources`: int16 (n,), place of each record's table in the settings; `edges`: int64 (tables + 1,),
    where its records begin. `table`: int32 (n, fields), the value that each record holds in each of the
    `names`, -1 if unknown. `shown`: the columns' texts, to be shown. `given`: how the values are written
    down."""

    sources: np.ndarray
    edges: np.ndarray
    names: tuple[str, ...]
    table: np.ndarray
    values: Values
    deriver: Deriver
    shown: Mapping[str, Coded]
    given: Given = Given()

    def __len__(self) -> int:
        return len(self.sources)

    def matrix(self) -> np.ndarray:
        """int32 (n, fields): codes of all fields, record by record."""
        return self.table

    @property
    def codes(self) -> dict[str, np.ndarray]:
        """{field: int32 (n,)}, -1 if unknown."""
        return columns_of(self.names, self.table)


def columns_of(names: Sequence[str], table: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of a table by name. `table`: int32 (n, fields). Returns {field: int32 (n,)}."""
    return {name: table[:, place] for place, name in enumerate(names)}


def encode(
    settings: LinkSettings,
    paths: Sequence[Path],
    data: Sequence[InputTable] | None = None,
    given: Given | None = None,
) -> Encoded:
    """Read the columns that the fields name, one at a time. `data`: the tables at `paths`, if they are not
    those of the settings."""
    data = settings.data if data is None else data
    lengths = [people.length(path) for path in paths]
    edges = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    coded = {name: _column(field, data, paths, lengths) for name, field in settings.fields.items()}
    encoded = encode_columns(settings.fields, coded, edges, given)
    return replace(encoded, shown=_Columns(settings.fields, data, paths, lengths))


class _Columns(Mapping[str, Coded]):
    """The columns as texts, read again when they are asked for, so that nothing holds them meanwhile."""

    def __init__(
        self,
        fields: Mapping[str, Field],
        data: Sequence[InputTable],
        paths: Sequence[Path],
        lengths: Sequence[int],
    ) -> None:
        self._fields, self._tables = fields, (data, paths, lengths)

    def __getitem__(self, name: str) -> Coded:
        return _column(self._fields[name], *self._tables)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _column(field: Field, data: Sequence[InputTable], paths: Sequence[Path], lengths: Sequence[int]) -> Coded:
    parts = [] if paths else [people.nothing(0)]
    for table, path, length in zip(data, paths, lengths, strict=True):
        column = field.column if isinstance(field.column, str) else field.column.get(table.source)
        parts.append(
            people.read_text(path, [column])[column] if column is not None else people.nothing(length)
        )
    return people.code(
        parts, people.tidy if field.tidy and field.kind not in ("encoded", "set") else people.trimmed
    )


def encode_columns(
    fields: Mapping[str, Field], coded: Mapping[str, Coded], edges: np.ndarray, given: Given | None = None
) -> Encoded:
    """Columns as codes and values of their kinds, written down as `given`.

    `edges`: int64 (tables + 1,), where the records of each table begin.
    """
    given = given or Given()
    codes: dict[str, np.ndarray] = {}
    kinds = {name: field.value_kind() for name, field in fields.items()}
    texts = {name: coded[name] for name, kind in kinds.items() if kind == comparisons.TEXT}
    pools = _pools(fields, texts, codes)
    symbols, starts, alphabet = _symbols(pools, given.alphabet)
    classes = _classes(symbols, len(alphabet), given.classes)
    marks = signatures(symbols, starts, classes)
    month_first = dict(given.month_first)
    digits, days = _dates(
        {name: coded[name] for name, kind in kinds.items() if kind == comparisons.DATE}, codes, month_first
    )
    numbers = _numbers(
        {name: coded[name] for name, kind in kinds.items() if kind == comparisons.NUMBER}, codes
    )
    members, set_starts, known = _sets(
        {name: coded[name] for name, kind in kinds.items() if kind == comparisons.SET}, fields, codes
    )
    words, bits_set = _filters(
        {name: coded[name] for name, kind in kinds.items() if kind == comparisons.BLOOM}, codes
    )
    values = Values(
        symbols=symbols,
        starts=starts,
        signatures=marks,
        derived=np.zeros((0, len(starts) - 1), np.int64),
        breaks=_breaks(alphabet),
        days=days,
        digits=digits,
        numbers=numbers,
        members=members,
        set_starts=set_starts,
        words=words,
        bits_set=bits_set,
        alphabet=len(alphabet),
    )
    table = np.stack([codes[name] for name in fields], 1)
    deriver = Deriver(values, alphabet, columns_of(tuple(fields), table))
    values = values._replace(derived=_derived(fields, deriver, pools, len(starts) - 1))
    sources = np.repeat(np.arange(len(edges) - 1, dtype=np.int16), np.diff(edges))
    return Encoded(
        sources=sources,
        edges=edges,
        names=tuple(fields),
        table=table,
        values=values,
        deriver=deriver,
        shown=dict(coded),
        given=Given(alphabet, classes, month_first, known),
    )


def text_groups(fields: Mapping[str, Field]) -> dict[str, str]:
    """For each field of texts the name of the first of those whose values may stand in one another."""
    names = [name for name, field in fields.items() if field.value_kind() == comparisons.TEXT]
    group = {name: name for name in names}
    for name in names:
        for other in (
            *fields[name].shared_with,
            *((fields[name].swapped_with,) if fields[name].swapped_with else ()),
        ):
            old, new = group[str(other)], group[name]
            group = {each: new if one == old else one for each, one in group.items()}
    return group


def _pools(
    fields: Mapping[str, Field], texts: Mapping[str, Coded], codes: dict[str, np.ndarray]
) -> list[people.Texts]:
    """The distinct texts, one pool for the fields whose values may stand in one another; fills the codes,
    which count through all pools."""
    group = text_groups(fields)
    pools, begin = [], 0
    for first in dict.fromkeys(group.values()):
        names = [name for name in texts if group[name] == first]
        values = [texts[name].values for name in names]
        pool, places = (
            people.pooled(values)
            if len(names) > 1
            else (values[0], [np.arange(len(values[0]), dtype=np.int32)])
        )
        for name, place in zip(names, places, strict=True):
            codes[name] = np.append(place + np.int32(begin), np.int32(-1))[texts[name].codes]
        pools.append(pool)
        begin += len(pool)
    return pools


def _symbols(pools: Sequence[people.Texts], alphabet: str) -> tuple[np.ndarray, np.ndarray, str]:
    """The texts as symbols, where each begins, and the letter that each symbol stands for: those of
    `alphabet`, and new ones after them."""
    symbol_of = np.zeros(0x110000, np.uint16)
    symbol_of[[ord(letter) for letter in alphabet]] = np.arange(len(alphabet))
    symbols, starts = [np.zeros(0, np.uint16)], [np.zeros(1, np.int64)]
    for part in (pool[begin : begin + _CHUNK] for pool in pools for begin in range(0, len(pool), _CHUNK)):
        points, edges = people.code_points(part)
        new = [
            int(point)
            for point in np.flatnonzero(np.bincount(points, minlength=1))
            if chr(point) not in alphabet
        ]
        if len(alphabet) + len(new) > 0xFFFF:
            raise DataError(
                "linkage",
                "texts hold more than 65,535 different characters",
                "leave out the field that is no text",
            )
        symbol_of[new] = np.arange(len(alphabet), len(alphabet) + len(new))
        alphabet += "".join(map(chr, new))
        symbols.append(symbol_of[points])
        starts.append(edges[1:] + starts[-1][-1])
    return np.concatenate(symbols), np.concatenate(starts), alphabet


def _breaks(alphabet: str) -> np.ndarray:
    """bool (alphabet,): symbols between words."""
    return np.array([not letter.isalnum() for letter in alphabet] or [True])


def _classes(symbols: np.ndarray, alphabet: int, given: np.ndarray | None) -> np.ndarray:
    """uint8 (alphabet,): those given; else the frequent symbols have a class of their own. The others share
    the last."""
    classes = np.full(max(alphabet, 1), CLASSES - 1, np.uint8)
    if given is not None:
        classes[: len(given)] = given
        return classes
    counts = np.zeros(max(alphabet, 1), np.int64)
    for begin in range(0, len(symbols), 1 << 20):
        counts += np.bincount(symbols[begin : begin + (1 << 20)], minlength=len(counts))
    frequent = np.argsort(-counts, kind="stable")[: CLASSES - 1]
    classes[frequent] = np.arange(len(frequent))
    return classes


def _dates(
    columns: dict[str, Coded], codes: dict[str, np.ndarray], month_first: dict[str, bool]
) -> tuple[np.ndarray, np.ndarray]:
    """yyyymmdd and days since 1970 of the distinct dates; text that is no date is unknown. Adds to
    `month_first`."""
    parsed = {}
    for name, each in columns.items():
        texts = each.texts()
        if name not in month_first:
            month_first[name] = month_comes_first(texts)
        parsed[name] = parsed_dates(texts, month_first[name])
    distinct = np.unique(np.concatenate([*parsed.values(), np.empty(0, np.int64)]))
    distinct = distinct[distinct >= 0]
    for name, each in columns.items():
        place = np.searchsorted(distinct, parsed[name]).astype(np.int32)
        place[parsed[name] < 0] = -1
        codes[name] = np.append(place, np.int32(-1))[each.codes]
    return distinct.astype(np.int32), _days(distinct)


def month_comes_first(texts: Sequence[str | None]) -> bool:
    """Is the month the first of two numbers in most dates?"""
    return sum(_parts(text, True) >= 0 for text in texts) > sum(_parts(text, False) >= 0 for text in texts)


def parsed_dates(texts: Sequence[str | None], month_first: bool | None = None) -> np.ndarray:
    """int64 (n,): yyyymmdd of 2024-01-31, 20240131, 31/1/2024 or 31.1.2024, -1 for what is none of them. The
    day need not exist, for a slip of the pen is still evidence; which of two numbers is the month in
    1/31/2024 is told by all dates together."""
    out = np.full(len(texts), -1, np.int64)
    month_first = month_comes_first(texts) if month_first is None else month_first
    for place, text in enumerate(texts):
        out[place] = _parts(text, month_first)
    return out


def _parts(text: str | None, month_first: bool) -> int:
    digits = "".join(each if each.isdecimal() else " " for each in (text or "")[:10]).split()
    if len(digits) == 1 and len(digits[0]) == 8:
        return int(digits[0])
    if len(digits) != 3 or not all(len(each) <= 4 for each in digits):
        return -1
    if len(digits[0]) == 4:
        year, month, day = (int(each) for each in digits)
    else:
        month, day, year = (
            (int(each) for each in digits)
            if month_first
            else (int(digits[1]), int(digits[0]), int(digits[2]))
        )
        if len(digits[2]) != 4 or month > 12:
            return -1
    return year * 10_000 + month * 100 + day if month < 100 and day < 100 else -1


def _days(digits: np.ndarray) -> np.ndarray:
    """int32 (n,): days since 1970-01-01; a month or day that does not exist runs over into the next."""
    year, month, day = digits // 10_000, digits // 100 % 100, digits % 100
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return (months.astype("datetime64[D]").astype(np.int64) + day - 1).astype(np.int32)


def _numbers(columns: dict[str, Coded], codes: dict[str, np.ndarray]) -> np.ndarray:
    """The distinct numbers; text that is none is unknown."""
    parsed = {
        name: np.array([_number(text) for text in each.texts()], np.float64) for name, each in columns.items()
    }
    distinct = np.unique(np.concatenate([*parsed.values(), np.empty(0)]))
    distinct = distinct[np.isfinite(distinct)]
    for name, each in columns.items():
        place = np.searchsorted(distinct, parsed[name]).astype(np.int32)
        place[~np.isfinite(parsed[name])] = -1
        codes[name] = np.append(place, np.int32(-1))[each.codes]
    return distinct


def _number(text: str | None) -> float:
    try:
        return float((text or "").replace(",", "."))
    except ValueError:
        return np.nan


def _sets(
    columns: dict[str, Coded], fields: Mapping[str, Field], codes: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The members of the distinct sets, where each begins, and the text of each member."""
    known: dict[str, int] = {}
    members: list[int] = []
    starts = [0]
    for name, each in columns.items():
        mark = fields[name].separator
        place = np.full(len(each.values) + 1, -1, np.int32)
        for position, text in enumerate(each.texts()):
            parts = {part.strip().lower() for part in text.replace(_MEMBER_MARK, mark or " ").split(mark)} - {
                ""
            }
            if parts:
                place[position] = len(starts) - 1
                members += sorted(known.setdefault(part, len(known)) for part in parts)
                starts.append(len(members))
        codes[name] = place[each.codes]
    return np.array(members, np.int32), np.array(starts, np.int64), tuple(known)


def _filters(columns: dict[str, Coded], codes: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The distinct Bloom filters, as hexadecimal digits in the table."""
    rows: list[np.ndarray] = []
    for name, each in columns.items():
        place = np.full(len(each.values) + 1, -1, np.int32)
        for position, text in enumerate(each.texts()):
            place[position] = len(rows)
            rows.append(np.frombuffer(bytes.fromhex(text), np.uint8))
        codes[name] = place[each.codes]
    width = max((len(row) for row in rows), default=0)
    if any(len(row) != width for row in rows) or width % 8:
        raise DataError(
            "linkage", "encodings have different lengths", "encode all tables with the same settings"
        )
    words = (
        np.concatenate(rows).view(np.uint64).reshape(len(rows), width // 8)
        if rows
        else np.zeros((0, 1), np.uint64)
    )
    return words, np.bitwise_count(words).sum(1).astype(np.int32)


def _derived(
    fields: Mapping[str, Field], deriver: Deriver, pools: Sequence[people.Texts], texts: int
) -> np.ndarray:
    """int64 (keys, texts): what levels ask for."""
    rows = []
    for name, level in derived_levels(fields):
        if level in ("sound", "stem"):
            rows.append(deriver.values_key(Key(level, name)))
        else:
            groups = people.mapping(Path(str(fields[name].groups)), "value", "group")
            numbered = {group: place for place, group in enumerate(sorted(set(groups.values())))}
            rows.append(
                np.array(
                    [
                        numbered[groups[text]] if text in groups else -1
                        for pool in pools
                        for text in pool.to_pylist()
                    ],
                    np.int64,
                )
            )
    return np.stack(rows) if rows else np.zeros((0, texts), np.int64)
