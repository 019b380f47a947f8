"""What a source's deliveries are held against: bounds in its contract, and whether passing one warns or
stops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pipelines.files.yaml import Strict

# Without quotes YAML reads `off` as false.
_Off = BeforeValidator(lambda said: "off" if said is False else said)
Then = Annotated[Literal["off", "warn", "stop"], _Off]
Warns = Annotated[Literal["off", "warn"], _Off]
BEFORE = 3  # earlier deliveries that a median asks for


class Volume(Strict):
    """Rows of each table beside the median of earlier deliveries, from the fourth on: at least `least` and at
    most `most` times as many."""

    least: float = Field(0.5, ge=0, le=1)
    most: float = Field(2.0, ge=1)
    then: Then = "warn"


class Empty(Strict):
    """A delivery with no row at all, or whose table is empty where an earlier one had rows."""

    then: Then = "warn"


class Shrinking(Strict):
    """Rows of each table of a correction beside what it replaces: at least `least` times as many."""

    least: float = Field(0.5, ge=0, le=1)
    then: Then = "stop"


class Share(Strict):
    """A share that should be at most `most`."""

    most: float = Field(ge=0, le=1)
    then: Then = "warn"


class Unlinked(Strict):
    """A share that is known once records are linked: too late to stop a delivery for it."""

    most: float = Field(0.2, ge=0, le=1)
    then: Warns = "warn"


class Freshness(Strict):
    """Days from one delivery to the next, at most; twice the usual where none is said and three have come."""

    days: int | None = Field(None, ge=1, le=3660)
    then: Warns = "warn"


class Guards(Strict):
    """The guards of a source.

    `unknown_codes`: rows turned away for their code, of those read; `unlinked`: records that linkage links
    to no other; `lost_records`: of what a correction replaces, the records that it no longer speaks of;
    `moved_dates`: events of the others that are there again on another day.
    """

    volume: Volume = Volume()
    empty: Empty = Empty()
    shrinking: Shrinking = Shrinking()
    unknown_codes: Share = Share(most=0.05)
    unlinked: Unlinked = Unlinked()
    lost_records: Share = Share(most=0.2)
    moved_dates: Share = Share(most=0.05)
    freshness: Freshness = Freshness()
