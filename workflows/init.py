"""A new, empty site."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.errors import SettingsError
from pipelines.intake.contract import Contract
from pipelines.site.signing import create_signing_key
from pipelines.site.site import Site, create_keys

EXAMPLES = {name: Path(__file__).parent / name for name in ("gibleed", "mimic")}

_SITE = """\
# A site: one centre's sources, and how its store is cut.
site: {name}
shards: 8
sources: {{}}
  # hospital: {{contract: contracts/hospital.yaml}}
"""


def create_site(root: Path, example: str | None = None) -> None:
    """Folders, keys and a commented site.yaml, or the settings of an example. Raises `SettingsError` if there
    is a site already."""
    if (root / "site.yaml").exists():
        raise SettingsError(root, "there is a site already", "choose another folder")
    if example is not None:
        _copy_example(root, example)
    for folder in ("contracts", "deliveries", "definitions", "permits", "keys/owners"):
        (root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    create_keys(root)
    create_signing_key(root / "keys" / "release.ed25519")
    if not (root / "site.yaml").exists():
        (root / "site.yaml").write_text(_SITE.format(name=root.resolve().name), encoding="utf-8")


def _copy_example(root: Path, example: str) -> None:
    """The settings of an example, and a key pair for each owner that its contracts name, so that its permits
    can be signed."""
    if example not in EXAMPLES:
        raise SettingsError(
            "--example", "there is none of that name", f"choose from {', '.join(sorted(EXAMPLES))}"
        )
    shutil.copytree(EXAMPLES[example], root, dirs_exist_ok=True)
    for source in Site.load(root).sources.values():
        owner = Contract.load(root / source.contract).agreement.owner
        create_signing_key(root / "keys" / "owners" / f"{owner}.ed25519")
