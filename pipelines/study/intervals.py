"""Times from one event to another: what starts the clock."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.study.event_filter import EventFilter, words


class Mark(EventFilter):
    """Events from which time runs."""

    clock: Literal["start", "end"] = Field(
        "start", description="time runs from the event's first day, or from its last, as from a discharge"
    )
    join: int | None = Field(
        None,
        ge=0,
        le=366,
        description="stays of a person with so few days between, from the last of one to the first of the "
        "next, are one: a transfer is no discharge",
    )
    first: bool = Field(False, description="only the first such event of each person's follow-up")

    @property
    def counted(self) -> list[object]:
        """What decides which times there are."""
        return [list(self.asked), self.clock, self.join, self.first]

    def sentence(self) -> str:
        """In words."""
        which = f"the first of the {words(self)}" if self.first else words(self)
        joined = "" if self.join is None else f", stays at most {self.join} days apart taken as one"
        return f"from the {'first' if self.clock == 'start' else 'last'} day of {which}{joined}"
