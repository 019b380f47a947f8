"""What organisations agree on before they encode: settings and a key; and how a party without the key sees
that they did."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field, model_validator

from pipelines.errors import KeyFileError, SettingsError
from pipelines.files.sealing import KEY_BYTES, Zone, create_key
from pipelines.files.yaml import Strict
from pipelines.linkage.tokens import TYPICAL, Kind

FORMAT: Final = "uttag encoding 1"
_LEAST_DISTINCT: Final = 16  # bytes of a key; random ones have fewer once in 10^12 keys
_LOCAL: Final[Any] = {"fields": {"__all__": {"column"}}, "record_id": True, "files": True}


class EncodedField(Strict):
    """One field: `name` as all organisations call it, `column` as this one's file does (the name, if absent).

    `weight`: its share of the bits. `q`: letters of a q-gram.
    """

    name: str = Field(min_length=1)
    column: str | None = None
    kind: Kind
    weight: float = Field(1.0, gt=0, le=100)
    q: int = Field(2, ge=1, le=4)


class EncodingSettings(Strict):
    """How records are encoded; the same at every organisation but for what is local: `column`, `files`,
    `record_id`.

    `length`: bits of a filter. `fill`: share of bits that a common record sets before diffusion. `diffusion`:
    bits of the first filter that each bit of the last is the exclusive or of; 1 only moves them about.
    `salt`: a field that never changes, on which (a date's year, a name's sound) all tokens depend. `samples`,
    `sample_width`: blocking keys from the filter, and bits of each. `block_on`: further keys, each an HMAC
    over fields (a name's sound, a date's year, a code).
    """

    fields: tuple[EncodedField, ...] = Field(min_length=3, max_length=32)
    length: int = Field(1024, ge=256, le=16_384, multiple_of=64)
    fill: float = Field(0.3, ge=0.05, le=0.6)
    diffusion: int = Field(2, ge=1, le=16)
    salt: str | None = None
    samples: int = Field(40, ge=0, le=256)
    sample_width: int = Field(18, ge=4, le=62)
    block_on: tuple[tuple[str, ...], ...] = ()
    record_id: str = "record_id"
    files: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [field.name for field in self.fields]
        if len(set(names)) < len(names):
            raise ValueError("two fields have one name")
        if {*(name for rule in self.block_on for name in rule), *([self.salt] if self.salt else [])} - set(
            names
        ):
            raise ValueError("salt and block_on name fields that stand under fields")
        if any(not rule for rule in self.block_on) or not (self.samples or self.block_on):
            raise ValueError("without samples and block_on no two records would be compared")
        return self

    @property
    def digest(self) -> str:
        """What the organisations must have in common, 16 hex digits; tells nothing of a key."""
        said = json.dumps([FORMAT, TYPICAL, self.model_dump(mode="json", exclude=_LOCAL)], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def hashes(self, field: EncodedField) -> int:
        """Positions of each of a field's tokens: so many that typical values in all fields fill the share
        `fill`."""
        drawn = (
            -math.log1p(-self.fill) * self.length * field.weight / sum(each.weight for each in self.fields)
        )
        return max(1, round(drawn / TYPICAL[field.kind]))


def new_key(path: Path) -> None:
    """Write a random key that its user alone may read. It goes to the other organisations by a way that the
    linking party cannot see.

    Raises KeyFileError where there is a file at `path`.
    """
    if path.exists():
        raise KeyFileError(
            path,
            "there is a key already",
            "choose another name; a key that is replaced links with nothing made before",
        )
    create_key(path)


def read_key(path: Path) -> bytes:
    """The organisations' common key, 32 bytes, from a file of mode 0600.

    Raises KeyFileError where `path` is no file that holds such a key for its user alone.
    """
    if path.exists() and not path.is_file():
        raise KeyFileError(path, "the key file is not a file", "name the file that `new_key` wrote")
    key = Zone("encoding", path).key()
    refuse_weak(path, key)
    return key


def label(settings: EncodingSettings, key: bytes) -> dict[str, str]:
    """What goes beside the encodings: digests of the settings and of key and settings (HMAC), by which only
    sameness can be told."""
    proof = hmac.digest(derived(key, "check"), settings.digest.encode(), "sha256").hex()[:8]
    return {"format": FORMAT, "settings": settings.digest, "key_check": proof}


def require_same(labels: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse encodings that cannot be compared. `labels`: of each file, as `label` wrote it.

    Raises SettingsError where two were encoded with other settings, KeyFileError where with another key.
    """
    first, *others = labels
    for other in others:
        if any(labels[first].get(part) != labels[other].get(part) for part in ("format", "settings")):
            raise SettingsError(
                other,
                f"was encoded with other settings than {first}",
                "agree on the settings and encode anew",
            )
        if labels[first].get("key_check") != labels[other].get("key_check"):
            raise KeyFileError(
                other,
                f"was encoded with another key than {first}",
                "have the organisations compare keys and encode anew",
            )


def derived(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, 32 bytes (HKDF-SHA256), so that no key serves two."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=f"{FORMAT} {purpose}".encode()).derive(key)


def refuse_weak(where: object, key: bytes) -> None:
    """A key is 32 bytes that chance has made; what was typed is not. Raises KeyFileError where `key` is
    not."""
    if len(key) != KEY_BYTES or len(set(key)) < _LEAST_DISTINCT:
        raise KeyFileError(
            where, "the key is not one that chance has made", "make one with `new_key`; a key is no password"
        )
