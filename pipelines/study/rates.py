"""What a permit asks of rates: as they would be under the ages of a standard, and beside those of a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from pipelines.cubes.cube import RATE_SCALE
from pipelines.files.yaml import Strict
from pipelines.study.codes import Standard, standard

ByAge = dict[int, int]  # people by the first age of each group
RatesByAge = dict[int, float]
Sex = Literal["Men", "Women"]
SEXES: tuple[Sex, ...] = ("Men", "Women")


class Standardise(Strict):
    """Rates as they would be if every population had the ages of a standard (direct), or events beside as
    many as reference rates would give (indirect); its ages, or its ages and sexes."""

    to: Literal["esp2013", "sweden2000", "sweden2005", "sweden2010", "own", "table"] = Field(
        description="the European Standard Population of 2013; the population of Sweden at the end of a "
        "year; one of the permit's own, by "
        "weights, or by rates for the indirect method; or table: indirectly, to the rates of all in the table"
    )
    over: Literal["age_group"] | tuple[Literal["age_group", "sex"], ...] = Field(
        "age_group", description="the dimension of ages, or [age_group, sex]: ages within each sex"
    )
    ages_from: int = Field(0, ge=0, le=95, description="younger ages have no weight")
    title: str | None = Field(None, description="own: what it is called, with its year and source")
    weights: ByAge | dict[Sex, ByAge] = Field(
        default={},
        description="own: people by the first age of each group, the last group open; over sex, too: for "
        "Men and for Women, or of both",
    )
    rates: RatesByAge | dict[Sex, RatesByAge] = Field(
        default={},
        description="own: events per 100,000 person-years by the first age of each group, the last group "
        "open; over sex, too: for Men and for Women",
    )
    sexes: dict[Sex, int] = Field(
        default={},
        description="over sex, of a standard by ages alone: how many are Men to how many Women, at every "
        "age; as many of each where not said",
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
        weights, rates = self._weights.values(), list(self._rates.values())
        least = [number for each in weights for number in each.values()]
        if self.weights and (
            any(not each or min(each) != 0 for each in weights) or min(least) < 0 or sum(least) == 0
        ):
            raise ValueError("has weights that do not begin at age 0, are negative or are all 0")
        numbers = [rate for each in rates for rate in each.values()]
        if self.rates and (
            any(not each or min(each) < 0 for each in rates) or min(numbers) < 0 or max(numbers) == 0
        ):
            raise ValueError("has rates of an age below 0, negative rates, or rates that are all 0")
        if any(not (round(rate, 4) == rate and rate * RATE_SCALE < 2**53) for rate in numbers):
            raise ValueError("has rates of more than four decimals, or too large")
        return self

    @model_validator(mode="after")
    def _of_sexes(self) -> Standardise:
        both = self.axes == ("age_group", "sex")
        if not both and self.axes != ("age_group",):
            raise ValueError("is standardised over age_group, or over [age_group, sex]")
        given = [each for each in (self.weights, self.rates) if by_sex(each)]
        if given and not both:
            raise ValueError("has weights or rates for each sex, but is standardised over ages alone")
        if any(set(each) != set(SEXES) for each in given):
            raise ValueError("has weights or rates for one sex alone: say them for Men and for Women")
        if both and self.rates and not given:
            raise ValueError(
                "has rates by age alone, but is standardised over sex, too: say them for each sex"
            )
        if self.sexes and (not both or self.indirect or given):
            raise ValueError("says sexes, which go with over: [age_group, sex] and a standard by ages alone")
        if self.sexes and (set(self.sexes) != set(SEXES) or min(self.sexes.values()) < 1):
            raise ValueError("has sexes that are not Men and Women, each with a number above 0")
        return self

    @property
    def axes(self) -> tuple[str, ...]:
        """The dimensions, in the order of their names."""
        return (self.over,) if isinstance(self.over, str) else tuple(sorted(self.over))

    @property
    def indirect(self) -> bool:
        """By the rates of a reference, not by the ages of a standard."""
        return self.to == "table" or bool(self.rates)

    @property
    def first_ages(self) -> set[int]:
        """Ages at which a group of the standard begins, for every sex: of the direct method."""
        return set.intersection(*(set(each.first_ages) for each in self.standards.values()))

    @property
    def standards(self) -> dict[str, Standard]:
        """The population itself, of the direct method, by sex: that of both under "", where it is not said
        for each."""
        if self.to != "own":
            return {"": standard(self.to)}
        return {
            sex: Standard(self.title or "", tuple(sorted(ages)), tuple(ages[age] for age in sorted(ages)))
            for sex, ages in self._weights.items()
        }

    @property
    def _weights(self) -> dict[str, ByAge]:
        return _each(self.weights)

    @property
    def _rates(self) -> dict[str, RatesByAge]:
        return _each(self.rates)

    @property
    def rated_from(self) -> set[int]:
        """Ages at which the permit's own rates change."""
        return {age for each in self._rates.values() for age in each}

    @property
    def rated_at(self) -> int:
        """The first age for which the permit gives rates, of every sex."""
        return max(min(each) for each in self._rates.values())

    def weight(self, sex: str, low: int, high: int | None) -> int:
        """People of the standard whose ages are at least `low` and less than `high`, both of them ends of its
        groups: of a sex, or "" for all."""
        if sex not in self.standards:
            share = next((number for each, number in self.sexes.items() if each == sex), 1)
            return self.standards[""].between(low, high) * share
        return self.standards[sex].between(low, high)

    def rate(self, sex: str, age: int) -> float:
        """The permit's own rate at an age: that of the group it lies in. `sex`: or "" for all."""
        rates = self._rates[sex]
        return rates[max(first for first in rates if first <= age)]


def by_sex(given: Mapping[Any, object]) -> bool:
    """Is it said for each sex, and not by age alone?"""
    return any(isinstance(key, str) for key in given)


def _each(given: Any) -> dict[str, Any]:
    """What is said, by sex; by "" where it is said of all."""
    return dict(given) if by_sex(given) else {"": given} if given else {}


class Compare(Strict):
    """Rates beside that of one group: ratio and difference."""

    over: str = Field(description="the dimension of the groups")
    to: str = Field(description="the group that the others are compared with, by its label or its code")
