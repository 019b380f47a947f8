"""A site: where one centre's settings, keys, deliveries and zones lie."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from pipelines.errors import SettingsError
from pipelines.files.sealing import Zone, create_key
from pipelines.files.yaml import Strict, load_yaml
from pipelines.site.arrivals import NAME, Arrival, Delivery, arrivals


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


class Notify(Strict):
    """What tells of a night. `command`: a program and its arguments, which gets a summary on its standard
    input, and the report's places as UTTAG_REPORT_JSON and UTTAG_REPORT_PAGE; `when`: after every night, or
    after those with trouble."""

    command: tuple[str, ...] = Field(min_length=1)
    when: Literal["always", "trouble"] = "always"


class Site(Strict):
    """What `site.yaml` says, and where things lie."""

    root: Path
    site: str
    synthetic: bool = False
    shards: int = Field(8, ge=1, le=4096)
    death_gap: int = Field(1, ge=0, le=366)  # days from the last one observed to a death that still counts
    sources: dict[str, Source]
    linkage: str | None = None  # settings file; the defaults of the linkage stage where absent
    feasibility: Feasibility = Feasibility()
    notify: Notify | None = None  # a command that tells of each night

    @field_validator("sources")
    @classmethod
    def _names(cls, sources: dict[str, Source]) -> dict[str, Source]:
        if not all(NAME.fullmatch(name) for name in sources):
            raise ValueError("a source's name is letters A to Z, digits, points, hyphens and underscores")
        return sources

    @staticmethod
    def load(root: Path) -> Site:
        """Read the site in `root`."""
        return load_yaml(root / "site.yaml", Site, root=root.resolve())

    # ---- zones ---------------------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> Path:
        return self.root / "keys"

    def zone(self, name: str) -> Zone:
        """`identity`, `store`; or `memory`, what all releases have in common, or `project-<permit>`, whose
        keys are made on first use."""
        key_file = self.keys / f"{name}.key"
        if name == "memory" or name.startswith("project-"):
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

    def arrivals(self) -> list[Arrival]:
        """Every folder in `deliveries/`, by source and name, whatever is wrong with it."""
        return list(arrivals(self.root / "deliveries", self.sources))

    def strangers(self) -> list[str]:
        """Folders in `deliveries/` that are no source's: nothing in them is read."""
        place = self.root / "deliveries"
        return sorted(
            each.name
            for each in (place.iterdir() if place.is_dir() else ())
            if each.is_dir() and each.name not in self.sources
        )

    def deliveries(self) -> list[Delivery]:
        """Every delivery that has arrived whole (its `delivery.yaml` is written last) and reads, by date,
        source and name."""
        read = [each.delivery for each in self.arrivals() if each.delivery is not None]
        return sorted(read, key=lambda each: (each.delivered, each.source, each.delivery))

    def delivery(self, source: str, name: str) -> Delivery:
        """The delivery of that name. SettingsError: there is none."""
        for each in self.deliveries():
            if (each.source, each.delivery) == (source, name):
                return each
        raise SettingsError(
            self.root / "deliveries" / source / name, "is not there", "check source and delivery"
        )


ZONES = ("identity", "store", "memory")


def create_keys(root: Path, keys: dict[str, bytes] | None = None) -> None:
    """Make the key files of a new site; `keys` fixes them for a made-up site, whose bytes must come out the
    same every time."""
    for zone in ZONES:
        create_key(root / "keys" / f"{zone}.key", (keys or {}).get(zone))
