"""Weighted sums: what is published follows weights, and what is hidden follows persons."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.disclosure.specification import Specification
from pipelines.errors import DataError, DisclosureError, SettingsError
from pipelines.verifier import verify_protected
from tests.amount import share_of
from tests.table_inputs import CASES, HERE, Rows, can_be, protected, shown, written


@HERE
def test_a_weighted_sum_of_few_persons_is_hidden_however_large_it_is(tmp_path: Path) -> None:
    shutil.copytree(CASES / "7-weights", tmp_path / "case")
    told = protected(tmp_path / "case" / "a.yaml")
    assert told["tables"][0]["small"] == 1
    cells = shown(tmp_path / "case")
    assert cells[("A", "M")] is None
    assert cells[("Total", "Total")] == 5 * 2.2 + 40 * 2.2 + 30 * 1.5 + 35 * 1.5
    proof = json.loads((tmp_path / "case" / "out" / "proof.json").read_text())
    assert proof["weighted"]["not withstood"]


weights = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 400).map(lambda n: Fraction(n, 100))
    ),
    min_size=30,
    max_size=120,
)


@settings(
    max_examples=share_of(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(weights)
def test_what_is_shown_are_exact_sums_of_weights_and_what_is_hidden_follows_from_counts(
    tmp_path: Path, rows: list[tuple[str, str, Fraction]]
) -> None:
    path = written(tmp_path, [(a, b, f"{float(w):.2f}") for a, b, w in rows], "a b w")
    try:
        protected(path)
    except DisclosureError:  # so few that nothing could be shown
        return
    cells = shown(tmp_path)
    for cell, value in cells.items():
        inside = [w for a, b, w in rows if cell[0] in ("Total", a) and cell[1] in ("Total", b)]
        assert value is None or Fraction(value).limit_denominator(100) == sum(inside)
        assert value is None or not 0 < len(inside) < 5
    levels = [sorted({row[0] for row in rows}), sorted({row[1] for row in rows})]
    for cell, (least, most) in can_be(cells, levels, {}).items():
        assert most - least > 0.001, cell


@pytest.mark.parametrize("weight", ["0", "-1", "", "many", "nan"])
def test_a_weight_is_more_than_nothing(tmp_path: Path, weight: str) -> None:
    rows: Rows = [("A", 12, "1.5"), ("B", 30, weight)]
    with pytest.raises(DataError):
        protected(written(tmp_path, rows, "place n w"))


def test_the_verifier_sees_weighted_sums_of_few_persons_that_are_shown(tmp_path: Path) -> None:
    rows = [(a, b, 4 if (a, b) == ("A", "x") else 30, 9) for a, b in product("ABC", "xyz")]
    path = written(tmp_path, rows, "a b n w", policy={"minimum": 3})
    protected(path)
    assert None not in shown(tmp_path).values()
    proof = json.loads((tmp_path / "out" / "proof.json").read_text())
    proof["policy"]["minimum"] = 5
    (tmp_path / "out" / "proof.json").write_text(json.dumps(proof))
    wrong = {claim.text for claim in verify_protected(tmp_path / "out") if not claim.holds}
    assert "every cell that a rule makes sensitive is hidden" in wrong
    del proof["weighted"]
    (tmp_path / "out" / "proof.json").write_text(json.dumps(proof))
    assert "the certificate's true weighted sums are what is shown" in {
        claim.text for claim in verify_protected(tmp_path / "out") if not claim.holds
    }


@pytest.mark.parametrize(
    "more", [{"method": "midpoint"}, {"magnitude": "w"}, {"memory": "memory", "person": "person"}]
)
def test_weights_are_refused_where_nothing_is_proven_of_them(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="weights are of counts"):
        Specification.load(written(tmp_path, [("A", "p", 2)], "place person w", **more))
