"""What a permit asks of one table: what is counted, by what, and what is to be made of it."""

from __future__ import annotations

from typing import Final

from pydantic import model_validator

from pipelines.cubes.cube import controls_table
from pipelines.study.table_faults import faults
from pipelines.study.table_keys import NAME, TableKeys

__all__ = ["MEASURES", "NAME", "Table"]

_OF_EVENTS: Final = ("persons", "events", "admissions", "bed_days", "person_days")
MEASURES: Final[dict[str, tuple[str, ...]]] = {
    "members": ("persons",),
    "survival": ("persons",),
    "prevalence": ("persons",),
    "events": _OF_EVENTS,
    "weekly": _OF_EVENTS,
    "monthly": _OF_EVENTS,
    "values": ("persons", "values", "sum", "squares"),
    "transitions": ("persons", "transitions"),
    "baseline": ("persons",),
    "intervals": ("persons", "intervals"),
    "exposure": ("persons", "days_covered"),
}


class Table(TableKeys):
    """One table asked for."""

    @model_validator(mode="after")
    def _holds_together(self) -> Table:
        for fault in faults(self):
            raise ValueError(fault)
        return self

    @property
    def parts(self) -> tuple[Table, ...]:
        """The tables that are counted for it: of a baseline one of members by each of its rows, and one of
        controls where it asks for them; else itself."""
        if self.count != "baseline":
            return (self,)
        members = tuple(self._part(row) for row in self.known)
        return (*members, *(each._of_controls for each in members if self.controls))

    @property
    def known(self) -> tuple[str, ...]:
        """The rows of a baseline: what is known of each."""
        return self.rows or tuple(self.characteristics)

    def _part(self, row: str) -> Table:
        dimensions = (*self.dimensions, row)
        kept = {name: each for name, each in self.characteristics.items() if name in dimensions}
        title = kept[row].title if row in kept else ""
        named = title or row.replace("_", " ").capitalize()
        update = {
            "table": f"{self.table}-{row.replace('_', '-')}",
            "title": f"{self.title}: {named}",
            "count": "members",
            "dimensions": dimensions,
            "characteristics": kept,
            "rows": (),
            "controls": False,
        }
        return self.model_copy(update=update)

    @property
    def _of_controls(self) -> Table:
        update = {
            "table": controls_table(self.table),
            "title": f"Controls. {self.title}",
            "controls": True,
        }
        return self.model_copy(update=update)

    @property
    def events(self) -> tuple[object, ...]:
        """Which events: two tables with the same count the same ones."""
        return (
            *self.asked,
            *(("first",) if self.first else ()),
            *((f"washout {self.washout}",) if self.washout else ()),
        )

    @property
    def counted(self) -> list[object]:
        """What is counted, beside the cohort and its sources: cells of two tables with the same are the same
        where their places are."""
        if (
            self.count == "values" and not self.classes
        ):  # with classes all such events are counted, usable or not
            return ["values", list(self.events), *self.values]
        if self.count == "transitions":
            states = (
                self.states
                if not isinstance(self.states, dict)
                else [[name, list(codes)] for name, codes in self.states.items()]
            )
            return ["transitions", list(self.events), states]
        if self.count == "intervals" and self.since is not None:
            return ["intervals", list(self.asked), *self.since.counted]
        if self.count == "exposure":
            return ["exposure", list(self.asked), self.gap]
        if self.count == "prevalence":
            return ["prevalence", list(self.events), self.lookback, [day.isoformat() for day in self.days]]
        if self.counts_events:
            return ["events", list(self.events)]
        return ["controls" if self.controls else "members", []]

    @property
    def values(self) -> list[object]:
        """How values are told apart and added up."""
        return [self.unit, list(self.range or ()), list(self.classes), self.decimals]

    @property
    def time(self) -> list[object]:
        """What makes a day one at risk, as `counted`."""
        if self.count == "prevalence":
            return ["followed", [day.isoformat() for day in self.days]]
        return ["time", *([list(self.events)] if self.washout or self.first else [])]

    @property
    def outcome(self) -> tuple[object, ...]:
        """What ends a member's time to the event."""
        return (*self.asked, self.or_death, self.competing)

    @property
    def is_followed(self) -> bool:
        """Are days of follow-up counted beside?"""
        return self.count == "exposure" or "person_days" in self.measures
