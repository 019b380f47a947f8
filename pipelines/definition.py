"""What a cohort is, as its YAML file says it: frozen, checked when read, hashed by meaning."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipelines import storage
from pipelines.schemas import KINDS, SETTINGS
from pipelines.site import Strict, load_yaml

_PREFIX = re.compile(r"^[A-Za-z0-9-]+/[A-Z0-9]*$")
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


class Study(Strict):
    """The days in which a person may enter and be followed, both in."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Study:
        if self.last < self.first:
            raise ValueError("to lies before from")
        return self


class Events(Strict):
    """Which events: those with a code of the list, of a kind, given in a setting, in a position."""

    codes: str
    kind: str | None = None
    setting: tuple[str, ...] = ()
    primary: bool = False  # only where the code stands in primary position

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str | None) -> str | None:
        if kind is not None and kind not in KINDS:
            raise ValueError(f"is not one of {', '.join(KINDS)}")
        return kind

    @field_validator("setting")
    @classmethod
    def _known_setting(cls, settings: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(settings) - set(SETTINGS):
            raise ValueError(f"{len(unknown)} of its values are not of {', '.join(SETTINGS)}")
        return settings


class Index(Events):
    """The event by which a person enters.

    `first`: the first matching event of the person's whole history, and no other. `any`: the earliest event that meets every rule.
    """

    which: Literal["first", "any"] = "first"


class Rule(Events):
    """Matching events in a window of days from the index day, both ends in."""

    first: int = Field(alias="from", ge=-36_525, le=36_525)
    last: int = Field(alias="to", ge=-36_525, le=36_525)
    at_least: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Rule:
        if self.last < self.first:
            raise ValueError("to lies before from")
        return self


class Age(Strict):
    """Completed years on the index day, both ends in."""

    first: int = Field(0, alias="from", ge=0)
    last: int = Field(200, alias="to", ge=0)


class Definition(Strict):
    """A cohort. Opt-outs are no part of it: they leave before anything else is looked at."""

    cohort: str
    title: str
    study: Study
    codes: dict[str, tuple[str, ...]]
    index: Index
    age: Age | None = None
    prior_observation: int = Field(0, ge=0)
    require: tuple[Rule, ...] = ()
    exclude: tuple[Rule, ...] = ()
    follow_up: int | None = Field(None, ge=1)  # days; until the end of observation where absent

    @field_validator("codes")
    @classmethod
    def _prefixes(cls, lists: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, prefixes in lists.items():
            if not prefixes:
                raise ValueError(f"code list {name} is empty")
            if wrong := [prefix for prefix in prefixes if not _PREFIX.match(prefix)]:
                raise ValueError(f"code list {name}: {wrong[0]} is not SYSTEM/CODE in capitals without dots")
        return lists

    @model_validator(mode="after")
    def _lists_are_there(self) -> Definition:
        for events in (self.index, *self.require, *self.exclude):
            if events.codes not in self.codes:
                raise ValueError(f"code list {events.codes} is not among codes")
        return self

    @property
    def meaning(self) -> str:
        """Hash of what the definition says; its titles are no part of it."""
        return storage.digest("cohort", self.model_dump(mode="json", exclude={"title"}))

    def sentences(self) -> tuple[str, ...]:
        """The definition in plain words, one sentence for each step, in the order in which people leave."""
        said = ["People who have opted out are left out before anything else is looked at."]
        entry = {"first": "the first", "any": "the earliest that meets all of what follows,"}[self.index.which]
        study = f"{self.study.first} to {self.study.last}"
        said.append(f"A person enters on the day of {entry} event of {self._named(self.index)}, if that lies in {study}.")
        if self.age:
            said.append(f"The person is {self.age.first} to {self.age.last} years old on that day.")
        said.append(f"The person is observed on that day, and has been for at least {self.prior_observation} days.")
        for rules, opening in ((self.require, "at least {} of"), (self.exclude, "fewer than {} of")):
            for rule in rules:
                window = f"from {rule.first} to {rule.last} days from that day"
                said.append(f"There are {opening.format(rule.at_least)} these {window}: {self._named(rule)}.")
        end = f", at most {self.follow_up} days" if self.follow_up else ""
        said.append(f"Follow-up runs to the end of observation, death or {self.study.last}, whichever comes first{end}.")
        return tuple(said)

    def _named(self, events: Events) -> str:
        """A code list by its name and prefixes, with what narrows it."""
        narrowed = [events.kind or "", ", ".join(events.setting), "in primary position" if events.primary else ""]
        codes = ", ".join(f"{prefix}*" for prefix in self.codes[events.codes])
        return f"{events.codes} ({'; '.join([codes, *(each for each in narrowed if each)])})"


def load(path: Path) -> Definition:
    """Read a definition file."""
    return load_yaml(path, Definition)
