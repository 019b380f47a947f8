"""Identity rows, encoded once: each rank holds a range of record keys, and of each record what its latest
delivery says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from kernels.hashing import hash_rows
from kernels.ordering import range_bounds
from kernels.strings import fold
from pipelines.compute.ranks import Ranks
from pipelines.files import sealed
from pipelines.files.frames import Frame, array, empty, length
from pipelines.files.schemas import DAY_OPEN, DAY_UNKNOWN, IDENTITIES, NUMBER_KINDS
from pipelines.site.deliveries import Accepted, Part
from pipelines.site.site import Site

Rows = dict[str, np.ndarray]

_EPOCH = np.datetime64("1970-01-01", "D")
_NUMBERED = [NUMBER_KINDS.index(kind) for kind in ("personnummer", "samordningsnummer", "invalid")]


def take(rows: Rows, which: np.ndarray | slice) -> Rows:
    """The same columns at `which`: int64 (k,) positions, bool (n,) or a slice."""
    return {name: column[which] for name, column in rows.items()}


def reorder(rows: Rows, which: np.ndarray) -> None:
    """`take` in place, so that one column at a time stands twice in memory. `which`: int64 (k,) positions or
    bool (n,).
    """
    for name in rows:
        rows[name] = rows[name][which]


def concat(parts: Sequence[Rows]) -> Rows:
    """Rows of one kind, one after the other."""
    return drain([dict(part) for part in parts])


def drain(parts: Sequence[Rows]) -> Rows:
    """`concat` that empties `parts` as it goes, so that one column at a time stands twice in memory."""
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}


def exchange(ranks: Ranks, rows: Rows, key: np.ndarray) -> Rows:
    """Send each row to the rank that owns its key, of equal ranges of the non-negative int64. Empties `rows`
    as it goes. `key`: int64 (n,).
    """
    if ranks.size == 1:
        return rows
    owner = np.searchsorted(range_bounds(ranks.size), key, side="right").astype(np.uint16)
    order = np.argsort(owner, kind="stable")
    edges = np.searchsorted(owner[order], np.arange(ranks.size + 1))
    received: Rows = {}
    for name in list(rows):
        column = rows.pop(name)[order]
        received[name] = np.concatenate(ranks.exchange([column[begin:end] for begin, end in pairwise(edges)]))
    return received


def read(
    site: Site,
    ranks: Ranks,
    deliveries: Sequence[Accepted],
    sources: Sequence[str],
    anchor_source: str | None,
) -> Rows:
    """This rank's range of records, ascending; of a record that several deliveries hold, the rows of the
    latest.

    Columns: `record`, `token`, `previous`, `stem` (int64, the last -1 if unknown); `kind` (int8); `source`
    (int16, its place in `sources`); `anchor`, `closed` (bool: of the register; of a source that may not be
    re-identified); `first` (int32, day on which the record was first delivered); `first_day`, `last_day`
    (int32, use of the number); `names` (uint8 (n, 2, 32), symbols); `facts` (int32 (n, 4)) as in
    `kernels.pairs.People`.
    """
    parts = [(order, each, part) for order, each in enumerate(deliveries) for part in each.identities]
    received = []
    for turn in range(-(-len(parts) // ranks.size) or 1):
        mine = parts[turn * ranks.size :][ranks.rank : ranks.rank + 1]
        rows = _read_part(site, *mine[0], sources, anchor_source) if mine else _without_rows()
        received.append(exchange(ranks, rows, rows["record"]))
    return _latest(drain(received))


def _read_part(
    site: Site, order: int, delivery: Accepted, part: Part, sources: Sequence[str], anchor_source: str | None
) -> Rows:
    rows = encode(sealed.read(site.root / part.file, IDENTITIES, site.zone("identity")))
    first = int((np.datetime64(delivery.first, "D") - _EPOCH).astype(int))
    return rows | _said_of_all(
        len(rows["record"]),
        order,
        first,
        sources.index(delivery.source),
        delivery.source == anchor_source,
        delivery.no_reidentify,
    )


def _without_rows() -> Rows:
    return encode(empty(IDENTITIES)) | _said_of_all(0, 0, 0, 0, False, False)


def _said_of_all(n: int, order: int, first: int, source: int, anchor: bool, closed: bool) -> Rows:
    return {
        "order": np.full(n, order, np.int32),
        "first": np.full(n, first, np.int32),
        "source": np.full(n, source, np.int16),
        "anchor": np.full(n, anchor),
        "closed": np.full(n, closed),
    }


def _latest(rows: Rows) -> Rows:
    order = np.argsort(rows["record"], kind="stable")
    if len(order) and (np.diff(rows["record"][order]) == 0).any():
        names = hash_rows(rows["names"].reshape(len(order), -1), bytes(16))
        order = np.lexsort(
            (
                names,
                *rows["facts"].T,
                rows["token"],
                rows["kind"],
                rows["first_day"],
                -rows["order"],
                rows["record"],
            )
        )
    reorder(rows, order)
    begins = np.flatnonzero(np.append(True, rows["record"][1:] != rows["record"][:-1])[: len(rows["record"])])
    if len(begins) == len(rows["record"]):
        return rows
    sizes = np.diff(np.append(begins, len(rows["record"])))
    rows["first"] = np.repeat(np.minimum.reduceat(rows["first"], begins), sizes)
    return take(rows, rows["order"] == np.repeat(rows["order"][begins], sizes))


def encode(frame: Frame) -> Rows:
    """Identity rows as numbers and symbols. `frame`: columns of `schemas.IDENTITIES`."""
    n = length(frame)
    kind, last = array(frame, "number_kind"), array(frame, "valid_to")
    digits = _matrix(array(frame, "number"))[:, :12] - np.uint8(ord("0"))
    numbered = np.flatnonzero(np.isin(kind, _NUMBERED) & (digits <= 9).all(1))
    digits = digits[numbered].astype(np.int64)
    facts = np.full((n, 4), -1, np.int32)
    facts[:, 0] = packed_days(array(frame, "birth_day"))
    facts[:, 1] = array(frame, "sex")
    facts[:, 2] = _postcodes(array(frame, "postcode"))
    facts[numbered, 3] = digits[:, 8:] @ 10 ** np.arange(3, -1, -1)
    stem = np.full(n, -1, np.int64)
    stem[numbered] = digits[:, :11] @ 10 ** np.arange(10, -1, -1)
    return {
        "record": array(frame, "record"),
        "token": array(frame, "token"),
        "previous": array(frame, "previous_token"),
        "stem": stem,
        "kind": kind,
        "first_day": array(frame, "valid_from"),
        "last_day": np.where(last == DAY_UNKNOWN, np.int32(DAY_OPEN), last),
        "names": np.stack([fold(_matrix(array(frame, name))) for name in ("given", "surname")], 1),
        "facts": facts,
    }


def _matrix(text: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(text).view(np.uint8).reshape(len(text), text.dtype.itemsize)


def _postcodes(text: np.ndarray) -> np.ndarray:
    """int32 (n,): five digits as a number, blanks left out; -1 for anything else."""
    letters = _matrix(text)
    digit = (letters >= ord("0")) & (letters <= ord("9"))
    value = np.zeros(len(text), np.int32)
    for place in range(letters.shape[1]):
        value = np.where(digit[:, place], value * 10 + (letters[:, place] - np.uint8(ord("0"))), value)
    other = ~digit & (letters != 0) & (letters != ord(" "))
    return np.where((digit.sum(1) == 5) & ~other.any(1), value, -1)


def packed_days(days: np.ndarray) -> np.ndarray:
    """int32 (n,): year << 9 | month << 5 | day, -1 if unknown. `days`: int32 (n,), days since 1970-01-01."""
    known = (days != DAY_UNKNOWN) & (days > -719_000)
    date = _EPOCH + np.where(known, days, 0)
    month = date.astype("datetime64[M]")
    year = month.astype("datetime64[Y]").astype(np.int64) + 1970
    packed = year << 9 | (month.astype(np.int64) % 12 + 1) << 5 | ((date - month).astype(np.int64) + 1)
    return np.where(known, packed, -1).astype(np.int32)


def unpacked_days(packed: np.ndarray) -> np.ndarray:
    """int32 (n,): days since 1970-01-01, `DAY_UNKNOWN` where unknown; the inverse of `packed_days`.

    `packed`: int32 or int64 (n,), below zero where unknown.
    """
    month = ((packed.astype(np.int64) >> 9) - 1970) * 12 + (packed >> 5 & 15) - 1
    days = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + (packed & 31) - 1
    return np.where(packed < 0, DAY_UNKNOWN, days).astype(np.int32)
