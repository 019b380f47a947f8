"""A site: where one centre's settings, keys, deliveries and zones lie."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from pathlib import Path

from pydantic import Field

from pipelines.errors import SettingsError
from pipelines.files.sealing import Zone, create_key
from pipelines.files.yaml import Strict, load_yaml


class Delivery(Strict):
    """One batch of files from one source, as its `delivery.yaml` says."""

    root: Path
    source: str
    delivery: str
    delivered: date
    replaces: str | None = None  # a delivery of the same source that this one corrects whole
    tables: dict[str, list[str]]  # contract table: files, relative to the folder


class Source(Strict):
    """One deliverer. `contract`: path relative to the site."""

    contract: str


class Feasibility(Strict):
    """How `uttag feasibility` answers. `minimum`: a permit's policy may ask for more; `questions_a_day`: for
    each requester."""

    round_to: int = Field(10, ge=10, le=1000)
    minimum: int = Field(5, ge=3, le=500)
    questions_a_day: int = Field(20, ge=1, le=1000)

    @property
    def least(self) -> int:
        """The least count that is said as a number."""
        return 2 * self.minimum

    @property
    def step(self) -> int:
        """By how many persons two steps differ, at least, to be told apart."""
        return 3 * max(self.round_to, self.least)

    @property
    def scale(self) -> float:
        """Of the noise: half of what is rounded to."""
        return self.round_to / 2


class Site(Strict):
    """What `site.yaml` says, and where things lie."""

    root: Path
    site: str
    synthetic: bool = False
    shards: int = Field(8, ge=1, le=4096)
    sources: dict[str, Source]
    linkage: str | None = None  # settings file; the defaults of the linkage stage where absent
    feasibility: Feasibility = Feasibility()

    @staticmethod
    def load(root: Path) -> Site:
        """Read the site in `root`."""
        return load_yaml(root / "site.yaml", Site, root=root.resolve())

    # ---- zones ---------------------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> Path:
        return self.root / "keys"

    def zone(self, name: str) -> Zone:
        """`identity`, `store`, or `project-<permit>`, whose key is made on first use."""
        key_file = self.keys / f"{name}.key"
        if name.startswith("project-"):
            create_key(key_file)
        return Zone(name, key_file)

    @cached_property
    def identity(self) -> Path:
        return self.root / "identity"

    @cached_property
    def store(self) -> Path:
        return self.root / "store"

    @cached_property
    def projects(self) -> Path:
        return self.root / "projects"

    @cached_property
    def release(self) -> Path:
        return self.root / "release"

    @cached_property
    def receipts(self) -> Path:
        """What each stage of the refresh says of itself: counts and hashes, never a row's value."""
        return self.root / "receipts"

    def receipt(self, stage: str, delivery: Delivery | None = None) -> Path:
        """`receipts/linkage.json`, or `receipts/intake/<source>/<delivery>.json`."""
        return self.receipts / (
            f"{stage}.json" if delivery is None else f"{stage}/{delivery.source}/{delivery.delivery}.json"
        )

    # ---- deliveries ----------------------------------------------------------------------------------------

    def deliveries(self) -> list[Delivery]:
        """Every delivery that has arrived whole (its `delivery.yaml` is written last), by date, source and
        name."""
        return sorted(self._deliveries(), key=lambda each: (each.delivered, each.source, each.delivery))

    def _deliveries(self) -> Iterator[Delivery]:
        for source in self.sources:
            for path in sorted((self.root / "deliveries" / source).glob("*/delivery.yaml")):
                delivery = load_yaml(path, Delivery, root=path.parent)
                if (delivery.source, delivery.delivery) != (source, path.parent.name):
                    raise SettingsError(
                        path,
                        "names another source or delivery than its folder",
                        "mend the file or move the folder",
                    )
                yield delivery

    def delivery(self, source: str, name: str) -> Delivery:
        """The delivery of that name. SettingsError: there is none."""
        for each in self.deliveries():
            if (each.source, each.delivery) == (source, name):
                return each
        raise SettingsError(
            self.root / "deliveries" / source / name, "is not there", "check source and delivery"
        )


ZONES = ("identity", "store")


def create_keys(root: Path, keys: dict[str, bytes] | None = None) -> None:
    """Make the key files of a new site; `keys` fixes them for a made-up site, whose bytes must come out the
    same every time."""
    for zone in ZONES:
        create_key(root / "keys" / f"{zone}.key", (keys or {}).get(zone))
