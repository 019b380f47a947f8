"""Controls beside their cases: two protected cubes of the same rows as one of two groups, and what is said of
both."""

from __future__ import annotations

import numpy as np

from pipelines.cubes.cube import RATIO, TOTAL, Dimension, ProtectedCube
from pipelines.cubes.figures import Columns

_GROUPS = Dimension(
    name="group",
    title="Group",
    codes=("", "cases", "controls"),
    labels=(TOTAL, "Cases", "Controls"),
    parents=(-1, 0, 0),
    role="compared",
    values=(0, 1, 0),
    about="Cases",
)
_LIMITS = (
    "limits take cases and controls for independent: where a case and its controls are alike in what was not "
    "matched on, the variance is smaller, by a factor of 1 minus their correlation (of pairs: Borenstein and "
    "others 2009), and the limits are wider than they need be; each control counts once, however many its "
    "case has"
)


def beside_cases(cases: ProtectedCube, controls: ProtectedCube) -> ProtectedCube:
    """One cube of the groups cases and controls, by the rows that both have; both together are hidden, since
    nobody counts them, and one person may stand in both.

    `cases`, `controls`: of one and the same dimension.
    """
    persons = [np.zeros(cases.cells, np.int64), cases.measures["persons"], controls.measures["persons"]]
    hidden = [np.ones(cases.cells, bool), cases.hidden, controls.hidden]
    return ProtectedCube(
        table=controls.table,
        title=controls.title,
        population="",
        dimensions=(_GROUPS, *controls.dimensions),
        measures={"persons": np.concatenate(persons)},
        hidden=np.concatenate(hidden),
        additive={"persons": (False, *controls.additive["persons"])},
        notes=dict(controls.notes),
    )


def of_controls(columns: Columns, cells: int) -> Columns:
    """Of the columns of both groups those of the controls, and the cases' shares. `cells`: of one group."""
    own = {name: texts[2 * cells :] for name, texts in columns.items()}
    first, rest = own.pop("percent"), own
    return {"percent": first, "percent_of_cases": columns["percent"][cells : 2 * cells], **rest}


def of_matching(cases: ProtectedCube, controls: ProtectedCube) -> tuple[str, ...]:
    """How many controls are missing, as both totals tell, and how far limits hold."""
    ratio = int(controls.notes[RATIO])
    of, many = int(cases.measures["persons"][0]), int(controls.measures["persons"][0])
    lacking = ratio * of - many
    some = (
        "every case has all its controls"
        if not lacking
        else f"of the {ratio * of:,} places for controls {lacking:,} are empty: some cases have fewer, or "
        "none, and are counted all the same, so that differences are not between matched people alone; where "
        "so few were empty that it would tell of few cases, controls were left out by chance"
    )
    return f"{many:,} controls of {of:,} cases, at most {ratio} for each; {some}", _LIMITS
