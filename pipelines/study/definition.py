"""What a cohort is, as its YAML file says it: frozen, checked when read, hashed by meaning."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, InstanceOf, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from pipelines.errors import SettingsError
from pipelines.files.digests import digest
from pipelines.files.faults import ContradictionError
from pipelines.files.yaml import Strict, load_yaml
from pipelines.study import words
from pipelines.study.code_list import CodeList, filled
from pipelines.study.conditions import FARTHEST, Condition, Events, Membership, Rule, leaves
from pipelines.study.days import Study
from pipelines.study.design import Controls, Stratum, distinct
from pipelines.study.design import words as strata_in_words
from pipelines.study.index import AnyIndex, AnyOf, Calendar, Index, Residence


class Age(Strict):
    """Completed years on the index day, both ends in."""

    first: int = Field(0, alias="from", ge=0)
    last: int | None = Field(None, alias="to", ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Age:
        if self.last is not None and self.last < self.first:
            raise ValueError("to lies before from")
        return self


class Era(Strict):
    """Follow-up lasts while exposures to `codes` go on: with at most `gap` days between them, and `offset`
    days after the last."""

    codes: str
    gap: int = Field(30, ge=0)
    offset: int = Field(0, ge=0)


class Definition(Strict):
    """A cohort. Opt-outs are no part of it: they leave before anything else is looked at.

    `others`: the definitions beside it that its rules name, by name.
    """

    cohort: str
    title: str
    study: Study
    codes: dict[str, CodeList] = Field(default_factory=dict)
    index: AnyIndex
    age: Age | None = None
    sex: Literal["man", "woman"] | None = None
    prior_observation: int = Field(0, ge=0)
    washout: int | None = Field(None, ge=1, le=FARTHEST)  # days before the index day without such an event
    repeat: int | None = Field(
        None, ge=1, le=FARTHEST
    )  # with `which: all`: days from one entry of a person to the next, at least
    require: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()
    follow_up: int | None = Field(None, ge=1)  # days; until the end of observation where absent
    while_exposed: Era | None = None
    censor: tuple[Events, ...] = ()  # events that end follow-up
    join: int = Field(0, ge=0)  # stays of a person with at most so many days between are one
    controls: Controls | None = None
    strata: tuple[Stratum, ...] = ()
    others: SkipJsonSchema[dict[str, InstanceOf[Definition]]] = Field(default_factory=dict)

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
        asked = [events.codes for events in self._events()]
        asked += [self.while_exposed.codes] if self.while_exposed else []
        unknown = [f"code list {name} is not among codes" for name in asked if name not in self.codes]
        if wrong := list(dict.fromkeys(unknown)) or self._faults():
            raise ContradictionError(wrong)
        return self

    def _faults(self) -> list[str]:
        """What does not go together, each said with what would."""
        index, faults = self.index, list[str]()
        if self.repeat is not None and not index.several:
            faults.append("repeat is said, but a person enters once: say which: all, or leave repeat out")
        if self.follow_up is not None and self.while_exposed is not None:
            faults.append("follow_up and while_exposed both say when follow-up ends: leave one out")
        if self.controls is not None and index.several:
            faults.append(
                "controls are for persons who enter once: say which: first, last, any or a number, or leave "
                "controls out"
            )
        if isinstance(index, Index | AnyOf):
            return faults + self._of_events(index)
        if self.washout is not None or self.controls is not None:
            name = "washout" if self.washout is not None else "controls"
            faults.append(
                f"{name} asks for an event by which people enter, and nobody enters by one: leave it out"
            )
        if isinstance(index, Calendar) and not index.days(self.study):
            faults.append("index names no day of the study: name one")
        apart = self._apart()
        if apart is not None and (self.follow_up is None or self.follow_up > apart):
            faults.append(
                f"a person enters again {apart} days later: say follow_up: {apart} or less, or stays would "
                "run into one another and become one"
            )
        return faults

    def _of_events(self, index: Index | AnyOf) -> list[str]:
        faults = []
        at_end = index.start is not None and index.start.of == "end"
        if at_end and isinstance(index, AnyOf) and index.which in ("first", "last"):
            faults.append(
                f"which: {index.which} of several kinds of events is told by their first days: say "
                "which: any or all, or leave index.start.of: end out"
            )
        if self.washout is not None and index.which in ("first", 1):
            faults.append(
                "washout asks nothing with which: first, which is the first such event of all time: say "
                "which: any for the first after a washout, or leave washout out"
            )
        if self.washout is not None and at_end:
            faults.append(
                "washout is counted from an event's first day: leave out index.start.of: end, or washout"
            )
        return faults

    def _apart(self) -> int | None:
        """The fewest days between two index days of a person; None where nothing says them."""
        if isinstance(self.index, Residence):
            return self.index.every
        if not isinstance(self.index, Calendar):
            return None
        days = self.index.days(self.study)
        return min(((later - earlier).days for earlier, later in pairwise(days)), default=None)

    def _conditions(self) -> list[Rule | Membership]:
        return leaves((*self.require, *self.exclude))

    def _events(self) -> list[Events]:
        index = self.index.events if isinstance(self.index, Index | AnyOf) else ()
        return [*index, *self.censor, *(each for each in self._conditions() if isinstance(each, Rule))]

    @property
    def named(self) -> tuple[str, ...]:
        """Names of the other cohorts that its rules ask about, ascending."""
        return tuple(sorted({each.cohort for each in self._conditions() if isinstance(each, Membership)}))

    @property
    def meaning(self) -> str:
        """Hash of who is in and for how long; titles, controls and strata are no part of it."""
        own = self.model_dump(mode="json", exclude={"title", "controls", "strata", "others"})
        return digest("cohort", own, {name: each.meaning for name, each in self.others.items()})

    def sentences(self) -> tuple[str, ...]:
        """The definition in plain words, one sentence for each step, in the order in which people leave."""
        said = ["People who have opted out are left out before anything else is looked at."]
        said.append(words.entry(self.index, self.codes, self.study))
        said.append(
            f"The person is observed on that day, and has been for at least "
            f"{words.days_of(self.prior_observation)}."
            if self.prior_observation
            else "The person is observed on that day."
        )
        if self.washout:
            said.append(f"There is no such event in the {words.days_of(self.washout)} before that event.")
        if self.age:
            said.append(f"The person is {words.age(self.age.first, self.age.last)} on that day.")
        if self.sex:
            said.append(f"The person is a {self.sex}.")
        said += [f"It holds that {words.condition(each, self.codes)}." for each in self.require]
        said += [f"It does not hold that {words.condition(each, self.codes)}." for each in self.exclude]
        if self.repeat:
            said.append(f"A person enters again {words.days_of(self.repeat)} after an entry at the earliest.")
        said.append(f"Follow-up runs to {', '.join(self._ends())}, whichever comes first.")
        if self.join:
            said.append(f"Stays of a person with at most {words.days_of(self.join)} between them are one.")
        for name, other in self.others.items():
            said.append(f"Of the cohort {name}: {' '.join(other.sentences())}")
        return (*said, *self.beside())

    def beside(self) -> tuple[str, ...]:
        """What is asked beside who is in, a sentence each."""
        of_controls = (
            self.controls.sentences(self.prior_observation, bool(self.age or self.sex))
            if self.controls
            else ()
        )
        return (*of_controls, *((strata_in_words(self.strata),) if self.strata else ()))

    def _ends(self) -> list[str]:
        ends = ["the end of observation", "death", str(self.study.last)]
        if self.follow_up:
            ends.append(f"at most {words.days_of(self.follow_up)}")
        if self.while_exposed:
            era = self.while_exposed
            ends.append(
                f"the end of exposures to {era.codes} with at most {words.days_of(era.gap)} between and "
                f"{words.days_of(era.offset)} after"
            )
        return ends + [f"an event of {words.named(events, self.codes)}" for events in self.censor]


def load(path: Path, above: tuple[str, ...] = ()) -> Definition:
    """Read a definition file, and the code lists and other definitions that it names. `above`: names of those
    that name this one. SettingsError: one of them does not read, or names itself in the end."""
    read = load_yaml(path, Definition, others={})
    above = (*above, path.stem)
    if again := next((name for name in read.named if name in above), None):
        raise SettingsError(
            path, f"asks about cohort {again}, which asks about it in turn", "break the circle"
        )
    return read.model_copy(
        update={
            "codes": {name: filled(each, name, path) for name, each in read.codes.items()},
            "others": {name: load(beside(path, name), above) for name in read.named},
        }
    )


def beside(path: Path, name: str) -> Path:
    """The file of another cohort that the definition at `path` names. SettingsError: it is not there."""
    other = path.with_name(f"{name}{path.suffix}")
    if not other.exists():
        raise SettingsError(
            path, f"asks about cohort {name}, and {other.name} is not beside it", "add the file"
        )
    return other


def files(path: Path) -> tuple[Path, ...]:
    """The definition's own file, and those of all other cohorts that it asks about, by name."""
    found, pending = {path.name: path}, [path]
    while pending:
        here = pending.pop()
        for name in load_yaml(here, Definition, others={}).named:
            other = beside(here, name)
            if other.name not in found:
                found[other.name] = other
                pending.append(other)
    return (path, *(found[name] for name in sorted(set(found) - {path.name})))
