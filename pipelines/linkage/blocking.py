"""Blocking: derived keys of each candidate, and for each rule its blocks, on the rank that owns the key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kernels.hashing import hash_integers, hash_rows
from kernels.pairs import People
from kernels.strings import sounds
from pipelines.compute.ranks import Ranks
from pipelines.linkage.clusters import SEEKER, UNUSED
from pipelines.linkage.numbers import people
from pipelines.linkage.rows import Rows, exchange, reorder, take
from pipelines.linkage.settings import LinkageSettings

_MIX = bytes(range(16))  # spreads keys over ranks; keeps no secret


@dataclass(frozen=True)
class Blocks:
    """One rule's rows on this rank, ascending by key, in each block seekers first. `begins`: int64 (blocks +
    1,); `seekers`: int64 (blocks,), 0 where the block is too large; `refused`: number of those. `cluster`:
    int64 (n,)."""

    rule: int
    people: People
    keys: np.ndarray
    begins: np.ndarray
    seekers: np.ndarray
    refused: int


def candidates(rows: Rows, cluster: np.ndarray, role: np.ndarray, settings: LinkageSettings) -> Rows:
    """Rows that look or are looked for, with a name or number and a key: `cluster`, `seeker`, `record`,
    `names`, `codes`, `facts`, `keys`.

    `cluster`: int64 (n,), the first record of each row's unit; `role`: int8 (n,), as in `Clusters`. A record
    without name and number is left out: birth day, sex and postcode are nobody's alone.
    """
    used = np.flatnonzero(
        (role != UNUSED) & ((rows["names"][:, :, 0] > 0).any(1) | (rows["facts"][:, 3] >= 0))
    )
    chosen = take({name: rows[name] for name in ("record", "names", "facts", "stem")}, used)
    chosen["cluster"], chosen["seeker"] = cluster[used], role[used] == SEEKER
    names = chosen["names"]
    codes = [hash_rows(np.ascontiguousarray(names[:, part]), _MIX) for part in range(2)]
    chosen["codes"] = np.stack([np.where(names[:, part, 0] > 0, codes[part], 0) for part in range(2)], 1)
    chosen["keys"] = _keys(chosen, settings)
    del chosen["stem"]
    return take(chosen, np.flatnonzero((chosen["keys"] >= 0).any(1)))


def _keys(rows: Rows, settings: LinkageSettings) -> np.ndarray:
    """int64 (n, rules): hash of the derived keys that each rule names, -1 where one of them is unknown."""
    given, surname = (np.ascontiguousarray(rows["names"][:, part]) for part in range(2))
    birth, sex, postcode, _ = rows["facts"].astype(np.int64).T
    given_sound, surname_sound = sounds(given, 0), sounds(surname, 3)
    low, high = np.minimum(given_sound, surname_sound), np.maximum(given_sound, surname_sound)
    derived = {
        "surname_sound": np.where(surname_sound > 0, surname_sound, -1),
        "given_sound": np.where(given_sound > 0, given_sound, -1),
        "name_sounds": np.where(low > 0, hash_integers(low, _MIX) ^ high, -1),
        "given_initial": np.where(given[:, 0] > 0, given[:, 0].astype(np.int64), -1),
        "birth_day": birth,
        "birth_year": np.where(birth >= 0, birth >> 9, -1),
        "sex": np.where(sex > 0, sex, -1),
        "postcode": postcode,
        "number_stem": rows["stem"],
    }
    keys = np.empty((len(given), len(settings.blocking)), np.int64)
    for place, rule in enumerate(settings.blocking):
        known = np.all([derived[name] >= 0 for name in rule], axis=0)
        mixed = np.full(len(given), place, np.int64)
        for name in rule:
            mixed = hash_integers(mixed ^ derived[name], _MIX)
        keys[:, place] = np.where(known, mixed, -1)
    return keys


def useful(ranks: Ranks, rows: Rows) -> Rows:
    """The candidates that share a key with a seeker; keys that none shares are dropped, so that they travel
    nowhere."""
    keys = rows["keys"].copy()
    for rule in range(keys.shape[1]):
        asked = ranks.gather(np.unique(keys[rows["seeker"], rule]))
        asked = ranks.broadcast(np.unique(np.concatenate(asked)) if asked is not None else None)
        if len(asked):
            place = np.minimum(np.searchsorted(asked, keys[:, rule]), len(asked) - 1)
            keys[asked[place] != keys[:, rule], rule] = -1
    return take({**rows, "keys": keys}, np.flatnonzero((keys >= 0).any(1)))


def blocks(ranks: Ranks, rows: Rows, rule: int, largest: int) -> Blocks:
    """The blocks of one rule that this rank owns."""
    mine = take(rows, rows["keys"][:, rule] >= 0)
    mine = exchange(ranks, mine, mine["keys"][:, rule])
    reorder(mine, np.lexsort((~mine["seeker"], mine["keys"][:, rule])))
    key = mine["keys"][:, rule]
    begins = np.append(np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)]), len(key))
    seekers = (
        np.add.reduceat(mine["seeker"].astype(np.int64), begins[:-1]) if len(key) else np.empty(0, np.int64)
    )
    too_large = seekers * np.diff(begins) > largest
    return Blocks(
        rule=rule,
        people=people(mine, mine["cluster"], np.ascontiguousarray(mine["codes"])),
        keys=np.ascontiguousarray(mine["keys"]),
        begins=begins,
        seekers=np.where(too_large, 0, seekers),
        refused=int(too_large.sum()),
    )


def all_blocks(ranks: Ranks, rows: Rows, settings: LinkageSettings) -> Iterator[Blocks]:
    """The blocks of each rule in turn."""
    for rule in range(len(settings.blocking)):
        yield blocks(ranks, rows, rule, settings.largest_block)
