"""The independent verifier, told to a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.errors import VerificationError
from pipelines.files import documents
from pipelines.site import signing
from pipelines.verifier import verify_bundle, verify_protected


def verify_or_raise(bundle: Path, key: Path | None, quiet: bool = False) -> list[dict[str, Any]]:
    """Print each claim and whether it holds; raise `VerificationError` unless all do."""
    bundle = _newest(bundle)
    protected = (bundle / "proof.json").exists() and not (bundle / "manifest.json").exists()
    if not protected and not (bundle / "manifest.json").exists():
        raise VerificationError(
            bundle,
            "is no bundle: manifest.json is missing",
            "name the folder of a bundle, or of uttag protect",
        )
    claims = (
        verify_protected(bundle)
        if protected
        else verify_bundle(bundle, signing.load_public(key) if key else None)
    )
    if not quiet:
        for claim in claims:
            print(f"{'holds' if claim.holds else 'FAILS'}  {claim.text}")
        if protected:
            print(_for_what(bundle))
    if broken := [claim for claim in claims if not claim.holds]:
        raise VerificationError(
            bundle,
            f"{len(broken)} of {len(claims)} claims do not hold",
            "do not use it; pull or protect it again",
        )
    return [{"claim": claim.text, "holds": claim.holds} for claim in claims]


def _for_what(folder: Path) -> str:
    """What the claims are about: a rule is whatever the folder says, and some claims can only be checked
    where the certificate is."""
    proof = documents.read_object(folder / "proof.json", "method", "policy")
    told = f"by {proof['method']}, where a cell of fewer than {proof['policy']['minimum']} is small"
    return (
        told
        if (folder / "certificate").is_dir()
        else f"{told}; the certificate is not here, so no move was checked"
    )


def _newest(folder: Path) -> Path:
    """The bundle itself, or the newest version where `folder` is a case with several."""
    versions = [path for path in folder.glob("[0-9]*") if path.name.isdigit()]
    if (folder / "manifest.json").exists() or not versions:
        return folder
    return max(versions, key=lambda path: int(path.name))
