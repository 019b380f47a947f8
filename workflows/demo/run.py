"""The demo: a made-up region, taken the whole way, two nights in a row."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from pipelines.errors import SettingsError
from pipelines.files import documents
from pipelines.intake.contract import Contract
from pipelines.site import permit as permits
from pipelines.site import signing
from pipelines.site.permit import Permit
from pipelines.site.site import ZONES, Site, create_keys
from pipelines.synthetic.generate import generate
from workflows import run
from workflows.demo.report import write_report
from workflows.driver import Options
from workflows.night import run_night

_TEMPLATE = Path(__file__).parent / "site"
_PEOPLE_PER_SHARD = 50_000


def run_demo(out: Path, people: int, seed: int, nights: int, options: Options) -> Path:
    """Make up the region, refresh, run the permit; then the second night. Run again after a kill, it goes on.
    Returns the report's path."""
    site = make_site(out, people, seed)
    if (site.root / "later").is_dir():
        print("the first night: every delivery is new", flush=True)
        run_night(site, options)
        if nights > 1:
            deliver_late(site)
    if nights > 1:
        print("the second night: a late delivery and a correction have come", flush=True)
        run_night(site, options)
    return write_report(site)


def make_site(out: Path, people: int, seed: int) -> Site:
    """A site with made-up deliveries, keys of its own and signed permits. One that is there with the same
    people is kept.

    Raises SettingsError where `out` holds another one, or anything else.
    """
    made = {"people": people, "seed": seed}
    mark = out / "made.json"
    if mark.exists():
        if documents.read_json(mark) != made:
            raise SettingsError(out, "holds another made-up region", "remove it, or choose another --out")
        return Site.load(out)
    if out.exists() and any(out.iterdir()) and not (out / "making").exists():
        raise SettingsError(out, "is not empty", "choose another --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(mode=0o700, parents=True)
    (out / "making").touch()
    shutil.copytree(_TEMPLATE, out, dirs_exist_ok=True)
    _cut_finer(out / "site.yaml", people)
    create_keys(out, {zone: _seeded(seed, zone) for zone in ZONES})
    print(f"making up {people:,} people and what their care providers deliver", flush=True)
    generate(out, people, seed, progress=lambda text: print(f"  {text}", flush=True))
    site = Site.load(out)
    _sign_permits(site, seed)
    (out / "making").unlink()
    documents.write_json(made, mark)
    return site


def _cut_finer(settings: Path, people: int) -> None:
    """More shards for more people: building one takes memory for all of its events, about 200 bytes each."""
    shards = max(8, people // _PEOPLE_PER_SHARD)
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("shards: 8", f"shards: {shards}"), encoding="utf-8"
    )


def deliver_late(site: Site) -> None:
    """Let the late deliveries arrive, each by one rename; once all have, the folder that they waited in is
    gone."""
    for folder in sorted((site.root / "later").glob("*/*")):
        target = site.root / "deliveries" / folder.parent.name / folder.name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        folder.rename(target)
    shutil.rmtree(site.root / "later")


def _sign_permits(site: Site, seed: int) -> None:
    """Everyone who would sign does: the owner of each source, and the centre with its key for bundles."""
    signing.create_signing_key(site.keys / "release.ed25519", _seeded(seed, "release"))
    owners = {Contract.load(site.root / source.contract).agreement.owner for source in site.sources.values()}
    for owner in sorted(owners):
        signing.create_signing_key(site.keys / "owners" / f"{owner}.ed25519", _seeded(seed, f"owner {owner}"))
    for name in run.standing(site):
        for owner in sorted(owners):
            permits.sign(site, Permit.load(site, name), owner, site.keys / "owners" / f"{owner}.ed25519")


def _seeded(seed: int, purpose: str) -> bytes:
    """A key that is no secret: a made-up site comes out the same every time, and protects nobody."""
    return hashlib.blake2b(f"uttag demo {seed} {purpose}".encode(), digest_size=32).digest()
