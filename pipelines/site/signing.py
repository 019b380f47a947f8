"""Ed25519 signatures (RFC 8032): the same bytes signed with the same key always give the same signature."""

from __future__ import annotations

import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipelines.errors import KeyFileError
from pipelines.files import sealing
from pipelines.files.sealing import KEY_BYTES


def create_signing_key(path: Path, seed: bytes | None = None) -> bytes:
    """Write a private key (64 hex digits, mode 0600) and beside it its public part (`.pub`); one that is
    there is kept.

    `seed`: 32 bytes, fixed for a made-up site whose signatures must come out the same. Returns the public
    key, 32 bytes.
    """
    sealing.create_key(path, seed)
    public = public_key(path)
    path.with_suffix(".pub").write_text(public.hex() + "\n", encoding="ascii")
    return public


def public_key(private_path: Path) -> bytes:
    """The public part of a private key file, 32 bytes."""
    return _private(private_path).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def load_public(path: Path) -> bytes:
    """A public key file: 64 hex digits. KeyFileError: it is not there, or holds something else."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise KeyFileError(path, "the public key is not there", "ask its owner for it") from None
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(
            path, f"the public key is not {KEY_BYTES} bytes in hexadecimal", "ask its owner for it again"
        )
    return key


def sign(private_path: Path, payload: bytes) -> bytes:
    """The signature of `payload`, 64 bytes."""
    return _private(private_path).sign(payload)


def verify(public: bytes, payload: bytes, signature: bytes) -> bool:
    """Was `payload` signed with the private part of `public`?"""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, payload)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (FileNotFoundError, PermissionError):
        raise KeyFileError(
            path, "the signing key is not there or cannot be read", "restore it from its keeper"
        ) from None
    except (UnicodeDecodeError, ValueError):
        raise KeyFileError(
            path, "the signing key is not in hexadecimal", "restore it from its keeper"
        ) from None
    if mode & 0o077:
        raise KeyFileError(
            path, "the signing key is open to others", "set its mode to 0600 and consider the key as seen"
        )
    if len(key) != KEY_BYTES:
        raise KeyFileError(path, f"the signing key is not {KEY_BYTES} bytes", "restore it from its keeper")
    return Ed25519PrivateKey.from_private_bytes(key)
