"""What a permit asks of rates: as they would be under the ages of a standard, and beside those of a group."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.cubes.cube import RATE_SCALE
from pipelines.files.yaml import Strict
from pipelines.study.codes import Standard, standard


class Standardise(Strict):
    """Rates as they would be if every population had the ages of a standard (direct), or events beside as
    many as reference rates would give (indirect)."""

    to: Literal["esp2013", "sweden2000", "sweden2005", "sweden2010", "own", "table"] = Field(
        description="the European Standard Population of 2013; the population of Sweden at the end of a "
        "year; one of the permit's own, by "
        "weights, or by rates for the indirect method; or table: indirectly, to the rates of all in the table"
    )
    over: Literal["age_group"] = Field("age_group", description="the dimension of ages")
    ages_from: int = Field(0, ge=0, le=95, description="younger ages have no weight")
    title: str | None = Field(None, description="own: what it is called, with its year and source")
    weights: dict[int, int] = Field(
        default={}, description="own: people by the first age of each group, the last group open"
    )
    rates: dict[int, float] = Field(
        default={},
        description="own: events per 100,000 person-years by the first age of each group, the last group "
        "open",
    )

    @model_validator(mode="after")
    def _own(self) -> Standardise:
        if (self.to == "own") != (bool(self.weights) != bool(self.rates)) or (self.to == "own") != bool(
            self.title
        ):
            raise ValueError(
                "needs title and either weights or rates for a standard of its own, and none of them for "
                "another"
            )
        if self.weights and (
            min(self.weights) != 0 or min(self.weights.values()) < 0 or sum(self.weights.values()) == 0
        ):
            raise ValueError("has weights that do not begin at age 0, are negative or are all 0")
        if self.rates and (
            min(self.rates) < 0 or min(self.rates.values()) < 0 or max(self.rates.values()) == 0
        ):
            raise ValueError("has rates of an age below 0, negative rates, or rates that are all 0")
        if any(not (round(rate, 4) == rate and rate * RATE_SCALE < 2**53) for rate in self.rates.values()):
            raise ValueError("has rates of more than four decimals, or too large")
        return self

    @property
    def indirect(self) -> bool:
        """By the rates of a reference, not by the ages of a standard."""
        return self.to == "table" or bool(self.rates)

    @property
    def standard(self) -> Standard:
        """The population itself, of the direct method."""
        if self.to != "own":
            return standard(self.to)
        ages = tuple(sorted(self.weights))
        return Standard(self.title or "", ages, tuple(self.weights[age] for age in ages))

    def rate(self, age: int) -> float:
        """The permit's own rate at an age: that of the group it lies in."""
        return self.rates[max(first for first in self.rates if first <= age)]


class Compare(Strict):
    """Rates beside that of one group: ratio and difference."""

    over: str = Field(description="the dimension of the groups")
    to: str = Field(description="the group that the others are compared with, by its label or its code")
