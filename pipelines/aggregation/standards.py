"""Dimensions with what the standard that a table names says of their places."""

from __future__ import annotations

from dataclasses import replace

from pipelines.cubes.cube import RATE_SCALE, Dimension
from pipelines.cubes.standard_axes import WITHIN
from pipelines.site.permit import Table
from pipelines.study.rates import Standardise, by_sex

_NONE = {"standard": 0, "reference": 0, "rates": -1}  # the value of a place that does not count


def within(dimension: Dimension, table: Table) -> Dimension:
    """The dimension of sexes, as one within whose places ages are standardised over, if it is."""
    asked = table.standardise
    return dimension if asked is None or "sex" not in asked.axes else replace(dimension, role=WITHIN)


def standardised(dimension: Dimension, table: Table, sexes: tuple[str, ...]) -> Dimension:
    """The dimension of ages with the weight of each group in the standard that the table names, or with what
    an indirect comparison needs, if it names one; over sex, too, with a row of such for each of its places.

    `sexes`: labels of these places.
    """
    asked, top = table.standardise, table.age_top - table.age_top % table.age_width
    if asked is None:
        return dimension
    role = "standard" if not asked.indirect else "reference" if asked.to == "table" else "rates"
    first = list(range(0, top + 1, table.age_width))
    ends = [*first[1:], None]
    values, none = [], _NONE[role]
    for sex in sexes if "sex" in asked.axes else ("",):
        counts = not sex or sex in ("Men", "Women")
        groups = zip(first, ends, strict=True)
        of_sex = [
            _value(asked, sex, low, high) if counts and low >= asked.ages_from else none
            for low, high in groups
        ]
        values += [none, *of_sex, none]
    return replace(dimension, role=role, values=tuple(values), about=_about(dimension, asked, values))


def _value(asked: Standardise, sex: str, low: int, high: int | None) -> int:
    if not asked.indirect:
        return asked.weight(sex, low, high)
    return 1 if asked.to == "table" else round(asked.rate(sex, low) * RATE_SCALE)


def _about(dimension: Dimension, asked: Standardise, values: list[int]) -> str:
    """The standard in words, with its age groups."""
    size, both = len(dimension), len(asked.axes) > 1
    least = 0 if asked.rates else 1
    some = {place % size for place, value in enumerate(values) if value >= least}
    groups = ", ".join(dimension.labels[place] for place in sorted(some))
    ages = f"ages {asked.ages_from} and over" if asked.ages_from else "all ages"
    by = "age and sex" if both else "age"
    if asked.to == "table":
        return f"rates of all in this table by {by} ({groups}), {ages}"
    if asked.rates:
        return f"rates of {asked.title} by {by} ({groups}), {ages}"
    title = next(iter(asked.standards.values())).title
    return f"{title}, {ages}, its age groups put together as {groups}{_sexes(asked) if both else ''}"


def _sexes(asked: Standardise) -> str:
    if by_sex(asked.weights):
        return ", each sex with its own"
    shares = asked.sexes or {"Men": 1, "Women": 1}
    return f", {shares['Men']:,} men to {shares['Women']:,} women at every age"
