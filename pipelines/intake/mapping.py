"""What a table of a delivery holds, in our terms: whom its rows are about, and which events they tell of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.files.schemas import KINDS, SETTINGS
from pipelines.files.yaml import Strict
from pipelines.study import codes

BY_CONCEPT = "concept"  # the system and code stand in the delivery's concept table
BY_VISIT = "icd-cm-by-visit"  # ICD-9-CM or ICD-10-CM, as the code's form or the other codes of its visit tell
NAMING = ("number", "previous", "given", "surname", "postcode")  # what may not stand beside a token


class Coded(Strict):
    """A column whose values stand for terms of ours. `values`: theirs to ours."""

    column: str
    values: dict[str, str]


class Identities(Strict):
    """Columns that say whom a row is about. `reference`: the source's own; the number or token itself where
    absent."""

    reference: str | None = None
    number: str | None = None
    previous: str | None = None
    token: str | None = None
    given: str | None = None
    surname: str | None = None
    sex: Coded | None = None
    birth: str | tuple[str] | tuple[str, str, str] | None = None  # a date; the year; or year, month and day
    postcode: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    repeats: bool = False  # a person may stand in many rows

    @model_validator(mode="after")
    def _someone(self) -> Identities:
        if not (self.reference or self.number or self.token):
            raise ValueError("identities need a reference, a number or a token")
        if self.token and any(getattr(self, name) for name in NAMING):
            raise ValueError("a token stands instead of numbers, names and postcodes")
        return self


class Event(Strict):
    """One kind of event that a row tells of. `concept`, or `code` with `system`, or neither for a visit (its
    setting is its concept)."""

    kind: str
    start: str
    end: str | None = None
    open_end: bool = False  # an empty end means that it goes on
    reference: str | None = None
    concept: str | None = None
    code: str | None = None
    standard: str | None = None  # the column of the standard concept, where that of the source's says nothing
    system: str | tuple[str, ...] | None = None  # of several, the first whose form a code has
    value: str | None = None
    unit: str | None = None
    position: str | None = None
    setting: Coded | str | None = None
    care_unit: str | None = None
    encounter: str | None = None
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    duplicates: Literal["quarantine", "keep"] = "quarantine"
    optional: bool = False  # a row whose code is empty tells of no such event

    @property
    def systems(self) -> tuple[str, ...]:
        """The code systems that a code may be of."""
        return (self.system,) if isinstance(self.system, str) else self.system or ()

    @model_validator(mode="after")
    def _coherent(self) -> Event:
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        if not {BY_CONCEPT, BY_VISIT, *codes.SYSTEMS} >= {*self.systems}:
            raise ValueError("the code system is not known; see pipelines/study/codes.py")
        if (self.code is None) != (self.system is None):
            raise ValueError("code and system go together")
        if self.concept is not None and self.concept.partition("/")[0] not in codes.SYSTEMS:
            raise ValueError("the concept's code system is not known; see pipelines/study/codes.py")
        if (self.concept is None) == (self.code is None) and not (
            self.kind == "visit" and self.code is None and self.concept is None
        ):
            raise ValueError("an event has a concept or a code")
        if self.optional and (self.code is None or self.system == BY_CONCEPT):
            raise ValueError("optional is for an event whose code stands in a column of the row")
        if self.standard is not None and self.system != BY_CONCEPT:
            raise ValueError("a standard concept goes with codes by concept")
        if self.system == BY_VISIT and self.encounter is None:
            raise ValueError("codes told apart by visit need the encounter")
        for setting in self.setting.values.values() if isinstance(self.setting, Coded) else (self.setting,):
            if setting is not None and setting not in SETTINGS:
                raise ValueError(f"setting is one of {', '.join(SETTINGS)}")
        return self


class Mapping(Strict):
    """What a table holds."""

    identities: Identities | None = None
    events: tuple[Event, ...] = ()
    optional: bool = False  # a delivery may come without it
    lookup: bool = False  # read by other tables, not mapped itself

    @model_validator(mode="after")
    def _about_someone(self) -> Mapping:
        if any((event.reference is None) == (self.identities is None) for event in self.events):
            raise ValueError(
                "events need a reference, and have none where the table's own identities say whom they are "
                "about"
            )
        return self
