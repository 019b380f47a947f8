"""`uttag key`: an owner's pair of keys, made and shown, in the forms that others use as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from workflows.told import AsJson

commands = typer.Typer(no_args_is_help=True, help="Make and show the keys that owners sign permits with.")

_FORMS = "hex (64 hexadecimal digits), pem, or openssh"
Owner = Annotated[str | None, typer.Option(help="the owner's name, as contracts have it")]


@commands.command("new")
def new(
    owner: Annotated[str, typer.Option(help="the owner's name, as contracts have it")],
    out: Annotated[
        Path | None, typer.Option(help="the private key's file; NAME.ed25519 here where it is not said")
    ] = None,
    form: Annotated[str, typer.Option(help=_FORMS)] = "hex",
) -> None:
    """Make an owner's private key, readable by its user alone, and beside it the public one, for the centre.

    Nothing that is there is replaced.

    Example: uttag key new --owner "Region Stockholm"

    uttag key new --owner region --out region.key --form openssh
    """
    from pipelines.site import signing

    name = _name(owner)
    private = out or Path(f"{name}.ed25519")
    public = signing.new_key(private, _form(form))
    print(
        f"made {private}, which stays with {name} alone, and {public}; next: the centre puts {public}\n"
        f"into its site as keys/owners/{name}.pub, both compare its fingerprint, and {name}\n"
        "signs with uttag sign\n"
        f"{_said(shown(public), None)}"
    )


@commands.command("show")
def show(
    file: Annotated[Path | None, typer.Argument(help="a key file, public or private")] = None,
    owner: Owner = None,
    site: Annotated[Path, typer.Option(help="the site's folder, for --owner")] = Path(),
    form: Annotated[str | None, typer.Option(help=f"the public key alone, as {_FORMS}")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the public key in a file, or of an owner, with its fingerprint; of a private key, too, the public
    part alone.

    Example: uttag key show region.ed25519

    uttag key show --owner region --site demo-site --form openssh
    """
    found = shown(_path(file, owner, site))
    print(json.dumps(found, indent=2) if as_json else _said(found, None if form is None else _form(form)))


def shown(path: Path) -> dict[str, Any]:
    """What may be said of a key file: its form, fingerprint, and the public key in every form.

    Raises KeyFileError where it is not there, open to others or no Ed25519 key. Hexadecimal says not whether
    it is public; a file that its user alone may read and that is not called .pub is taken for a private one.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pipelines.site import key_forms, signing

    form, private = signing.looked_at(path)
    public = (
        Ed25519PublicKey.from_public_bytes(signing.public_key(path))
        if private
        else signing.load_public_key(path)
    )
    return {
        "file": str(path),
        "holds": "private key" if private else "public key",
        "form": form,
        "fingerprint": key_forms.fingerprint(public),
        "public": {each: key_forms.write_public(public, each) for each in key_forms.FORMS},
    }


def _said(found: dict[str, Any], form: str | None) -> str:
    if form is not None:
        return str(found["public"][form]).rstrip("\n")
    return "\n".join(
        [
            f"{found['file']}: a {found['holds']}, Ed25519, form {found['form']}",
            f"fingerprint {found['fingerprint']}",
            f"public key {found['public']['hex'].strip()}",
        ]
    )


def _path(file: Path | None, owner: str | None, site: Path) -> Path:
    from pipelines.errors import SettingsError

    if (file is None) == (owner is None):
        raise SettingsError("key show", "names not one of a file and --owner", "name one of them")
    return file if file is not None else site / "keys" / "owners" / f"{_name(owner or '')}.pub"


def _form(name: str) -> Any:
    from pipelines.errors import SettingsError
    from pipelines.site.key_forms import FORMS

    if name not in FORMS:
        raise SettingsError("--form", "is no form of a key", f"choose from {', '.join(FORMS)}")
    return name


def _name(owner: str) -> str:
    from pipelines.errors import SettingsError

    name = owner.strip()
    if not name or "/" in name or name.startswith(".") or not name.isprintable():
        raise SettingsError("--owner", "is no name that a file can have", "write it as the contract does")
    return name
