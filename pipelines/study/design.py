"""What a study asks beside who is in: controls for the members, and counts of them by strata."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipelines.files.yaml import Strict


class Ages(Strict):
    """Groups of completed years on the index day, by the first year of each but the youngest."""

    age: tuple[Annotated[int, Field(ge=1, le=120)], ...] = Field(min_length=1)

    @field_validator("age")
    @classmethod
    def _ascending(cls, years: tuple[int, ...]) -> tuple[int, ...]:
        if sorted(set(years)) != list(years):
            raise ValueError("are not in ascending order, each once")
        return years

    @property
    def labels(self) -> tuple[str, ...]:
        """Of each group, the youngest first."""
        between = [f"{first}-{beyond - 1}" for first, beyond in pairwise(self.age)]
        return (f"0-{self.age[0] - 1}", *between, f"{self.age[-1]}+")


Stratum = Literal["sex", "year", "municipality"] | Ages


def distinct(strata: tuple[Stratum, ...]) -> tuple[Stratum, ...]:
    """The same. Raises ValueError if one stands there twice."""
    kinds = [type(each) if isinstance(each, Ages) else each for each in strata]
    if len(set(kinds)) < len(kinds):
        raise ValueError("names something twice")
    return strata


def words(strata: tuple[Stratum, ...]) -> str:
    """The strata in a sentence."""
    named = [f"age ({', '.join(each.labels)})" if isinstance(each, Ages) else each for each in strata]
    return f"Members are counted by {', '.join(named)}, as of the day on which they enter."


class Nearest(Strict):
    """How far a control's day of birth may lie from the case's, in days; the nearest come first."""

    birth_day: int = Field(ge=0, le=36_525)


class Controls(Strict):
    """Controls for each case, from those at risk on the case's index day.

    `ratio`: at most so many for each case. `exact`: what a control has in common with its case on that day;
    what is unknown matches nothing. `replace`: may one person be the control of several cases? `never_cases`:
    only who has no such event at any time; else also who has one later.
    """

    ratio: int = Field(1, ge=1, le=100)
    exact: tuple[Literal["sex", "birth_year", "municipality"], ...] = ("sex", "birth_year")
    nearest: Nearest | None = None
    replace: bool = False
    seed: int = Field(1, ge=0, lt=2**63)
    never_cases: bool = False

    @field_validator("exact")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("names something twice")
        return names

    def sentences(self, prior: int, narrowed: bool) -> list[str]:
        """In words. `prior`: days observed before; `narrowed`: has the definition an age or a sex?"""
        alike = [f"the same {name.replace('_', ' ')}" for name in self.exact]
        who = (
            f"Each gets at most {self.ratio} "
            f"control{'s' if self.ratio > 1 else ''}{' of ' if alike else ''}{' and '.join(alike)}"
        )
        if self.nearest:
            who += f", born at most {self.nearest.birth_day} days apart, the nearest first"
        again = "may be the control of several" if self.replace else "is the control of one alone"
        when = "at any time" if self.never_cases else "until then or on that day"
        of_age = ", is of the ages and sex asked for" if narrowed else ""
        said = [f"{who}; a person {again}."]
        like = "event like that by which people enter"
        said.append(
            f"A control is observed on that day and for {prior} days before{of_age}, and has no {like} "
            f"{when}."
        )
        said.append(
            f"Controls are followed as members are, exposed or not, and to the day before an {like} of their "
            "own at the latest."
        )
        return said
