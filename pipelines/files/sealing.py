"""Zones and their keys: what is at rest is sealed with AES-GCM under a key of its own for each zone.

A zone's key lies in a file that only its user may read. It never seals data itself: each file has data keys
of its own, wrapped with it (Parquet modular encryption), so that a zone's key can be moved or destroyed
without touching the rest.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet.encryption as pe
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipelines.errors import DataError, KeyFileError
from pipelines.files.schemas import Schema

KEY_BYTES = 32


@dataclass(frozen=True)
class Zone:
    """A part of a site with a key of its own. `name`: as in errors; `key_file`: 64 hex digits, mode 0600."""

    name: str
    key_file: Path

    def key(self) -> bytes:
        """The zone's key, 32 bytes."""
        return _read_key(self.key_file)

    def derived(self, purpose: str, size: int = 16) -> bytes:
        """A key for one purpose (HKDF-SHA256), so that no key serves two."""
        return HKDF(hashes.SHA256(), size, salt=None, info=f"uttag {self.name} {purpose}".encode()).derive(
            self.key()
        )

    @contextlib.contextmanager
    def unlocked(self) -> Iterator[_Properties]:
        """What the Parquet reader and writer need, for the time of one call."""
        yield _properties(self.name, self.key())


def create_key(path: Path, key: bytes | None = None) -> None:
    """Write a new key file, readable by its user alone; one that is there is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write((key or secrets.token_bytes(KEY_BYTES)).hex() + "\n")


def _read_key(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise KeyFileError(path, "the key file is not there", "restore it from its keeper") from None
    except (UnicodeDecodeError, PermissionError):
        raise KeyFileError(path, "the key file cannot be read", "restore it from its keeper") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(
            path, "the key file is open to others", "set its mode to 0600 and consider the key as seen"
        )
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(
            path, f"the key is not {KEY_BYTES} bytes in hexadecimal", "restore it from its keeper"
        )
    return key


class _Wrapper(pe.KmsClient):  # type: ignore[misc]
    """Wraps data keys with the zone's key."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._cipher = AESGCM(key)

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        nonce = secrets.token_bytes(12)
        return base64.b64encode(
            nonce + self._cipher.encrypt(nonce, key_bytes, master_key_identifier.encode())
        ).decode()

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        sealed = base64.b64decode(wrapped_key)
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], master_key_identifier.encode())
        except InvalidTag:
            raise OSError(_WRONG_KEY) from None


_WRONG_KEY = "uttag: the key does not open this file"


class _Properties:
    def __init__(self, zone: str, key: bytes) -> None:
        self._zone, self._key = zone, key
        self._connection = pe.KmsConnectionConfig()
        self._factory = pe.CryptoFactory(lambda _configuration: _Wrapper(key))

    def for_writing(self, schema: Schema) -> object:
        configuration = pe.EncryptionConfiguration(
            footer_key=self._zone,
            uniform_encryption=True,
            encryption_algorithm="AES_GCM_V1",
            plaintext_footer=False,
            double_wrapping=False,
            cache_lifetime=timedelta(minutes=5),
            data_key_length_bits=256,
        )
        return self._factory.file_encryption_properties(self._connection, configuration)

    def for_reading(self) -> object:
        return self._factory.file_decryption_properties(self._connection, pe.DecryptionConfiguration())


@lru_cache(maxsize=8)
def _properties(zone: str, key: bytes) -> _Properties:
    return _Properties(zone, key)


def explain(path: Path, fault: Exception) -> Exception:
    """The clear error behind a reader's complaint: a wrong key, or a file that is damaged."""
    if _WRONG_KEY in str(fault):
        return KeyFileError(
            path, "the zone's key does not open it", "restore the key that it was sealed with"
        )
    return DataError(
        path, "is truncated, altered or not a sealed Parquet file", "remove it and run the same command again"
    )
