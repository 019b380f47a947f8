"""The measures stage: protected cubes in, figures and plots out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.cubes.cube import CONTROLS_OF, PART_OF, ProtectedCube, time_table
from pipelines.cubes.figures import Columns, Figures, Plot, write_figures
from pipelines.cubes.files import read_protected
from pipelines.cubes.standard_axes import StandardAxes
from pipelines.files.sealing import Zone
from pipelines.measures import (
    baseline,
    clustered,
    compared,
    forest,
    indirect,
    net_figures,
    pictures,
    series,
    standardised,
    survival_figures,
    transition_figures,
    units,
    value_figures,
    widening,
)
from pipelines.measures.cases import beside_cases, of_controls, of_matching
from pipelines.measures.changed import consistent
from pipelines.measures.curves import Axes, follow
from pipelines.measures.love import love
from pipelines.measures.parts import joined, with_role
from pipelines.measures.plots import plot
from pipelines.measures.rates import MEANINGS, figures
from pipelines.measures.reasons import reasoned


def measure(protected: Path, out: Path, zone: Zone) -> dict[str, Any]:
    """Derive figures and a plot from each protected cube of a folder. It is given no more than that, so that
    it can see no more."""
    cubes = {cube.table: cube for cube in read_protected(protected, zone)}
    derived = [
        *derive_baselines([cube for cube in cubes.values() if PART_OF in cube.notes]),
        *(
            derive(cube, cubes.get(time_table(cube.table)))
            for cube in cubes.values()
            if PART_OF not in cube.notes
        ),
    ]
    for each in derived:
        write_figures(each, out, zone)
    return {"tables": [{"table": each.table, "figures": list(each.columns)} for each in derived]}


def derive_baselines(parts: list[ProtectedCube]) -> Iterator[Figures]:
    """Figures of the parts of baselines; the first part of each that has differences has the picture of
    all. A part of controls is looked at beside that of their cases."""
    own = {cube.table: cube for cube in parts}
    seen = {
        cube.table: beside_cases(own[cube.notes[CONTROLS_OF]], cube) if CONTROLS_OF in cube.notes else cube
        for cube in parts
    }
    found = {name: baseline.describe(each) for name, each in seen.items()}
    texts = {name: each.columns() for name, each in found.items()}
    compared = [name for name, columns in texts.items() if "smd" in columns]
    first = {own[name].notes[PART_OF]: name for name in reversed(compared)}
    for name, cube in own.items():
        columns = texts[name]
        if cube.perturbed is not None and widening.limits_in(columns):
            again = [baseline.describe(each).columns() for (each,) in widening.drawn([cube])]
            columns = widening.widened(columns, again, cube.perturbed)
        if name not in compared:
            picture = plot(cube, None)
        else:
            whole = cube.notes[PART_OF]
            together = [each for each in compared if own[each].notes[PART_OF] == whole]
            shown = together if first[whole] == name else [name]
            picture = love(cube.title, [(seen[each], found[each]) for each in shown])
        if CONTROLS_OF in cube.notes:
            columns = of_controls(columns, cube.cells)
        yield Figures(
            table=cube.table,
            columns=columns,
            meanings={name: baseline.MEANINGS[name] for name in columns},
            plot=picture,
            shown=tuple(name for name in columns if name != "why_empty"),
            notes=_of_baseline(cube, columns, own),
        )


def _of_baseline(
    cube: ProtectedCube, columns: Columns, parts: Mapping[str, ProtectedCube]
) -> tuple[str, ...]:
    notes = baseline.NOTES if "smd" in columns else ()
    if CONTROLS_OF in cube.notes:
        notes = (*notes, *of_matching(parts[cube.notes[CONTROLS_OF]], cube))
    wider = cube.perturbed is not None and widening.limits_in(columns)
    return (*notes, widening.NOTE) if wider else notes


def derive(cube: ProtectedCube, time: ProtectedCube | None = None) -> Figures:
    """Figures and plot of one protected cube, of the kind that its dimensions' roles tell. `time`: the cube
    of its time at risk, of the same cells, if that was counted. Each blank has its reason; where numbers were
    changed, limits are as much wider as that makes them uncertain."""
    found = _derived(consistent(cube), time)
    if cube.perturbed is not None and widening.limits_in(found.columns):
        both = [cube] if time is None else [cube, time]
        again = [_derived(consistent(first), *more).columns for first, *more in widening.drawn(both)]
        found = replace(
            found,
            columns=widening.widened(found.columns, again, cube.perturbed),
            notes=(*found.notes, widening.NOTE),
        )
    return reasoned(found.drawn(cube.table))


@dataclass(frozen=True)
class _Found:
    """Figures of one kind of table, and how their picture is drawn."""

    columns: Columns
    meanings: dict[str, str]
    picture: Callable[[], Plot]
    shown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def drawn(self, table: str) -> Figures:
        """With the picture, which takes its time."""
        return Figures(table, self.columns, self.meanings, self.picture(), self.shown, self.notes)


def _derived(cube: ProtectedCube, time: ProtectedCube | None = None) -> _Found:
    if with_role(cube, "outcome") is not None:
        return _survival(cube)
    for role in series.PERIODS:
        if (axis := with_role(cube, role)) is not None:
            return _series(cube, axis, role)
    if "values" in cube.measures and (axis := with_role(cube, "classes")) is not None:
        picture = partial(value_figures.histogram, cube, axis)
        return _Found(
            columns=value_figures.figures(cube, axis),
            meanings=value_figures.MEANINGS,
            picture=picture,
            shown=value_figures.SHOWN,
            notes=value_figures.NOTES,
        )
    if "sum" in cube.measures:
        return _sums(cube)
    if (axis := with_role(cube, "state")) is not None:
        columns = transition_figures.figures(cube, axis + 1)
        picture = partial(transition_figures.matrix, cube, axis, axis + 1)
        return _Found(
            columns=columns,
            meanings=transition_figures.MEANINGS,
            picture=picture,
            shown=transition_figures.SHOWN,
            notes=transition_figures.NOTES,
        )
    if time is not None and "events" in cube.measures:
        return _rates(cube, time)
    return _plain(cube, time)


def _rates(cube: ProtectedCube, time: ProtectedCube) -> _Found:
    found = _compared(cube, time, axis) if (axis := with_role(cube, "compared")) is not None else None
    if (standard := StandardAxes.of(cube.dimensions)) is not None:
        made = _indirect if standard.role in indirect.ROLES else _standardised
        return _with(made(cube, time, standard), found)
    if found is not None:
        return found
    if (axis := with_role(cube, "care_unit")) is not None:
        return _units(cube, time, axis)
    return _plain(cube, time)


def _plain(cube: ProtectedCube, time: ProtectedCube | None) -> _Found:
    columns = figures(cube, time)
    rated = ("rate", "rate_low", "rate_high") if "rate" in columns else ()
    if time is not None and not rated:
        rated = ("percent_of_at_risk", "percent_low", "percent_high")
    if "percent_of_days" in columns:
        rated = ("percent_of_days", *rated)
    return _Found(
        columns=columns,
        meanings={name: MEANINGS[name] for name in columns},
        picture=lambda: plot(cube, time),
        shown=rated,
        notes=_repeated(cube),
    )


def _repeated(cube: ProtectedCube) -> tuple[str, ...]:
    """What is to be said of limits where events may be repeated."""
    return clustered.NOTES if cube.design_effects else ()


def _survival(cube: ProtectedCube) -> _Found:
    axes = Axes.of(cube)
    curves = follow(cube, axes)
    columns = survival_figures.figures(cube, axes, curves)
    meanings: dict[str, str] = survival_figures.MEANINGS
    shown: tuple[str, ...] = survival_figures.SHOWN
    notes: tuple[str, ...] = survival_figures.NOTES
    net = net_figures.net(cube, axes, curves) if net_figures.is_net(cube) else None
    if net is not None:
        columns = net_figures.with_net(columns, cube, axes, curves, net)
        meanings, shown = {**meanings, **net_figures.MEANINGS}, (*shown, *net_figures.SHOWN)
        notes = (*notes, net_figures.NOTE.format(cube.notes[net_figures.POPULATION]))
    picture = partial(pictures.survival, cube, axes, curves, net)
    return _Found(
        columns=columns,
        meanings=meanings,
        picture=picture,
        shown=shown,
        notes=notes,
    )


def _sums(cube: ProtectedCube) -> _Found:
    columns = value_figures.sum_figures(cube)
    meanings = {name: value_figures.SUM_MEANINGS[name] for name in columns}
    shown = tuple(name for name in value_figures.SUMS_SHOWN if name in columns)
    return _Found(columns, meanings, partial(value_figures.mean_points, cube), shown)


def _series(cube: ProtectedCube, axis: int, role: str) -> _Found:
    found = series.series(cube, axis)
    ahead = series.outlook(found, role)
    picture = partial(pictures.forecast, cube, found, ahead, role)
    return _Found(
        columns=series.figures(cube, axis),
        meanings={**series.MEANINGS, "per_day": f"{found.words} for each of those days"},
        picture=picture,
        shown=series.SHOWN,
        notes=tuple(series.said(ahead, found, role)),
    )


def _standardised(cube: ProtectedCube, time: ProtectedCube, standard: StandardAxes) -> _Found:
    rates = standardised.standardise(cube, time, standard)
    columns = standardised.with_standardised(figures(cube, time), rates)
    meanings = {**MEANINGS, **standardised.meanings(about := standard.about)}
    crude = np.array([float(text or "nan") for text in columns["rate"]])
    picture = partial(pictures.points, cube, standard, rates, crude)
    notes = (f"standardised rates: direct, to the {about}; limits of Fay and Feuer (1997)", *_repeated(cube))
    return _Found(
        columns=columns,
        meanings={name: meanings[name] for name in columns},
        picture=picture,
        shown=standardised.SHOWN,
        notes=notes,
    )


def _indirect(cube: ProtectedCube, time: ProtectedCube, standard: StandardAxes) -> _Found:
    found = indirect.ratios(cube, time, standard)
    columns = indirect.with_ratios(figures(cube, time), found)
    meanings = {**MEANINGS, **indirect.meanings(about := standard.about)}
    picture = partial(forest.standardised, cube, standard, found)
    notes = (
        f"standardised ratios: indirect, to the {about}; exact limits (Garwood 1936)",
        indirect.NOTE,
        *_repeated(cube),
    )
    return _Found(
        columns=columns,
        meanings={name: meanings[name] for name in columns},
        picture=picture,
        shown=indirect.SHOWN,
        notes=notes,
    )


def _compared(cube: ProtectedCube, time: ProtectedCube, axis: int) -> _Found:
    found = compared.compare(cube, time, axis)
    columns = compared.with_comparison(figures(cube, time), found)
    meanings = {**MEANINGS, **compared.meanings(found.against)}
    picture = partial(forest.compared, cube, axis, found)
    notes = (
        f"rate ratios and differences: beside {found.against}; exact limits (Przyborowski and Wilenski "
        "1940) and score limits",
        *_repeated(cube),
    )
    shown = ("rate", "rate_low", "rate_high", *compared.SHOWN)
    return _Found(
        columns=columns,
        meanings={name: meanings[name] for name in columns},
        picture=picture,
        shown=shown,
        notes=notes,
    )


def _with(standard: _Found, comparison: _Found | None) -> _Found:
    """Standardised figures and their picture, with the comparison's columns beside them."""
    if comparison is None:
        return standard
    why = "why_empty"
    both = zip(standard.columns[why], comparison.columns[why], strict=True)
    texts = tuple(joined(pair) for pair in both)
    columns = {
        name: each for name, each in {**standard.columns, **comparison.columns}.items() if name != why
    } | {why: texts}
    meanings = {name: {**comparison.meanings, **standard.meanings}[name] for name in columns}
    shown = (*standard.shown, *compared.SHOWN)
    return _Found(
        columns=columns,
        meanings=meanings,
        picture=standard.picture,
        shown=shown,
        notes=tuple(dict.fromkeys((*standard.notes, *comparison.notes))),
    )


def _units(cube: ProtectedCube, time: ProtectedCube, axis: int) -> _Found:
    found = figures(cube, time)
    columns = {
        **{name: texts for name, texts in found.items() if name != "why_empty"},
        **units.figures(cube, time, axis),
    }
    columns["why_empty"] = found["why_empty"]
    meanings = {**MEANINGS, **units.MEANINGS}
    picture = partial(pictures.funnel, cube, time, axis)
    return _Found(
        columns=columns,
        meanings={name: meanings[name] for name in columns},
        picture=picture,
        shown=units.SHOWN,
        notes=(*units.NOTES, *_repeated(cube)),
    )
