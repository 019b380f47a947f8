"""Privacy-preserving linkage: records as keyed Bloom filters, so that a party without the key can link and
not read them.

Cryptographic long-term keys (Schnell, Bachteler and Reiher, 2011) with random hashing (Schnell and Borgs,
2016), a key of its own for each field, salting (Niedermeyer and others, 2014) and diffusion (Armknecht, Heng
and Schnell, 2023). docs/linkage-encoded.md says against what they help.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

import numpy as np

from kernels.bloom import NO_KEY, diffuse, imprint, sample_keys
from pipelines.errors import DataError, SettingsError
from pipelines.linkage.agreement import EncodedField, EncodingSettings, derived, refuse_weak
from pipelines.linkage.tokens import Kind, coarse, normal, tokens

Column = Sequence[str | None]


def encode(
    columns: Mapping[str, Column], ids: Sequence[str], settings: EncodingSettings, key: bytes
) -> dict[str, np.ndarray]:
    """Encode records.

    `columns`: by the fields' columns, n values each, None if unknown. `ids`: n distinct ids without meaning
    to others. Returns `id`: str (n,); `clk`: uint8 (n, length / 8), bit j is bit j % 8 of byte j // 8;
    `block`: int64 (n, samples + block_on), −1 for no key; `unread`: int64 (fields,), values that are there
    and say nothing, such as a date that is none: they count as unknown.
    """
    refuse_weak("encode", key)
    _check(columns, ids, settings)
    plain = {
        field.name: _normalised(columns[field.column or field.name], field.kind) for field in settings.fields
    }
    rough = {field.name: coarse(plain[field.name], field.kind) for field in settings.fields}
    salts = rough[settings.salt] if settings.salt else [""] * len(ids)
    words = np.zeros((len(ids), settings.length // 64), np.uint64)
    for field in settings.fields:
        _imprint_field(
            words,
            plain[field.name],
            salts,
            field,
            settings.hashes(field),
            settings.length,
            derived(key, f"field {field.name}"),
        )
    clk = diffuse(words, _picks(settings, key))
    sampled = sample_keys(clk, _samples(settings)) if settings.samples else np.empty((len(ids), 0), np.int64)
    named = [
        _keyed([rough[name] for name in rule], derived(key, f"block {' '.join(rule)}"))
        for rule in settings.block_on
    ]
    unread = [
        sum(
            bool(said and said.strip()) and not kept
            for said, kept in zip(columns[each.column or each.name], plain[each.name], strict=True)
        )
        for each in settings.fields
    ]
    return {
        "id": np.array(ids, dtype=np.str_),
        "clk": clk.astype("<u8").view(np.uint8).reshape(len(ids), settings.length // 8),
        "block": np.column_stack([sampled, *named]),
        "unread": np.array(unread, np.int64),
    }


def _check(columns: Mapping[str, Column], ids: Sequence[str], settings: EncodingSettings) -> None:
    for field in settings.fields:
        column = field.column or field.name
        if column not in columns:
            raise SettingsError(
                f"fields: {field.name}",
                f"the records have no column {column}",
                "set `column` to the one that holds it",
            )
        if len(columns[column]) != len(ids):
            raise DataError(column, "has more or fewer values than there are ids", "read the records again")
        if len(ids) and list(columns[column]) == list(ids):
            raise DataError(
                settings.record_id,
                f"the ids are the values of {field.name}",
                "give each record a number of no meaning",
            )
    if len(set(ids)) < len(ids):
        raise DataError(settings.record_id, "an id stands twice", "give each record an id of its own")


def _normalised(column: Column, kind: Kind) -> list[str]:
    seen = {value: normal(value, kind) if value else "" for value in dict.fromkeys(column)}
    return [seen[value] for value in column]


def _imprint_field(
    words: np.ndarray,
    plain: list[str],
    salts: list[str],
    field: EncodedField,
    k: int,
    length: int,
    key: bytes,
) -> None:
    value_of: dict[tuple[str, str], int] = {}
    rows = [value_of.setdefault(pair, len(value_of)) for pair in zip(salts, plain, strict=True)]
    token_of: dict[tuple[str, str], int] = {}
    starts, found = [0], []
    for salt, value in value_of:
        found += [
            token_of.setdefault((salt, token), len(token_of)) for token in tokens(value, field.kind, field.q)
        ]
        starts.append(len(found))
    drawn = [
        _stream(hmac.digest(key, f"{salt}\x1f{token}".encode(), "sha256"), k, "<u4")
        for salt, token in token_of
    ]
    positions = (np.array(drawn, np.int64) % length).reshape(len(token_of), k)
    imprint(words, np.array(rows, np.int64), np.array(starts, np.int64), np.array(found, np.int64), positions)


def _stream(seed: bytes, count: int, dtype: str) -> np.ndarray:
    return np.frombuffer(hashlib.shake_256(seed).digest(count * np.dtype(dtype).itemsize), dtype)


def _picks(settings: EncodingSettings, key: bytes) -> np.ndarray:
    """Of each bit the bits that it is made from, int64 (length, diffusion): permutations side by side, so
    that all count alike."""
    drawn = _stream(derived(key, "diffusion"), settings.length * settings.diffusion, "<u8").reshape(
        settings.diffusion, settings.length
    )
    return np.ascontiguousarray(np.argsort(drawn, axis=1, kind="stable").T.astype(np.int64))


def _samples(settings: EncodingSettings) -> np.ndarray:
    """The sampled places, int64 (samples, sample_width), distinct in each sample. They follow from the
    settings alone."""
    drawn = _stream(settings.digest.encode(), settings.samples * settings.length, "<u8").reshape(
        settings.samples, settings.length
    )
    return np.ascontiguousarray(
        np.argsort(drawn, axis=1, kind="stable")[:, : settings.sample_width].astype(np.int64)
    )


def _keyed(parts: list[list[str]], key: bytes) -> np.ndarray:
    rows = list(zip(*parts, strict=True))
    seen = {
        row: int.from_bytes(hmac.digest(key, "\x1f".join(row).encode(), "sha256")[:8]) >> 1
        if all(row)
        else NO_KEY
        for row in set(rows)
    }
    return np.array([seen[row] for row in rows], np.int64)
