"""Which events a table counts, or a part of it looks at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipelines.files.schemas import KINDS
from pipelines.files.yaml import Strict
from pipelines.study.code_list import BELOW

Setting = Literal["inpatient", "outpatient", "primary", "emergency", "unknown"]


def _prefixes(codes: tuple[str, ...]) -> tuple[str, ...]:
    if any(code.endswith(BELOW) for code in codes):
        raise ValueError(
            f"names a code with “{BELOW.strip()}”, which definitions alone may say: name the codes"
        )
    return codes


def _kind(kind: str | None) -> str | None:
    if kind is not None and kind not in KINDS:
        raise ValueError(f"is not a kind of event: choose from {', '.join(KINDS)}")
    return kind


Prefixes = Annotated[tuple[str, ...], AfterValidator(_prefixes)]


class EventFilter(Strict):
    """Events with one of these codes, of this kind, given in one of these settings, in primary position."""

    codes: Prefixes = Field((), description="events with one of these prefixes; all where empty")
    kind: Annotated[str | None, AfterValidator(_kind)] = Field(
        None, description="events of this kind; all where empty"
    )
    setting: tuple[Setting, ...] = Field(
        (), description="events given in one of these: inpatient, outpatient, primary, emergency, unknown"
    )
    primary: bool = Field(False, description="only events whose code stands in primary position")

    @property
    def asked(self) -> tuple[object, ...]:
        """Which events: two filters with the same take the same ones. Settings and positions are left out
        where none is asked for, so that what was counted before they could be is still the same."""
        return (
            self.codes,
            self.kind,
            *((f"setting {' '.join(sorted(set(self.setting)))}",) if self.setting else ()),
            *(("primary",) if self.primary else ()),
        )

    @property
    def names_some(self) -> bool:
        """Does it leave any events out?"""
        return bool(self.codes or self.kind or self.setting or self.primary)


def words(asked: EventFilter, kind: str = "events") -> str:
    """The events in words, e.g. "drug events with a code that begins with ATC/A10"."""
    named = f"{asked.kind} {kind}" if asked.kind else kind
    if asked.setting:
        named = f"{' or '.join(asked.setting)} {named}"
    if asked.primary:
        named += " in primary position"
    return f"{named} with a code that begins with {' or '.join(asked.codes)}" if asked.codes else named
