"""What a cohort is, as its YAML file says it: frozen, checked when read, hashed by meaning."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from pipelines.files.digests import digest
from pipelines.files.schemas import KINDS, SETTINGS
from pipelines.files.yaml import Strict, load_yaml
from pipelines.study.code_list import CodeList, filled, said
from pipelines.study.days import Study
from pipelines.study.design import Controls, Stratum, distinct, words

_FARTHEST = 36_525


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


Which = Literal["first", "last", "any", "all"]


class Index(Events):
    """The event by which a person enters.

    `first`, `last` or a number n: that matching event of the person's whole history, and no other. `any`: the
    earliest event that meets every rule. `all`: each event that does, so that a person may enter several
    times.
    """

    which: Which | Annotated[int, Field(ge=1, le=1000)] = "first"


class Rule(Events):
    """Matching events in a window of days, both ends in, from the start or the end of the index event.

    `from`, `to`: null for as long as anything is known. One of `at_least`, `at_most` and `exactly`; at least
    one where none is said.
    """

    name: str | None = None
    first: int | None = Field(None, alias="from", ge=-_FARTHEST, le=_FARTHEST)
    last: int | None = Field(None, alias="to", ge=-_FARTHEST, le=_FARTHEST)
    of: Literal["start", "end"] = "start"
    at_least: int | None = Field(None, ge=1)
    at_most: int | None = Field(None, ge=0)
    exactly: int | None = Field(None, ge=0)

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
            raise ValueError("says not one of: codes, all, any, at_least … of, at_most … of")
        return self

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The conditions."""
        return self.all or self.any or self.of or ()


def _shape(condition: object) -> str:
    has_codes = "codes" in condition if isinstance(condition, dict) else isinstance(condition, Rule)
    return "rule" if has_codes else "together"


Condition = Annotated[
    Annotated[Rule, Tag("rule")] | Annotated[Together, Tag("together")], Discriminator(_shape)
]


class Age(Strict):
    """Completed years on the index day, both ends in."""

    first: int = Field(0, alias="from", ge=0)
    last: int = Field(200, alias="to", ge=0)


class Era(Strict):
    """Follow-up lasts while exposures to `codes` go on: with at most `gap` days between them, and `offset`
    days after the last."""

    codes: str
    gap: int = Field(30, ge=0)
    offset: int = Field(0, ge=0)


