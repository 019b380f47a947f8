"""The days of a study, as dates and as the numbers that stand for them."""

from __future__ import annotations

from datetime import date

from pydantic import Field, model_validator

from pipelines.files.yaml import Strict

_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


class Study(Strict):
    """The days in which a person may enter and be followed, both in."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Study:
        if self.last < self.first:
            raise ValueError("to lies before from")
        return self
