"""Bringing a finished bundle to the researcher: copied, then verified where it arrived."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pipelines import signing, storage, verifier
from pipelines.errors import SettingsError, VerificationError
from pipelines.release.bundle import latest
from pipelines.site import Site


def pull(site: Site, case: str, out: Path) -> Path:
    """Copy the newest bundle of a case to `out/<case>`. Unless every claim of the copy holds, nothing is left: `VerificationError`."""
    target = out / case
    if target.exists():
        raise SettingsError(target, "is there already", "remove it, or choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{case}-", dir=out))
    try:
        shutil.copytree(latest(site, case), beside, dirs_exist_ok=True)
        claims = verifier.verify_bundle(beside, signing.load_public(site.keys / "release.pub"))
        if broken := [claim.text for claim in claims if not claim.holds]:
            raise VerificationError(case, f"the copy does not verify: {broken[0]}", "nothing was kept; ask the centre")
        beside.rename(target)
    except OSError as fault:
        raise storage.space_or(fault, target) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target
