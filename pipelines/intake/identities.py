"""Whom rows are about: identity columns to the frame of `schemas.IDENTITIES`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from kernels import identity, text
from kernels.days import days_of_parts
from kernels.hashing import hash_rows
from pipelines.files.frames import Frame
from pipelines.files.schemas import (
    DAY_OPEN,
    DAY_UNKNOWN,
    NUMBER_KINDS,
    SEX_MAN,
    SEX_UNKNOWN,
    SEX_WOMAN,
    VALUE_SCALE,
)
from pipelines.intake.columns import Block, Ledger, keyed
from pipelines.intake.mapping import Identities

_KIND = {name: position for position, name in enumerate(NUMBER_KINDS)}
_TOKENS = [
    _KIND[name]
    for name in ("personnummer", "samordningsnummer", "reserve_stockholm", "reserve_vgr", "reserve_national")
]
_SEXES = {"man": SEX_MAN, "woman": SEX_WOMAN, "unknown": SEX_UNKNOWN}


@dataclass(frozen=True)
class Keys:
    """The keys that hide references. `record`, `token`, `encounter`, `opaque`: 16 bytes each; the last is for
    tokens, and another than for numbers, so that a number sent as a token meets no number."""

    record: bytes
    token: bytes
    encounter: bytes
    opaque: bytes


def identities(
    block: Block,
    mapping: Identities,
    source: str,
    delivered: int,
    keys: Keys,
    ledger: Ledger,
    warnings: dict[str, int],
) -> Frame:
    """One row for each row of the block, in its order; rows with no usable reference are marked in the
    ledger.

    `delivered`: day of delivery. `warnings` counts what was doubtful but let through.
    """
    n = len(block)
    if mapping.token:
        token, state = block.tokens(mapping.token, keys.opaque)
        likeness = _numbers(block, mapping.token, delivered)
        _warn(warnings, "token_like_number", np.isin(likeness.kind, _TOKENS) & likeness.checksum_ok)
        ledger.mark(state == text.EMPTY, "missing", mapping.token)
        ledger.mark(state == text.BAD, "bad_token", mapping.token)
        kind = np.where(state == text.GOOD, _KIND["token"], _KIND["none"]).astype(np.int8)
        found = identity.Numbers(
            np.zeros(n, "S12"),
            kind,
            np.full(n, DAY_UNKNOWN, np.int32),
            np.zeros(n, np.int8),
            np.ones(n, bool),
        )
        reference = block.bytes(mapping.reference or mapping.token)
    else:
        found = _numbers(block, mapping.number, delivered)
        token = tokens_of(found, keys)
        reference = block.bytes(mapping.reference) if mapping.reference else found.number
    ledger.mark(reference == b"", "missing", mapping.reference or mapping.number or mapping.token or "")
    _warn(warnings, "number_malformed", found.kind == _KIND["invalid"])
    _warn(warnings, "reserve_checksum", ~found.checksum_ok & (found.kind != _KIND["invalid"]))
    previous = _numbers(block, mapping.previous, delivered)
    return {
        "record": keyed(source, reference, keys.record),
        "number": found.number.astype("S16"),
        "number_kind": found.kind,
        "token": token,
        "previous_token": tokens_of(previous, keys),
        "given": block.upper(mapping.given, 32) if mapping.given else np.zeros(n, "S32"),
        "surname": block.upper(mapping.surname, 32) if mapping.surname else np.zeros(n, "S32"),
        "birth_day": _births(block, mapping, found, warnings),
        "sex": _sexes(block, mapping, found, warnings),
        "postcode": _postcodes(block, mapping),
        "valid_from": _days(block, mapping.valid_from, DAY_UNKNOWN, warnings),
        "valid_to": _days(block, mapping.valid_to, DAY_OPEN, warnings),
    }


def _numbers(block: Block, column: str | None, delivered: int) -> identity.Numbers:
    rows = block.bytes(column) if column else np.zeros(len(block), "S1")
    return identity.normalise(rows, np.full(len(block), delivered, np.int32))


def tokens_of(found: identity.Numbers, keys: Keys) -> np.ndarray:
    """Keyed hash of each well-formed number, 0 where there is none: int64 (n,)."""
    return np.where(np.isin(found.kind, _TOKENS), hash_rows(found.number, keys.token), 0)


def _warn(warnings: dict[str, int], name: str, rows: np.ndarray) -> None:
    if count := int(rows.sum()):
        warnings[name] = warnings.get(name, 0) + count


def _births(
    block: Block, mapping: Identities, found: identity.Numbers, warnings: dict[str, int]
) -> np.ndarray:
    """The day of birth as delivered, else the one in the number."""
    day = np.full(len(block), DAY_UNKNOWN, np.int32)
    if isinstance(mapping.birth, str):
        day, state = block.days(mapping.birth)
        _warn(warnings, "birth_unreadable", state == text.BAD)
    elif mapping.birth:
        parts = [block.fixed(name) for name in mapping.birth]
        whole = [np.where(state == text.GOOD, values // VALUE_SCALE, 0) for values, state in parts]
        none = np.zeros(len(block), np.int64)
        day = days_of_parts(*(*whole, none, none)[:3])
    return np.where(day == DAY_UNKNOWN, found.birth_day, day).astype(np.int32)


def _sexes(
    block: Block, mapping: Identities, found: identity.Numbers, warnings: dict[str, int]
) -> np.ndarray:
    if mapping.sex is None:
        return found.sex
    sex, strange = block.mapped(
        mapping.sex.column, {theirs: _SEXES[ours] for theirs, ours in mapping.sex.values.items()}, SEX_UNKNOWN
    )
    _warn(warnings, "sex_unreadable", strange)
    return np.where(sex == SEX_UNKNOWN, found.sex, sex).astype(np.int8)


def _postcodes(block: Block, mapping: Identities) -> np.ndarray:
    if mapping.postcode is None:
        return np.zeros(len(block), "S8")
    plain = pc.replace_substring(block.strings(mapping.postcode), " ", "")
    return Block(
        block.where, block.table, {**block.columns, mapping.postcode: plain}, block.row, block.decimal
    ).bytes(mapping.postcode, 8)


def _days(block: Block, column: str | None, missing: int, warnings: dict[str, int]) -> np.ndarray:
    if column is None:
        return np.full(len(block), missing, np.int32)
    day, state = block.days(column)
    _warn(warnings, "validity_unreadable", state == text.BAD)
    return np.where(state == text.GOOD, day, missing).astype(np.int32)
