"""What a method loses, table by table: cells and persons hidden, and how far what is shown lies from the
truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.disclosure.altered import Altered
from pipelines.disclosure.atoms import Atoms
from pipelines.disclosure.problem import Problem


def lost(problem: Problem, together: Atoms, made: Altered) -> list[dict[str, Any]]:
    """Numbers for the project alone. Errors are of cells that are shown: `margins` those that add up several,
    `inner` the others."""
    truth = together.sums(together.count)
    parts = zip(
        problem.cubes,
        problem.small(),
        *(together.split(each) for each in (truth, made.values, made.hidden, together.inner())),
        strict=True,
    )
    told = []
    for cube, small, true, values, hidden, inner in parts:
        told.append(
            {
                "table": cube.table,
                "cells": cube.cells,
                "small": int(small.sum()),
                "nobody": int((true == 0).sum()),
                "hidden": int(hidden.sum()),
                "value": int(true.sum()),
                "value_hidden": int(true[hidden].sum()),
                "reasons": {
                    "hidden: few persons": int((hidden & small).sum()),
                    "hidden: others": int((hidden & ~small).sum()),
                    "changed": int((~hidden & (values != true)).sum()),
                    "as it was": int((~hidden & (values == true)).sum()),
                },
                "margins": _errors((values - true)[~hidden & ~inner]),
                "inner": _errors((values - true)[~hidden & inner]),
            }
        )
    return told


def _errors(error: np.ndarray) -> dict[str, float]:
    size = np.abs(error)
    return {
        "cells": len(error),
        "most": int(size.max(initial=0)),
        "mean": round(float(size.mean()), 4) if len(size) else 0.0,
        "bias": round(float(error.mean()), 4) if len(size) else 0.0,
    }
