"""The pages of a release: one for each bundle, and the index of all that is finished. No script, font or
picture from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from pipelines.cubes.cube import RATIO, ProtectedCube
from pipelines.cubes.figures import Figures
from pipelines.release.rows import Header, Row
from pipelines.release.words import notes_of, protection

if TYPE_CHECKING:
    from pipelines.release.case import CaseInfo

Part = tuple[ProtectedCube, Figures, tuple[Header, list[Row]]]


@cache
def _templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("pipelines.release", "templates")
    return jinja2.Environment(
        loader=loader,
        autoescape=True,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def bundle_page(case: CaseInfo, parts: Sequence[Part], proof: dict[str, Any]) -> str:
    """The page of one bundle: each table viewable and downloadable, with its plot."""
    tables = [_table(cube, figures, rows, case) for cube, figures, (_, rows) in parts]
    return _templates().get_template("bundle.html").render(case=case, tables=tables, proof=proof)


def method_note(case: CaseInfo, cubes: Sequence[ProtectedCube], proof: dict[str, Any]) -> str:
    """The method note, in Markdown."""
    ratio = next((cube.notes[RATIO] for cube in cubes if RATIO in cube.notes), None)
    return (
        _templates()
        .overlay(autoescape=False)
        .get_template("method.md")
        .render(case=case, cubes=cubes, proof=proof, by=cubes[0].perturbed if cubes else None, ratio=ratio)
    )


def index_page(site: str, cases: Sequence[dict[str, Any]]) -> str:
    """The index of finished cases, each with its tables."""
    return _templates().get_template("index.html").render(site=site, cases=cases)


def _table(cube: ProtectedCube, figures: Figures, rows: list[Row], case: CaseInfo) -> dict[str, Any]:
    width = 2 * len(cube.dimensions)
    derived = figures.shown
    filters = [
        {
            "title": each.title,
            "values": [
                {"label": each.labels[place], "depth": max(0, each.depth(place) - 1)}
                for place in range(len(each))
            ],
        }
        for each in cube.dimensions
    ]
    reasons = list(dict.fromkeys(text for text in _reasons(figures, derived) if text))
    body = [
        {
            "labels": row[1:width:2],
            "places": places,
            "hidden": row[-1] == "hidden",
            "numbers": row[width:-1],
            "derived": [figures.columns[name][cell] for name in derived],
            "why": reasons.index(why) + 1 if why else 0,
        }
        for cell, (row, places, why) in enumerate(
            zip(rows, cube.coordinates().tolist(), _reasons(figures, derived), strict=True)
        )
    ]
    return {
        "name": cube.table,
        "title": cube.title,
        "filters": filters,
        "dimensions": [each.title for each in cube.dimensions],
        "measures": [_title(name) for name in cube.measures],
        "derived": [_title(name) for name in derived],
        "rows": body,
        "reasons": reasons,
        "protection": protection(cube),
        "notes": [*notes_of(cube, case.policy), *figures.notes],
        "svg": Markup(_inline(figures.plot.svg, cube.table)),
        "plot": figures.plot.title,
    }


def _reasons(figures: Figures, derived: Sequence[str]) -> list[str]:
    """Of each row why a figure that the page shows is left out, "" where none is, or the row is hidden."""
    blank = zip(*(figures.columns[name] for name in derived), strict=True) if derived else ()
    gone = [not all(texts) for texts in blank]
    whys = figures.columns.get("why_empty", ())
    return [why if each and why != "hidden" else "" for each, why in zip(gone, whys, strict=False)] or [
        ""
    ] * len(next(iter(figures.columns.values()), ()))


def _title(name: str) -> str:
    words = {
        "rate": "rate per 100,000 person-years",
        "rate_low": "lower limit",
        "rate_high": "upper limit",
        "standardised_rate": "standardised rate",
        "standardised_low": "lower limit",
        "standardised_high": "upper limit",
        "share_low": "lower limit",
        "share_high": "upper limit",
        "median_days": "median, days",
        "net": "net survival",
        "net_low": "lower limit",
        "net_high": "upper limit",
        "per_day": "each day",
        "percent_of_at_risk": "% of those at risk",
        "limit_low_95": "95 % from",
        "limit_high_95": "to",
        "limit_low_998": "99.8 % from",
        "limit_high_998": "to",
        "percent_low": "lower limit",
        "percent_high": "upper limit",
        "percent_of_from": "% of steps from the state",
        "percent": "%",
        "percent_of_cases": "% of cases",
        "sd": "standard deviation",
        "smr": "standardised ratio",
        "smr_low": "lower limit",
        "smr_high": "upper limit",
        "rate_ratio_low": "lower limit",
        "rate_ratio_high": "upper limit",
        "rate_difference_low": "lower limit",
        "rate_difference_high": "upper limit",
    }
    return words.get(name, name.replace("_", " "))


def _inline(svg: str, table: str) -> str:
    """The picture inside a page: without its XML head, its identifiers its own."""
    body = svg[svg.index("<svg ") :]
    for name in sorted({part.split('"')[0] for part in body.split(' id="')[1:]}, key=len, reverse=True):
        for before, after in ((' id="', '"'), ('href="#', '"'), ("url(#", ")")):
            body = body.replace(f"{before}{name}{after}", f"{before}{table}-{name}{after}")
    return body.replace('aria-labelledby="t d"', f'aria-labelledby="{table}-t {table}-d"')
