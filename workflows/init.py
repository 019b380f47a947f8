"""A new, empty site."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import SettingsError
from pipelines.signing import create_signing_key
from pipelines.site import create_keys

_SITE = """\
# A site: one centre's sources, and how its store is cut.
site: {name}
shards: 8
sources: {{}}
  # hospital: {{contract: contracts/hospital.yaml}}
"""


def create_site(root: Path) -> None:
    """Folders, keys and a commented site.yaml. Raises `SettingsError` if there is a site already."""
    if (root / "site.yaml").exists():
        raise SettingsError(root, "there is a site already", "choose another folder")
    for folder in ("contracts", "deliveries", "definitions", "permits", "keys/owners"):
        (root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    create_keys(root)
    create_signing_key(root / "keys" / "release.ed25519")
    (root / "site.yaml").write_text(_SITE.format(name=root.resolve().name), encoding="utf-8")
