"""An owner's keys: made, shown and used in each form, and refused where they are none or seen by others."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pipelines.site import signing
from tests import sites

FORMS = ("hex", "pem", "openssh")
OWNER = "PhysioNet"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    sites.called("init", root, "--example", "mimic")
    return root


@pytest.mark.parametrize("form", FORMS)
def test_a_permit_is_signed_with_a_new_key_of_each_form(site: Path, tmp_path: Path, form: str) -> None:
    private = tmp_path / "mine.ed25519"
    said = sites.called("key", "new", "--owner", OWNER, "--out", private, "--form", form).stdout
    assert private.stat().st_mode & 0o777 == 0o600
    assert signing.public_key(private).hex() in said
    public = site / "keys" / "owners" / f"{OWNER}.pub"
    public.write_bytes((tmp_path / "mine.pub").read_bytes())
    permit = site / "permits" / "admissions.yaml"
    sites.called("sign", permit, "--owner", OWNER, "--key", private)
    assert "signed by every owner" in sites.called("check", permit).stdout


def test_a_pair_in_one_form_fits_the_pair_in_another(site: Path, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    forms = {
        "pem": (PrivateFormat.PKCS8, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "openssh": (PrivateFormat.OpenSSH, Encoding.OpenSSH, PublicFormat.OpenSSH),
    }
    permit = site / "permits" / "admissions.yaml"
    for name, (secret, encoding, public) in forms.items():
        private = tmp_path / name
        private.write_bytes(key.private_bytes(Encoding.PEM, secret, NoEncryption()))
        private.chmod(0o600)
        for other, (_, encoding, public) in forms.items():
            owners = site / "keys" / "owners" / f"{OWNER}.pub"
            owners.write_bytes(key.public_key().public_bytes(encoding, public))
            permit.with_suffix(".signatures.json").unlink(missing_ok=True)
            sites.called("sign", permit, "--owner", OWNER, "--key", private)
            assert "signed by every owner" in sites.called("check", permit).stdout, (name, other)


def test_what_is_shown_of_a_key_is_its_public_part_and_the_fingerprint_that_openssh_prints(
    tmp_path: Path,
) -> None:
    for form in FORMS:
        private = tmp_path / f"{form}.ed25519"
        sites.called("key", "new", "--owner", "x", "--out", private, "--form", form)
        said = [
            sites.called("key", "show", path, "--json") for path in (private, private.with_suffix(".pub"))
        ]
        of_private, of_public = (json.loads(each.stdout) for each in said)
        assert (of_private["form"], of_private["holds"], of_public["holds"]) == (
            form,
            "private key",
            "public key",
        )
        assert of_private["public"] == of_public["public"]
        assert of_private["fingerprint"] == of_public["fingerprint"]
        for line in private.read_text(encoding="ascii").splitlines():
            assert line.startswith("-----") or all(line not in each.stdout for each in said)
        written = tmp_path / f"{form}.out"
        written.write_text(sites.called("key", "show", private, "--form", "openssh").stdout, encoding="ascii")
        try:
            printed = subprocess.run(
                ["ssh-keygen", "-lf", written], capture_output=True, text=True, check=True, timeout=60
            ).stdout
        except FileNotFoundError:
            pytest.skip("OpenSSH is not on this machine")
        assert of_public["fingerprint"] in printed.split()


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    private = tmp_path / "mine.ed25519"
    sites.uttag("key", "new", "--owner", "x", "--out", private)
    before = private.read_bytes(), private.with_suffix(".pub").read_bytes()
    for gone in (None, private):
        if gone is not None:
            gone.unlink()
        ran = sites.uttag("key", "new", "--owner", "x", "--out", private, check=False)
        assert (ran.returncode, "never replaced" in ran.stderr, ran.stdout) == (13, True, "")
    assert private.with_suffix(".pub").read_bytes() == before[1]
    assert not private.exists()


def locked() -> bytes:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def locked_openssh() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", f"{folder}/key"]
            subprocess.run(made, check=True, timeout=60)
        except FileNotFoundError:
            pytest.skip("OpenSSH is not on this machine")
        return Path(folder, "key").read_bytes()


def pem(key: object) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined, no-any-return]


NO_KEYS = {
    "locked, PEM": (locked, "is locked with a passphrase"),
    "locked, OpenSSH": (locked_openssh, "is locked with a passphrase"),
    "RSA": (lambda: pem(rsa.generate_private_key(65537, 2048)), "is no Ed25519 key"),
    "Ed448": (lambda: pem(ed448.Ed448PrivateKey.generate()), "is no Ed25519 key"),
    "ECDSA": (lambda: pem(ec.generate_private_key(ec.SECP256R1())), "is no Ed25519 key"),
    "cut short": (
        lambda: pem(Ed25519PrivateKey.generate())[:60],
        "is no Ed25519 key in a form that is known",
    ),
    "too few digits": (lambda: b"ab" * 31, "is no Ed25519 key in a form that is known"),
    "no text": (lambda: b"\xff\xfe", "is not text in ASCII"),
    "no key's size": (lambda: b"a" * 20_000, "is larger than any key"),
}


@pytest.mark.parametrize("name", NO_KEYS)
def test_what_is_no_key_of_ours_is_told_without_its_bytes(site: Path, tmp_path: Path, name: str) -> None:
    make, said = NO_KEYS[name]
    private = tmp_path / "key"
    private.write_bytes(make())
    private.chmod(0o600)
    ran = sites.called(
        "sign", site / "permits" / "admissions.yaml", "--owner", OWNER, "--key", private, check=False
    )
    assert (ran.returncode, said in ran.stderr) == (13, True)
    for line in private.read_bytes().splitlines():
        assert line.startswith(b"-----") or line.decode("latin-1")[:40] not in ran.stderr


def test_a_private_key_in_the_place_of_a_public_one_is_refused(site: Path) -> None:
    (site / "keys" / "owners" / f"{OWNER}.pub").write_bytes(pem(Ed25519PrivateKey.generate()))
    key = site / "keys" / "owners" / f"{OWNER}.ed25519"
    ran = sites.called(
        "sign", site / "permits" / "admissions.yaml", "--owner", OWNER, "--key", key, check=False
    )
    assert (ran.returncode, "holds a private key" in ran.stderr) == (13, True)


def test_a_private_key_that_others_can_read_is_not_shown_either(tmp_path: Path) -> None:
    private = tmp_path / "mine.ed25519"
    sites.called("key", "new", "--owner", "x", "--out", private)
    private.chmod(0o644)
    ran = sites.called("key", "show", private, check=False)
    assert (ran.returncode, ran.stdout, "open to others" in ran.stderr) == (13, "", True)


@pytest.mark.parametrize(
    "arguments", [("show",), ("show", "--owner", "../x"), ("new", "--owner", "x", "--form", "der")]
)
def test_what_is_asked_wrongly_is_told(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = sites.called("key", *arguments, check=False)
    assert ran.returncode == 10
    assert list(tmp_path.iterdir()) == []
