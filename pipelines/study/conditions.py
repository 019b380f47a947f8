"""What may be asked of a person around the index day: events in windows, other cohorts, these together."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from pipelines.files.schemas import KINDS, SETTINGS
from pipelines.files.yaml import Strict

FARTHEST = 36_525  # days, a hundred years


class Value(Strict):
    """A measured value, in the unit given: another unit is no match, and is not converted."""

    at_least: Decimal | None = None
    at_most: Decimal | None = None
    above: Decimal | None = None
    below: Decimal | None = None
    unit: str

    @model_validator(mode="after")
    def _bounded(self) -> Value:
        low, high = (self.at_least, self.above), (self.at_most, self.below)
        if None not in low or None not in high:
            raise ValueError("says the same bound twice")
        bounds = [bound for bound in (*low, *high) if bound is not None]
        if not bounds:
            raise ValueError("has no bound: say at_least, at_most, above or below")
        if len(bounds) == 2 and bounds[1] < bounds[0]:
            raise ValueError("has an upper bound below the lower")
        return self


class Events(Strict):
    """Which events: those with a code of the list, of a kind, given in a setting, in a position, with a
    value."""

    codes: str
    kind: str | None = None
    setting: tuple[str, ...] = ()
    primary: bool = False  # only where the code stands in primary position
    value: Value | None = None

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


class Rule(Events):
    """Matching events in a window of days, both ends in, from the start or the end of the index event.

    `from`, `to`: null for as long as anything is known. One of `at_least`, `at_most` and `exactly`; at least
    one where none is said. `distinct`: of several events that begin on one day, one counts.
    """

    name: str | None = None
    first: int | None = Field(None, alias="from", ge=-FARTHEST, le=FARTHEST)
    last: int | None = Field(None, alias="to", ge=-FARTHEST, le=FARTHEST)
    of: Literal["start", "end"] = "start"
    at_least: int | None = Field(None, ge=1)
    at_most: int | None = Field(None, ge=0)
    exactly: int | None = Field(None, ge=0)
    distinct: Literal["days"] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Rule:
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError("to lies before from")
        if len([each for each in (self.at_least, self.at_most, self.exactly) if each is not None]) > 1:
            raise ValueError("says more than one of at_least, at_most and exactly")
        return self

    @property
    def count(self) -> tuple[Literal["at_least", "at_most", "exactly"], int]:
        """How many, and of what kind that number is."""
        if self.at_most is not None:
            return "at_most", self.at_most
        if self.exactly is not None:
            return "exactly", self.exactly
        return "at_least", self.at_least or 1


class Membership(Strict):
    """Another cohort: `cohort` is the name of a definition's file beside this one, without its ending.

    `day`: any day of its follow-up, or its index day (`entry`), lies in the window of days from the start of
    the index event, both ends in; null for as long as anything is known.
    """

    cohort: str = Field(pattern=r"^[\w-][\w.-]{0,99}$")
    name: str | None = None
    first: int | None = Field(None, alias="from", ge=-FARTHEST, le=FARTHEST)
    last: int | None = Field(None, alias="to", ge=-FARTHEST, le=FARTHEST)
    day: Literal["any", "entry"] = "any"

    @model_validator(mode="after")
    def _in_order(self) -> Membership:
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError("to lies before from")
        return self


class Together(Strict):
    """Conditions together: `all` of them hold, or `any`, or `at_least` or `at_most` so many `of` them."""

    name: str | None = None
    all: tuple[Condition, ...] | None = Field(None, min_length=1)
    any: tuple[Condition, ...] | None = Field(None, min_length=1)
    at_least: int | None = Field(None, ge=1)
    at_most: int | None = Field(None, ge=0)
    of: tuple[Condition, ...] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> Together:
        ways = [
            self.all is not None,
            self.any is not None,
            self.at_least is not None,
            self.at_most is not None,
        ]
        if sum(ways) != 1 or (self.of is not None) != (ways[2] or ways[3]):
            raise ValueError("says not one of: codes, cohort, all, any, at_least … of, at_most … of")
        return self

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The conditions."""
        return self.all or self.any or self.of or ()


def _shape(condition: object) -> str:
    if isinstance(condition, dict):
        return "rule" if "codes" in condition else "membership" if "cohort" in condition else "together"
    return (
        "rule"
        if isinstance(condition, Rule)
        else "membership"
        if isinstance(condition, Membership)
        else "together"
    )


Condition = Annotated[
    Annotated[Rule, Tag("rule")]
    | Annotated[Membership, Tag("membership")]
    | Annotated[Together, Tag("together")],
    Discriminator(_shape),
]


def leaves(conditions: tuple[Condition, ...]) -> list[Rule | Membership]:
    """What stands in the conditions, however deep, in order."""
    found: list[Rule | Membership] = []
    for each in conditions:
        found += leaves(each.parts) if isinstance(each, Together) else [each]
    return found
