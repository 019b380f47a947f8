"""The classifications that a table may have, by name: the built-in ones and its own characteristics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipelines.aggregation import dimensions, periods
from pipelines.aggregation.characteristics import of_characteristic
from pipelines.aggregation.dimensions import Classification
from pipelines.cubes.cube import Dimension
from pipelines.errors import SettingsError
from pipelines.site.permit import Table
from pipelines.study.days import Study
from pipelines.study.rates import Compare

_SOME = 30  # groups that an error names
_OF_CODED = ("events", "weekly", "monthly", "values")


def classification(name: str, table: Table, study: Study) -> Classification:
    """The classification of that name, as the table asks for it. Raises `SettingsError` for a name that is
    none."""
    if name in table.characteristics:
        return _with_comparison(of_characteristic(name, table), table, name)
    if name not in _MAKERS:
        raise SettingsError(
            f"table {table.table}: dimensions",
            f"{name} is not a dimension",
            f"choose from {', '.join(sorted({*_MAKERS, *table.characteristics}))}",
        )
    if name in ("chapter", "diagnosis") and table.count not in _OF_CODED:
        raise SettingsError(
            f"table {table.table}: dimensions",
            f"{table.count} have no {name}",
            "count events, or leave it out",
        )
    return _with_comparison(_MAKERS[name](table, study), table, name)


def _with_comparison(made: Classification, table: Table, name: str) -> Classification:
    if table.compare is not None and table.compare.over == name:
        return replace(
            made, dimension=_compared(made.dimension, table.compare, f"table {table.table}: compare")
        )
    return made


def _compared(dimension: Dimension, asked: Compare, where: str) -> Dimension:
    """The dimension with the group that the others are compared with, known by its code or its label."""
    places = [
        place
        for place in range(1, len(dimension))
        if asked.to in (dimension.codes[place], dimension.labels[place])
    ]
    if len(places) != 1:
        some = ", ".join(dimension.labels[1:_SOME])
        more = " …" if len(dimension) > _SOME else ""
        what = f"to is {'more than one' if places else 'none'} of the groups of {dimension.name}"
        raise SettingsError(where, what, f"choose from {some}{more}, or say its code")
    values = tuple(int(place == places[0]) for place in range(len(dimension)))
    return replace(dimension, role="compared", values=values, about=dimension.labels[places[0]])


_MAKERS: dict[str, Callable[[Table, Study], Classification]] = {
    "care_unit": dimensions.care_unit,
    "sex": dimensions.sex,
    "age_group": dimensions.age_group,
    "municipality": dimensions.municipality,
    "year": dimensions.year,
    "follow_up": dimensions.follow_up,
    "chapter": dimensions.chapter,
    "diagnosis": dimensions.diagnosis,
    "quarter": lambda table, study: periods.quarters(study),
}
