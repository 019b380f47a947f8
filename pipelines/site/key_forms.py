"""The forms that an Ed25519 key may have in a file: 64 hexadecimal digits, PEM (PKCS#8, RFC 8410) and
OpenSSH."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pipelines.files.sealing import KEY_BYTES

Form = Literal["hex", "pem", "openssh"]
FORMS: Final[tuple[Form, ...]] = ("hex", "pem", "openssh")
_ARMOUR: Final = "-----BEGIN "
_RAW: Final = {"encoding": Encoding.Raw}


def form_of(text: str) -> Form:
    """Which form a key's text has, by how it begins."""
    if text.startswith((f"{_ARMOUR}OPENSSH", "ssh-", "ecdsa-", "sk-")):
        return "openssh"
    return "pem" if text.startswith(_ARMOUR) else "hex"


def is_private(text: str) -> bool:
    """Does the text say of itself that it is a private key? One in hexadecimal does not say."""
    return text.startswith(_ARMOUR) and "PRIVATE KEY-----" in text.partition("\n")[0]


def read_private(text: str) -> Ed25519PrivateKey:
    """The private key in a text of any form. ValueError, which says what is wrong and repeats nothing of the
    text: it is locked with a passphrase, of another kind, or no key."""
    if (form := form_of(text)) == "hex":
        return Ed25519PrivateKey.from_private_bytes(_raw(text))
    if not is_private(text):
        raise ValueError("is no private key")
    if "ENCRYPTED" in text:
        raise ValueError(_LOCKED)
    loaded = _loaded(
        serialization.load_ssh_private_key if form == "openssh" else serialization.load_pem_private_key,
        text,
        password=None,
    )
    if not isinstance(loaded, Ed25519PrivateKey):
        raise ValueError(_OTHER)
    return loaded


def read_public(text: str) -> Ed25519PublicKey:
    """The public key in a text of any form. ValueError, as `read_private`; also where it is a private key."""
    if is_private(text):
        raise ValueError("holds a private key, which belongs to its owner alone")
    if (form := form_of(text)) == "hex":
        return Ed25519PublicKey.from_public_bytes(_raw(text))
    loaded = _loaded(
        serialization.load_ssh_public_key if form == "openssh" else serialization.load_pem_public_key, text
    )
    if not isinstance(loaded, Ed25519PublicKey):
        raise ValueError(_OTHER)
    return loaded


def write_private(key: Ed25519PrivateKey, form: Form) -> str:
    """The private key as text, with a line's end."""
    if form == "hex":
        return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex() + "\n"
    shape = PrivateFormat.OpenSSH if form == "openssh" else PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, shape, NoEncryption()).decode("ascii")


def write_public(key: Ed25519PublicKey, form: Form) -> str:
    """The public key as text, with a line's end."""
    if form == "hex":
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex() + "\n"
    if form == "openssh":
        return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii") + "\n"
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key as OpenSSH writes it (RFC 8709): what `ssh-keygen -l` prints of it."""
    blob = base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


_LOCKED: Final = "is locked with a passphrase"
_OTHER: Final = "is no Ed25519 key"
_NONE: Final = (
    f"is no Ed25519 key in a form that is known: {2 * KEY_BYTES} hexadecimal digits, PEM or OpenSSH"
)


def _raw(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError(_NONE)
    return raw


def _loaded(load: Callable[..., object], text: str, **more: None) -> object:
    """What a loader makes of the text, its complaints in our words."""
    try:
        return load(text.encode("ascii"), **more)
    except TypeError:
        raise ValueError(_LOCKED) from None
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise ValueError(_LOCKED if "password" in str(fault).lower() else _NONE) from None
