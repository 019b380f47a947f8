"""Drawn tables are protected and attacked again by means that share nothing with the engine."""

from __future__ import annotations

import pytest

from benchmarks.disclosure.generated import Published, attacked, drawn
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.attackers import Attackers
from pipelines.disclosure.suppression.system import build

KINDS = {
    "sums": Attackers("sums", singletons=False),
    "rule": Attackers("rule", singletons=False),
    "rule, alone": Attackers(),
}


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_no_small_cell_of_a_drawn_table_can_be_worked_out(seed: int, kind: str) -> None:
    assert attacked(seed, KINDS[kind]) in ("withstood", "nothing small")


def test_the_attack_works_out_small_cells_that_nothing_else_protects() -> None:
    cubes = drawn(1)
    system = build(cubes, Policy(minimum=5, zeros="open"))
    published = Published(cubes, [system.primary[own] for own in system.cells])
    small = {key for key in published.hidden if published.true[key] > 0}
    told = published.determined(set())
    assert told & small
    assert set(published.pinned(set(), sorted(small))) >= told & small