class Definition(Strict):
    """A cohort. Opt-outs are no part of it: they leave before anything else is looked at."""

    cohort: str
    title: str
    study: Study
    codes: dict[str, CodeList]
    index: Index
    age: Age | None = None
    sex: Literal["man", "woman"] | None = None
    prior_observation: int = Field(0, ge=0)
    washout: int | None = Field(None, ge=1, le=_FARTHEST)  # days before the index day without such an event
    repeat: int | None = Field(
        None, ge=1, le=_FARTHEST
    )  # with `which: all`: days from one entry of a person to the next, at least
    require: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()
    follow_up: int | None = Field(None, ge=1)  # days; until the end of observation where absent
    while_exposed: Era | None = None
    censor: tuple[Events, ...] = ()  # events that end follow-up
    join: int = Field(0, ge=0)  # stays of a person with at most so many days between are one
    controls: Controls | None = None
    strata: tuple[Stratum, ...] = ()

    _each_once = field_validator("strata")(distinct)

    @field_validator("codes", mode="before")
    @classmethod
    def _short_lists(cls, lists: Any) -> Any:
        """A list of codes is short for one that includes them."""
        if not isinstance(lists, dict):
            return lists
        return {
            name: {"include": tuple(each)} if isinstance(each, list | tuple) else each
            for name, each in lists.items()
        }

    @model_validator(mode="after")
    def _holds_together(self) -> Definition:
        for codes in (
            *(events.codes for events in self._events()),
            *([self.while_exposed.codes] if self.while_exposed else []),
        ):
            if codes not in self.codes:
                raise ValueError(f"code list {codes} is not among codes")
        if self.repeat is not None and self.index.which != "all":
            raise ValueError("repeat is said, but a person enters once: say which: all, or leave repeat out")
        if self.follow_up is not None and self.while_exposed is not None:
            raise ValueError("follow_up and while_exposed both say when follow-up ends: leave one out")
        if self.controls is not None and self.index.which == "all":
            raise ValueError(
                "controls are for persons who enter once: say which: first, last, any or a number, or leave "
                "controls out"
            )
        return self

    def _events(self) -> list[Events]:
        found: list[Events] = [self.index, *self.censor]
        pending = [*self.require, *self.exclude]
        while pending:
            condition = pending.pop()
            if isinstance(condition, Rule):
                found.append(condition)
            else:
                pending.extend(condition.parts)
        return found

    @property
    def meaning(self) -> str:
        """Hash of who is in and for how long; titles, controls and strata are no part of it."""
        return digest("cohort", self.model_dump(mode="json", exclude={"title", "controls", "strata"}))

    def sentences(self) -> tuple[str, ...]:
        """The definition in plain words, one sentence for each step, in the order in which people leave."""
        said = ["People who have opted out are left out before anything else is looked at."]
        said.append(f"{self._entry()}, if that day lies in {self.study.first} to {self.study.last}.")
        said.append(
            f"The person is observed on that day, and has been for at least {self.prior_observation} days."
        )
        if self.washout:
            said.append(f"There is no such event in the {self.washout} days before that day.")
        if self.age:
            said.append(f"The person is {self.age.first} to {self.age.last} years old on that day.")
        if self.sex:
            said.append(f"The person is a {self.sex}.")
        said += [f"It holds that {self._said(condition)}." for condition in self.require]
        said += [f"It does not hold that {self._said(condition)}." for condition in self.exclude]
        if self.repeat:
            said.append(f"A person enters again {self.repeat} days after an entry at the earliest.")
        said.append(f"Follow-up runs to {', '.join(self._ends())}, whichever comes first.")
        if self.join:
            said.append(f"Stays of a person with at most {self.join} days between them are one.")
        return (*said, *self.beside())

    def beside(self) -> tuple[str, ...]:
        """What is asked beside who is in, a sentence each."""
        of_controls = (
            self.controls.sentences(self.prior_observation, bool(self.age or self.sex))
            if self.controls
            else ()
        )
        return (*of_controls, *((words(self.strata),) if self.strata else ()))

    def _entry(self) -> str:
        which, event = self.index.which, f"event of {self._named(self.index)}"
        if which == "all":
            return f"A person enters on the day of each {event}, that meets all of what follows"
        if which == "any":
            return f"A person enters on the day of the earliest {event}, that meets all of what follows"
        in_time = f"event number {which}" if isinstance(which, int) else f"{which} event"
        return f"A person enters on the day of the {in_time} in all time of {self._named(self.index)}"

    def _ends(self) -> list[str]:
        ends = ["the end of observation", "death", str(self.study.last)]
        if self.follow_up:
            ends.append(f"at most {self.follow_up} days")
        if self.while_exposed:
            era = self.while_exposed
            ends.append(
                f"the end of exposures to {era.codes} with at most {era.gap} days between and {era.offset} "
                "days after"
            )
        return ends + [f"an event of {self._named(events)}" for events in self.censor]

    def _said(self, condition: Rule | Together) -> str:
        if isinstance(condition, Together):
            how = {"all": "all of", "any": "any of"}.get(
                next((way for way in ("all", "any") if getattr(condition, way)), ""), ""
            )
            if not how:
                how = (
                    f"at least {condition.at_least} of"
                    if condition.at_least is not None
                    else f"at most {condition.at_most} of"
                )
            return f"{how} these hold: ({'; '.join(self._said(part) for part in condition.parts)})"
        kind, count = condition.count
        return (
            f"there are {kind.replace('_', ' ')} {count} of these {_when(condition)}: "
            f"{self._named(condition)}"
        )

    def _named(self, events: Events) -> str:
        """A code list by its name and prefixes, with what narrows it."""
        codes = self.codes[events.codes]
        listed = ", ".join(
            [
                *(said(each) for each in codes.include),
                *(f"concept {each} and below" for each in codes.concepts),
            ]
        )
        if codes.exclude:
            listed += f", but not {', '.join(said(each) for each in codes.exclude)}"
        narrowed = [
            events.kind or "",
            ", ".join(events.setting),
            "in primary position" if events.primary else "",
            _worth(events.value),
        ]
        return f"{events.codes} ({'; '.join([listed, *(each for each in narrowed if each)])})"


def _when(rule: Rule) -> str:
    of = "that day" if rule.of == "start" else "the end of that event"
    first, last = rule.first, rule.last
    if first is None and last is None:
        return "at any time"
    if first is None:
        return f"at any time until {last} days from {of}"
    return f"from {first} days from {of} on" if last is None else f"from {first} to {last} days from {of}"


def _worth(value: Value | None) -> str:
    if value is None:
        return ""
    bounds = [
        f"{name.replace('_', ' ')} {bound}"
        for name, bound in value.model_dump(exclude={"unit"}).items()
        if bound is not None
    ]
    return f"value {' and '.join(bounds)} {value.unit}"


def load(path: Path) -> Definition:
    """Read a definition file, and the code lists that it names."""
    read = load_yaml(path, Definition)
    return read.model_copy(
        update={"codes": {name: filled(each, name, path) for name, each in read.codes.items()}}
    )
