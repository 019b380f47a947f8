"""Ed25519 signatures (RFC 8032): the same bytes signed with the same key always give the same signature."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipelines.errors import KeyFileError
from pipelines.files import sealing
from pipelines.files.atomic import atomic
from pipelines.site.key_forms import (
    Form,
    form_of,
    is_private,
    read_private,
    read_public,
    write_private,
    write_public,
)

_LARGEST = 1 << 14  # bytes of a key file, in any form


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


def new_key(path: Path, form: Form) -> Path:
    """Write a new private key (mode 0600) and beside it its public part (`.pub`), whose path is returned.

    Raises KeyFileError where either is there: a key that was replaced leaves its signatures to nobody.
    """
    public = path.with_suffix(".pub")
    if public == path:
        raise KeyFileError(path, "is the name of a public key", "name the private key's file otherwise")
    for each in (path, public):
        if each.exists() or each.is_symlink():
            raise KeyFileError(each, "there is a key already, which is never replaced", "name another file")
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(
            path, "there is a key already, which is never replaced", "name another file"
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(write_private(key, form))
        out.flush()
        os.fsync(handle)
    with atomic(public) as beside:
        beside.write_text(write_public(key.public_key(), form), encoding="ascii")
    return public


def public_key(private_path: Path) -> bytes:
    """The public part of a private key file, 32 bytes."""
    return _private(private_path).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def load_public(path: Path) -> bytes:
    """A public key file in any form, 32 bytes. KeyFileError: it is not there, or holds something else."""
    return load_public_key(path).public_bytes(Encoding.Raw, PublicFormat.Raw)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """A public key file in any form. KeyFileError: it is not there, or holds something else."""
    try:
        return read_public(_text(path))
    except FileNotFoundError:
        raise KeyFileError(path, "the public key is not there", "ask its owner for it") from None
    except OSError:
        raise KeyFileError(
            path, "the public key cannot be read", "see that it is a file that you may read"
        ) from None
    except ValueError as fault:
        raise KeyFileError(path, f"the public key {fault}", "ask its owner for it again") from None


def looked_at(path: Path) -> tuple[Form, bool]:
    """The form of a key file, and whether it is to be taken for a private key. Hexadecimal does not say, so
    that only a file called `.pub` is taken for a public one. KeyFileError: it is not there, or cannot be
    read."""
    try:
        text = _text(path)
    except OSError:
        raise KeyFileError(path, "the key is not there or cannot be read", "check the path") from None
    except ValueError as fault:
        raise KeyFileError(path, f"the key {fault}", "name a key's file") from None
    form = form_of(text)
    return form, is_private(text) or (form == "hex" and path.suffix != ".pub")


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
        if mode & 0o077:
            raise KeyFileError(
                path, "the signing key is open to others", "set its mode to 0600 and consider the key as seen"
            )
        return read_private(_text(path))
    except OSError:
        raise KeyFileError(
            path, "the signing key is not there or cannot be read", "restore it from its keeper"
        ) from None
    except ValueError as fault:
        then = "restore it from its keeper"
        if "passphrase" in str(fault):
            then = "unlock a copy of it for signing: ssh-keygen -p for OpenSSH, openssl pkey for PEM"
        raise KeyFileError(path, f"the signing key {fault}", then) from None


def _text(path: Path) -> str:
    """A key file's text without blanks around it. ValueError: it is no text of a key's size."""
    with path.open("rb") as source:
        content = source.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("is larger than any key")
    try:
        return content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise ValueError("is not text in ASCII") from None
