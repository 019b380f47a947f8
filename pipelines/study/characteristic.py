"""What is known of a member by the index day: had such an event, how often, which value, how much illness."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from pipelines.study.event_filter import EventFilter, words

NAME = re.compile(r"^[a-z][a-z0-9_]{0,40}$")
# dimensions that mean something else already, in this table or in another of the permit
TAKEN = frozenset(
    "age_group care_unit chapter class day diagnosis follow_up from_state month municipality quarter sex "
    "to_state week year".split()
)


class Characteristic(EventFilter):
    """A characteristic: yes or no where nothing more is said; else classes of a number of days, of the last
    value, or of a score of comorbidity."""

    title: str = Field("", description="what it is called for readers; its name where empty")
    first: int | None = Field(
        None,
        alias="from",
        ge=-36_600,
        le=0,
        description="the first day of the window, from the index day; as long as anything is known where not "
        "said",
    )
    last: int = Field(0, alias="to", ge=-36_600, le=0, description="the last day of the window, itself in it")
    number: tuple[int, ...] = Field(
        (),
        max_length=50,
        description="numbers of distinct days with such an event, or of points, on which a class begins",
    )
    unit: str | None = Field(None, description="of the last value in the window: the unit it must have")
    range: tuple[float, float] | None = Field(
        None, description="the lowest and the highest value that is believed, not below 0"
    )
    classes: tuple[float, ...] = Field((), max_length=200, description="where a class of values begins")
    comorbidity: Literal["charlson", "elixhauser"] | None = Field(
        None,
        description="points by the diagnoses in the window: Charlson's 17 conditions by his weights, or how "
        "many of Elixhauser's 31 there are",
    )

    @model_validator(mode="after")
    def _holds_together(self) -> Characteristic:
        for fault in _faults(self):
            raise ValueError(fault)
        return self

    @property
    def meaning(self) -> dict[str, object]:
        """What decides where a member stands."""
        return self.model_dump(mode="json", exclude={"title"})


def _faults(asked: Characteristic) -> Iterable[str]:
    if asked.first is not None and asked.first > asked.last:
        yield "has a window that ends before it begins"
    valued = asked.unit is not None or asked.range is not None or bool(asked.classes)
    if valued and (asked.unit is None or asked.range is None or not asked.classes):
        yield "needs unit, range and classes, or none of them"
    if asked.range is not None:
        ends = (asked.range[0], *asked.classes, asked.range[1])
        if asked.range[0] < 0 or not all(low < high for low, high in pairwise(ends)):
            yield "has a range below 0, or classes that do not ascend within it"
        if any(round(each, 4) != each for each in ends):
            yield "has a range or classes of more than four decimals"
    if asked.number and (valued or not all(low < high for low, high in pairwise((0, *asked.number)))):
        yield "has classes of a number that do not ascend from above 0, or stand beside classes of values"
    if asked.comorbidity and (valued or asked.codes or asked.kind or not asked.number):
        yield "has comorbidity, whose diagnoses are known: it needs number, and no codes, kind or classes"
    if not asked.comorbidity and not asked.names_some:
        yield "does not say what event: name codes, a kind, a setting or comorbidity"


def sentence(name: str, asked: Characteristic) -> str:
    """The characteristic in words."""
    named = f"{asked.title} ({name})" if asked.title else name
    if asked.comorbidity:
        whose = f"points of {asked.comorbidity.title()}"
        return f"{named}: {whose} by the diagnoses {_window(asked)}, {_steps(asked.number)}"
    if asked.classes:
        ends = ", ".join(f"{each:g}" for each in asked.classes)
        value = f"the last value of {words(asked)} {_window(asked)}"
        return f"{named}: {value}, in {asked.unit}, with a new class at {ends}"
    if asked.number:
        return f"{named}: days with {words(asked)} {_window(asked)}, {_steps(asked.number)}"
    return f"{named}: whether there are {words(asked)} {_window(asked)}"


def _window(asked: Characteristic) -> str:
    """When, counted from the index day."""
    if asked.first is None:
        return "before the index day or on it" if asked.last == 0 else f"until {_days(-asked.last)} before it"
    if asked.first == asked.last:
        return "on the index day" if asked.last == 0 else f"{_days(-asked.last)} before the index day"
    if asked.last == 0:
        return f"in the {_days(-asked.first)} before the index day or on it"
    return f"from {-asked.first} to {_days(-asked.last)} before the index day"


def _days(number: int) -> str:
    return f"{number} day{'s' if number > 1 else ''}"


def _steps(number: tuple[int, ...]) -> str:
    return f"in classes that begin at 0, {', '.join(str(each) for each in number)}"
