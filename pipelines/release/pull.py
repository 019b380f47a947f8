"""Fetching a finished bundle."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pipelines import verifier
from pipelines.errors import SettingsError, VerificationError
from pipelines.files.atomic import space_or
from pipelines.release.publish import latest
from pipelines.site import signing
from pipelines.site.site import Site


def pull(site: Site, case: str, out: Path) -> Path:
    """Copy the latest bundle of `case` to `<out>/<case>` and verify it there, against the site's public key.

    Raises `VerificationError`, and leaves nothing behind, unless every claim holds; `SettingsError` where
    `<out>/<case>` is there already.
    """
    bundle, place = latest(site, case), out / case
    if place.exists():
        raise SettingsError(place, "is there already", "remove it, or choose another folder with --out")
    public = signing.load_public(site.keys / "release.pub")
    beside = None
    try:
        out.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{case}.", suffix=".part", dir=out))
        shutil.copytree(bundle, beside / "bundle", symlinks=True)
        if broken := [
            claim.text for claim in verifier.verify_bundle(beside / "bundle", public) if not claim.holds
        ]:
            raise VerificationError(
                bundle, f"this does not hold: {broken[0]}", "tell the centre; nothing has been kept"
            )
        (beside / "bundle").rename(place)
    except shutil.Error:
        raise VerificationError(
            bundle, "could not be copied whole", "tell the centre; nothing has been kept"
        ) from None
    except OSError as fault:
        raise space_or(fault, place) from None
    finally:
        if beside:
            shutil.rmtree(beside, ignore_errors=True)
    return place
