"""Exact linkage: records that share an identity number, each number settled on the rank that owns it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.claims import ANCHOR, ANCHOR_BEFORE, OTHER, OTHER_BEFORE, Claims, settle
from kernels.pairs import People
from kernels.strings import lengths
from pipelines.compute.ranks import Ranks
from pipelines.files.schemas import DAY_OPEN, DAY_UNKNOWN, NUMBER_KINDS
from pipelines.linkage.rows import Rows, drain, exchange, reorder, take

_RESERVE = ("reserve_stockholm", "reserve_vgr", "reserve_national")
_NATIONAL = [NUMBER_KINDS.index(kind) for kind in ("personnummer", "samordningsnummer", "token")]
_USABLE = [*_NATIONAL, *(NUMBER_KINDS.index(kind) for kind in _RESERVE)]
_COLUMNS = ("record", "first", "first_day", "last_day", "names", "facts")


@dataclass(frozen=True)
class Settled:
    """What numbers say. `left`, `right`, `role`: pairs of records that join, with the role of the left one's
    claim, ascending by (role, left, right). `disputed`: records whose number is somebody else's."""

    left: np.ndarray
    right: np.ndarray
    role: np.ndarray
    disputed: np.ndarray


def national(rows: Rows) -> np.ndarray:
    """bool (n,): rows with a number of which every person has but one at a time."""
    return np.isin(rows["kind"], _NATIONAL) & (rows["token"] != 0)


def settle_numbers(ranks: Ranks, rows: Rows) -> Settled | None:
    """Join records by number; the result on rank 0."""
    claims = _claims(rows)
    claims = exchange(ranks, claims, claims["token"])
    reorder(claims, np.lexsort([claims[name] for name in ("first_day", "record", "first", "role", "token")]))
    target = settle(
        Claims(*(claims[name] for name in ("token", "role", "record", "first_day", "last_day"))),
        people(claims, np.empty(0, np.int64)),
    )
    joined = np.flatnonzero((target >= 0) & (claims["record"] != claims["record"][target]))
    refused = (target < 0) & (claims["role"] == OTHER)
    found = ranks.gather(
        (
            claims["record"][joined],
            claims["record"][target[joined]],
            claims["role"][joined],
            np.unique(claims["record"][refused]),
        )
    )
    if found is None:
        return None
    left, right, role, disputed = (np.concatenate(columns) for columns in zip(*found, strict=True))
    order = np.lexsort((right, left, role))
    return Settled(left[order], right[order], role[order], np.unique(disputed))


def _claims(rows: Rows) -> Rows:
    """Each usable number of each row, the present one and the one that it replaced."""
    now = np.isin(rows["kind"], _USABLE) & (rows["token"] != 0)
    before = rows["previous"] != 0
    parts = []
    for which, token, roles in (
        (now, "token", (OTHER, ANCHOR)),
        (before, "previous", (OTHER_BEFORE, ANCHOR_BEFORE)),
    ):
        part = take({name: rows[name] for name in (*_COLUMNS, "anchor", token)}, which)
        part["role"] = np.where(part.pop("anchor"), roles[1], roles[0]).astype(np.int8)
        part["token"] = part.pop(token)
        parts.append(part)
    # Used at some time before, who knows when.
    parts[1]["first_day"] = np.full_like(parts[1]["first_day"], DAY_UNKNOWN)
    parts[1]["last_day"] = np.full_like(parts[1]["last_day"], DAY_OPEN)
    return drain(parts)


def people(rows: Rows, cluster: np.ndarray, codes: np.ndarray | None = None) -> People:
    """Rows as the kernels take them.

    `cluster`: int64 (n,), the first record of each row's unit; `codes`: int64 (n, 2), hashes of both names, 0
    if unknown; none where None.
    """
    names = np.ascontiguousarray(rows["names"])
    return People(
        cluster,
        names,
        np.stack([lengths(names[:, 0]), lengths(names[:, 1])], 1),
        np.empty((0, 2), np.int64) if codes is None else codes,
        np.ascontiguousarray(rows["facts"]),
    )
