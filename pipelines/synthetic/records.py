"""How a source knows a person: patient records, with the trouble that real ones have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.study import codes
from pipelines.synthetic import settings
from pipelines.synthetic.people import COORDINATED, UNREGISTERED, People

_PRIME = 999_999_937
SALT = {"folkbokforing": 11, "journal_a": 311_000_017, "journal_b": 533_000_011, "primarvard": 871_000_003}


def reference(person: np.ndarray, source: str, second: np.ndarray | bool = False) -> np.ndarray:
    """A source's own numbering of persons and second records, int64 (n,): distinct, and saying nothing of the
    person. `person`: int64 (n,); `second`: bool (n,)."""
    return ((person + np.where(second, 450_000_000, 0)) * 715_827_883 + SALT[source]) % _PRIME


@dataclass(frozen=True)
class Records:
    """Patient records of one source, all (n,). `who`: row of the people; `first`, `last`: days of first and
    last contact, int32."""

    who: np.ndarray
    reference: np.ndarray
    number: np.ndarray
    given: np.ndarray
    surname: np.ndarray
    postcode: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.who)

    def __getitem__(self, rows: np.ndarray) -> Records:
        return Records(*(getattr(self, name)[rows] for name in Records.__annotations__))


def postcodes(municipality: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A postcode within each of `municipality`, int64 (n,), positions in `codes.municipalities()`: S5
    (n,)."""
    spans = np.array([each.postcodes for each in codes.municipalities()])[municipality]
    prefix = spans[:, 0] + np.floor(rng.random(len(spans)) * (spans[:, 1] - spans[:, 0] + 1)).astype(np.int64)
    return (prefix * 100 + rng.integers(10, 100, len(spans))).astype("S5")


def split_days(people: People, source: str, rng: np.random.Generator) -> np.ndarray:
    """Day before which a journal keeps the person under a second record, int32 (n,); the smallest int32 where
    it never does."""
    twice = rng.random(len(people)) < settings.DOUBLE_RECORD
    moved = (people.standing == COORDINATED) & (rng.random(len(people)) < 0.75)
    middle = people.enters + np.floor(
        rng.random(len(people)) * np.maximum(people.until - people.enters, 1)
    ).astype(np.int64)
    never = np.iinfo(np.int32).min
    day = np.where(moved, people.changed, np.where(twice & (people.standing != UNREGISTERED), middle, never))
    return (
        day.astype(np.int32)
        if source != "primarvard"
        else np.where(moved, people.changed, never).astype(np.int32)
    )


def records(
    people: People,
    source: str,
    who: np.ndarray,
    day: np.ndarray,
    split: np.ndarray,
    postcode: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Records, np.ndarray]:
    """The records that contacts have made, and for each contact the row of its record: int64 (contacts,).
    `who`: int64 (contacts,), rows of the people, `day`: int32 (contacts,), ordered so. `split`: int32 (n,),
    as `split_days` gives it; `postcode`: S5 (n,), of each person."""
    second = day < split[who]
    key = who * 2 + ~second
    keys, first_row, of_contact = np.unique(key, return_index=True, return_inverse=True)
    owner, second = keys // 2, keys % 2 == 0
    last_row = np.r_[first_row[1:], len(who)] - 1
    first, last = day[first_row], day[last_row]
    earlier = np.where(people.standing[owner] == COORDINATED, people.previous[owner], people.reserve[owner])
    number = np.where(second, earlier, people.number[owner]).astype("S12")
    given = people.given[owner]
    surname = np.where(last < people.renamed[owner], people.maiden[owner], people.surname[owner]).astype(
        "S32"
    )
    spared = people.person[owner] < settings.CANARIES
    troubled = (_numbers(number, source, rng), *_names(given, surname, source, rng))
    number, given, surname = (
        np.where(spared, true, wrong) for true, wrong in zip((number, given, surname), troubled, strict=True)
    )
    moved = rng.random(len(owner)) < settings.POSTCODE_OLD
    code = np.where(moved, postcodes(rng.integers(0, 26, len(owner)), rng), postcode[owner])
    return Records(
        who=owner,
        reference=reference(people.person[owner], source, second),
        number=number,
        given=given,
        surname=surname,
        postcode=code,
        first=first,
        last=last,
    ), of_contact


def _numbers(number: np.ndarray, source: str, rng: np.random.Generator) -> np.ndarray:
    out = np.where(rng.random(len(number)) < settings.NUMBER_MISSING[source], b"", number).astype("S12")
    return number_typos(out, settings.NUMBER_TYPO[source], rng)


def number_typos(number: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """One digit after the century replaced, or two neighbours swapped, in a share of the numbers: S12 (n,) of
    `number`: S12 (n,), empty for none."""
    out = number.copy().view(np.uint8).reshape(len(number), 12)
    rows = np.flatnonzero((rng.random(len(number)) < share) & (number != b""))
    place = rng.integers(2, 11, len(rows))
    swap = rng.random(len(rows)) < 0.4
    left, right = out[rows, place].copy(), out[rows, place + 1].copy()
    digit = (left - 48 + rng.integers(1, 10, len(rows))) % 10 + 48
    out[rows, place] = np.where(swap, right, digit)
    out[rows, place + 1] = np.where(swap, left, right)
    return out.view("S12").reshape(-1)


def _names(
    given: np.ndarray, surname: np.ndarray, source: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    if source not in settings.NAME_TYPO:
        return given, surname
    given, surname = (name_typos(each, settings.NAME_TYPO[source], rng) for each in (given, surname))
    swapped = rng.random(len(given)) < settings.NAMES_SWAPPED[source]
    return np.where(swapped, surname, given), np.where(swapped, given, surname)


def name_typos(name: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A letter replaced, dropped, doubled or swapped with its neighbour in a share of the names, S32 (n,) of
    `name`: S32 (n,), UTF-8; letters beyond ASCII are left alone."""
    out = name.copy().view(np.uint8).reshape(len(name), 32)
    length = np.strings.str_len(name)
    rows = np.flatnonzero((rng.random(len(name)) < share) & (length > 3) & (length < 31))
    place = 1 + np.floor(rng.random(len(rows)) * (length[rows] - 2)).astype(np.int64)
    plain = (out[rows, place] < 128) & (out[rows, place + 1] < 128)
    rows, place = rows[plain], place[plain]
    how = rng.integers(0, 4, len(rows))
    column = np.arange(32)
    source = np.broadcast_to(column, (len(rows), 32)).copy()
    after = column > place[:, None]
    source += ((how == 1)[:, None] & (column >= place[:, None])).astype(np.int64) - (
        (how == 2)[:, None] & after
    )
    swap = how == 3
    source[swap, place[swap]] = place[swap] + 1
    source[swap, place[swap] + 1] = place[swap]
    changed = np.where(source < 32, np.take_along_axis(out[rows], np.minimum(source, 31), 1), 0).astype(
        np.uint8
    )
    replace = how == 0
    changed[replace, place[replace]] = 97 + rng.integers(0, 26, int(replace.sum()))
    out[rows] = changed
    return out.view("S32").reshape(-1)
