"""What a permit asks of a forecast."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.files.yaml import Strict


class Capacity(Strict):
    """What there is room for each day, as a line beside a forecast."""

    beds: int | None = Field(None, ge=1, description="beds, beside bed_days")
    visits: int | None = Field(None, ge=1, description="visits a day, beside events")

    @model_validator(mode="after")
    def _one(self) -> Capacity:
        if (self.beds is None) == (self.visits is None):
            raise ValueError("names beds or visits, one of the two")
        return self


class Forecasting(Strict):
    """What is foreseen, how far, and beside what."""

    of: Literal["events", "persons", "admissions", "bed_days"] = Field(
        description="which of the table's measures is foreseen"
    )
    horizon: int | None = Field(
        None, ge=1, le=104, description="periods ahead; half a season where not said, 26 weeks or 6 months"
    )
    season: int | None = Field(
        None,
        ge=1,
        le=104,
        description="periods in a season, 1 for none; 52 weeks or 12 months where not said",
    )
    capacity: Capacity | None = Field(None, description="what there is room for, as a line in the plot")

    @model_validator(mode="after")
    def _capacity(self) -> Forecasting:
        if self.capacity is None:
            return self
        if (self.of == "bed_days") != (self.capacity.beds is not None) or self.of not in (
            "bed_days",
            "events",
        ):
            raise ValueError("has a capacity of another kind: beds go with bed_days, visits with events")
        return self
