"""How much of a hidden cell stays unknown: the rulebook of `interval`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from pipelines.disclosure.alone import prepare, protect_into
from pipelines.disclosure.specification import Specification
from pipelines.errors import DisclosureError
from pipelines.verifier import verify_protected
from tests.amount import share_of

Cells = dict[tuple[str, str], int | None]


def protected(folder: Path, counts: np.ndarray, **policy: Any) -> Cells:
    """A table of two dimensions as it is shown, None where hidden. `counts`: int (rows, columns)."""
    with (folder / "cells.csv").open("w", newline="") as out:
        rows = [(f"a{i}", f"b{j}", int(n)) for (i, j), n in np.ndenumerate(counts)]
        csv.writer(out).writerows([("a", "b", "n"), *rows])
    content = {
        "table": "cells.csv",
        "count": "n",
        "dimensions": {name: {"levels": [name]} for name in "ab"},
        "policy": policy,
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    problem = prepare(folder / "spec.yaml", Specification.load(folder / "spec.yaml"))
    protect_into(problem, folder / "out", lambda _text: None)
    assert [claim.text for claim in verify_protected(folder / "out") if not claim.holds] == []
    with (folder / "out" / "table.csv").open(newline="") as source:
        return {
            (row["a"], row["b"]): int(row["value"]) if row["value"] else None
            for row in csv.DictReader(source)
        }


def possible(cells: Cells, cell: tuple[str, str], values: range) -> set[int]:
    """Which whole values a hidden cell can have for whoever knows all sums and that a hidden cell has
    somebody in it, by integer programmes."""
    hidden = [each for each, value in cells.items() if value is None]
    codes = [sorted({each[axis] for each in cells} - {"Total"}) for axis in (0, 1)]
    lines = [[*((code, b) for code in codes[0]), ("Total", b)] for b in (*codes[1], "Total")]
    lines += [[*((a, code) for code in codes[1]), (a, "Total")] for a in (*codes[0], "Total")]
    matrix, known = np.zeros((len(lines), len(hidden))), np.zeros(len(lines))
    for number, line in enumerate(lines):
        for place, each in enumerate(line):
            sign = 1 if place < len(line) - 1 else -1
            if cells[each] is None:
                matrix[number, hidden.index(each)] += sign
            else:
                known[number] -= sign * (cells[each] or 0)
    found = set()
    for value in values:
        low, high = np.ones(len(hidden)), np.full(len(hidden), np.inf)
        low[hidden.index(cell)] = high[hidden.index(cell)] = value
        solved = milp(
            np.zeros(len(hidden)),
            integrality=np.ones(len(hidden)),
            bounds=Bounds(low, high),
            constraints=LinearConstraint(matrix, known, known),
        )
        if solved.success:
            found.add(value)
    return found


tables = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).choice([0, 1, 2, 3, 4, 6, 9, 14, 25, 40], (4, 4))
)


@settings(
    max_examples=share_of(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tables)
def test_three_values_stay_possible_for_every_small_cell_whatever_can_be_worked_out(
    tmp_path: Path, counts: np.ndarray
) -> None:
    try:
        cells = protected(tmp_path, counts, interval={"values": 3}, singletons=False)
    except DisclosureError:
        return
    for (i, j), count in np.ndenumerate(counts):
        if 0 < count < 5:
            assert len(possible(cells, (f"a{i}", f"b{j}"), range(1, 60))) >= 3, (i, j)


NARROW = np.array([[2, 6, 30], [7, 4, 21], [18, 25, 40]])


def test_a_cell_that_only_two_values_are_left_of_is_more_than_a_point_and_less_than_three(
    tmp_path: Path,
) -> None:
    """The 2 can be 1 or 2 where only what it needs is hidden: one who takes it for 1 or 2 is right."""
    counts = np.array([[2, 1, 30], [1, 40, 21], [18, 25, 40]])
    at_point = protected(tmp_path, counts, interval="point", singletons=False)
    at_three = protected(tmp_path, counts, interval={"values": 3}, singletons=False)
    narrow = {
        cell
        for cell in at_point
        if at_point[cell] is None and len(possible(at_point, cell, range(1, 90))) < 3
    }
    assert narrow
    assert all(len(possible(at_three, cell, range(1, 90))) >= 3 for cell in narrow if at_three[cell] is None)
    assert sum(value is None for value in at_three.values()) > sum(
        value is None for value in at_point.values()
    )


def test_the_verifier_counts_the_values_that_the_moves_give(tmp_path: Path) -> None:
    protected(tmp_path, NARROW, interval="point")
    proof = json.loads((tmp_path / "out" / "proof.json").read_text())
    proof["policy"]["interval"] = {"values": 20}
    (tmp_path / "out" / "proof.json").write_text(json.dumps(proof))
    assert "every sensitive cell could have 20 values at least" in {
        claim.text for claim in verify_protected(tmp_path / "out") if not claim.holds
    }


def test_where_there_is_no_such_table_it_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    """Whoever knows which hidden cells are small knows a table of 1 and 1 below a total of 2: no others."""
    counts = np.array([[1, 1], [1, 1]])
    with pytest.raises(DisclosureError):
        protected(tmp_path, counts, minimum=4, attacker="marks")
    assert not (tmp_path / "out").exists()
