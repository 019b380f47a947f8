"""The page of cohorts: who is left after each step, whom they are of and have in common, why follow-up ends.

Counts are exact for a project's own zone; anywhere else rounded to 10, what is below 10 as "fewer than 10".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2

from pipelines.cohort.controls import without_controls
from pipelines.cohort.entered import AGES, SEXES, UNKNOWN
from pipelines.files.atomic import atomic
from workflows.flow import diagram

Cohort = Mapping[str, Any]
LEAST: Final = 10  # below it no count is shown outside a zone, and to it counts are rounded there
ENDS: Final = {
    "death": "death",
    "censored": "an event that ends it",
    "study_end": "the end of the study",
    "moved": "the end of observation: a move, or the register says no more",
    "follow_up": "the days of follow-up being over",
    "exposure_end": "the end of exposure",
}


def write(path: Path, cohorts: Sequence[Cohort], exact: bool) -> None:
    """Write the page. `cohorts`: entries of `definitions.json`, or a run's `cohort.json`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    shown = [_shown(each, exact) for each in cohorts]
    page = environment.get_template("cohort.html.j2").render(
        cohorts=shown, overlap=_overlap(cohorts, exact), exact=exact, least=LEAST
    )
    with atomic(path) as beside:
        beside.write_text(page, encoding="utf-8")


def counted(count: int, exact: bool) -> str:
    """A count as the page says it."""
    if exact:
        return f"{count:,}"
    return f"fewer than {LEAST}" if count < LEAST else f"{_rounded(count):,}"


def _rounded(count: int) -> int:
    return (count + LEAST // 2) // LEAST * LEAST


def _drawn(count: int, exact: bool) -> int:
    """How long a bar is: nothing of a count that is not said."""
    return count if exact else _rounded(count) if count >= LEAST else 0


def _shown(cohort: Cohort, exact: bool) -> dict[str, Any]:
    entered = cohort.get("entered", [])
    years, groups = Counter[str](), Counter[tuple[str, str]]()
    for row in entered:
        years[row["year"]] += row["entries"]
        groups[row["age"], row["sex"]] += row["entries"]
    attrition = [{**each, "persons": _drawn(each["persons"], exact)} for each in cohort["attrition"]]
    controls = cohort.get("controls")
    return {
        "title": cohort["title"],
        "file": cohort.get("file", ""),
        "persons": counted(cohort["attrition"][-1]["persons"], exact) if cohort["attrition"] else "",
        "entries": counted(sum(row["entries"] for row in entered), exact),
        "flow": diagram(attrition, None if exact else f"fewer than {LEAST}"),
        "years": _bars(years, sorted(years), exact),
        "pyramid": _pyramid(groups, exact),
        "ends": [
            (ENDS[each["ended"]], counted(each["members"], exact), counted(each["die_later"], exact))
            for each in cohort.get("ends", [])
        ],
        "controls": _controls(controls, exact) if controls else None,
    }


def _controls(controls: Cohort, exact: bool) -> dict[str, Any]:
    """Cases by the number of their controls, those without one first and in words."""
    rows = [(each["controls"], counted(each["cases"], exact)) for each in controls["cases"]]
    without = f"{counted(controls['without'], exact)} cases have no control"
    return {
        "rows": rows,
        "without": without_controls(controls) if exact else without,
        "some": controls["without"] > 0,
    }


def _bars(counts: Mapping[str, int], labels: Sequence[str], exact: bool) -> list[dict[str, Any]]:
    most = max((_drawn(counts[each], exact) for each in labels), default=0) or 1
    return [
        {
            "label": each,
            "said": counted(counts[each], exact),
            "width": round(100 * _drawn(counts[each], exact) / most, 1),
        }
        for each in labels
    ]


def _pyramid(groups: Mapping[tuple[str, str], int], exact: bool) -> list[dict[str, Any]]:
    """Age groups, the oldest first, with a bar for each sex; those of unknown sex in a column where there are
    some."""
    most = max((_drawn(count, exact) for count in groups.values()), default=0) or 1
    present = [age for age in (*AGES, UNKNOWN) if any(each == age for each, _ in groups)]
    return [
        {
            "age": age,
            "sexes": [
                {
                    "sex": sex,
                    "said": counted(groups.get((age, sex), 0), exact),
                    "width": round(100 * _drawn(groups.get((age, sex), 0), exact) / most, 1),
                }
                for sex in (*SEXES.values(), UNKNOWN)
                if sex != UNKNOWN or any(each == UNKNOWN for _, each in groups)
            ],
        }
        for age in reversed(present)
    ]


def _overlap(cohorts: Sequence[Cohort], exact: bool) -> dict[str, Any] | None:
    """Persons whom each two cohorts have in common; None for a single one."""
    compared = [each for each in cohorts if each.get("overlap")]
    if len(compared) < 2:
        return None
    ids = [str(each["cohort_definition_id"]) for each in compared]
    rows = [
        (each["title"] or each["file"], [counted(each["overlap"][id], exact) for id in ids])
        for each in compared
    ]
    return {"ids": ids, "rows": list(zip(ids, rows, strict=True)), "left_out": len(cohorts) - len(compared)}
